"""Chooses the operating points of a run, and gives the reason for each that is left out.

In virtual time all are tried, where time is real a part of them.
"""

from collections.abc import Callable, Iterator

from stimlab.conformance.check import Check
from stimlab.conformance.dut import Dut
from stimlab.conformance.extremes import EXTREMES
from stimlab.conformance.matrix import CELLS, REAL_TIME_S, OperatingPoint, pairwise, within
from stimlab.conformance.operating_point import check_of, why_not

_PART = "where time is real a part is run in which any two coordinates meet"
Planned = Iterator[tuple[Check, str]]  # a check, and why it is not run; empty when it is


class MatrixPlan:
    """The full range. `wanted` is None for what is right for the device: a simulator is driven over all of it."""

    def __init__(self, *, wanted: bool | None = None, chosen: Callable[[Check], bool] = lambda _: True) -> None:
        self._wanted = wanted
        self._chosen = chosen

    def __call__(self, dut: Dut) -> Planned:
        """Every cell, as a check, with the reason for which it is not run on this device and this line."""
        assert dut.identity is not None, "identified at the beginning"
        wanted = bool(dut.identity.welcome.simulator) if self._wanted is None else self._wanted
        checks = {cell: check_of(cell) for cell in CELLS}
        reasons = {cell: self._reason(dut, wanted, cell, check) for cell, check in checks.items()}
        possible = [cell for cell, reason in reasons.items() if not reason]
        run = possible if dut.port.virtual and not dut.port.realtime else within(pairwise(possible), REAL_TIME_S)
        for check in EXTREMES:
            yield check, self._unwanted(wanted, check)
        chosen = set(run)
        for cell in run:
            yield checks[cell], ""
        for cell in CELLS:
            if cell not in chosen:
                yield checks[cell], reasons[cell] or _PART

    def _reason(self, dut: Dut, wanted: bool, cell: OperatingPoint, check: Check) -> str:
        return self._unwanted(wanted, check) or why_not(dut, cell)

    def _unwanted(self, wanted: bool, check: Check) -> str:
        if not self._chosen(check):
            return "not chosen"
        return "" if wanted else "`--full-range` tries it"
