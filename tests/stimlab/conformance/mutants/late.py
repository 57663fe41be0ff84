"""Devices that break R-38 to R-90, one requirement each."""

from tests.stimlab.conformance.mutants import (
    late_counts,
    late_ends,
    late_impedances,
    late_limits,
    late_pulses,
    late_records,
    late_starts,
    late_stops,
    late_telemetry,
    late_times,
    late_words,
)

__all__ = [
    "late_counts",
    "late_ends",
    "late_impedances",
    "late_limits",
    "late_pulses",
    "late_records",
    "late_starts",
    "late_stops",
    "late_telemetry",
    "late_times",
    "late_words",
]
