"""The commands and inputs of a session, as frozen data, the same for keys, scripts, scenarios and replay.

Making one raises `Misuse` for a value of the wrong type, in the thread of whoever makes it; what it comes to is decided
by the session's rules. `note_of` is their form in a record of traffic.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from stimctl.errors import LineLost, LogFault, Misuse
from stimctl.session.states import End

# What an operator may write into the log; every other kind is the session's own.
OPERATORS_KINDS = ("note", "outcome", "adverse")


def _check_whole(name: str, value: object) -> None:
    if type(value) is not int:
        raise Misuse(f"{name}: {value!r} is not a whole number")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise Misuse(f"{name}: {value!r} is not text")


@dataclass(frozen=True, slots=True)
class Proceed:
    """Take the next step from here."""


@dataclass(frozen=True, slots=True)
class _OfChannel:
    channel: int

    def __post_init__(self) -> None:
        _check_whole("channel", self.channel)


@dataclass(frozen=True, slots=True)
class Raise(_OfChannel):
    """One step of 0.1 mA up."""


@dataclass(frozen=True, slots=True)
class Lower(_OfChannel):
    """One step of 0.1 mA down, at the next pulse; under 0.5 mA that is zero."""


@dataclass(frozen=True, slots=True)
class AskTarget(_OfChannel):
    """Another target: any lower one, or a higher one within the rules."""

    target_ua: int

    def __post_init__(self) -> None:
        _OfChannel.__post_init__(self)
        _check_whole("target_ua", self.target_ua)
        if self.target_ua < 0:
            raise Misuse(f"target_ua: {self.target_ua} is below zero")


@dataclass(frozen=True, slots=True)
class AskHold:
    """All channels to zero, the session kept for ten minutes."""

    why: str = "operator"

    def __post_init__(self) -> None:
        _check_text("why", self.why)


@dataclass(frozen=True, slots=True)
class AskStop:
    """Zero, now, from any state. `text` says more of the reason, for the log."""

    end: End = End.OPERATOR
    text: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.end, End):
            raise Misuse(f"end: {self.end!r} is not one of a session's ends")
        _check_text("text", self.text)


@dataclass(frozen=True, slots=True)
class AddNote:
    """An operator's own entry in the log: `note`, or `outcome` for scores before and after. `body` is JSON-able."""

    kind: str
    body: Mapping[str, Any] = field(hash=False)

    def __post_init__(self) -> None:
        if self.kind not in OPERATORS_KINDS:
            raise Misuse(f"an operator's entry is one of {', '.join(OPERATORS_KINDS)}, not {self.kind!r}")
        if not isinstance(self.body, Mapping):
            raise Misuse(f"body: {self.body!r} is not a table of names and values")
        try:
            copy = json.loads(json.dumps(dict(self.body), allow_nan=False))
            has_other_keys = _other_keys(self.body)
        except (TypeError, ValueError, RecursionError) as wrong:
            raise Misuse(f"body: {wrong}: only texts, numbers, lists and tables can be logged") from None
        if has_other_keys:
            raise Misuse("body: every name in it must be a text")
        # A copy of its own: whoever made it may go on changing theirs.
        object.__setattr__(self, "body", copy)


def _other_keys(value: Any) -> bool:
    """Whether some name in a JSON-able value is no text: JSON would turn it into one without a word."""
    if isinstance(value, Mapping):
        return any(not isinstance(name, str) or _other_keys(each) for name, each in value.items())
    return isinstance(value, list | tuple) and any(_other_keys(each) for each in value)


@dataclass(frozen=True, slots=True)
class CheckIn:
    """The operator's front end is alive. Without this for a second the session ends."""


Command = Proceed | Raise | Lower | AskTarget | AskHold | AskStop | AddNote | CheckIn


def checked_actions(actions: Iterable[tuple[int, Command]]) -> list[tuple[int, Command]]:
    """Commands at times in us, as they were given. Raises `Misuse` for what could never be carried out, or not then."""
    checked = [*actions]
    for action in checked:
        if not isinstance(action, tuple) or len(action) != 2:
            raise Misuse(f"actions: {action!r} is not a pair of a time in us and a command")
        at_us, command = action
        _check_whole("actions: a time in us", at_us)
        if at_us < 0:
            raise Misuse(f"actions: {at_us} us is before the start")
        if not isinstance(command, Command):
            raise Misuse(f"actions: {command!r} is not a command of stimctl.session.commands, such as AskHold()")
    return checked


# What the loop that runs a session has to say.


class LogDurable(NamedTuple):
    """The log is on disk up to here, as was wanted."""


class LogFailed(NamedTuple):
    """The log could not be written, or not in time."""

    error: LogFault


class EarlierDoseLogged(NamedTuple):
    """The dose of an earlier session is on disk, as was wanted; `where` in words."""

    where: str


class LineGone(NamedTuple):
    """The port's read side says that nobody is there any more: nothing can be sent or heard."""

    error: LineLost


class HostTrouble(NamedTuple):
    """Something befell the host itself, after which it cannot answer for what runs: the session ends."""

    end: End
    text: str


class BytesWritten(NamedTuple):
    """The session's newest output was handed to the line, completely, at `at_us`."""

    at_us: int


Fact = LogDurable | LogFailed | EarlierDoseLogged | LineGone | HostTrouble | BytesWritten


# In a record of traffic.
RECORDED: dict[str, type[Any]] = {
    "proceed": Proceed,
    "raise": Raise,
    "lower": Lower,
    "set": AskTarget,
    "hold": AskHold,
    "stop": AskStop,
}
_WORDS = {kind: word for word, kind in RECORDED.items()}


def note_of(command: Command) -> dict[str, Any] | None:
    """A command as a note in a record of traffic, JSON-able; None for those that send nothing."""
    word = _WORDS.get(type(command))
    if word is None:
        return None
    # Why a person stopped is for the log alone: a record of traffic is there to be sent around.
    said = {each.name: getattr(command, each.name) for each in fields(command) if each.name != "text"}
    return {"do": word, **{name: value.name if isinstance(value, End) else value for name, value in said.items()}}
