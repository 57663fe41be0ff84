"""One session, sans-I/O: bytes, commands and the time in, bytes and events out.

`engine` puts it together, `runner` runs it on a port; states, timers, ramp, hold and end are decided in between.
"""
