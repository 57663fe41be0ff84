"""Every error that stimctl raises on purpose, in one tree, ordered by whose fault it is.

    StimctlError
     +- Misuse              the caller asked for something that makes no sense here; fix the call
     |   +- InputInvalid    a file or an answer is wrong; every problem is listed; fix the file
     |   +- IllegalEvent    an event that the session's state table does not allow; nothing changed
     +- Unsafe              a limit, a pair or a screening answer forbids it; there is no override
     +- DeviceFault         the device's fault
     |   +- CommandRefused  the device said no and gave its reason
     |   +- EchoMismatch    the device applied something else than was asked; the session ends
     |   +- WrongDevice     it is not what was asked for: version, identity, simulator or hardware
     +- LineFault           the line's fault
     |   +- LineLost        the port vanished or fell silent; check the cable, output ends by watchdog
     |   +- NotSent         the port took none or only a part of a write, such as 3 of a stop's 9 bytes while
     |   |                  its buffer was full: the line may be there still, so send anew
     |   +- Suspended       the host slept; what ran meanwhile is unknown, so the session is over
     |   +- TimedOut        no answer in time, although resent
     |   +- PortBusy        another program holds the port
     +- WireError           bytes that are no frame of this protocol; the link counts and drops them
     +- LogFault            the dose log cannot be written or does not verify: no log, no stimulation

Each message is one or more sentences that a person can act on.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

SHOWN_CHARACTERS = 80


class StimctlError(Exception):
    """The root: catch this to catch whatever stimctl raises on purpose."""


class Misuse(StimctlError):
    """The caller asked for something that makes no sense here."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with what a person wrote: where, what stood there, and what is allowed."""

    field: str
    value: object
    allowed: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        value = "" if self.value is None else f" is {_shown(self.value)}"
        return f"{where}{self.field}{value}: {self.allowed}"


def _shown(value: object) -> str:
    """A value short enough for one line, whatever stood there."""
    try:
        text = repr(value)
    except ValueError:  # an int of thousands of digits has no text
        return "a number of thousands of digits"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


# What Python's reader says of a text that is no TOML, and what the person who wrote it has to do.
_TOML_ADVICE = (
    ("Illegal character '\\n'", "a text ends on the line that it begins on, with a second quote"),
    ("Illegal character", "take that character out"),
    ("Expected newline", "one name = value a line; a number has a decimal point and no unit, and text is in quotes"),
    ("Invalid value", "after = comes a number (0.5), true or false, a list in [ ], or text in plain quotes"),
    ("Expected '='", "a line is name = value, with one word before the ="),
    ("Cannot overwrite", "a name stands once in its table: take one of the two out"),
    ("Cannot declare", "a table stands once: put its lines together, or write [[name]] for each of several"),
    ("Unclosed array", "a list has commas between its values and ends with ]"),
    ("Unclosed inline table", "what begins with { has commas between its values and ends with } on the same line"),
    ("Expected ']'", "a table's name stands in [ ]"),
    ("Unescaped", "write a backslash twice, or put the text in single quotes"),
)
_TOML_LINE = "a line is name = value, [table], or begins with #"


def not_toml(failure: ValueError, text: str) -> Problem:
    """Where a text is no TOML, as `tomllib` said: the line as it stands there, and what to do about it."""
    said = str(failure)
    found = re.search(r"\(at line (\d+), column \d+\)", said)
    line = int(found[1]) if found else text.count("\n") + 1 if "end of document" in said else None
    stands = "" if line is None else f"{_shown(text.split(chr(10))[line - 1])} "
    advice = next((advice for begins, advice in _TOML_ADVICE if said.startswith(begins)), _TOML_LINE)
    return Problem("syntax", None, f"{stands}is not TOML: {advice} ({said})", line)


class InputInvalid(Misuse):
    """A file or an answer is wrong. `problems` holds all that was found, not only the first."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join([f"{source}:", *(f"  {problem}" for problem in self.problems)]))


class IllegalEvent(Misuse):
    """An event that the state table does not allow in this state. Nothing has changed."""


class Unsafe(StimctlError):
    """A limit, a pair or a screening answer forbids it. There is no override.

    `problems` names each field, its value, the limit and why the limit stands.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DeviceFault(StimctlError):
    """The device did something it should not, or is not what was asked for."""


class CommandRefused(DeviceFault):
    """The device refused a command. `reason` is its code in words."""

    def __init__(self, command: str, reason: str, detail: str = "") -> None:
        self.command = command
        self.reason = reason
        super().__init__(f"the device refused {command}: {reason}{f' ({detail})' if detail else ''}")


class EchoMismatch(DeviceFault):
    """The device answered with another value than was sent."""


class WrongDevice(DeviceFault):
    """The device is not the one that was asked for."""


class LineFault(StimctlError):
    """The line between host and device failed."""


class LineLost(LineFault):
    """The port vanished, was closed at the other end, or no valid frame came in time. Writing never raises it."""


class NotSent(LineFault):
    """The port did not take all of a write. `sent` is how many of its bytes went; the rest is not sent later.

    It does not say that the line is gone: only reading finds that.
    """

    def __init__(self, message: str, sent: int = 0) -> None:
        self.sent = sent
        super().__init__(message)


class Suspended(LineFault):
    """The host slept while a session was on. The line is there and can carry a stop."""


class TimedOut(LineFault):
    """A command had no answer although it was resent."""


class PortBusy(LineFault):
    """Another program holds the port."""


class WireError(StimctlError):
    """Bytes that are no frame of this protocol."""


class LogFault(StimctlError):
    """The dose log cannot be opened, written, or verified."""
