"""The analog side of a simulated device: converters, needles and tissue, and a record of the current in the load.

Firmware cannot change any of it.
"""
