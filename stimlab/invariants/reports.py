"""The invariants on reports: counts, measurements, alarms, and the last entry in the log.

Commanded is the driver's arithmetic, counted is the device's own, what flowed is the load's record: three tellers
of one dose. Where they cannot agree, the session has to have said so.
"""

import numpy as np

from firmware_sim.analog.converter import READBACK_ACCURACY_PERMILLE, READBACK_ACCURACY_UA
from stimctl import limits
from stimctl.session.view import Priority, SessionReport
from stimctl.units import US_PER_MIN, counted
from stimlab.invariants.currents import HALF_STEP_NA, PULL, Found, known_shape
from stimlab.invariants.evidence import Evidence, FlowColumns

CUT_WIDTH_US = limits.WIDTH.high  # what a phase was counted as, at most, whose width was cut
# The longest that anything takes: 45 min from arm to end, a minute of stop frames, and what comes before and after.
LONGEST_US = limits.SESSION_US + 5 * US_PER_MIN


def ends(evidence: Evidence) -> Found:
    """A session ends: with a report, or refused with a sentence; and in a time that all its limits add up to."""
    if evidence.report is None and not evidence.named:
        yield "it ended without a report, and was not refused before anything flowed", evidence.over_us
    if evidence.over_us > LONGEST_US:
        yield f"it lasted {evidence.over_us // 1_000_000} s", evidence.over_us


def exact(evidence: Evidence) -> Found:
    """Commanded is counted, to the picocoulomb, whenever the device could be asked."""
    report = evidence.report
    if report is not None and report.delivered is not None and report.agreement["exact"] is not True:
        said = _why(report) or "no reason"
        yield f"commanded and counted differ ({said}): {report.commanded} and {report.delivered}", evidence.over_us


def _why(report: SessionReport) -> str | None:
    """What the session said of a count that is not known to be what was commanded."""
    agreement = report.agreement
    found: str | None = agreement["contradiction"] or agreement["reason"]
    return found


def unknown(evidence: Evidence) -> Found:
    """Commanded is counted, or nobody can know it and the session says why. They never just differ."""
    report = evidence.report
    if report is None or report.delivered is None:
        return
    exact = report.agreement["exact"]
    if exact is False or (exact is None and _why(report) is None):
        yield f"commanded and counted differ: {report.commanded} and {report.delivered}", evidence.over_us


def difference_alarmed(evidence: Evidence) -> Found:
    """Where commanded and counted differ, there was an alarm; where nobody knows, there is a reason."""
    report = evidence.report
    if report is None or report.delivered is None or report.agreement["exact"] is True:
        return
    if _why(report) is None and not _has_alarm(report, Priority.HIGH, ""):
        yield "commanded and counted differ, and nobody was told", evidence.over_us


def load_pulses(evidence: Evidence) -> Found:
    """The load had as many pulses as the device counted."""
    if evidence.counted is None:
        return
    for channel, (pulses, _) in evidence.counted.items():
        flowed = evidence.trains[channel].pulses if channel in evidence.trains else 0
        if flowed != pulses:
            yield f"channel {channel}: {counted(flowed, 'pulse')} in the load, {pulses} counted", evidence.end_us


def load_charge(evidence: Evidence) -> Found:
    """The load's integral is the charge that the device counted, but for the converter's rounding of each pulse."""
    if evidence.counted is None:
        return
    for channel, (_, charge_pc) in evidence.counted.items():
        flows = evidence.trains.get(channel)
        flowed_fc = 0 if flows is None else flows.charge_fc
        rounding_fc = 0 if flows is None else HALF_STEP_NA * int((flows.count * flows.width_us).sum())
        if flows is not None:
            rounding_fc += _drifted_fc(evidence, flows)
        if abs(flowed_fc - charge_pc * 1_000) > rounding_fc:
            yield f"channel {channel}: {flowed_fc // 1_000} pC in the load, {charge_pc} counted", evidence.end_us


def _drifted_fc(evidence: Evidence, flows: FlowColumns) -> int:
    """By how much widths of a clock that drifts, in whole us of the world's, make the load's charge another."""
    return evidence.slack(flows.charge_fc) + (int((flows.count * flows.first_na).sum()) if evidence.drift_ppm else 0)


def less_than_counted(evidence: Evidence) -> Found:
    """Where the rail or a cut keeps a pulse from its current, the load has less than was counted, and never more."""
    if evidence.counted is None:
        return
    for channel, (_, charge_pc) in evidence.counted.items():
        flows = evidence.trains.get(channel)
        if flows is not None:
            rounding_fc = HALF_STEP_NA * int((flows.count * flows.width_us).sum())
            if flows.charge_fc > charge_pc * 1_000 + rounding_fc + _drifted_fc(evidence, flows):
                yield (
                    f"channel {channel}: {flows.charge_fc // 1_000} pC in the load, {charge_pc} counted",
                    evidence.end_us,
                )


def measured(evidence: Evidence) -> Found:
    """What was measured lies within the device's stated error of what was counted, and the session says so."""
    report = evidence.report
    if report is not None and report.agreement["measured"] is False:
        yield f"measured {report.measured} where {report.delivered} was counted", evidence.over_us


def measurement_doubted(evidence: Evidence) -> Found:
    """Where the load had another charge than was counted and the ammeter is whole, nobody says that it agrees."""
    report = evidence.report
    if report is None or evidence.counted is None or report.agreement["measured"] is not True:
        return
    for channel, (pulses, charge_pc) in evidence.counted.items():
        flows = evidence.trains.get(channel)
        if flows is None or not pulses:
            continue
        # Stated by the device, once for its statement and once for what was really read: 10 uA and 1 %.
        width_time_us = int((flows.count * flows.width_us).sum())
        allowed_pc = 2 * (charge_pc * READBACK_ACCURACY_PERMILLE // 1_000 + width_time_us * (READBACK_ACCURACY_UA + 1))
        allowed_pc += _drifted_fc(evidence, flows) // 1_000
        # Of a pulse that was cut the trip has told.
        cut = ~known_shape(evidence, flows)
        allowed_pc += int((np.abs(flows.first_na) * flows.count)[cut].sum()) * CUT_WIDTH_US // 1_000
        if abs(flows.charge_fc // 1_000 - charge_pc) > allowed_pc:
            text = f"{flows.charge_fc // 1_000} pC in the load, {charge_pc} counted, and said to agree"
            yield f"channel {channel}: {text}", evidence.end_us


def ledger(evidence: Evidence) -> Found:
    """The log's last entry is the report, and there is one wherever there is a first one."""
    opened, closed, report = evidence.of("opened"), evidence.of("closed"), evidence.report
    if report is None or not opened:
        return
    if len(opened) != 1 or len(closed) != 1:
        yield f"the log has {len(opened)} first and {len(closed)} last entries", evidence.over_us
        return
    body = closed[0].body
    names = ("planned", "commanded", "delivered", "measured", "agreement", "held_us", "zero_confirmed_us", "armed")
    wrong = [name for name in names if body[name] != getattr(report, name)]
    if str(report.end) != body["end_reason"] or wrong:
        yield f"the log's last entry is not the report: {', '.join(wrong) or 'its end'}", evidence.over_us


def alarm(evidence: Evidence) -> Found:
    """Armed, and no measured zero, or none within 100 ms in which the host ran: there was an alarm of high priority."""
    report = evidence.report
    if report is None or not report.armed or _has_alarm(report, Priority.HIGH, PULL):
        return
    if report.zero_confirmed_us is None:
        yield "no zero was confirmed, and nobody was told to pull the leads", evidence.over_us
    elif report.zero_confirmed_us - evidence.slept_us > limits.STOP_CONFIRM_US:
        yield f"zero came only after {report.zero_confirmed_us} us, without an alarm", evidence.over_us


def log_failure_reported(evidence: Evidence) -> Found:
    """A log that cannot be written ends the session, and the operator is told; its last entry may be missing."""
    report = evidence.report
    if report is not None and not evidence.of("closed") and not _has_alarm(report, Priority.HIGH, ""):
        yield "the log has no last entry, and nobody was told", evidence.over_us


def _has_alarm(report: SessionReport, priority: Priority, words: str) -> bool:
    return any(each.priority is priority and words in each.action for each in report.alarms)


def raises(evidence: Evidence) -> Found:
    """An operator's raise is a step of 0.1 mA at most, and one a second, by what the device confirmed."""
    last: dict[int, tuple[int, int | None]] = {}
    for entry in evidence.entries:
        if entry.kind == "started":
            last = {int(channel): (ua, None) for channel, ua in entry.body["targets_ua"].items()}
        elif entry.kind == "target" and "target_ua" in entry.body:
            channel, ua, at_us = (entry.body[name] for name in ("channel", "target_ua", "stimulation_us"))
            before_ua, raised_us = last.get(channel, (ua, None))
            if ua > before_ua + limits.RAISE_STEP_UA:
                yield f"channel {channel} was raised from {before_ua} to {ua} uA", entry.at_us
            if ua > before_ua and raised_us is not None and at_us - raised_us < limits.RAISE_INTERVAL_US:
                yield f"channel {channel} was raised twice within {at_us - raised_us} us", entry.at_us
            last[channel] = (ua, at_us if ua > before_ua else raised_us)
