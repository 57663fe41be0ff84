"""Where driver and simulator meet: scenarios, invariants, campaigns. The one place that may import both."""
