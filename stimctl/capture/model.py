"""A capture: columns of even samples that are read from the beginning as often as somebody asks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from stimctl.errors import InputInvalid, Misuse, Problem

Samples = npt.NDArray[np.floating]
UA_PER_A = 1_000_000.0
_SHORTEST_S, _LONGEST_S = 1e-12, 1.0  # of a sample [choice]: the fastest real-time oscilloscopes take 4 ps
# What one of a unit is in volts or amperes.
UNITS: dict[str, tuple[str, float]] = {
    "V": ("V", 1.0), "mV": ("V", 1e-3), "uV": ("V", 1e-6), "A": ("A", 1.0), "mA": ("A", 1e-3), "uA": ("A", 1e-6),
    "nA": ("A", 1e-9),
}  # fmt: skip


class Block(NamedTuple):
    """The next samples of each column that was asked for, as the file has them, and how much of the file is read."""

    values: list[Samples]
    done: float


@dataclass(frozen=True, slots=True)
class Column:
    """One trace. `unit` is what the file says its numbers are (a key of `UNITS`), empty where it does not say.

    `resolution` is the smallest step of its numbers, 0 where the file does not tell it: each input has its own scale.
    """

    name: str
    unit: str = ""
    resolution: float = 0.0


@dataclass(frozen=True, slots=True)
class Capture:
    """An open file. `blocks(columns)` reads those columns, by number, from the beginning.

    `notes` says what was guessed or does not fit. `probe_said` is the probe's ratio where the file has one. A capture
    that was `simulated` has samples of a current that flowed nowhere; they are exact, zero included.
    """

    source: str
    form: str
    interval_s: float
    start_s: float
    columns: tuple[Column, ...]
    blocks: Callable[[tuple[int, ...]], Iterator[Block]]
    notes: tuple[str, ...] = ()
    probe_said: float | None = None
    simulated: bool = False
    interval_part: float = 0.0  # by how much of it the interval may be off, where the file tells it with few digits

    def __post_init__(self) -> None:
        wrong = []
        if not _SHORTEST_S <= self.interval_s <= _LONGEST_S:
            allowed = f"no oscilloscope has its samples under {_SHORTEST_S:g} s or over {_LONGEST_S:g} s apart"
            wrong.append(Problem("sample interval", f"{self.interval_s:g} s", allowed))
        if not isfinite(self.start_s):
            wrong.append(Problem("first time", f"{self.start_s:g}", "has to be a number"))
        for column in self.columns:
            if not 0 <= column.resolution < inf:
                allowed = "has to be a number over 0, or 0 where it is not known"
                wrong.append(Problem(f"resolution of {column.name}", f"{column.resolution:g}", allowed))
        if wrong:
            raise InputInvalid(self.source, wrong)

    @property
    def rate_hz(self) -> float:
        """Samples a second."""
        return 1 / self.interval_s

    def part(self, from_s: float, to_s: float) -> "Capture":
        """What lies between two times, counted from the first sample on."""
        first, last = max(0, round(from_s * self.rate_hz)), round(to_s * self.rate_hz)

        def blocks(columns: tuple[int, ...]) -> Iterator[Block]:
            begin = 0
            for values, done in self.blocks(columns):
                end = begin + len(values[0])
                chosen = slice(max(0, first - begin), max(0, last - begin))
                if end > first:
                    yield Block([each[chosen] for each in values], done)
                if end >= last:
                    return
                begin = end

        return replace(self, start_s=self.start_s + first * self.interval_s, blocks=blocks)

    def column(self, name: str) -> int:
        """The number of a column. Raises `Misuse`, naming those there are."""
        names = [column.name for column in self.columns]
        if name not in names:
            raise Misuse(f"{self.source} has no channel {name!r}; it has {', '.join(names)}")
        return names.index(name)


@dataclass(frozen=True, slots=True)
class Declared:
    """What a person says of a capture: what its numbers are, through what they were taken, and across what.

    `probe` is what the file's numbers have to be multiplied by: 1 where the oscilloscope was told of its probe. None of
    it comes from the file: a probe of 10 that nobody set has read 2.88 V for 28.8 V.
    """

    load_ohm: float
    unit: str = "V"
    probe: float = 1.0

    def __post_init__(self) -> None:
        wrong = []
        if self.unit not in UNITS:
            wrong.append(Problem("unit", self.unit, f"must be one of {', '.join(UNITS)}"))
        if not 0 < self.load_ohm < 1e9:
            wrong.append(Problem("load", self.load_ohm, "must be the load's resistance in ohm, over 0"))
        if not 0 < self.probe < 1e6:
            allowed = (
                "must be the probe's ratio, such as 1 or 10; an inverted one is told by its pulses and needs no sign"
            )
            wrong.append(Problem("probe", self.probe, allowed))
        if wrong:
            raise InputInvalid("what was declared", wrong)

    @property
    def ua_per_number(self) -> float:
        """What one in the file's numbers is in uA through the load."""
        kind, factor = UNITS[self.unit]
        through = self.load_ohm if kind == "V" else 1.0
        return factor * self.probe * UA_PER_A / through

    def check(self, capture: Capture, number: int) -> None:
        """Raise `InputInvalid` where the file says another unit than the person."""
        metadata = capture.columns[number].unit
        if metadata and metadata != self.unit:
            allowed = f"the file says {metadata}, declared is {self.unit}: say --unit {metadata} if the file is right"
            raise InputInvalid(capture.source, [Problem(f"unit of {capture.columns[number].name}", metadata, allowed)])
