"""The sample rate of a load record: the rates that may be asked for, and the default."""

RECORD_RATES_HZ = (1_000, 1_000_000)  # from a sample a millisecond to one for each us of the device's clock
RATE_HZ = 100_000  # on it lies each edge that is a multiple of 10 us
