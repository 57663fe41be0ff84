"""All points of a plan, one after the other: loads, captures, judgement, results.

A point whose session was ended by a person, a signal or the line is not done, and the plan ends there; it goes on with
that point. So is one whose session a signal or a stop from elsewhere came too late to end. One that ended by the
device's own doing is a result; where the device is not to be used before it was examined, the plan ends after it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from stimctl.bench.document import record_of
from stimctl.bench.oscilloscope import ScopeSettings, save
from stimctl.bench.plan.driving import NOT_DONE, Driven, PointDriver
from stimctl.bench.plan.file import BenchPlan
from stimctl.bench.plan.judging import Bounds, judged, outcome
from stimctl.bench.plan.points import Act, PlanPoint
from stimctl.bench.plan.results import PlanResults
from stimctl.bench.verdict import Row, Verdict
from stimctl.errors import Misuse
from stimctl.session.states import End
from stimctl.session.view import SessionReport
from stimctl.units import US_PER_S

TO_EXAMINE = frozenset({
    End.OVER_CURRENT, End.NET_CHARGE, End.GATE, End.RESET, End.REFUSED, End.ECHO, End.IMPLAUSIBLE, End.SELF_TEST,
    End.WRONG_DEVICE,
})  # fmt: skip
_REFERENCE_S, _REFERENCE_POINTS = 1.2, 120_000
_OF_REFERENCE = ("average direct current", "net charge a pulse")
Look = Callable[[PlanPoint, Verdict], None]


@dataclass(frozen=True, slots=True)
class PlanRunner:
    """Runs a plan into its results. `look` is told of each point that is done, `departed` says that a signal came."""

    plan: BenchPlan
    driver: PointDriver
    results: PlanResults
    bounds: Bounds
    look: Look
    departed: Callable[[], bool] = bool

    @property
    def open_points(self) -> list[PlanPoint]:
        """What is still to be done."""
        return [point for point in self.plan.points if point.key not in self.results.done]

    def run(self) -> SessionReport | None:
        """All that is open. Returns the report of the session that ended the plan before its end, if one did."""
        connected = None
        for point in self.open_points:
            if self.departed():
                return None
            if connected != point.run.ohm:
                self.driver.setup.connect(str(point.run.ohm))
                connected = point.run.ohm
                if self.departed():  # while somebody was asked
                    return None
            driven = self.driver.drive(point)
            report = driven.report
            unproven = report.zero_confirmed_us is None  # nothing more is driven behind a zero that nobody saw
            if report.end in NOT_DONE or unproven or driven.stopped_elsewhere or self.departed():
                return report
            if driven.identity is not None:  # who answered at first may have been unplugged since
                self.results.require_device(driven.identity.record())
            if point.act in (Act.SHORT, Act.OPEN):
                self._put_back(point, driven)
            self._finish(point, driven)
            if driven.report.end in TO_EXAMINE:
                return driven.report
        return None

    def _put_back(self, point: PlanPoint, driven: Driven) -> None:
        """The load of an act stays as long as the plan says; then the resistor comes back, and a rest."""
        went_s = 0.0 if driven.quiet_us is None or driven.acted_us is None else driven.quiet_us - driven.acted_us
        self.driver.setup.wait(max(0.0, point.stays_s - went_s / US_PER_S))
        self.driver.setup.connect(str(point.run.ohm))
        if point.rest_s:
            self.driver.setup.wait(point.rest_s)

    def _finish(self, point: PlanPoint, driven: Driven) -> None:
        capture = self._capture(point, driven)
        reference = None
        if self.plan.head.reference and driven.settings is not None and capture is not None:
            reference = self._reference(driven.settings)
        simulated = self.driver.setup.simulated
        rows = judged(point, driven, capture, reference, self.bounds, probe=self.driver.probe, simulated=simulated)
        if reference is None:
            rows = tuple(row for row in rows if row.name not in _OF_REFERENCE)
        self.results.finish(point.key, self._record(point, driven, rows, capture, reference))
        self.look(point, outcome(rows))

    def _capture(self, point: PlanPoint, driven: Driven) -> Path | None:
        if not driven.waves:
            return None
        path = self.results.capture(point.key)
        _saved(path, driven.waves)
        return path

    def _reference(self, settings: ScopeSettings) -> Path:
        """Of the same scale and inputs, with no session: taken once, and used for all points like this one."""
        inputs = "-".join(map(str, settings.channels))
        path, there = self.results.reference(f"{settings.volts_per_division:g}V-{inputs}")
        if not there:
            short = replace(settings, seconds=_REFERENCE_S, points=_REFERENCE_POINTS)
            _saved(path, self.driver.reference(short))
        return path

    def _record(
        self, point: PlanPoint, driven: Driven, rows: tuple[Row, ...], capture: Path | None, reference: Path | None
    ) -> dict[str, Any]:
        run = point.run
        return {
            "title": point.title, "kind": point.kind, "act": str(point.act), "ohm": run.ohm,
            "channels": list(run.channels), "asked_ua": run.amplitude_ua, "period_us": run.period_us,
            "width_us": run.width_us, "session_id": driven.report.session_id, "end": driven.report.end.value,
            "steady": [each._asdict() for each in driven.steady], "verdict": str(outcome(rows)),
            "capture": self._file(capture), "reference": self._file(reference),
            "finished_utc": datetime.now(UTC).isoformat(timespec="seconds"), "rows": [record_of(row) for row in rows],
        }  # fmt: skip

    def _file(self, path: Path | None) -> dict[str, str] | None:
        if path is None:
            return None
        with path.open("rb") as stream:
            return {
                "file": str(path.relative_to(self.results.folder)),
                "sha256": file_digest(stream, "sha256").hexdigest(),
            }


def _saved(path: Path, waves: Any) -> None:
    """Under its name only when it is whole: a reference serves points of a later run too."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        save(part, waves)
        part.replace(path)
    except OSError as fault:
        part.unlink(missing_ok=True)
        raise Misuse(f"{path} cannot be written: {fault.strerror or fault}") from fault
