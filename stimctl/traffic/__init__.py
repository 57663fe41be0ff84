"""Bytes on a line: recorded as they pass, kept in a file, and decoded into sentences."""
