"""Traffic, the bytes on a line: kept in a file, and decoded into sentences."""
