"""The gate before a device that holds no limits: it sends no byte that it has not understood and found lawful.

A gate owns the only buffer that is ever sent. It reads one whole line or frame as the device would, writes down what
the device will then hold, and refuses what is above a limit, not balanced, not known, or dangerous at this moment. It
trusts nobody: not the profile, not the prescription, not the adapter that built the line. This module has what the
gates of all devices share: a pulse as it would flow, and the limits it must keep.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from math import gcd
from typing import NamedTuple

from stimctl import limits
from stimctl.errors import Problem, Unsafe
from stimctl.units import US_PER_S

CLOCK_US = 1_000  # how much sooner than ours the device's clock may say that a lease is over [choice]


class CurrentPhase(NamedTuple):
    """A stretch of constant current on one channel."""

    amplitude_ua: int
    width_us: int


class GatedTrain(NamedTuple):
    """The train that one channel would play: the phases of a pulse in order, how often, and for how long."""

    channel: int
    phases: tuple[CurrentPhase, ...]
    period_us: int
    duration_us: int

    @property
    def highest_ua(self) -> int:
        return max((abs(phase.amplitude_ua) for phase in self.phases), default=0)

    @property
    def quantum_ua(self) -> int:
        """What its amplitude is a whole number of, so that both phases' areas are equal in integers."""
        widths_us = [phase.width_us for phase in self.phases if phase.amplitude_ua]
        return widths_us[-1] // gcd(*widths_us) if widths_us else 1


class _LastRise(NamedTuple):
    """How high a channel was driven last, and since when time has passed that no rise has used."""

    level_ua: int
    unused_since_us: int


class Gate:
    """The buffer of what may be sent, and what the device holds because of it. Raises `Unsafe`."""

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self.ceiling_ua = 0
        self._risen: dict[int, _LastRise] = {}
        self._ordered_us: int | None = None  # when a start was ordered that is not written yet
        self.startable_us = 0  # by when the shortest period has passed since the last pulse that a stop may have left

    def arm(self, ceiling_ua: int) -> None:
        """Leases up to the ceiling may be started, from zero on."""
        require(limits.CEILING.allows(ceiling_ua), "ceiling_ua", ceiling_ua, limits.CEILING.allowed())
        self.ceiling_ua = ceiling_ua
        self._risen.clear()

    def disarm(self) -> None:
        self.ceiling_ua = 0

    def take(self) -> bytes:
        taken, self._out = self._out, []
        return b"".join(taken)

    def follow_cut(self, data: bytes, sent: int, output: bytes) -> bytes:
        """As a `Stimulator`'s. The orders go on as they were; before a stop only a command that was cut ends."""
        if not self.is_stop(output):
            return data + output
        return data[:sent] + self.ending(data, sent) + output

    def is_stop(self, data: bytes) -> bool:
        """Whether these bytes, as they are taken, begin with a stop."""
        raise NotImplementedError

    def ending(self, data: bytes, sent: int) -> bytes:
        """What ends the command that `sent` bytes of `data` end in the middle of, so that it starts nothing."""
        raise NotImplementedError

    def forget_unsent(self) -> None:
        """A stop overtakes what was about to be sent."""
        self._out.clear()

    def at_zero(self, now_us: int) -> None:
        """The device says that a stop was carried out: a pulse may have begun until then."""
        self.startable_us = now_us + limits.PERIOD.low

    def wrote(self, now_us: int) -> None:
        """What was taken has left by now: rises count from here, not from when they were ordered."""
        if self._ordered_us is not None:
            late_us, self._ordered_us = now_us - self._ordered_us, None
            self._risen = {
                channel: _LastRise(level_ua, since_us + late_us)
                for channel, (level_ua, since_us) in self._risen.items()
            }

    def check_rise(self, trains: Iterable[GatedTrain], now_us: int, *, slack_ua: int = 0) -> None:
        """Raise `Unsafe` unless armed, too soon after a stop, or if a channel rises by over a step or faster than the
        steepest ramp.

        A rise uses up the time that the steepest ramp takes for it. What is not used is kept for one step at most,
        and with the first train after `arm` that much is there. `slack_ua` is what the device's own resolution adds
        to a step; never to the ceiling.
        """
        require(self.ceiling_ua, "start", None, "nothing may be started while nothing is armed")
        closer = f"may begin no sooner than {limits.PERIOD.low} us after a stop: a pulse may have begun until then"
        require(now_us >= self.startable_us, "start", now_us - self.startable_us + limits.PERIOD.low, closer)
        risen = {train.channel: self._rise(train, now_us, slack_ua) for train in trains}
        silent = {channel: before._replace(level_ua=0) for channel, before in self._risen.items()}
        self._risen = {**silent, **risen}
        self._ordered_us = now_us

    def _rise(self, train: GatedTrain, now_us: int, slack_ua: int) -> _LastRise:
        field, highest_ua = f"channel {train.channel} amplitude_ua", train.highest_ua
        require(highest_ua <= self.ceiling_ua, field, highest_ua, f"the ceiling is {self.ceiling_ua} uA")
        slope_ua_per_s = limits.RAMP_SLOPE.high
        # An amplitude that is rounded to whole quanta may be late by most of one, and then comes with the next.
        kept_us = (limits.RAISE_STEP_UA + slack_ua + train.quantum_ua - 1) * US_PER_S // slope_ua_per_s + 1
        before = self._risen.get(train.channel, _NEVER)
        since_us = max(before.unused_since_us, now_us - kept_us)
        rise_ua = max(0, highest_ua - before.level_ua)
        step = f"at most {limits.RAISE_STEP_UA} uA above the lease before it"
        require(rise_ua <= limits.RAISE_STEP_UA + slack_ua, field, highest_ua, step)
        in_time = rise_ua <= limits.ramp_ua(slope_ua_per_s, now_us - since_us + CLOCK_US)
        require(in_time, field, highest_ua, f"rises faster than {slope_ua_per_s} uA a second")
        return _LastRise(highest_ua, since_us + rise_ua * US_PER_S // slope_ua_per_s)


_NEVER = _LastRise(0, -(10**18))


def refusal(field: str, value: object, allowed: str) -> Unsafe:
    return Unsafe([Problem(field, value, allowed)])


def require(lawful: object, field: str, value: object, allowed: str) -> None:
    if not lawful:
        raise refusal(field, value, allowed)


def check_trains(trains: Iterable[GatedTrain]) -> None:
    """Raise `Unsafe` with everything that is wrong with what a device would play."""
    known = tuple(trains)
    problems = [
        Problem(f"channel {train.channel} {name}", value, allowed)
        for train in known
        for lawful, name, value, allowed in (*_train_checks(train), *_shape_checks(train))
        if not lawful
    ]
    problems += _overlaps(known)
    if problems:
        raise Unsafe(problems)


_Check = tuple[bool, str, int, str]  # whether it is lawful; what it is; its value; what is allowed


def _within(limit: limits.Limit, name: str, value: int) -> _Check:
    return limit.allows(value), name, value, limit.allowed()


def _train_checks(train: GatedTrain) -> Iterator[_Check]:
    duration_us, ceiling = train.duration_us, limits.CEILING
    yield _within(limits.PERIOD, "period_us", train.period_us)
    lease = f"a lease lasts at most {limits.LEASE_US} us"
    yield 0 < duration_us <= limits.LEASE_US, "duration_us", duration_us, lease
    for amplitude_ua, width_us in train.phases:
        yield width_us > 0, "phase", width_us, "no phase and no gap may have a length of zero"
        yield abs(amplitude_ua) <= ceiling.high, "amplitude_ua", amplitude_ua, ceiling.allowed()
        yield _within(limits.CHARGE_PER_PHASE, "charge_per_phase_pc", abs(amplitude_ua) * max(0, width_us))
    pulse_us = sum(phase.width_us for phase in train.phases)
    yield pulse_us <= train.period_us, "period_us", train.period_us, "must hold the whole pulse"


def _shape_checks(train: GatedTrain) -> Iterator[_Check]:
    """One positive phase, at most a short gap, one negative phase of the same area that is not the higher one."""
    at = [index for index, phase in enumerate(train.phases) if phase.amplitude_ua]
    driven = [train.phases[index] for index in at]
    if len(driven) != 2 or driven[0].amplitude_ua < 0 or driven[1].amplitude_ua > 0:
        yield False, "stages", len(driven), "a pulse is one positive phase, then one negative phase"
        return
    first, second = driven
    yield _within(limits.WIDTH, "width_us", first.width_us)
    yield _within(limits.SECOND_WIDTH, "second_width_us", second.width_us)
    yield -second.amplitude_ua <= first.amplitude_ua, "second phase", second.amplitude_ua, "never higher than the first"
    net_pc = sum(phase.amplitude_ua * phase.width_us for phase in driven)
    yield not net_pc, "stages", net_pc, "the two phases' areas must be equal, in integers"
    gap_us = sum(phase.width_us for phase in train.phases[at[0] + 1 : at[1]])
    yield _within(limits.INTERPHASE_GAP, "interphase_gap_us", gap_us)


def _overlaps(trains: tuple[GatedTrain, ...]) -> Iterator[Problem]:
    """Whether two channels would be driven at once."""
    spans = []
    for train in trains:
        at_us = 0
        for amplitude_ua, width_us in train.phases:
            spans += [(train.channel, at_us, at_us + width_us)] if amplitude_ua else []
            at_us += width_us
    for (channel, begin_us, end_us), (other, other_begin_us, other_end_us) in product(spans, spans):
        if channel < other and begin_us < other_end_us and other_begin_us < end_us:
            yield Problem(f"channels {channel} and {other}", begin_us, "no two channels may drive at once")
            return
