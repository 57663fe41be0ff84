"""A campaign: many random sessions, each judged by every invariant, with results by kind of fault.

A campaign is two numbers: how many sessions, and a seed. Session n of it is the same session wherever it runs, so the
results, and the digest over them, do not depend on how the work was spread. Each session's dose is kept in a real
ledger, whose chain is verified afterwards.
"""

import gc
import hashlib
import json
import os
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any, NamedTuple

from stimctl.ledger import Ledger
from stimlab.campaign.random_scenario import random_scenario
from stimlab.control_times import ControlTime, control_times
from stimlab.invariants.evidence import evidence_of
from stimlab.invariants.table import Violation, broken
from stimlab.play.play import play
from stimlab.scenario.reader import Scenario, dump

BROKE = "BROKE"
_MEMORY = "/dev/shm"  # where there is one: nothing of these ledgers is kept, and a disk makes each session wait
CHUNK = 10  # sessions that share a ledger, and go to a worker together


@dataclass(frozen=True, slots=True)
class SessionResult:
    """The result of one session. `scenario` is its file's text where it broke a rule.

    `acted`: the kinds of its faults that did something; `control_us`: as in `lab.parts.TIMES`; `controls`: those that
    had to end its output.
    """

    index: int
    name: str
    kinds: tuple[str, ...]
    acted: tuple[str, ...]
    outcome: str
    lasted_us: int
    pulses: int
    traffic_sha256: str
    load: str = "nominal"
    control_us: Mapping[str, int] = field(default_factory=dict)
    controls: tuple[ControlTime, ...] = ()
    violations: tuple[Violation, ...] = ()
    scenario: str | None = None

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "index": self.index,
            "name": self.name,
            "faults": list(self.kinds),
            "acted": list(self.acted),
            "outcome": self.outcome,
            "lasted_us": self.lasted_us,
            "pulses": self.pulses,
            "traffic_sha256": self.traffic_sha256,
            "load": self.load,
            "control_us": dict(self.control_us),
            "controls": [control._asdict() for control in self.controls],
            "violations": [violation._asdict() for violation in self.violations],
        }


class FinishedSession(NamedTuple):
    """The results of a chunk, and the processor time that it took."""

    results: list[SessionResult]
    cpu_s: float


def play_chunk(seed: int, kind: str | None, indexes: Iterable[int]) -> FinishedSession:
    """Play sessions of campaign `seed` one after the other, on one ledger. What workers are given to do."""
    began_s = process_time()
    gc.disable()  # sessions leave no circles worth looking for while they last: it is a twentieth of their time
    try:
        with (
            TemporaryDirectory(prefix="stimctl-soak-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as folder,
            Ledger(Path(folder) / "ledger.sqlite") as ledger,
        ):
            results = []
            for index in indexes:
                results.append(foreseen(random_scenario(seed, index, kind), index, ledger))
                gc.collect(0)  # the circles of one session, while they are in the processor's cache
            results[-1] = with_chain(results[-1], ledger)
    finally:
        gc.enable()
    return FinishedSession(results, process_time() - began_s)


def foreseen(scenario: Scenario, index: int, ledger: Ledger) -> SessionResult:
    """`judged`; where that itself breaks, a violation says so: one session must not end a campaign."""
    try:
        return judged(scenario, index, ledger)
    except Exception:  # noqa: BLE001 - what nobody foresaw is what a campaign looks for
        kinds = tuple(fault.kind for fault in scenario.faults)
        broke = Violation("ends", f"the lab broke: {traceback.format_exc()}", 0)
        return SessionResult(
            index, scenario.name, kinds, (), BROKE, 0, 0, "", violations=(broke,), scenario=dump(scenario)
        )


def judged(scenario: Scenario, index: int = 0, ledger: Ledger | None = None) -> SessionResult:
    """Play a scenario and judge it."""
    played = play(scenario, ledger=ledger)
    # Refused on paper there was no session, and nothing to judge.
    evidence = None if played.prescription is None else evidence_of(played)
    found = () if evidence is None else tuple(broken(evidence))
    kinds = tuple(fault.kind for fault in scenario.faults)
    traffic = b"".join([b"%d %b %b" % (at_us, sender.encode(), data) for at_us, sender, data in played.traffic])
    report, recorder = played.report, played.recorder
    return SessionResult(
        index=index,
        name=scenario.name,
        kinds=kinds,
        acted=tuple(sorted({kinds[at] for at, times in played.fired.items() if times})),
        outcome=BROKE if played.error else "not begun" if report is None else report.end.name,
        lasted_us=played.traffic[-1][0] if played.traffic else 0,
        pulses=sum(recorder.pulses(channel) for channel in recorder.channels),  # type: ignore[attr-defined]
        traffic_sha256=hashlib.sha256(traffic).hexdigest(),
        load=scenario.load,
        control_us=dict(sorted(played.control_us.items())),
        controls=() if evidence is None else control_times(evidence),
        violations=found,
        scenario=dump(scenario) if found else None,
    )


def with_chain(last: SessionResult, ledger: Ledger) -> SessionResult:
    """The last result of a chunk, with what is wrong with the chunk's ledger."""
    verdict = ledger.verify()
    if verdict.ok:
        return last
    from dataclasses import replace

    text = f"the ledger of sessions up to this one does not verify: {verdict}"
    return replace(last, violations=(*last.violations, Violation("ledger", text, last.lasted_us)))


def digest(results: Iterable[SessionResult]) -> str:
    """SHA-256 over what all sessions came to, in order of their numbers."""
    whole = hashlib.sha256()
    for result in sorted(results, key=lambda result: result.index):
        whole.update(json.dumps(result.record(), sort_keys=True).encode() + b"\n")
    return whole.hexdigest()


def chunks(sessions: int, first: int = 0) -> list[range]:
    """The numbers of a campaign's sessions, as they go to workers."""
    end = first + sessions
    return [range(begin, min(begin + CHUNK, end)) for begin in range(first, end, CHUNK)]


# --- told by kind of fault ---------------------------------------------------------------------------

NO_FAULT = "(none), {}"  # and the load


@dataclass(slots=True)
class FaultKindRow:
    """The results of all sessions with one kind of fault, or without one on one kind of load.

    `slowest` is the control that used most of its limit, of the sessions in which nothing else was wrong.
    """

    kind: str
    sessions: int = 0
    acted: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    violations: int = 0
    slowest: ControlTime | None = None

    def add(self, result: SessionResult) -> None:
        """Count a session in."""
        self.sessions += 1
        self.acted += self.kind in result.acted
        self.outcomes[result.outcome] = self.outcomes.get(result.outcome, 0) + 1
        self.violations += len(result.violations)
        alone = not result.kinds or (len(result.kinds) == 1 and result.load == "nominal")
        for control in result.controls if alone else ():
            if self.slowest is None or control.share > self.slowest.share:
                self.slowest = control

    @property
    def ended(self) -> str:
        """As what they ended, the commonest first."""
        return ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items(), key=lambda each: -each[1]))


def by_kind(results: Iterable[SessionResult]) -> list[FaultKindRow]:
    """A row for each kind of fault, in alphabetical order; a session with several faults counts in several.

    Before them one for each load, of the sessions without a fault: what hangs on the outputs may end them, too.
    """
    rows: dict[str, FaultKindRow] = {}
    for result in results:
        for kind in set(result.kinds) or {NO_FAULT.format(result.load)}:
            rows.setdefault(kind, FaultKindRow(kind)).add(result)
    return [rows[kind] for kind in sorted(rows)]


def save(results: Iterable[SessionResult], folder: Path, seed: int) -> list[Path]:
    """Write each session that broke a rule as a scenario's file, with what it broke. Returns the files."""
    written = []
    for result in results:
        if result.scenario is not None:
            path = folder / f"{result.name}.toml"
            broke = [f"# broke {v.rule!r} at {v.at_us / 1e6:.6f} s: {v.text}" for v in result.violations]
            head = [f"# Session {result.index} of the campaign with seed {seed}.", *broke]
            path.write_text("\n".join([*head, f"# Play it again: stimctl soak --again {path}", "", result.scenario]))
            written.append(path)
    return written
