"""Lays the faults of a load over a good one, in the world's time.

What it is at a time depends on that time and the seed alone, never on when it was asked. Faults are laid on in
their order: each takes the pair that the ones before it left.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Protocol

from firmware_sim.analog.load import DRY, OPEN, SHORT, Load
from firmware_sim.analog.load_changes import NEVER_US, ClipContact, Drift
from firmware_sim.analog.needle_pair import NeedlePair
from firmware_sim.faults.schedule import FaultWindow
from stimctl.wire.codes import CHANNELS

_STEADY = {"load.open": OPEN, "load.short": SHORT}


class WorldClock(Protocol):
    """The world's time of a device's."""

    def was(self, device_us: int) -> int:
        """The world time at which the device's clock showed `device_us`."""

    def to_world(self, device_us: int) -> int:
        """The same for a time to come; `NEVER_US` when the clock stands."""

    def to_device(self, world_us: int) -> int:
        """The device time at a time of the world."""


class HostileWorldLoad:
    """The load by the world's time."""

    def __init__(self, base: Load, windows: Sequence[FaultWindow], seed: int) -> None:
        self._base = base
        self._windows = windows
        self._clips = {
            window.index: [
                _clip(window, Random(f"load {seed} {window.index} {channel}")) for channel in range(CHANNELS)
            ]
            for window in windows
            if window.fault.kind == "load.intermittent"
        }
        self._watchers: list[Callable[[], None]] = []
        base.watch(self.foresee)

    def watch(self, changed: Callable[[], None]) -> None:
        """From now on `changed`, and nobody else, is told before something unforeseen."""
        self._watchers = [changed]

    def foresee(self) -> None:
        """Something that nobody could foresee is about to change."""
        for changed in self._watchers:
            changed()

    def pair(self, channel: int, world_us: int) -> NeedlePair:
        pair = self._base.pair(channel, max(0, world_us))
        for window in self._windows:
            if window.start_us <= world_us < window.end_us:
                pair = self._spoilt(window, channel, world_us, pair)
        return pair

    def next_change_us(self, channel: int, world_us: int) -> int:
        """When that may next be different."""
        next_us = self._base.next_change_us(channel, max(0, world_us))
        for window in self._windows:
            for edge_us in (window.start_us, window.end_us):
                if edge_us > world_us:
                    next_us = min(next_us, edge_us)
            if window.start_us <= world_us < window.end_us:
                next_us = min(next_us, self._own_change_us(window, channel, world_us))
        return next_us

    def _own_change_us(self, window: FaultWindow, channel: int, world_us: int) -> int:
        since_us = world_us - window.start_us
        if window.fault.kind == "load.intermittent":
            return window.start_us + self._clips[window.index][channel - 1].next_change_us(since_us)
        if window.fault.kind == "load.drift":
            return window.start_us + _drift(window).next_change_us(since_us)
        return NEVER_US

    def _spoilt(self, window: FaultWindow, channel: int, world_us: int, pair: NeedlePair) -> NeedlePair:
        kind = window.fault.kind
        if kind == "load.bridged":
            pair = _bridged(window, channel, pair)
        elif not window.concerns(channel):
            return pair
        elif kind == "load.resistor":
            pair = NeedlePair(float(window.number("ohm")))
        elif kind == "load.dry":
            pair = replace(pair, series_ohm=DRY.series_ohm)
        elif kind == "load.drift":
            pair = replace(pair, series_ohm=_drift(window).ohm(pair.series_ohm, world_us - window.start_us))
        elif kind == "load.intermittent":
            clip = self._clips[window.index][channel - 1]
            pair = OPEN if clip.is_open(world_us - window.start_us) else pair
        else:
            pair = _STEADY[kind]
        return pair


def _drift(window: FaultWindow) -> Drift:
    return Drift(window.number("end_ohm"), window.number("over_us"))


def _clip(window: FaultWindow, dice: Random) -> ClipContact:
    """Each time lasts from half its average to one and a half."""
    closed_us, open_us = (
        (mean_us // 2, mean_us + mean_us // 2 + 1) for mean_us in (window.number("closed_us"), window.number("open_us"))
    )
    return ClipContact(dice, closed_us, open_us)


def _bridged(window: FaultWindow, channel: int, pair: NeedlePair) -> NeedlePair:
    one = window.fault.channel or 1
    other = window.number("other") or one % CHANNELS + 1
    if one == other or channel not in (one, other):
        return pair
    return replace(pair, leaks_to=other if channel == one else one, leak_permille=window.number("leak_permille"))


class HostileLoad:
    """The same load as one device asks for it, by that device's clock."""

    def __init__(self, world: HostileWorldLoad, clock: WorldClock) -> None:
        self._world = world
        self._clock = clock

    def pair(self, channel: int, now_us: int) -> NeedlePair:
        """What a channel drives at a device time."""
        return self._world.pair(channel, self._clock.was(now_us))

    def next_change_us(self, channel: int, now_us: int) -> int:
        """The device time of its next change."""
        change_us = self._world.next_change_us(channel, self._clock.was(now_us))
        return NEVER_US if change_us >= NEVER_US else max(now_us + 1, self._clock.to_device(change_us))

    def watch(self, changed: Callable[[], None]) -> None:
        """Be told of what is not foreseen."""
        self._world.watch(changed)
