"""The proof: scenarios, campaigns, invariants and conformance.

It may import the driver and the simulator; neither imports it.
"""
