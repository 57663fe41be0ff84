"""The data of a fault: its kind, when and where it acts, and whole numbers that say how bad it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

OptionValue = int | str
NOTHING: Mapping[str, OptionValue] = {}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    `at_us` is on the port's clock since power-on, or since the device first entered the state `after`;
    `for_us` None lasts to the end; `channel` None is all channels. `options` not given have their kind's defaults.
    """

    kind: str
    at_us: int = 0
    for_us: int | None = None
    after: str | None = None
    channel: int | None = None
    options: Mapping[str, OptionValue] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class NumberOption:
    """A whole number from `low` to `high`; its unit is in its name."""

    text: str
    low: int
    high: int
    default: int

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        return f"must be a whole number from {self.low} to {self.high} ({self.text})"

    def holds(self, value: object) -> bool:
        """Whether `value` is allowed."""
        return type(value) is int and self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class WordOption:
    """An option that is one of a few words."""

    text: str
    choices: tuple[str, ...]
    default: str

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        return f"must be one of {', '.join(self.choices)} ({self.text})"

    def holds(self, value: object) -> bool:
        """Whether `value` is allowed."""
        return value in self.choices


Option = NumberOption | WordOption


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault. `lasts`: it takes a `for_us`. `channels`: it takes a `channel`. `text` says what it does."""

    name: str
    text: str
    options: Mapping[str, Option] = field(default_factory=dict, hash=False)
    lasts: bool = True
    channels: bool = False

    def value(self, fault: Fault, option: str) -> OptionValue:
        """An option of `fault`, or its default."""
        given = fault.options.get(option)
        return self.options[option].default if given is None else given

    def number(self, fault: Fault, option: str) -> int:
        """The same for a number."""
        return int(self.value(fault, option))

    def word(self, fault: Fault, option: str) -> str:
        """The same for a word."""
        return str(self.value(fault, option))
