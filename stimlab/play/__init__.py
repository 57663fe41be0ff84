"""Plays a scenario: the real driver against the simulated device, in virtual time or as real processes."""
