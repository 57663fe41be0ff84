"""The checks, by topic. A module in here is found by itself."""
