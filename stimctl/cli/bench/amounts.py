"""Amounts as people type them at a bench: `1.5mA`, `1500 uA`, `200us`, `0.2 ms`, `33.3Hz`, `30s`, `2 min`, `1k`."""

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from stimctl.bench.dummy_load import nearest_period_us
from stimctl.errors import Misuse
from stimctl.units import THOUSANDS, UA_PER_MA, US_PER_MIN, US_PER_MS, US_PER_S, plain_number, whole
from stimctl.waveform import Mode

if TYPE_CHECKING:
    ParamKind = click.ParamType[Any]
else:
    ParamKind = click.ParamType  # generic from click 8.4 on

_TYPED = re.compile(r"\s*([0-9.,+-]+(?:[eE][+-]?[0-9]+)?)\s*([^\s0-9]*)\s*")


class TypedAmount(ParamKind):
    """A number with a unit, or without one in the first of `units`, in whole smallest parts."""

    def __init__(self, name: str, part: str, units: dict[str, int]) -> None:
        self.name = name
        self._part = part
        self._units = units

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The amount in its smallest part."""
        if isinstance(value, int):
            return value
        found = _TYPED.fullmatch(str(value))
        units = {unit.lower(): factor for unit, factor in self._units.items()}
        unit = "" if found is None else found[2].replace("µ", "u").replace("μ", "u").replace("Ω", "ohm").lower()
        if found is None or (unit and unit not in units):
            self.fail(f"{value!r} is no {self.name}: a number and {' or '.join(self._units)}", param, ctx)
        if THOUSANDS.fullmatch(found[1]):
            self.fail(
                f"{value!r} could be two numbers: write a point for a decimal, and no comma for thousands", param, ctx
            )
        try:
            number = plain_number(found[1].replace(",", "."), self.name)
            return self._parts(number, units[unit] if unit else next(iter(units.values())))
        except Misuse as wrong:
            self.fail(str(wrong), param, ctx)

    def _parts(self, number: Decimal, factor: int) -> int:
        return whole(number, factor, name=self.name, unit=self._part)


class Rate(TypedAmount):
    """A rate in Hz, as its period in us."""

    def _parts(self, number: Decimal, factor: int) -> int:  # noqa: ARG002
        return nearest_period_us(number)


class ModeName(ParamKind):
    """`2`, `100` or `2/100`, with or without Hz."""

    name = "mode"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Mode:
        """The mode that is meant."""
        short = str(value).lower().removesuffix("hz").strip()
        found = next((mode for mode in Mode if short == mode.value.removesuffix(" Hz")), None)
        if found is not None:
            return found
        return self.fail(f"{value!r} is no mode: 2, 100 or 2/100; another rate is given with --frequency", param, ctx)


AMPLITUDE = TypedAmount("amplitude", "uA", {"mA": UA_PER_MA, "uA": 1})
WIDTH = TypedAmount("width", "us", {"us": 1, "ms": US_PER_MS})
DURATION = TypedAmount("duration", "us", {"s": US_PER_S, "min": US_PER_MIN, "ms": US_PER_MS})
LOAD = TypedAmount("load", "ohm", {"ohm": 1, "k": 1_000, "kohm": 1_000})
RATE = Rate("rate", "us", {"Hz": 1})
MODE = ModeName()
