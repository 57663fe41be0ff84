"""The times that controls took to end a session's output, each beside its limit.

A fault that needs no control goes on until the session ends lawfully, which says nothing of anybody. So each time is
that of a control that did end the output, from what it has to answer, as the load's record and the device's journal
show it, to the end of the last current; and where nobody could end it, until the host began to say so.
"""

from collections.abc import Iterator
from typing import NamedTuple

from stimctl import limits
from stimlab.invariants.currents import PULSE_US
from stimlab.invariants.evidence import ALWAYS_US, Evidence, FlowColumns, OutputInterval
from stimlab.invariants.under_fault import CUT_US, MISSED_US

TRIP_PULSES = 3
SLOT_US = 10_000  # by so much a rest between two bands may be longer than a period
_OF_THE_LOAD = ("LEAD_OFF", "COMPLIANCE", "SHORT")
# Faults with which a stop may not arrive: then the watchdog is what has to end the output.
_OF_THE_LINE = ("line.", "device.slow_answers", "device.wrong_echo")


class ControlTime(NamedTuple):
    """A control that ended output, how long it took, and the longest that it may."""

    control: str
    took_us: int
    limit_us: int

    @property
    def share(self) -> float:
        """How much of its limit it used."""
        return self.took_us / self.limit_us


def control_times(evidence: Evidence) -> tuple[ControlTime, ...]:
    """Each control that ended a run of this session; the slowest of each name."""
    worst: dict[str, ControlTime] = {}
    for each in (*_of_runs(evidence), *_of_a_standstill(evidence)):
        if each.control not in worst or each.share > worst[each.control].share:
            worst[each.control] = each
    return tuple(worst[name] for name in sorted(worst))


def _of_runs(evidence: Evidence) -> Iterator[ControlTime]:
    for run in (*evidence.runs, *evidence.checking):
        if run.ended_us < ALWAYS_US:
            kind = evidence.trains if run in evidence.runs else evidence.checks
            flows = [each for all_of in kind.values() if len(each := all_of.within(run.began_us, run.ended_us))]
            if flows and (found := _of_a_run(evidence, run, max(flows, key=_last_us))) is not None:
                yield found


def _of_a_run(evidence: Evidence, run: OutputInterval, flows: FlowColumns) -> ControlTime | None:
    """What ended a run whose last pulse is the last of `flows`."""
    end_us, last_us = flows.end_us, _last_us(flows)
    if run.why == "OVER_CURRENT":
        return ControlTime("over current", end_us - last_us, CUT_US)
    if run.why == "NET_CHARGE":
        return ControlTime("net charge", end_us - last_us, PULSE_US + evidence.slack(PULSE_US))
    if run.why in _OF_THE_LOAD and flows.pulses >= TRIP_PULSES:
        slowest_us = max(segment.period_us for segment in evidence.prescription.program.segments) + SLOT_US
        limit_us = (TRIP_PULSES - 1) * slowest_us + PULSE_US
        took_us = end_us - int(flows.begins_us()[-TRIP_PULSES])
        return ControlTime("contact", took_us, limit_us + evidence.slack(limit_us))
    if run.why == "WATCHDOG" or (run.why == "STOP" and _may_lose_a_stop(evidence)):
        alive_us = evidence.alive_us[evidence.alive_us <= run.ended_us]
        limit_us = limits.WATCHDOG_US + PULSE_US
        took_us = end_us - int(alive_us[-1]) if len(alive_us) else 0
        return ControlTime("watchdog", max(0, took_us), limit_us + evidence.slack(limit_us))
    if run.why == "STOP" and evidence.stopping_us is not None:
        return ControlTime("stop", max(0, end_us - evidence.stopping_us), limits.STOP_CONFIRM_US)
    return None


def _last_us(flows: FlowColumns) -> int:
    return int(flows.last_us[-1])


def _may_lose_a_stop(evidence: Evidence) -> bool:
    return any(kind.startswith(_OF_THE_LINE) for kind in evidence.fired_us)


def _of_a_standstill(evidence: Evidence) -> Iterator[ControlTime]:
    """A current that firmware which stands still goes on holding: only a person can end it, who has to be told."""
    frozen_us = evidence.fired_us.get("device.clock_freeze")
    if frozen_us is None or evidence.stopping_us is None or evidence.stopping_us < frozen_us:
        return
    if any(int(flows.span_us.max()) > MISSED_US for flows in evidence.levels.values() if len(flows)):
        yield ControlTime("host's alarm", evidence.stopping_us - frozen_us, MISSED_US)
