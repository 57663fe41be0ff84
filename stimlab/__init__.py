"""The proof: scenarios, campaigns, invariants and conformance. May import driver and simulator; nothing imports it."""
