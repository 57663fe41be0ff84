"""Drives devices that have no watchdog: output is given in short leases that end by themselves."""
