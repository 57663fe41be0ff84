"""The invariants that stand in where a broken part makes another impossible: the control acted, and in time."""

import numpy as np

from firmware_sim.analog.converter import (
    DAC_CODES,
    DAC_STEP_NA,
    NET_CHARGE_FLOOR_PC,
    READBACK_ACCURACY_PERMILLE,
    READBACK_ACCURACY_UA,
)
from stimctl import limits
from stimctl.units import US_PER_MS
from stimlab.invariants.currents import HALF_STEP_NA, Found, known_shape, overcharged, ramp
from stimlab.invariants.evidence import Bools, Evidence, FlowColumns, Ints

CUT_US = 1 * US_PER_MS  # an over-current is cut within it
HOST_SEES_US = 500_000  # three readings and their way to the host: what telemetry shows ends within it
# 500 ms of silence, from the last telemetry on, which the device may just have sent; and what was on its way.
MISSED_US = limits.SILENCE_US + 300_000
MOST_NA = (DAC_CODES + 1) * DAC_STEP_NA


def _surely_read(limit_ua: int) -> int:
    """The current in nA that reads above `limit_ua` whatever the ammeter's stated error."""
    return (limit_ua + READBACK_ACCURACY_UA) * 1_000 * (1_000 + READBACK_ACCURACY_PERMILLE) // 1_000 + DAC_STEP_NA


def over_current(evidence: Evidence, flows: FlowColumns) -> Bools:
    """Which stretches read over current for certain: over the trip's limit at the session's ceiling."""
    most_na = _surely_read(limits.over_current_ua(evidence.prescription.ceiling_ua))
    return (np.abs(flows.first_na) > most_na) | (np.abs(flows.second_na) > most_na)


def trip(evidence: Evidence) -> Found:
    """Over current is cut within 1 ms, and nothing flows any more."""
    for channel, flows in evidence.trains.items():
        over = np.flatnonzero(over_current(evidence, flows))
        if not len(over):
            continue
        long = over[_driven_us(evidence, flows)[over] > CUT_US]
        if len(long):
            yield f"channel {channel}: over current for {flows.span_us[long[0]]} us", int(flows.first_us[long[0]])
        yield from _is_last(evidence, channel, int(flows.first_us[over[0]]))


def cut_last(evidence: Evidence) -> Found:
    """A pulse that was cut is the last one of all."""
    for channel, flows in evidence.trains.items():
        cut = np.flatnonzero(~known_shape(evidence, flows))
        if len(cut):
            yield from _is_last(evidence, channel, int(flows.first_us[cut[0]]))


def odd_last(evidence: Evidence) -> Found:
    """A pulse that leaves more behind than is allowed is the last one of all."""
    for channel, flows in evidence.trains.items():
        # Judged on what was read of it: 1 % of a phase or the floor, and as much for the ammeter's own error.
        allowed_fc = np.maximum(2_000 * NET_CHARGE_FLOOR_PC, np.abs(flows.first_na) * flows.width_us // 50)
        odd = np.flatnonzero(np.abs(flows.net_fc) > allowed_fc)
        if len(odd):
            yield from _is_last(evidence, channel, int(flows.first_us[odd[0]]))


def _is_last(evidence: Evidence, channel: int, first_us: int) -> Found:
    last_us = max((int(flows.last_us[-1]) for flows in evidence.trains.values() if len(flows)), default=0)
    if last_us > first_us + CUT_US:
        yield f"channel {channel}: {last_us - first_us} us of output after a pulse that has to be the last", first_us


def _driven_us(evidence: Evidence, flows: FlowColumns) -> Ints:
    """How long each pulse drives more than it may: its first phase, or only its second one."""
    most_na = _surely_read(limits.over_current_ua(evidence.prescription.ceiling_ua))
    first = np.where(np.abs(flows.first_na) > most_na, flows.width_us, 0)
    return first + np.where(np.abs(flows.second_na) > most_na, flows.second_width_us, 0)


def full_scale(evidence: Evidence) -> Found:
    """Converter and ammeter broken at once: the converter's full scale is all that is left."""
    most_na = MOST_NA * evidence.dac_permille // 1_000
    for channel, flows in evidence.trains.items():
        if len(flows) and max(int(flows.first_na.max()), int(flows.second_na.max())) > most_na:
            yield f"channel {channel} carried more than the converter's full scale", int(flows.first_us[0])


def three_in_a_row(evidence: Evidence) -> Found:
    """Where the rail bites the phases differ: at three pulses in a row at most, then all channels are at zero."""
    for channel, flows in evidence.trains.items():
        astray, run = np.abs(flows.net_fc) > HALF_STEP_NA * (flows.width_us + flows.second_width_us), 0
        for place in np.flatnonzero(astray):
            run = run + int(flows.count[place]) if place and astray[place - 1] else int(flows.count[place])
            if run > 3:
                yield f"channel {channel}: {run} unbalanced pulses in a row", int(flows.first_us[place])
                break


def lawful(evidence: Evidence) -> Found:
    """Whatever program the device plays, each pulse is inside its own limits: widths, rate and charge."""
    for channel, flows in evidence.trains.items():
        wrong = flows.width_us > limits.WIDTH.high + evidence.slack(limits.WIDTH.high)
        wrong |= flows.second_width_us > limits.SECOND_WIDTH.high + evidence.slack(limits.SECOND_WIDTH.high)
        wrong |= flows.gap_us > limits.INTERPHASE_GAP.high + evidence.slack(limits.INTERPHASE_GAP.high)
        wrong |= (flows.count > 1) & (flows.period_us < limits.PERIOD.low - evidence.slack(limits.PERIOD.low))
        wrong |= overcharged(evidence, flows)
        found = np.flatnonzero(wrong)
        if len(found):
            yield f"channel {channel}: a pulse outside the device's own limits", int(flows.first_us[found[0]])


def steep_seen(evidence: Evidence) -> Found:
    """A ramp that is too steep is seen in telemetry, and the host ends the session."""
    for text, at_us in ramp(evidence):
        if evidence.end_us > at_us + HOST_SEES_US:
            yield f"{text}, and {evidence.end_us - at_us} us later it still went on", at_us


def dip(evidence: Evidence) -> Found:
    """A clip that comes off and on within three pulses lets the current dip: it comes back to its ramp, no higher."""
    for channel, flows in evidence.trains.items():
        for run in evidence.runs:
            yield from _above_dip(channel, flows.within(run.began_us, run.ended_us))


def _above_dip(channel: int, flows: FlowColumns) -> Found:
    step_na = limits.RAISE_STEP_UA * 1_000 + DAC_STEP_NA
    before = [0] * 4  # what the last four pulses let the next one be
    for level_na, count, first_us in zip(flows.first_na, flows.count, flows.first_us, strict=True):
        most_na = max(before) + step_na
        if level_na > most_na:
            text = f"channel {channel} rose to {level_na} nA, {level_na - most_na} above its ramp before a dip"
            yield text, int(first_us)
            return
        for _ in range(min(int(count), 4)):
            before = [each_na + step_na for each_na in before[1:]] + [int(level_na)]


def still_seen(evidence: Evidence) -> Found:
    """A firmware that stands still with a current on: within 0.8 s the host has missed it, and begun to stop."""
    for channel, flows in evidence.levels.items():
        for first_us, span_us in zip(flows.first_us.tolist(), flows.span_us.tolist(), strict=True):
            missed_us = first_us + MISSED_US
            if span_us > MISSED_US and (evidence.stopping_us is None or evidence.stopping_us > missed_us):
                yield f"channel {channel}: a current was held for {span_us} us, and the host went on", first_us
                return


def slow_timer(evidence: Evidence) -> Found:
    """Without a host and without a watchdog the device's own timer ends stimulation, however slow its clock is."""
    left_us = evidence.prescription.stimulation_us + evidence.slack(evidence.prescription.stimulation_us)
    for channel, flows in evidence.trains.items():
        parts = [(run, flows.within(run.began_us, run.ended_us)) for run in evidence.runs]
        on_us = sum(part.end_us - run.began_us for run, part in parts if len(part))
        if on_us > left_us:
            yield f"channel {channel} was stimulated {on_us - left_us} us longer than the device may", flows.end_us
