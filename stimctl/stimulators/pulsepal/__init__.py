"""PulsePal, firmware 21 and 22."""
