"""The result of a run as plain data, for the screen, JUnit XML, JSON and the HTML page."""

from dataclasses import dataclass, field
from typing import Literal

from stimctl.traffic.transcript import TrafficChunk
from stimlab.conformance.check import Check
from stimlab.conformance.requirements import TO_MEASURE, PointMeasured
from stimlab.conformance.verdict import DutIdentity, Measurement

_WRONG: tuple["Verdict", ...] = ("failed", "error")
Verdict = Literal["passed", "failed", "skipped", "error"]


@dataclass(frozen=True, slots=True)
class Nonconformity:
    """A requirement that is not kept: a sentence, the values side by side, and the piece of traffic that showed it."""

    requirement: str
    text: str
    expected: str = ""
    seen: str = ""
    record: int = -1  # in the outcome's traffic; -1 for none


@dataclass(slots=True)
class CheckResult:
    """One check, done. `found` is empty unless it failed; `reason` says why it was skipped or broke off."""

    check: Check
    verdict: Verdict = "passed"
    found: list[Nonconformity] = field(default_factory=list)
    reason: str = ""
    measurements: list[Measurement] = field(default_factory=list)
    traffic: list[TrafficChunk] = field(default_factory=list)
    took_us: int = 0


@dataclass(slots=True)
class SuiteResult:
    """The whole of it. `broken_off` says why it did not come to its end; empty when it did."""

    url: str
    began: str  # ISO 8601, UTC
    tool: str
    identity: DutIdentity | None = None
    outcomes: list[CheckResult] = field(default_factory=list)
    broken_off: str = ""
    line_lost: bool = False
    amplitude_ua: int = 0
    scope: dict[str, PointMeasured] = field(default_factory=dict)  # what captures showed, by the point's name

    def count(self, verdict: Verdict) -> int:
        """How many checks came out so."""
        return sum(outcome.verdict == verdict for outcome in self.outcomes)

    @property
    def scope_failed(self) -> int:
        """How many points a capture showed to be wrong."""
        return sum(point.verdict == "failed" for point in self.scope.values())

    @property
    def scope_open(self) -> int:
        """How many points are left to a scope."""
        return len(TO_MEASURE) - sum(point.verdict != "open" for point in self.scope.values())

    @property
    def conforms(self) -> bool:
        """Whether it came to its end with nothing failed. What was not examined may be anything."""
        return not self.broken_off and not self.count("failed") and not self.count("error") and not self.scope_failed

    @property
    def not_examined(self) -> int:
        """How much was left out that a line can show."""
        return self.count("skipped")

    @property
    def verdict(self) -> str:
        """The first line of every report. It never says more than was examined."""
        left_out = f"{self.not_examined} not examined, {self.scope_open} points left to a scope"
        wrong = ", ".join(f"{self.count(each)} {each}" for each in _WRONG if self.count(each))
        if self.scope_failed:
            wrong = ", ".join(filter(None, (wrong, f"{self.scope_failed} failed on the scope")))
        if wrong:
            return f"DOES NOT CONFORM: {wrong}; {left_out}"
        if self.broken_off:
            return f"BROKEN OFF, no verdict; {left_out}"
        return f"CONFORMS in what was examined; {left_out}"
