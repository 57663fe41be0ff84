"""The evidence of a session after it is over: the currents, when output was possible, and what was reported.

Currents come from the load's own record as stretches of like pulses, kept in columns: a rule looks at every
pulse and does so once a stretch. When output was possible comes from the device's own journal, what was commanded
and counted from the host's log. All times are of the port's clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from firmware_sim.analog.recorder import Flow, FlowKind, Recorder
from firmware_sim.faults.catalogue import CATALOGUE
from stimctl.errors import Misuse
from stimctl.prescription import Prescription
from stimctl.session.view import SessionReport

if TYPE_CHECKING:
    from stimlab.play.result import PlayedSession

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
ALWAYS_US = 1 << 62
CHECKED_US = 400_000  # an impedance check of all channels


@dataclass(frozen=True)
class FlowColumns:
    """Stretches of like pulses on one channel, in order of time: one column for each figure."""

    first_us: Ints
    period_us: Ints
    count: Ints
    first_na: Ints
    width_us: Ints
    gap_us: Ints
    second_na: Ints
    second_width_us: Ints

    @classmethod
    def of(cls, flows: Iterable[Flow]) -> Self:
        """The columns of a recorder's flows."""
        rows = [(flow.first_us, flow.period_us, flow.count, *flow.shape) for flow in flows]
        return cls(*np.array(rows, np.int64).reshape(-1, 8).T)

    def __len__(self) -> int:
        return len(self.first_us)

    @cached_property
    def last_us(self) -> Ints:
        """When the last pulse of each stretch begins."""
        return self.first_us + (self.count - 1) * self.period_us

    @cached_property
    def span_us(self) -> Ints:
        """How long one pulse of each lasts."""
        return self.width_us + self.gap_us + self.second_width_us

    @cached_property
    def net_fc(self) -> Ints:
        """What one pulse of each leaves behind: first phase less second."""
        return self.first_na * self.width_us - self.second_na * self.second_width_us

    @property
    def pulses(self) -> int:
        """How many there are in all."""
        return int(self.count.sum())

    @property
    def charge_fc(self) -> int:
        """All first phases, exact."""
        return int((self.count * self.first_na * self.width_us).sum())

    @property
    def end_us(self) -> int:
        """When the last current ended; 0 when there was none."""
        return int((self.last_us + self.span_us).max()) if len(self) else 0

    def within(self, from_us: int, until_us: int) -> Self:
        """Only the pulses that begin from `from_us` on and before `until_us`."""
        if from_us <= 0 and (until_us >= ALWAYS_US or not len(self) or until_us > int(self.last_us[-1])):
            return self
        skipped = np.clip(-((self.first_us - from_us) // self.period_us), 0, self.count)
        begun = np.clip((until_us - self.first_us - 1) // self.period_us + 1, 0, self.count)
        count = begun - skipped
        kept = count > 0
        columns = {name: getattr(self, name)[kept] for name in COLUMNS}
        columns["first_us"] = columns["first_us"] + skipped[kept] * columns["period_us"]
        columns["count"] = count[kept]
        return replace(self, **columns)

    def begins_us(self) -> Ints:
        """When each single pulse begins."""
        number = np.arange(self.pulses) - np.repeat(np.cumsum(self.count) - self.count, self.count)
        return np.repeat(self.first_us, self.count) + number * np.repeat(self.period_us, self.count)


COLUMNS = tuple(FlowColumns.__dataclass_fields__)


class OutputInterval(NamedTuple):
    """A stretch of time in which the device's journal says that output was possible. `why` it ended, if it says."""

    began_us: int
    ended_us: int
    why: str = ""


@dataclass(frozen=True)
class Evidence:
    """One session. When a fault of the scenario first did something stands in `fired_us` by its kind.

    `counted` are the device's own pulses and pC by channel; `named`: where there is no report, it was refused with a
    sentence before anything flowed; `over_us`: when it was over; `drift_ppm`: by how much the device's clock is off;
    `slept_us`: for how long the host stood still, or seems to by its clock, in the stop; `dac_permille`: how
    much of what is asked for its converters give at most.
    """

    prescription: Prescription
    trains: Mapping[int, FlowColumns]
    checks: Mapping[int, FlowColumns] = field(default_factory=dict)
    leaks: Mapping[int, FlowColumns] = field(default_factory=dict)
    levels: Mapping[int, FlowColumns] = field(default_factory=dict)
    runs: tuple[OutputInterval, ...] = ()
    checking: tuple[OutputInterval, ...] = ()
    alive_us: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    report: SessionReport | None = None
    entries: tuple[Any, ...] = ()
    stopping_us: int | None = None
    counted: Mapping[int, tuple[int, int]] | None = None
    fired_us: Mapping[str, int] = field(default_factory=dict)
    over_us: int = 0
    named: bool = True
    drift_ppm: int = 0
    slept_us: int = 0
    dac_permille: int = 1_000

    def slack(self, figure: int) -> int:
        """By how much a figure of the device's clock may differ by the port's, where the device's clock drifts."""
        # Slower by a part is longer by more than that part.
        return figure * self.drift_ppm // (1_000_000 - self.drift_ppm) + 2 if self.drift_ppm else 0

    def within(self, from_us: int, until_us: int) -> "Evidence":
        """The same session with only those currents that begin in that time."""
        if from_us <= 0 and until_us >= ALWAYS_US:
            return self

        def cut(flows: Mapping[int, FlowColumns]) -> dict[int, FlowColumns]:
            parts = {channel: each.within(from_us, until_us) for channel, each in flows.items()}
            return {channel: part for channel, part in parts.items() if len(part)}

        return replace(
            self,
            trains=cut(self.trains),
            checks=cut(self.checks),
            leaks=cut(self.leaks),
            levels=cut(self.levels),
        )

    def before(self, at_us: int) -> "Evidence":
        """What flowed before `at_us`. A channel's check is worked out when its turn is over: it counts as a whole."""
        check = next((run for run in self.checking if run.began_us <= at_us < run.began_us + CHECKED_US), None)
        return self.within(0, at_us if check is None else check.began_us)

    @property
    def end_us(self) -> int:
        """When the last current of any kind ended; 0 when nothing flowed."""
        kinds = (self.trains, self.checks, self.levels)
        return max((flows.end_us for kind in kinds for flows in kind.values()), default=0)

    def of(self, kind: str) -> list[Any]:
        """The log's entries of one kind."""
        return [entry for entry in self.entries if entry.kind == kind]


def runs_of(journal: Iterable[Mapping[str, Any]], begins: str) -> tuple[OutputInterval, ...]:
    """When output was possible: from each entry into the state `begins` until a state without output, or a boot."""
    runs: list[OutputInterval] = []
    open_since_us: int | None = None
    for entry in journal:
        if entry["event"] not in ("state", "boot"):
            continue
        at_us, state = int(entry["at_us"]), entry.get("state", "")
        if open_since_us is not None and state in _GOES_ON[begins]:
            continue
        if open_since_us is not None:
            runs.append(OutputInterval(open_since_us, at_us, str(entry.get("reason", "RESET"))))
            open_since_us = None
        if state == begins:
            open_since_us = at_us
    if open_since_us is not None:
        runs.append(OutputInterval(open_since_us, ALWAYS_US))
    return tuple(runs)


_GOES_ON = {"RAMPING": ("RUNNING", "RAMPING_DOWN"), "CHECKING": ()}


def evidence_of(played: "PlayedSession") -> Evidence:
    """What is known of a scenario that was played in virtual time. Raises `Misuse` for one without a prescription."""
    prescription, recorder = played.prescription, played.recorder
    if prescription is None or not isinstance(recorder, Recorder):
        raise Misuse(f"{played.scenario.name}: only a session played in virtual time can be judged pulse by pulse")
    kept = {kind: _columns(recorder, kind) for kind in FlowKind}
    fired_us: dict[str, int] = {} if played.scenario.load == "nominal" else {"load": 0}
    for index, at_us in played.fired_us.items():
        kind = played.scenario.faults[index].kind
        fired_us[kind] = min(at_us, fired_us.get(kind, at_us))
    drifts = [fault.options.get("ppm", 0) for fault in played.scenario.faults if fault.kind == "device.clock_drift"]
    gains = (CATALOGUE[each.kind].number(each, "gain_permille") for each in played.scenario.faults
             if each.kind == "device.dac_gain")  # fmt: skip
    return Evidence(
        prescription=prescription,
        trains=kept[FlowKind.TRAIN],
        checks=kept[FlowKind.CHECK],
        leaks=kept[FlowKind.LEAK],
        levels=kept[FlowKind.HELD],
        runs=runs_of(played.journal, "RAMPING"),
        checking=runs_of(played.journal, "CHECKING"),
        alive_us=_alive_us(played.journal),
        report=played.report,
        entries=tuple(played.entries),
        stopping_us=played.stopping_us,
        counted=_counted(played),
        fired_us=fired_us,
        over_us=played.traffic[-1][0] if played.traffic else 0,
        named=played.error is None and (played.refused is None or not any(kept[kind] for kind in FlowKind)),
        drift_ppm=sum(abs(int(ppm)) for ppm in drifts),
        slept_us=_slept_us(played),
        dac_permille=max((1_000, *gains)),
    )


def _slept_us(played: "PlayedSession") -> int:
    report, began_us, slept_us = played.report, played.stopping_us, 0
    if report is None or report.zero_confirmed_us is None or began_us is None:
        return 0
    zero_us = began_us + report.zero_confirmed_us
    for index, at_us in played.fired_us.items():
        fault, for_us = played.scenario.faults[index], 0
        if fault.kind == "host.stall":
            for_us = fault.for_us or 0
        elif fault.kind == "host.clock_jump":
            for_us = max(0, CATALOGUE[fault.kind].number(fault, "by_us"))
        slept_us += max(0, min(at_us + for_us, zero_us) - max(at_us, began_us))
    return slept_us


def _columns(recorder: Recorder, kind: FlowKind) -> dict[int, FlowColumns]:
    flows = {channel: recorder.flows(channel, kind) for channel in recorder.channels}
    return {channel: FlowColumns.of(each) for channel, each in flows.items() if each}


def _alive_us(journal: Iterable[Mapping[str, Any]]) -> Ints:
    """Each time the watchdog began anew: a keepalive that counted, or an arm."""
    times = [entry["at_us"] for entry in journal if entry["event"] == "alive" or entry.get("state") == "ARMED"]
    return np.array(times, np.int64)


def _counted(played: "PlayedSession") -> dict[int, tuple[int, int]] | None:
    """Pulses and pC by channel: what the host was told, or what still waits in the device's memory."""
    report = played.report
    if report is not None and report.delivered is not None:
        return {int(c): (sum(each["pulses"]), sum(each["charge_pc"])) for c, each in report.delivered.items()}
    flash = played.device.device.machine.flash if played.device is not None else None
    if flash is None or flash.session is None:
        return None
    flash.refresh()
    totals = enumerate(flash.session.totals, 1)
    return {c: (t.pulses_0 + t.pulses_1, t.charge_0_pc + t.charge_1_pc) for c, t in totals}
