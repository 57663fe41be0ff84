"""The device of the native protocol: frames in, frames and pulses out, on the simulator's own clock."""
