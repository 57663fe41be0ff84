"""Numbers as an option takes them: plain decimal digits, and of a size that can be reckoned with.

click reads what Python does: `nan`, which lies in every range, `inf`, `1_0` and the digits of every script.
"""

import re
from typing import Any

import click

from stimctl.errors import Misuse
from stimctl.units import LARGEST, plain_number

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,18}\s*", re.ASCII)


class WholeNumber(click.IntRange):
    """A whole number in a range, both of whose ends belong to it."""

    name = "whole number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, as an int."""
        if isinstance(value, str) and not _WHOLE.fullmatch(value):
            self.fail(f"{value!r} is no whole number", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A number in a range, or any where none is named."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, as a float."""
        try:
            number = plain_number(value, self.name)
        except Misuse:
            self.fail(f"{value!r} is no number", param, ctx)
        if abs(number) >= LARGEST:
            self.fail(f"{value} is too large", param, ctx)
        return super().convert(float(number), param, ctx)

    def _describe_range(self) -> str:
        return "" if self.min is None and self.max is None else super()._describe_range()


POSITIVE = Number(0, min_open=True)
NOT_NEGATIVE = Number(0)
ANY = Number()
