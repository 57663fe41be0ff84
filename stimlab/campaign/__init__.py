"""Campaigns: many random hostile sessions, spread over processes, each judged by the invariants."""
