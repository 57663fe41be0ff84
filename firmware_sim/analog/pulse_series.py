"""Sums the effect of any number of like pulses on the electrode interfaces, at the cost of one pulse.

Below the rail a pulse is a linear circuit under a fixed current, so the voltage that it leaves is a line of the
voltage that it found, and so is its energy. From one pulse to the next the interfaces rest, which takes a fixed part
of the voltage away. Repeated, a line is a geometric series: any number of pulses at the cost of one.
"""

from typing import NamedTuple

from firmware_sim.analog.needle_pair import NeedlePair


class LinearMap(NamedTuple):
    """y = slope * v + base."""

    slope: float
    base: float

    def at(self, volt: float) -> float:
        return self.slope * volt + self.base


class Series(NamedTuple):
    """The interfaces' voltage where each pulse of a series begins, `start_volt` at the first one.

    `cycle` is what of a difference to `final_volt`, where they settle, is left after a pulse and its rest.
    """

    start_volt: float
    cycle: float
    final_volt: float

    @classmethod
    def of(cls, pair: NeedlePair, after: LinearMap, rest_us: int, start_volt: float) -> "Series":
        """Pulses that leave `after` of what they find, each followed by `rest_us` of no current."""
        rest = pair.rested(1.0, rest_us)
        cycle = rest * after.slope
        return cls(start_volt, cycle, rest * after.base / (1 - cycle))

    def at(self, number: int) -> float:
        """The voltage where pulse `number` begins, the first being 0."""
        return float(self.final_volt + (self.start_volt - self.final_volt) * self.cycle**number)

    def total(self, line: LinearMap, count: int) -> float:
        """The sum over the first `count` pulses of what `line` makes of the voltage that each finds."""
        moved = (self.start_volt - self.final_volt) * (1 - self.cycle**count) / (1 - self.cycle)
        return line.slope * (count * self.final_volt + moved) + line.base * count
