"""How many samples a second a record of the load has: what can be asked for, and what it has unless it is."""

RECORD_RATES_HZ = (1_000, 1_000_000)  # from a sample a millisecond to one for each us of the device's clock
RATE_HZ = 100_000  # on it lies each edge that is a multiple of 10 us
