"""A StimJim's pulse trains as they lie in its memory, and number parsing as C does it.

A slot holds two modes, a period, a duration and up to ten stages of (first amplitude, second amplitude, us).
The three arrays of ten lie one behind the other: an eleventh stage, which dialect A does not refuse, lands on
the second amplitude of stage 0 and on stage 0's duration (seen).
"""

import re

SLOTS = 100
STAGES = 10
U32 = 0xFFFF_FFFF
VOLTAGE, CURRENT, FLOATING, GROUNDED = range(4)
_BEYOND = 42  # words of the slot behind its stages that a long line may still hit; nothing of them is read here
_INTEGER = re.compile(r"\s*([+-]?\d+)")


class TrainSlot:
    """One pulse train. As the device boots, neither channel is driven."""

    __slots__ = ("count", "delay_us", "duration_us", "envelope", "measurement", "memory", "modes", "period_us")

    def __init__(self) -> None:
        self.modes = [GROUNDED, GROUNDED]
        self.period_us = 10_000
        self.duration_us = 500_000
        # Dialect B alone has these, and keeps the last two when the slot is defined anew.
        self.delay_us = 0
        self.envelope = [0, 0, 0]
        self.measurement = [3, 3, 0, -1, 0]
        self.count = 0
        self.memory = [0] * (3 * STAGES + _BEYOND)

    def stage(self, number: int) -> tuple[int, int, int]:
        """Both amplitudes, in mV or uA, and the duration in us."""
        word = min(number, _BEYOND + STAGES - 1)
        return self.memory[word], self.memory[STAGES + word], self.memory[2 * STAGES + word]

    def stages(self) -> list[tuple[int, int, int]]:
        """The stages that count, in order."""
        return [self.stage(number) for number in range(self.count)]

    def write(self, word: int, value: int) -> None:
        """Write into the stages' memory, or just past it; what lies further off is not modelled."""
        if word < len(self.memory):
            self.memory[word] = value

    def put(self, stages: list[tuple[int, int, int]]) -> None:
        """Replace all stages; at most ten."""
        self.count = len(stages)
        for number, (first, second, us) in enumerate(stages):
            self.memory[number], self.memory[STAGES + number], self.memory[2 * STAGES + number] = first, second, us


def scan(text: str, most: int) -> list[int]:
    """Up to `most` integers with commas between, as sscanf takes them: it stops where the text does not fit."""
    values: list[int] = []
    place = 0
    while len(values) < most:
        if values:
            if text[place : place + 1] != ",":
                break
            place += 1
        found = _INTEGER.match(text, place)
        if found is None:
            break
        values.append(int(found[1]))
        place = found.end()
    return values


def atoi(text: str) -> int:
    """The number that text begins with, as C's atoi: 0 when there is none."""
    return i32((scan(text, 1) or [0])[0])


def i32(value: int) -> int:
    """A number as sscanf's `%d` leaves it in 32 bits: what is beyond them stays at the end."""
    return max(-(1 << 31), min(value, (1 << 31) - 1))


def u32(value: int) -> int:
    """The same of `%u`: a minus turns round, what is beyond 32 bits stays at the end."""
    return value & U32 if abs(value) <= U32 else U32


def as_signed(value: int) -> int:
    """The 32 bits of an unsigned number as `%d` prints them."""
    return (value + (1 << 31) & U32) - (1 << 31)


def seconds(us: int) -> str:
    """As the firmware prints them: the product is a little less than the quotient, so that 100500 us are 0.100."""
    return f"{0.000001 * us:.3f}"
