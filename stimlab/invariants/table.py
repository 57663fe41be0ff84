"""The table of invariants, and which fault excuses which of them.

A fault that breaks a part cannot leave every rule standing: a converter that gives too much breaks the ceiling. Each
row of `EXCUSES` says which rule a fault excuses, why, and what must hold instead, which is then checked. Up to the
moment at which the fault first did something, a rule on currents holds unexcused.

    for violation in violations(played):
        print(violation.rule, violation.text)
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from stimlab.invariants import currents, reports, under_fault
from stimlab.invariants.currents import Rule, Violation
from stimlab.invariants.evidence import ALWAYS_US, Evidence, evidence_of

if TYPE_CHECKING:
    from stimlab.play.result import PlayedSession

__all__ = ["EXCUSES", "INSTEAD", "RULES", "Excuse", "Violation", "broken", "violations"]

# Of currents: these are asked of any part of a session.
_CURRENTS: dict[str, Rule] = {
    "ceiling": currents.ceiling,
    "second": currents.second,
    "charge": currents.charge,
    "balance": currents.balance,
    "direct current": currents.direct_current,
    "shape": currents.shape,
    "place": currents.place,
    "timer": currents.timer,
    "watchdog": currents.watchdog,
    "ramp": currents.ramp,
    "rate": currents.rate,
    "apart": currents.apart,
}
# Of a session as a whole.
_WHOLE: dict[str, Rule] = {
    "stop": currents.stop,
    "zero": currents.zero,
    "load pulses": reports.load_pulses,
    "load charge": reports.load_charge,
    "exact": reports.exact,
    "measured": reports.measured,
    "raises": reports.raises,
    "alarm": reports.alarm,
    "ledger": reports.ledger,
    "ends": reports.ends,
}
RULES: Mapping[str, Rule] = {**_CURRENTS, **_WHOLE}
# What holds where a rule is excused.
INSTEAD: Mapping[str, Rule] = {
    "trip": under_fault.trip,
    "cut last": under_fault.cut_last,
    "odd last": under_fault.odd_last,
    "full scale": under_fault.full_scale,
    "three in a row": under_fault.three_in_a_row,
    "lawful": under_fault.lawful,
    "steep seen": under_fault.steep_seen,
    "host timer": currents.host_timer,
    "apart": currents.apart,
    "still seen": under_fault.still_seen,
    "dip": under_fault.dip,
    "slow timer": under_fault.slow_timer,
    "alarm": reports.alarm,
    "unknown": reports.unknown,
    "told": reports.difference_alarmed,
    "less than counted": reports.less_than_counted,
    "measured told": reports.measurement_doubted,
    "log told": reports.log_failure_reported,
}


class Excuse(NamedTuple):
    """`fault`, a kind or the beginning of several, excuses `rule` because of `why`; `instead` is checked then.

    Where there is a `besides`, only together with a fault of that kind.
    """

    rule: str
    fault: str
    why: str
    instead: str
    besides: str = ""


def _rows(fault: str, why: str, *, besides: str = "", **instead: str) -> Iterator[Excuse]:
    for rule, other in instead.items():
        yield Excuse(rule.replace("_", " "), fault, why, other.replace("_", " "), besides)


EXCUSES: tuple[Excuse, ...] = (
    # --- the line ---
    *_rows("line.", "a stop may be lost on the way or be late", stop="watchdog"),
    *_rows("line.", "an answer that is lost leaves open whether an order was taken", exact="unknown"),
    # --- the converter, the ammeter, the switch ---
    *_rows(
        "device.dac_", "the converter gives another current than it is told",
        ceiling="trip", charge="trip", ramp="trip", load_charge="trip", measured="measured_told",
        shape="cut_last", balance="odd_last", direct_current="odd_last", second="odd_last",
        dip="trip", less_than_counted="trip", lawful="trip", steep_seen="trip",
    ),
    *_rows(
        "device.readback_", "a measurement is wrong: it is within what the device states, or is said not to agree",
        measured="measured_told",
    ),
    *_rows(
        "device.readback_", "what reads as over current is cut, whatever flows",
        shape="cut_last", balance="odd_last", second="odd_last", load_charge="less_than_counted",
    ),
    *_rows(
        "device.readback_", "converter and ammeter are broken at once: nothing in the device can know",
        trip="full_scale", odd_last="full_scale", measured_told="full_scale", besides="device.dac_",
    ),
    *_rows(
        "device.readback_", "a wrong ammeter may read what was asked for where the rail let less flow",
        measured_told="less_than_counted", besides="load",
    ),
    *_rows(
        "device.readback_", "switch and ammeter are broken at once: nothing in the device can know",
        zero="stop", besides="device.stuck_on",
    ),
    *_rows(
        "device.stuck_on", "the output switch itself conducts",
        place="alarm", zero="alarm", stop="alarm", ceiling="alarm", still_seen="alarm",
    ),
    *_rows("device.readback_", "current that is read after the zero leaves open what flowed", exact="unknown"),
    *_rows("device.stuck_on", "current that flows after the zero leaves open what flowed", exact="unknown"),
    # --- the firmware ---
    *_rows("device.silent_telemetry", "no status bears the zero out that the device tells", exact="unknown"),
    *_rows(
        "device.clock_freeze", "the firmware stands still with its outputs as they are: nothing in it can act",
        place="still_seen", stop="alarm", zero="alarm", watchdog="alarm", timer="alarm", host_timer="alarm",
        direct_current="still_seen", rate="alarm", apart="alarm", ramp="alarm", steep_seen="alarm", balance="alarm",
        odd_last="alarm", shape="alarm", cut_last="alarm",
    ),
    *_rows(
        "device.clock_freeze", "it may not have counted what it gave meanwhile",
        load_pulses="told", load_charge="told", less_than_counted="told", exact="told", unknown="told",
    ),
    *_rows("device.clock_drift", "the device's timer is its clock's", timer="host_timer"),
    *_rows(
        "device.clock_drift", "what it counts and what it is told of lie at other times", exact="told", unknown="told"
    ),
    *_rows(
        "device.watchdog_dead", "it never fires: the session's timer ends the output",
        watchdog="timer", stop="timer", host_timer="slow_timer",
    ),
    *_rows(
        "device.session_timer_dead", "it never fires, nor does the fall before it begin",
        timer="host_timer", exact="told", unknown="told",
    ),
    *_rows(
        "device.session_timer_dead", "timer and watchdog are broken at once: only a person can end it",
        slow_timer="alarm", besides="device.watchdog_dead",
    ),
    *_rows(
        "device.program_flip", "the device plays another program, inside its own limits",
        shape="lawful", cut_last="lawful", rate="apart", ramp="steep_seen", exact="told", unknown="told",
    ),
    *_rows("device.slow_answers", "an answer that comes late leaves open whether an order was taken", exact="unknown"),
    *_rows(
        "device.wrong_echo", "what the device tells is not so: its counts, its measurements, its zero",
        exact="told", unknown="told", measured="told", measured_told="told", zero="stop",
        load_pulses="told", load_charge="told", less_than_counted="told",
    ),
    # --- the load ---
    *_rows(
        "load", "on the rail less flows than is asked for, and the phases differ",
        balance="three_in_a_row", direct_current="three_in_a_row", second="three_in_a_row", ramp="dip",
        steep_seen="dip", load_charge="less_than_counted", measured="measured_told", shape="cut_last",
    ),
    *_rows("load", "on the rail a pulse is left to the count of three", odd_last="three_in_a_row"),
    # --- the host ---
    *_rows("host.stall", "a host that does nothing sees nothing", still_seen="alarm"),
    *_rows("host.disk_full", "nothing more can be written", ledger="log_told"),
    *_rows("host.read_only_log", "nothing more can be written", ledger="log_told"),
)  # fmt: skip


def violations(played: "PlayedSession") -> tuple[Violation, ...]:
    """Every rule that a played session broke and no fault of it excuses, and what did not hold instead."""
    if played.prescription is None:
        # Refused on paper: there was no session.
        return ()
    return tuple(broken(evidence_of(played)))


def broken(evidence: Evidence) -> Iterator[Violation]:
    """The violations that the evidence shows."""
    since_us: dict[str, int] = {}
    before, within = cache(evidence.before), cache(evidence.within)  # a fault excuses several rules from one time on
    for name in RULES:
        excused = _excused(name, evidence)
        if not excused:
            yield from _violations(name, RULES[name], evidence)
            continue
        first_us = min(at_us for _, at_us in excused)
        if name in _CURRENTS:
            yield from _violations(name, RULES[name], before(first_us))
        for excuse, at_us in excused:
            _add_instead(since_us, excuse.instead, at_us, evidence)
    for name, at_us in since_us.items():
        yield from _violations(name, INSTEAD[name], within(at_us, ALWAYS_US) if name in _PARTIAL else evidence)


# Of those, the ones that judge currents from the fault on; the others look at all.
_PARTIAL = ("trip", "cut last", "odd last", "full scale", "lawful", "three in a row")


def _add_instead(
    since_us: dict[str, int], name: str, at_us: int, evidence: Evidence, above: tuple[str, ...] = ()
) -> None:
    """Note what to ask from when on; what is itself excused hands on to what holds instead of it."""
    if name in RULES:
        return  # it is asked by itself, and excused by itself
    further = [each for each in _excused(name, evidence) if each[0].instead not in above]
    for excuse, later_us in further:
        _add_instead(since_us, excuse.instead, min(at_us, later_us), evidence, (*above, name))
    if not further:
        since_us[name] = min(at_us, since_us.get(name, at_us))


def _excused(rule: str, evidence: Evidence) -> list[tuple[Excuse, int]]:
    """The rows that excuse a rule here, and since when."""
    fired_us = evidence.fired_us
    return [
        (excuse, at_us)
        for excuse in (EXCUSES if fired_us else ())
        if excuse.rule == rule and any(kind.startswith(excuse.besides) for kind in fired_us)
        for kind, at_us in fired_us.items()
        if kind.startswith(excuse.fault)
    ]


def _violations(name: str, rule: Rule, evidence: Evidence) -> Iterator[Violation]:
    for text, at_us in rule(evidence):
        yield Violation(name, text, at_us)
