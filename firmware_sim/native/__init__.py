"""The simulated device of the native protocol: frames in, frames and pulses out, on its own clock."""
