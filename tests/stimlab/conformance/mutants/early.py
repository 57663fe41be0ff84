"""Devices that break R-01 to R-37, one requirement each."""

from tests.stimlab.conformance.mutants import (
    early_arms,
    early_hellos,
    early_lines,
    early_numbers,
    early_programs,
    early_states,
)

__all__ = ["early_arms", "early_hellos", "early_lines", "early_numbers", "early_programs", "early_states"]
