"""The simulated stimulator: its firmware, its analog side, the lines to it, and the faults that can be put in.

Importing the package registers nothing and loads little. `pyserial` finds `sim://` here once `firmware_sim` is among
`serial.protocol_handler_packages`; `stimctl sim` serves a device over a pty or TCP.
"""
