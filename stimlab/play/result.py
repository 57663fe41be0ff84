"""The result of a scenario that was played, and the expectations that it did not meet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from stimctl.prescription import Prescription
from stimctl.session.states import End, State
from stimctl.session.view import Alarm, SessionReport, StateChanged
from stimlab.play.port import Piece
from stimlab.scenario.model import Scenario

if TYPE_CHECKING:
    from firmware_sim.faults import FaultyDevice

PULL = "PULL THE LEADS"


class LoadRecord(Protocol):
    """The record of the load: a `Recorder`, or the samples that a simulator of another process wrote."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels in which anything flowed."""

    def end_us(self, channel: int | None = None) -> int:
        """When the last current ended, by the world's clock; 0 when nothing flowed."""


@dataclass(frozen=True, slots=True)
class HostResult:
    """The result of the driver's side of a session. Times are the world's; those of `entries` are the host's.

    `refused`: why nothing was begun; `error`: the traceback of what nobody foresaw; `stopping_us`: when the host
    began to stop; `fired` and `fired_us`: how often its own faults did something, and when first, by index.
    """

    report: SessionReport | None = None
    refused: str | None = None
    error: str | None = None
    stopping_us: int | None = None
    traffic: Sequence[Piece] = ()
    entries: Sequence[Any] = ()
    events: Sequence[Any] = ()
    fired: Mapping[int, int] = field(default_factory=dict)
    fired_us: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlayedSession:
    """One session of a scenario. `device` is None where it lived in another process, or was never made.

    `traffic` is of the host's end, in the world's time; `entries` have `kind`, `at_us` (host's clock) and `body`;
    `fired` and `fired_us` are by the index of a fault; `control_us` by the names of `lab.parts.TIMES`.
    """

    scenario: Scenario
    prescription: Prescription | None
    report: SessionReport | None
    refused: str | None
    error: str | None
    device: "FaultyDevice | None"
    recorder: LoadRecord
    journal: list[Mapping[str, Any]]
    traffic: Sequence[Piece]
    entries: Sequence[Any]
    events: Sequence[Any]
    fired: Mapping[int, int]
    fired_us: Mapping[int, int]
    stopping_us: int | None
    control_us: Mapping[str, int]
    unmet: tuple[str, ...]

    @property
    def idle(self) -> tuple[str, ...]:
        """The faults that never did anything, in words: what they were to show was not shown."""
        faults = enumerate(self.scenario.faults)
        return tuple(f"fault {n + 1} ({fault.kind}) never did anything" for n, fault in faults if not self.fired.get(n))

    @property
    def outcome(self) -> str:
        """How it ended, in words."""
        if self.error is not None:
            return f"broke: {self.error.strip().splitlines()[-1]}"
        if self.refused is not None:
            return f"refused: {self.refused.splitlines()[0]}"
        return "no report" if self.report is None else f"{self.report.end.name}: {self.report.end_text}"


def concluded(
    scenario: Scenario,
    prescription: Prescription | None,
    host: HostResult,
    recorder: LoadRecord,
    journal: list[Mapping[str, Any]],
    *,
    device: "FaultyDevice | None" = None,
    fired: Mapping[int, int] | None = None,
    fired_us: Mapping[int, int] | None = None,
) -> PlayedSession:
    """Put both sides together, measure the controls in the load, and judge."""
    all_fired_us = {**(fired_us or {}), **host.fired_us}
    control_us = _control_us(scenario, host, recorder, min(all_fired_us.values(), default=None))
    return PlayedSession(
        scenario=scenario,
        prescription=prescription,
        report=host.report,
        refused=host.refused,
        error=host.error,
        device=device,
        recorder=recorder,
        journal=journal,
        traffic=host.traffic,
        entries=host.entries,
        events=host.events,
        fired={**(fired or {}), **host.fired},
        fired_us=all_fired_us,
        stopping_us=host.stopping_us,
        control_us=control_us,
        unmet=tuple(_unmet(scenario, host, recorder, control_us)),
    )


def _control_us(scenario: Scenario, host: HostResult, recorder: LoadRecord, fault_us: int | None) -> dict[str, int]:
    """The times that were measured. A session that ended as planned, or by its operator's hand, controlled no fault."""
    end_us, report, stopping_us, times = recorder.end_us(), host.report, host.stopping_us, {}
    if fault_us is not None and host.refused is None and not _as_planned(scenario, report):
        times["fault_to_zero"] = max(0, end_us - fault_us)
        if stopping_us is not None and stopping_us >= fault_us:
            times["fault_to_stop"] = stopping_us - fault_us
    if stopping_us is not None:
        times["stop_to_zero"] = max(0, end_us - stopping_us)
    if report is not None and report.zero_confirmed_us is not None:
        times["stop_confirmed"] = report.zero_confirmed_us
    times.update(_alarm_us(host))
    return times


def _as_planned(scenario: Scenario, report: SessionReport | None) -> bool:
    if report is None:
        return False
    by_hand = any(action.do == "stop" for action in scenario.actions)
    return report.end is End.TIMER or (report.end is End.OPERATOR and by_hand)


def _alarm_us(host: HostResult) -> Iterator[tuple[str, int]]:
    """Both times by the host's clock."""
    stops = [each.at_us for each in host.events if isinstance(each, StateChanged) and each.state is State.STOPPING]
    alarms = [each.at_us for each in host.events if isinstance(each, Alarm) and each.action == PULL]
    if stops and alarms:
        yield "stop_to_alarm", max(0, alarms[0] - stops[0])


def _unmet(scenario: Scenario, host: HostResult, recorder: LoadRecord, control_us: Mapping[str, int]) -> Iterator[str]:
    expect, report = scenario.expect, host.report
    flowed = bool(recorder.channels)
    if host.error is not None:
        yield f"the host broke: {host.error.strip().splitlines()[-1]}"
    if host.refused is not None and expect.refused is None:
        yield f"refused, which was not expected: {host.refused}"
    if expect.refused is not None:
        yield from _not_refused(expect.refused, host, flowed)
    if expect.ends and (report is None or report.end not in expect.ends):
        wanted = " or ".join(sorted(end.name for end in expect.ends))
        found = "has no report" if report is None else f"ended with {report.end.name} ({report.end_text})"
        yield f"{found}, not with {wanted}"
    if expect.zero_confirmed is not None and expect.zero_confirmed != _confirmed(report):
        yield f"zero was {'not ' if expect.zero_confirmed else ''}confirmed"
    alarms = [] if report is None else [f"{alarm.text}: {alarm.action}" for alarm in report.alarms]
    for text in expect.alarms:
        if not any(text in alarm for alarm in alarms):
            yield f"no alarm says {text!r}; there were {alarms or 'none'}"
    for name, limit_us in expect.within_us.items():
        if name not in control_us:
            yield f"{name} was not measured: it had no beginning or no end"
        elif control_us[name] > limit_us:
            yield f"{name} took {control_us[name] / 1_000:g} ms, over {limit_us / 1_000:g} ms"
    if expect.pulses is not None and flowed != (expect.pulses == "some"):
        yield "current flowed, and none was to" if flowed else "no current flowed, and some was to"


def _not_refused(words: str, host: HostResult, flowed: bool) -> Iterator[str]:
    """A refusal is one before a session, or a session's end before anything flowed."""
    ended = None if host.report is None else host.report.end_text
    said = host.refused if host.refused is not None else ended
    if said is None or words not in said:
        yield f"not refused with {words!r}, but {said or 'played'}"
    elif flowed:
        yield "it was refused, but current had flowed already"


def _confirmed(report: SessionReport | None) -> bool:
    return report is not None and report.zero_confirmed_us is not None and report.zero_measured is True
