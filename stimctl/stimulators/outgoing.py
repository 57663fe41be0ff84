"""The gate before a device that holds no limits: no byte leaves that was not understood and found lawful.

A gate owns the only buffer that is ever sent. It takes one whole line or frame, reads it as the device would,
writes down what the device will then hold, and refuses what is above a limit, not balanced, not known, or
dangerous at this moment. What it refuses never reaches the buffer. It trusts nobody: not the profile, not the
prescription, not the adapter that built the line.

This module has what the gates of all devices share: a pulse as it would flow, and the limits it must keep.
"""

from collections.abc import Iterable, Iterator
from math import gcd
from typing import NamedTuple

from stimctl import limits
from stimctl.errors import Problem, Unsafe
from stimctl.units import US_PER_S

CLOCK_US = 1_000  # how much sooner than ours the device's clock may say that a lease is over [choice]


class Phase(NamedTuple):
    """A stretch of constant current on one channel."""

    amplitude_ua: int
    width_us: int


class Train(NamedTuple):
    """What one channel would do: the phases of a pulse in order, how often, and for how long."""

    channel: int
    phases: tuple[Phase, ...]
    period_us: int
    duration_us: int

    @property
    def highest_ua(self) -> int:
        """The largest amplitude of either sign."""
        return max((abs(phase.amplitude_ua) for phase in self.phases), default=0)

    @property
    def quantum_ua(self) -> int:
        """What its amplitude is a whole number of, so that both phases' areas are equal in integers."""
        widths_us = [phase.width_us for phase in self.phases if phase.amplitude_ua]
        return widths_us[-1] // gcd(*widths_us) if widths_us else 1


class _Risen(NamedTuple):
    """How high a channel was driven last, and since when time has passed that no rise has used."""

    level_ua: int
    unused_since_us: int


class Gate:
    """The buffer of what may be sent, and what the device holds because of it. Raises `Unsafe`."""

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self.ceiling_ua = 0
        self._risen: dict[int, _Risen] = {}
        self._ordered_us: int | None = None  # when a start was ordered that is not written yet

    def arm(self, ceiling_ua: int) -> None:
        """Leases up to the ceiling may be started, from zero on."""
        if not limits.CEILING.allows(ceiling_ua):
            raise refusal("ceiling_ua", ceiling_ua, limits.CEILING.allowed())
        self.ceiling_ua = ceiling_ua
        self._risen.clear()

    def disarm(self) -> None:
        """Nothing may be started."""
        self.ceiling_ua = 0

    def take(self) -> bytes:
        """The bytes that may be sent now."""
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def forget_unsent(self) -> None:
        """A stop overtakes what was about to be sent."""
        self._out.clear()

    def wrote(self, now_us: int) -> None:
        """What was taken has left by now: rises count from here, not from when they were ordered."""
        if self._ordered_us is not None:
            late_us, self._ordered_us = now_us - self._ordered_us, None
            self._risen = {
                channel: _Risen(level_ua, since_us + late_us) for channel, (level_ua, since_us) in self._risen.items()
            }

    def check_rise(self, trains: Iterable[Train], now_us: int, *, slack_ua: int = 0) -> None:
        """Raise `Unsafe` unless armed, and unless no channel rises faster than the steepest ramp, or by over a step.

        A rise uses up the time that the steepest ramp takes for it. What is not used is kept for one step at most,
        and with the first train after `arm` that much is there. `slack_ua` is what the device's own resolution adds
        to a step; never to the ceiling.
        """
        if not self.ceiling_ua:
            raise refusal("start", None, "nothing may be started while nothing is armed")
        risen = {train.channel: self._rise(train, now_us, slack_ua) for train in trains}
        silent = {channel: before._replace(level_ua=0) for channel, before in self._risen.items()}
        self._risen = {**silent, **risen}
        self._ordered_us = now_us

    def _rise(self, train: Train, now_us: int, slack_ua: int) -> _Risen:
        field, highest_ua = f"channel {train.channel} amplitude_ua", train.highest_ua
        if highest_ua > self.ceiling_ua:
            raise refusal(field, highest_ua, f"the ceiling is {self.ceiling_ua} uA")
        slope_ua_per_s = limits.RAMP_SLOPE.high
        # An amplitude that is rounded to whole quanta may be late by most of one, and then comes with the next.
        kept_us = (limits.RAISE_STEP_UA + slack_ua + train.quantum_ua - 1) * US_PER_S // slope_ua_per_s + 1
        before = self._risen.get(train.channel, _NEVER)
        since_us = max(before.unused_since_us, now_us - kept_us)
        rise_ua = max(0, highest_ua - before.level_ua)
        if rise_ua > limits.RAISE_STEP_UA + slack_ua:
            raise refusal(field, highest_ua, f"at most {limits.RAISE_STEP_UA} uA above the lease before it")
        if rise_ua > limits.ramp_ua(slope_ua_per_s, now_us - since_us + CLOCK_US):
            raise refusal(field, highest_ua, f"rises faster than {slope_ua_per_s} uA a second")
        return _Risen(highest_ua, since_us + rise_ua * US_PER_S // slope_ua_per_s)


_NEVER = _Risen(0, -(10**18))


def refusal(field: str, value: object, allowed: str) -> Unsafe:
    """One refusal of a gate."""
    return Unsafe([Problem(field, value, allowed)])


def check_trains(trains: Iterable[Train]) -> None:
    """Raise `Unsafe` with everything that is wrong with what a device would play."""
    known = tuple(trains)
    problems = [problem for train in known for problem in _train_problems(train)]
    problems += _overlaps(known)
    if problems:
        raise Unsafe(problems)


def _train_problems(train: Train) -> Iterator[Problem]:
    field = f"channel {train.channel} "
    if not limits.PERIOD.allows(train.period_us):
        yield Problem(f"{field}period_us", train.period_us, limits.PERIOD.allowed())
    if not 0 < train.duration_us <= limits.LEASE_US:
        yield Problem(f"{field}duration_us", train.duration_us, f"a lease lasts at most {limits.LEASE_US} us")
    for phase in train.phases:
        if phase.width_us <= 0:
            yield Problem(f"{field}phase", phase.width_us, "no phase and no gap may have a length of zero")
        if abs(phase.amplitude_ua) > limits.CEILING.high:
            yield Problem(f"{field}amplitude_ua", phase.amplitude_ua, limits.CEILING.allowed())
        charge_pc = abs(phase.amplitude_ua) * phase.width_us
        if charge_pc > limits.CHARGE_PER_PHASE.high:
            yield Problem(f"{field}charge_per_phase_pc", charge_pc, limits.CHARGE_PER_PHASE.allowed())
    if sum(phase.width_us for phase in train.phases) > train.period_us:
        yield Problem(f"{field}period_us", train.period_us, "must hold the whole pulse")
    yield from _shape_problems(field, train)


def _shape_problems(field: str, train: Train) -> Iterator[Problem]:
    """One positive phase, at most a short gap, one negative phase of the same area that is not the higher one."""
    driven = [phase for phase in train.phases if phase.amplitude_ua]
    if len(driven) != 2 or driven[0].amplitude_ua < 0 or driven[1].amplitude_ua > 0:
        yield Problem(f"{field}stages", len(driven), "a pulse is one positive phase, then one negative phase")
        return
    first, second = driven
    if not limits.WIDTH.allows(first.width_us):
        yield Problem(f"{field}width_us", first.width_us, limits.WIDTH.allowed())
    if not limits.SECOND_WIDTH.allows(second.width_us):
        yield Problem(f"{field}second_width_us", second.width_us, limits.SECOND_WIDTH.allowed())
    if -second.amplitude_ua > first.amplitude_ua:
        yield Problem(f"{field}second phase", second.amplitude_ua, "never higher than the first")
    net_pc = sum(phase.amplitude_ua * phase.width_us for phase in driven)
    if net_pc:
        yield Problem(f"{field}stages", net_pc, "the two phases' areas must be equal, in integers")
    at = [index for index, phase in enumerate(train.phases) if phase.amplitude_ua]
    gap_us = sum(phase.width_us for phase in train.phases[at[0] + 1 : at[1]])
    if not limits.INTERPHASE_GAP.allows(gap_us):
        yield Problem(f"{field}interphase_gap_us", gap_us, limits.INTERPHASE_GAP.allowed())


def _overlaps(trains: tuple[Train, ...]) -> Iterator[Problem]:
    """Two channels driven at once."""
    spans = []
    for train in trains:
        at_us = 0
        for phase in train.phases:
            if phase.amplitude_ua:
                spans.append((train.channel, at_us, at_us + phase.width_us))
            at_us += phase.width_us
    for channel, begin_us, end_us in spans:
        for other, other_begin_us, other_end_us in spans:
            if channel < other and begin_us < other_end_us and other_begin_us < end_us:
                yield Problem(f"channels {channel} and {other}", begin_us, "no two channels may drive at once")
                return
