"""The reference firmware in C as a simulated device: its host build in this process, or its machine code on a chip."""
