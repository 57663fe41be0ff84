"""The peripheral self-test: what the emulator makes of each peripheral that the firmware's figures rest on.

A row out of its tolerance is no failure of the firmware: what rests on it is then told as not evaluable.
"""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from firmware_sim.chip.built import BUILD, EMULATOR, HERE
from firmware_sim.chip.emulator import FORWARD, Emulator

SOURCE = HERE / "firmware" / "selftest" / "selftest.c"


@dataclass(frozen=True, slots=True)
class Row:
    """One peripheral: the datasheet's cycles, what was seen, and how far apart they may be."""

    name: str
    number: int
    datasheet: int
    tolerance: int
    rests: str
    seen: Callable[[list[int]], int]


def _typical(marks: list[int]) -> int:
    steps = sorted(after - before for before, after in pairwise(marks[2:]))
    return steps[len(steps) // 2]


def _longest(marks: list[int]) -> int:
    return max(after - before for before, after in pairwise(marks[1:]))


def _farthest(marks: list[int]) -> int:
    """The step that is farthest from the middle one."""
    middle = _typical(marks)
    return max((after - before for before, after in pairwise(marks[2:])), key=lambda step: abs(step - middle))


ROWS = (
    Row("Timer 1, CTC (mode 4), top 1 599: from one match to the next", 1, 1_600, 2, "clock", _typical),
    Row("Timer 1, CTC over 8, top 65 535, while the other register is rewritten: no round is lost", 2, 524_288, 64,
        "clock", _longest),
    Row("Timer 1, an edge fired 16 us early beside a 4 us interrupt: farthest period", 3, 16_000, 16, "edges",
        _farthest),
    Row("Timer 0 over 64: from one overflow to the next", 4, 16_384, 2, "naps", _typical),
    Row("USART, 115 200 baud (U2X, 16): a byte", 5, 1_360, 20, "line", _typical),
    Row("ADC over 16: a conversion, waited for", 6, 208, 20, "noise", _typical),
    Row("watchdog, 30 ms: to the reset and back", 7, 480_000, 48_000, "watchdog", _typical),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """A row and what was seen."""

    row: Row
    cycles: int

    @property
    def right(self) -> bool:
        """Whether it is within its tolerance."""
        return abs(self.cycles - self.row.datasheet) <= self.row.tolerance


def look(program: Path = EMULATOR) -> list[Seen]:
    """Run every row."""
    return [Seen(row, row.seen(_marks(row, program))) for row in ROWS]


def _marks(row: Row, program: Path) -> list[int]:
    image = BUILD / f"selftest-{row.number}.elf"
    BUILD.mkdir(parents=True, exist_ok=True)
    order = ["avr-gcc", "-std=gnu11", "-mmcu=atmega328p", "-Os", f"-DROW={row.number}", "-o", str(image), str(SOURCE)]
    subprocess.run(order, check=True, timeout=60)
    emulator = Emulator(image, program)
    try:
        return list(_rising(emulator))
    finally:
        emulator.close()


def _rising(emulator: Emulator) -> Iterator[int]:
    # Two seconds of virtual time, or enough marks.
    count = 0
    while emulator.cycle < 32_000_000 and count < 400:
        for change in emulator.run(emulator.cycle + 800_000).changes:
            if change.kind == FORWARD and change.value:
                count += 1
                yield change.cycle


def not_evaluable(seen: list[Seen]) -> frozenset[str]:
    """What rests on a row that is wrong."""
    return frozenset(each.row.rests for each in seen if not each.right)
