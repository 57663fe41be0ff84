"""The words in which a check says what it found: not kept, skipped, measured, and what the device says that it is.

They know neither the checks nor the device, so that whoever talks to a device can use them.
"""

from dataclasses import dataclass
from typing import Literal

from stimctl.wire.codec import Firmware, Maker, Ranges, Welcome

FixtureAction = Literal["power", "load"]


class Nonconforming(Exception):
    """The device does not keep a requirement. `requirement` is its number, `text` a sentence on what it does wrong.

    `expected` and `seen` are the values side by side, where there are any.
    """

    def __init__(self, requirement: str, text: str, *, expected: str = "", seen: str = "") -> None:
        self.requirement = requirement
        self.text = text
        self.expected = expected
        self.seen = seen
        super().__init__(f"{requirement}: {text}")


class CheckSkipped(Exception):
    """This cannot be checked here. The text says why."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value that was measured. `limit` is the highest allowed, None where there is none."""

    name: str
    value: int
    limit: int | None
    unit: str

    @property
    def passed(self) -> bool:
        """Whether it keeps its limit."""
        return self.limit is None or self.value <= self.limit


@dataclass(frozen=True, slots=True)
class DutIdentity:
    """The identity that the device states."""

    welcome: Welcome
    maker: Maker
    firmware: Firmware
    ranges: Ranges

    @property
    def model(self) -> str:
        return _text(self.maker.model)

    @property
    def serial(self) -> str:
        return _text(self.maker.serial)

    @property
    def version(self) -> str:
        """The firmware's version."""
        return f"{self.firmware.major}.{self.firmware.minor}.{self.firmware.patch}"


def _text(padded: bytes) -> str:
    """A "?" for what may be an order to a terminal. The whole name is in the traffic."""
    text = padded.rstrip(b"\x00").decode("ascii", "replace")
    return "".join(one if one.isprintable() else "?" for one in text)
