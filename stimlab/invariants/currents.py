"""The invariants on currents, at every pulse: each takes the evidence and yields what breaks it.

A rule that looks at currents judges those that the evidence holds, so that it can be asked of a part of a session:
before a fault did anything, or after. Figures are exact: nA, us, and fC, which is nA times us.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from firmware_sim.analog.converter import DAC_STEP_NA
from stimctl import limits
from stimctl.units import US_PER_S, counted
from stimlab.invariants.evidence import ALWAYS_US, COLUMNS, Bools, Evidence, FlowColumns, Ints, OutputInterval

HALF_STEP_NA = DAC_STEP_NA // 2  # the converter gives the nearest step to what is commanded
SLOPE_UA_PER_S = (limits.CEILING.high - limits.RAISE_STEP_UA) // 5  # 5 s from zero to 2.0 mA, the first step included
NEW_START_US = 1_100_000  # longer than the longest period and its pulse: what comes after begins from zero
PULSE_US = 1_900  # the longest pulse: 600 and 1 200 us, and 100 us between
PULL = "PULL THE LEADS"


class Violation(NamedTuple):
    """A rule that was broken: by what, in words, and when by the port's clock."""

    rule: str
    text: str
    at_us: int


Found = Iterator[tuple[str, int]]
Rule = Callable[[Evidence], Found]


def _worst(flows: FlowColumns, wrong: Bools, text: str) -> Found:
    """The first stretch of those that are wrong, in words: `text` with its figures in the places of their names."""
    found = np.flatnonzero(wrong)
    if len(found):
        first = int(found[0])
        figures = {name: int(getattr(flows, name)[first]) for name in (*COLUMNS, "net_fc", "span_us")}
        more = f", and {len(found) - 1} stretches more" if len(found) > 1 else ""
        yield text.format(**figures) + more, figures["first_us"]


# --- how much ----------------------------------------------------------------------------------------


def ceiling(evidence: Evidence) -> Found:
    """No phase above the session's ceiling, and none above 2.0 mA; a check's pulses 0.1 mA."""
    most_na = min(evidence.prescription.ceiling_ua, limits.CEILING.high) * 1_000 + HALF_STEP_NA
    check_na = limits.RAISE_STEP_UA * 1_000
    kinds = (
        (evidence.trains, most_na),
        (evidence.leaks, most_na),
        (evidence.levels, most_na),
        (evidence.checks, check_na),
    )
    for kind, bound_na in kinds:
        for channel, flows in kind.items():
            over = np.maximum(np.abs(flows.first_na), np.abs(flows.second_na)) > bound_na
            text = f"channel {channel} carried {{first_na}} and {{second_na}} nA, where {bound_na} nA is the most"
            yield from _worst(flows, over, text)


def second(evidence: Evidence) -> Found:
    """The second phase is never higher than the first."""
    for channel, flows in (*evidence.trains.items(), *evidence.checks.items()):
        text = f"channel {channel} carried {{first_na}} nA in the first phase and {{second_na}} in the second"
        yield from _worst(flows, flows.second_na > flows.first_na, text)


def charge(evidence: Evidence) -> Found:
    """No phase above 1.2 uC, but for the converter's rounding."""
    for channel, flows in (*evidence.trains.items(), *evidence.checks.items()):
        yield from _worst(
            flows,
            overcharged(evidence, flows),
            f"channel {channel} gave {{first_na}} nA for {{width_us}} us in a phase",
        )


def overcharged(evidence: Evidence, flows: FlowColumns) -> Bools:
    """Which stretches have more than 1.2 uC a phase, at the shortest that a drifting clock lets a width be."""
    width_us = flows.width_us - evidence.slack(limits.WIDTH.high)
    most_fc = limits.CHARGE_PER_PHASE.high * 1_000 + HALF_STEP_NA * flows.width_us
    over: Bools = flows.first_na * width_us > most_fc
    return over


def astray_pulses(flows: FlowColumns) -> Bools:
    """Which stretches leave more behind than rounding explains; a symmetric pulse leaves nothing at all."""
    symmetric = flows.width_us == flows.second_width_us
    rounding_fc = np.where(symmetric, 0, HALF_STEP_NA * (flows.width_us + flows.second_width_us))
    return np.abs(flows.net_fc) > rounding_fc


def balance(evidence: Evidence) -> Found:
    """The two phases of every pulse have equal areas."""
    for channel, flows in (*evidence.trains.items(), *evidence.checks.items()):
        yield from _worst(flows, astray_pulses(flows), f"channel {channel}: a pulse left {{net_fc}} fC")


def direct_current(evidence: Evidence) -> Found:
    """Never more than 1 uA on average over a second: 1 nA for 1 us is 1 fC."""
    for channel, flows in evidence.trains.items():
        leaving = flows.net_fc != 0
        if not leaving.any():
            continue
        second = flows.first_us[leaving] // limits.RAISE_INTERVAL_US
        for number in np.unique(second):
            net_fc = abs(int((flows.net_fc[leaving] * flows.count[leaving])[second == number].sum()))
            if net_fc > 1_000 * limits.RAISE_INTERVAL_US:
                yield f"channel {channel} passed {net_fc // 10**9} uA of direct current over a second", number * 10**6
                break


def _near(found: Ints, wanted: int, evidence: Evidence) -> Bools:
    return np.abs(found - wanted) <= evidence.slack(wanted)


def known_shape(evidence: Evidence, flows: FlowColumns) -> Bools:
    """Which stretches have the widths, and the period, of one of the program's segments."""
    known = np.zeros(len(flows), np.bool_)
    for part in evidence.prescription.program.segments:
        like = _near(flows.width_us, part.width_us, evidence) & _near(flows.gap_us, part.interphase_gap_us, evidence)
        like &= _near(flows.second_width_us, part.second_width_us, evidence)
        known |= like & ((flows.count == 1) | _near(flows.period_us, part.period_us, evidence))
    return known


def shape(evidence: Evidence) -> Found:
    """Every pulse of a train is one of the program's."""
    for channel, flows in evidence.trains.items():
        text = f"channel {channel}: no segment has a pulse of {{width_us}}, {{gap_us}} and {{second_width_us}} us"
        yield from _worst(flows, ~known_shape(evidence, flows), text)


# --- when --------------------------------------------------------------------------------------------


def _outside(flows: FlowColumns, runs: tuple[OutputInterval, ...]) -> tuple[int, int]:
    """How many pulses begin outside all runs, and when the first of them does."""
    inside = [flows.within(run.began_us, run.ended_us) for run in runs]
    missing = flows.pulses - sum(each.pulses for each in inside)
    if not missing:
        return 0, 0
    begins_us = flows.begins_us()
    astray = np.ones(len(begins_us), np.bool_)
    for run in runs:
        astray &= (begins_us < run.began_us) | (begins_us >= run.ended_us)
    return missing, int(begins_us[np.flatnonzero(astray)[0]])


def place(evidence: Evidence) -> Found:
    """Nothing begins to flow but while the device's journal says that it could: nothing in a hold, nothing after."""
    for flows_of, runs, what in (
        (evidence.trains, evidence.runs, "stimulation"),
        (evidence.checks, evidence.checking, "a check"),
    ):
        for channel, flows in flows_of.items():
            missing, first_us = _outside(flows, runs)
            if missing:
                yield (
                    f"channel {channel}: {counted(missing, 'pulse')} of {what} when the device said that none could be",
                    first_us,
                )
    for channel, flows in evidence.levels.items():
        yield f"channel {channel} carried a current that is no pulse", int(flows.first_us[0])


def timer(evidence: Evidence) -> Found:
    """No pulse ends after the session's stimulation time, which goes on only in runs, by the device's own journal."""
    left_us = evidence.prescription.stimulation_us
    for run in evidence.runs:
        for channel, flows in evidence.trains.items():
            end_us = flows.within(run.began_us, run.ended_us).end_us
            if end_us > run.began_us + left_us:
                yield f"channel {channel}: a pulse {end_us - run.began_us - left_us} us after the timer's end", end_us
        left_us -= run.ended_us - run.began_us


def host_timer(evidence: Evidence) -> Found:
    """Where the device's timer is not to be trusted, the host ends stimulation within its own second of slack."""
    # Looked at with each keepalive; the pulse in flight is completed.
    slack_us = US_PER_S + limits.KEEPALIVE_US + PULSE_US
    left_us = evidence.prescription.stimulation_us + slack_us
    for channel, flows in evidence.trains.items():
        on_us = 0
        for run in evidence.runs:
            part = flows.within(run.began_us, run.ended_us)
            on_us += part.end_us - run.began_us if len(part) else 0
        if on_us > left_us:
            yield f"channel {channel} was stimulated {on_us - left_us} us longer than the host may let it", flows.end_us


def watchdog(evidence: Evidence) -> Found:
    """No pulse begins later than 1 s after the last keepalive, or arm, that the device accepted."""
    within_us = limits.WATCHDOG_US + evidence.slack(limits.WATCHDOG_US)
    heard_us = np.concatenate([[-within_us], evidence.alive_us, [ALWAYS_US]])
    silent = np.flatnonzero(np.diff(heard_us) > within_us)
    for channel, flows in (*evidence.trains.items(), *evidence.checks.items()):
        for at in silent:
            late = flows.within(int(heard_us[at]) + within_us, int(heard_us[at + 1]))
            if len(late):
                first_us = int(late.first_us[0])
                yield f"channel {channel}: a pulse {first_us - heard_us[at]} us after the last keepalive", first_us
                break


def stop(evidence: Evidence) -> Found:
    """When the host stops, at most the pulse in flight is completed."""
    if evidence.stopping_us is not None:
        late_us = evidence.end_us - evidence.stopping_us
        last_us = max(
            (int(f.last_us[-1]) for f in (*evidence.trains.values(), *evidence.checks.values()) if len(f)), default=0
        )
        if last_us > evidence.stopping_us:
            yield f"current until {late_us} us after the host began to stop", evidence.end_us


def zero(evidence: Evidence) -> Found:
    """Once measured zero was confirmed to the host, nothing flows any more."""
    report = evidence.report
    if report is None or report.zero_confirmed_us is None or evidence.stopping_us is None or not report.zero_measured:
        return
    since_us = evidence.stopping_us + report.zero_confirmed_us
    if evidence.end_us > since_us:
        yield f"current {evidence.end_us - since_us} us after zero was confirmed", evidence.end_us


def ramp(evidence: Evidence) -> Found:
    """From zero in each run; no pulse more than 0.1 mA above the one before; nowhere faster than 5 s to 2.0 mA."""
    for channel, flows in evidence.trains.items():
        for run in evidence.runs:
            slope = SLOPE_UA_PER_S + evidence.slack(SLOPE_UA_PER_S)
            yield from _climb(channel, flows.within(run.began_us, run.ended_us), slope)


def _climb(channel: int, flows: FlowColumns, slope: int) -> Found:
    """Steps and slope of one run; after a longer silence than any period it begins from zero again."""
    if not len(flows):
        return
    pause = np.flatnonzero(flows.first_us[1:] - flows.last_us[:-1] > NEW_START_US) + 1
    for begin, end in pairwise([0, *pause.tolist(), len(flows)]):
        level_na, first_us, last_us = (c[begin:end] for c in (flows.first_na, flows.first_us, flows.last_us))
        step_na = np.diff(level_na, prepend=0)
        step = np.flatnonzero(step_na > limits.RAISE_STEP_UA * 1_000 + DAC_STEP_NA)
        if len(step):
            yield f"channel {channel} rose by {step_na[step[0]]} nA from one pulse to the next", int(first_us[step[0]])
            return
        # Above the line that climbs from the lowest point so far, in pA so that the slope is whole: 380 pA a us.
        lowest = np.minimum.accumulate(level_na * 1_000 - slope * last_us)
        lowest = np.concatenate([[-slope * int(first_us[0])], lowest[:-1]])
        above = level_na * 1_000 - slope * first_us - lowest
        steep = np.flatnonzero(above > (limits.RAISE_STEP_UA * 1_000 + DAC_STEP_NA) * 1_000)
        if len(steep):
            yield f"channel {channel} rose faster than 2.0 mA in 5 s", int(first_us[steep[0]])
            return


def rate(evidence: Evidence) -> Found:
    """No two pulses of a channel begin closer than at 100 Hz."""
    for channel, flows in evidence.trains.items():
        near = np.zeros(len(flows), np.bool_)
        least_us = limits.PERIOD.low - evidence.slack(limits.PERIOD.low)
        near[1:] = flows.first_us[1:] - flows.last_us[:-1] < least_us
        near |= (flows.count > 1) & (flows.period_us < least_us)
        yield from _worst(flows, near, f"channel {channel}: pulses closer than 10 ms")


def apart(evidence: Evidence) -> Found:
    """No two channels drive at once."""
    if len(evidence.trains) < 2:
        return
    begins_us = np.concatenate([flows.begins_us() for flows in evidence.trains.values()])
    ends_us = begins_us + np.concatenate([np.repeat(flows.span_us, flows.count) for flows in evidence.trains.values()])
    order = np.argsort(begins_us, kind="stable")
    overlap = np.flatnonzero(begins_us[order][1:] < ends_us[order][:-1])
    if len(overlap):
        yield (
            f"{counted(len(overlap), 'pulse')} began while another channel drove",
            int(begins_us[order][overlap[0] + 1]),
        )
