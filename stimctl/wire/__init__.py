"""The native protocol, sans-I/O: frames, messages and codes. The one thing that driver and device share."""
