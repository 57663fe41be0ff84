"""One session: states, timers, ramp, hold, end. Bytes and commands in, bytes and events out; time is an argument."""
