"""Adapters for stimulators: one for each protocol, with the same interface to the session above them."""
