"""Devices without a watchdog: output is given in short leases that lapse by themselves."""
