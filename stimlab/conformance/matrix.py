"""The operating points at which each safety action is tried: the full product, and a part of it for real time.

A cell is an action, the segment it falls in, an amplitude, a channel and a moment of the session. On a simulator in
virtual time all cells run. Where time is real, `pairwise` picks cells so that any two coordinates still meet.
"""

from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import combinations, product
from typing import NamedTuple

RAMP_UA_PER_S = 380  # the steepest ramp there is
GENTLE_UA = 200
REAL_TIME_S = 15 * 60


class SafetyAction(Enum):
    """The action that is tried, or the fault that is put in."""

    STOP = "Stop"
    HOLD = "Hold"
    KEEPALIVE_LOST = "keepalive lost"
    RAISE = "raise"
    LOWER = "lower"
    OVER_CURRENT = "over-current"
    SHORT = "short"
    OPEN = "lead off"
    TEN_KOHM = "10 kohm"
    NET_CHARGE = "net charge"


class SegmentPosition(Enum):
    """The segment in which it is done."""

    ONLY = "the only segment"
    FIRST = "the first of two segments"
    SECOND = "the second of two segments"


# Of a pulse in each of them: period, width, gap and second width in us. The two that alternate differ in all.
SHAPES = {
    SegmentPosition.ONLY: (10_000, 200, 0, 200),
    SegmentPosition.FIRST: (20_000, 300, 50, 600),
    SegmentPosition.SECOND: (14_000, 200, 0, 200),
}


class SessionMoment(Enum):
    """When in the session it is done."""

    RAMP = "while it ramps"
    RUN = "in the first run"
    AFTER_HOLD = "after a hold"
    AFTER_A_MINUTE = "after 60 s of stimulation"
    FALL = "after the ramp down began"


AMPLITUDES_UA = (200, 700, 2_000)
CHANNELS = (1, 2, 3, 4)
TRIPS = (
    SafetyAction.OVER_CURRENT,
    SafetyAction.SHORT,
    SafetyAction.OPEN,
    SafetyAction.TEN_KOHM,
    SafetyAction.NET_CHARGE,
)


class OperatingPoint(NamedTuple):
    """One cell of the matrix."""

    action: SafetyAction
    place: SegmentPosition
    amplitude_ua: int
    channel: int
    moment: SessionMoment

    @property
    def name(self) -> str:
        """As a check's name has it."""
        action, place, moment = (each.name.lower() for each in (self.action, self.place, self.moment))
        return f"{action}_at_{self.amplitude_ua}_ua_on_channel_{self.channel}_{place}_segment_{moment}"

    @property
    def where(self) -> str:
        """The operating point, in words."""
        return f"at {self.amplitude_ua} uA on channel {self.channel} in {self.place.value}, {self.moment.value}"

    @property
    def gentle(self) -> bool:
        """Whether its ramp has to be a slow one, to last into the second segment."""
        return self.moment is SessionMoment.RAMP and self.amplitude_ua <= GENTLE_UA

    @property
    def number(self) -> int:
        """Its place in the full product."""
        return _NUMBERS[self]

    @property
    def others(self) -> tuple[int, ...]:
        """Channels that are driven with it: none, one or two, so that each action meets each."""
        rest = [channel for channel in CHANNELS if channel != self.channel]
        count = self.number // 7 % 3
        # A stray current comes from another channel, and a gentle ramp is kept on by one.
        count = max(count, (self.action is SafetyAction.OVER_CURRENT) + self.gentle)
        return tuple(rest[(self.number + each) % len(rest)] for each in range(count))


CELLS = tuple(
    OperatingPoint(*each) for each in product(SafetyAction, SegmentPosition, AMPLITUDES_UA, CHANNELS, SessionMoment)
)
_NUMBERS = {cell: number for number, cell in enumerate(CELLS)}


def seconds_of(cell: OperatingPoint) -> float:
    """About how long a cell takes where time is real."""
    ramp_s = cell.amplitude_ua / RAMP_UA_PER_S
    up_s = {SessionMoment.RAMP: 2.0, SessionMoment.AFTER_HOLD: ramp_s + 0.8, SessionMoment.AFTER_A_MINUTE: 60.0}.get(
        cell.moment, ramp_s
    )
    return up_s + (2.0 if cell.place is SegmentPosition.ONLY else 3.5) + 2.5


def pairwise(cells: Iterable[OperatingPoint]) -> list[OperatingPoint]:
    """Some of the cells, so that each pair of coordinates that occurs in them occurs in these; the quick ones first."""
    left = list(cells)
    open_pairs = {pair for cell in left for pair in _pairs(cell)}
    chosen = []
    while open_pairs:
        best = max(left, key=lambda cell: (len(open_pairs & set(_pairs(cell))) / (5 + seconds_of(cell)), -cell.number))
        chosen.append(best)
        open_pairs -= set(_pairs(best))
    return sorted(chosen, key=seconds_of)


def within(cells: Iterable[OperatingPoint], seconds: float) -> list[OperatingPoint]:
    """As many of the first cells as that time holds."""
    taken, used_s = [], 0.0
    for cell in cells:
        used_s += seconds_of(cell)
        if used_s > seconds:
            break
        taken.append(cell)
    return taken


def _pairs(cell: OperatingPoint) -> Iterator[tuple[object, ...]]:
    return combinations(enumerate(cell), 2)
