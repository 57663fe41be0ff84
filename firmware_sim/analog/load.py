"""The loads that the outputs drive: named ones, ones that change by themselves, and ones changed from outside.

A load answers two questions about a channel at a device time: what the pair is now, and when that will next
be different; between those times it is constant. The figures of the needle pair are an order of magnitude
and the project's choice, like those that say how a load changes [choice]; resistors are themselves.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

from firmware_sim.analog.load_changes import NEVER_US, ClipContact, Drift
from firmware_sim.analog.needle_pair import NeedlePair

_CHANNELS = 4

# The tissue of a pair computes to 180-430 ohm; the pair, 600 ohm in series with 2.5 uF beside 47 kohm at each needle.
NOMINAL = NeedlePair(600.0, 2.5, 47_000.0)
DRY = replace(NOMINAL, series_ohm=3_000.0)
OPEN = NeedlePair(10_000_000.0)  # "over 1 Mohm"
SHORT = NeedlePair(10.0)  # "under 20 ohm"
RANDLES = NeedlePair(1_000.0, 2.0, 10_000.0)  # a test load on a bench: 1 kohm, then 1 uF beside 20 kohm in all
BRIDGE_PERMILLE = 200  # of the current takes the way through the neighbour's leads
JOINED_PERMILLE = 800  # the same where a channel's lead is clipped to another's: nearly all of it
EARTHED_PERMILLE = 200  # of a second phase, through a diode to earth
DRIFT_END_OHM = 900.0
DRIFT_US = 1_800_000_000
CLOSED_US = (20_000_000, 60_000_000)  # how long an intermittent clip holds
OPEN_US = (200_000, 2_000_000)  # and how long it is off


class UnknownLoad(ValueError):
    """A load's name that is not known. The message lists those that are."""


class Load(Protocol):
    """The load on a device's outputs, asked by channel and device time."""

    def pair(self, channel: int, now_us: int) -> NeedlePair:
        """What a channel drives at a device time."""

    def next_change_us(self, channel: int, now_us: int) -> int:
        """The first device time after `now_us` at which it may be something else; `NEVER_US` when none."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Have `changed` called before the load becomes something that `next_change_us` did not foresee."""


@dataclass(frozen=True, slots=True)
class SteadyLoad:
    """A load that never changes, with a pair for each channel."""

    pairs: tuple[NeedlePair, ...]

    def pair(self, channel: int, now_us: int) -> NeedlePair:  # noqa: ARG002
        return self.pairs[channel - 1]

    def next_change_us(self, channel: int, now_us: int) -> int:  # noqa: ARG002
        """Never."""
        return NEVER_US

    def watch(self, changed: Callable[[], None]) -> None:
        """Nothing to watch."""


class DriftingLoad:
    """The series resistance goes evenly from one value to another, and stays there."""

    def __init__(self, pair: NeedlePair = NOMINAL, end_ohm: float = DRIFT_END_OHM, over_us: int = DRIFT_US) -> None:
        self._pair = pair
        self._drift = Drift(end_ohm, over_us)

    def pair(self, channel: int, now_us: int) -> NeedlePair:  # noqa: ARG002
        """The pair so far drifted."""
        return replace(self._pair, series_ohm=self._drift.ohm(self._pair.series_ohm, now_us))

    def next_change_us(self, channel: int, now_us: int) -> int:  # noqa: ARG002
        return self._drift.next_change_us(now_us)

    def watch(self, changed: Callable[[], None]) -> None:
        """Its steps are all foreseen."""


class IntermittentLoad:
    """A clip that comes off and on again, at times that the seed fixes, on each channel its own."""

    def __init__(self, seed: int, pair: NeedlePair = NOMINAL) -> None:
        self._pair = pair
        dice = (Random(f"intermittent {seed} {channel}") for channel in range(_CHANNELS))
        self._clips = [ClipContact(each, CLOSED_US, OPEN_US) for each in dice]

    def pair(self, channel: int, now_us: int) -> NeedlePair:
        """The pair, or nothing."""
        return OPEN if self._clips[channel - 1].is_open(now_us) else self._pair

    def next_change_us(self, channel: int, now_us: int) -> int:
        """When it next comes off or on."""
        return self._clips[channel - 1].next_change_us(now_us)

    def watch(self, changed: Callable[[], None]) -> None:
        """Its changes are all foreseen."""


class ChannelLoads:
    """A load for each channel that has its own, and one for the others."""

    def __init__(self, others: Load, own: Mapping[int, Load]) -> None:
        self._others = others
        self._own = dict(own)

    def pair(self, channel: int, now_us: int) -> NeedlePair:
        return self._own.get(channel, self._others).pair(channel, now_us)

    def next_change_us(self, channel: int, now_us: int) -> int:
        return self._own.get(channel, self._others).next_change_us(channel, now_us)

    def watch(self, changed: Callable[[], None]) -> None:
        for load in (self._others, *self._own.values()):
            load.watch(changed)


class ScriptedLoad:
    """A load that is replaced at given device times: `ScriptedLoad(nominal, [(5_000_000, open_), ...])`."""

    def __init__(self, first: Load, script: Iterable[tuple[int, Load]] = ()) -> None:
        self._changes: list[list[tuple[int, Load]]] = [[(0, first)] for _ in range(_CHANNELS)]
        self._watchers: list[Callable[[], None]] = []
        for at_us, load in script:
            self.set(at_us, load)

    def set(self, at_us: int, load: Load, channel: int | None = None) -> None:
        """From device time `at_us` on it is `load`, on one channel or on all; later settings are dropped.

        A time that has passed already means from now on.
        """
        for changed in self._watchers:
            changed()
            load.watch(changed)
        for number in range(1, _CHANNELS + 1) if channel is None else (channel,):
            kept = [change for change in self._changes[number - 1] if change[0] < at_us]
            self._changes[number - 1] = [*kept, (at_us, load)]

    def pair(self, channel: int, now_us: int) -> NeedlePair:
        """What is set, at its own now."""
        return self._at(channel, now_us).pair(channel, now_us)

    def next_change_us(self, channel: int, now_us: int) -> int:
        """The next setting, or what the present one does by itself, whichever comes first."""
        own_us = self._at(channel, now_us).next_change_us(channel, now_us)
        return min([own_us, *(at_us for at_us, _ in self._changes[channel - 1] if at_us > now_us)])

    def watch(self, changed: Callable[[], None]) -> None:
        """Be told before anything is set."""
        self._watchers.append(changed)
        for changes in self._changes:
            for _, load in changes:
                load.watch(changed)

    def _at(self, channel: int, now_us: int) -> Load:
        return next(load for at_us, load in reversed(self._changes[channel - 1]) if at_us <= now_us or at_us == 0)


def steady(pair: NeedlePair) -> SteadyLoad:
    """`pair` on every channel, for ever."""
    return SteadyLoad((pair,) * _CHANNELS)


def bridged() -> SteadyLoad:
    """Nominal pairs, of which 1 and 2 touch."""
    touching = [replace(NOMINAL, leaks_to=other, leak_permille=BRIDGE_PERMILLE) for other in (2, 1)]
    return SteadyLoad((*touching, NOMINAL, NOMINAL))


def _joined(other: int) -> Callable[[int], Load]:
    pair = NeedlePair(1_000.0, leaks_to=other, leak_permille=JOINED_PERMILLE)
    return lambda _: steady(pair)


_MAKERS: dict[str, Callable[[int], Load]] = {
    "nominal": lambda _: steady(NOMINAL),
    "dry": lambda _: steady(DRY),
    "drift": lambda _: DriftingLoad(),
    "intermittent": IntermittentLoad,
    "open": lambda _: steady(OPEN),
    "short": lambda _: steady(SHORT),
    "bridged": lambda _: bridged(),
    "r100": lambda _: steady(NeedlePair(100.0)),
    "r500": lambda _: steady(NeedlePair(500.0)),
    "r1k": lambda _: steady(NeedlePair(1_000.0)),
    "r2k": lambda _: steady(NeedlePair(2_000.0)),
    "r10k": lambda _: steady(NeedlePair(10_000.0)),
    "randles": lambda _: steady(RANDLES),
}
_RESISTOR = re.compile(r"r([1-9][0-9]{0,6})")
LOADS: tuple[str, ...] = tuple(_MAKERS)
# What a bench does to see a trip, and nobody deals out: a channel's current in another channel, a part of it to earth.
_MAKERS |= {f"joined{other}": _joined(other) for other in range(1, _CHANNELS + 1)}
_MAKERS["earthed"] = lambda _: steady(NeedlePair(1_000.0, earthed_permille=EARTHED_PERMILLE))


def load_named(name: str, seed: int = 1) -> Load:
    """The load of that name; `"nominal,2=open"` gives channel 2 its own. Raises `UnknownLoad`."""
    first, *rest = name.split(",")
    own = {}
    for part in rest:
        channel, _, kind = part.partition("=")
        if channel not in {"1", "2", "3", "4"}:
            raise UnknownLoad(f"{part!r} in the load {name!r} is not CHANNEL=NAME with a channel from 1 to 4")
        own[int(channel)] = _made(kind, seed)
    others = _made(first, seed)
    return ChannelLoads(others, own) if own else others


def _made(name: str, seed: int) -> Load:
    maker = _MAKERS.get(name)
    if maker is not None:
        return maker(seed)
    if resistor := _RESISTOR.fullmatch(name):
        return steady(NeedlePair(float(resistor[1])))
    raise UnknownLoad(
        f"no load is called {name!r}; the loads are {', '.join(LOADS)}, and a resistor of any ohm as r680"
    )
