"""Parses what a StimJim says, line by line, in its three dialects. It decides nothing.

A speaks blocks made for people, B one-line echoes and `ERR`, C another text with the same content. Lines come
in any pieces. What is not known is left out, never guessed.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from stimctl.label import Label
from stimctl.stimulators.stimjim.gate import MAX_STAGES, HeldSlot
from stimctl.units import counted

LONGEST = 4_096  # a device that never ends its line, or its block of lines, says nothing
_BLOCK_LINES = 64


class SlotEcho(NamedTuple):
    """A slot as it stands in the device, told in the form of one dialect: "a", "b" or "c"."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    slot: HeldSlot
    dialect: str


class SlotStarted(NamedTuple):
    """A slot was started; engine "T" or "U", "" where it is not said."""

    index: int  # type: ignore[assignment]
    engine: str


class TrainComplete(NamedTuple):
    """A train came to its end after so many pulses."""

    pulses: int


class StageReport(NamedTuple):
    """The mean of one stage of one channel (0 or 1); `pulses` where it is said. None: the gap between pulses."""

    channel: int
    stage: int | None
    mean_ua: int
    pulses: int | None


class StopForced(NamedTuple):
    """A stop was understood by an engine ("" for all)."""

    engine: str


class OutputGrounded(NamedTuple):
    channel: int


class CurrentReading(NamedTuple):
    current_ua: int


class IdnReply(NamedTuple):
    """An answer to `IDN`, and the dialect that it is of."""

    dialect: str


class Detached(NamedTuple):
    """A trigger input starts nothing any more."""

    line: int


class Setting(NamedTuple):
    """What dialect B holds besides its slots: an envelope, a measurement, a trigger route, as its line."""

    text: str


class ByHand(NamedTuple):
    """A command was carried out that is never sent from here: a level set by hand, an output connected, an input
    that was given a slot."""

    text: str


class CommandRejected(NamedTuple):
    """The device rejected a command."""

    text: str


_IN_WORDS: dict[type[Any], Callable[[Any], str]] = {
    SlotEcho: lambda message: message.slot.line(message.index).decode("ascii").strip(),
    SlotStarted: lambda message: f"slot {message.index} was started",
    TrainComplete: lambda message: f"a train is over after {counted(message.pulses, 'pulse')}",
    StageReport: lambda message: f"a mean of {message.mean_ua} uA in output {message.channel}",
    StopForced: lambda _message: "a train was stopped",
    OutputGrounded: lambda message: f"output {message.channel} is grounded",
    CurrentReading: lambda message: f"a current of {message.current_ua} uA",
    Detached: lambda message: f"input {message.line} starts nothing",
}


def in_words(message: Any) -> str:
    """A message for people: what the device told."""
    words = _IN_WORDS.get(type(message))
    return str(message.text) if words is None else words(message)


_RULE = re.compile(r"-{20,}")
_BLOCK_HEAD = re.compile(r"^Parameters for PulseTrain\[(\d+)\]", re.MULTILINE)
_BLOCK_MODE = re.compile(r"^mode\[ch(\d)\]:[^\S\n]+(\d)", re.MULTILINE)
_BLOCK_TIME = re.compile(r"^(period|duration):[^\S\n]+(\d+) usec", re.MULTILINE)
_BLOCK_STAGE = re.compile(r"^\d+[^\S\n]+(\d+) usec[^\S\n]+(-?\d+)[a-zA-Z]+[^\S\n]+(-?\d+)[a-zA-Z]+", re.MULTILINE)
_C_ECHO = re.compile(r"PulseTrain\[(\d+)\]: mode\[(\d+),(\d+)\], period=(\d+) us, pulses=(\d+), (\d+) stages")
_C_STAGE = re.compile(r"Stage (\d+): amp\[(-?\d+),(-?\d+)\], dur=(\d+) us")
_C_END = re.compile(r"Channel (\d) pulse train terminated. Delivered:")
_C_MEAN = re.compile(r"(\d+)x (?:Stage (\d+)|Inter-pulse gap):\s+(-?\d+) uA")
_CURRENT = re.compile(r"(?:-?\d{1,9}(?:\.\d*)?)?")
# As it is sent to each dialect, and echoed by B.
SLOT_LINE = r"S(\d+),(\d+),(\d+),(\d+),(\d+)((?:;-?\d+,-?\d+,\d+)+)"
_MODE_BITS = {1: 0, 2: 1, 4: 2, 8: 3}


class StimJimParser:
    """Bytes in, the messages above out."""

    def __init__(self) -> None:
        self._tail = b""
        self._block: list[str] | None = None
        self._c_echo: tuple[re.Match[str], list[tuple[int, int, int]]] | None = None
        self._c_channel: int | None = None

    def feed(self, data: bytes) -> list[Any]:
        *lines, self._tail = (self._tail + data).split(b"\n")
        self._tail = self._tail[-LONGEST:]
        said: list[Any] = []
        for line in lines:
            if len(line) <= LONGEST:
                said += self._line(line.decode("latin-1").strip())
        return said

    def _line(self, text: str) -> list[Any]:
        if self._block is not None or _RULE.fullmatch(text):
            return self._block_line(text)
        if self._c_echo is not None or _C_ECHO.fullmatch(text):
            return self._c_line(text)
        if self._c_channel is not None and (mean := _C_MEAN.fullmatch(text)):
            stage = int(mean[2]) if mean[2] is not None else None
            return [StageReport(self._c_channel, stage, int(mean[3]), int(mean[1]))]
        if end := _C_END.fullmatch(text):
            self._c_channel = int(end[1])
            return []
        return _alone(text)

    def _block_line(self, text: str) -> list[Any]:
        if self._block is None:
            self._block = []
        elif _RULE.fullmatch(text):
            block, self._block = self._block, None
            return _block_echo("\n".join(block))
        else:
            self._block.append(text)
            if len(self._block) > _BLOCK_LINES or sum(map(len, self._block)) > LONGEST:
                self._block = None
        return []

    def _c_line(self, text: str) -> list[Any]:
        if self._c_echo is None:
            head = _C_ECHO.fullmatch(text)
            assert head is not None
            self._c_echo = (head, []) if int(head[6]) <= MAX_STAGES else None
            return []
        head, stages = self._c_echo
        stage = _C_STAGE.fullmatch(text)
        if stage is not None and int(stage[1]) == len(stages):
            stages.append((int(stage[2]), int(stage[3]), int(stage[4])))
        if stage is None or len(stages) == int(head[6]):
            self._c_echo = None
            modes = _MODE_BITS.get(int(head[2]), -1), _MODE_BITS.get(int(head[3]), -1)
            period_us = int(head[4])
            return [SlotEcho(int(head[1]), HeldSlot(modes, period_us, period_us * int(head[5]), tuple(stages)), "c")]
        return []


def _block_echo(block: str) -> list[Any]:
    modes = {int(channel): int(mode) for channel, mode in _BLOCK_MODE.findall(block)}
    times = {name: int(us) for name, us in _BLOCK_TIME.findall(block)}
    stages = tuple((int(first), int(second), int(us)) for us, first, second in _BLOCK_STAGE.findall(block))
    slot = HeldSlot((modes.get(0, -1), modes.get(1, -1)), times.get("period", 0), times.get("duration", 0), stages)
    return [SlotEcho(int(index), slot, "a") for index in _BLOCK_HEAD.findall(block)[-1:]]


def _means(found: re.Match[str]) -> list[StageReport]:
    """Dialect A's line of a stage: both channels."""
    return [StageReport(channel, int(found[1]), int(found[2 + channel]), None) for channel in (0, 1)]


def _sums(found: re.Match[str]) -> list[StageReport]:
    """Dialect B's record of a stage: mean and deviation of the voltage and of the current of each channel."""
    cells = found[3].split(",")
    currents = [(channel, cells[4 * channel + 2]) for channel in (0, 1) if len(cells) > 4 * channel + 2]
    if not all(_CURRENT.fullmatch(cell) for _, cell in currents):
        return []
    # A channel that was not measured has empty cells: it reads as zero, and its stages carry nothing.
    return [StageReport(channel, int(found[2]), round(float(cell or 0)), int(found[1])) for channel, cell in currents]


# What a line that stands alone means: the first that fits. A mean of dialect A may have more behind it.
_ALONE: tuple[tuple[str, Callable[[re.Match[str]], Any]], ...] = (
    (r"Stage (\d+)\s+(-?\d+)(?:uA|mV),\s+(-?\d+)(?:uA|mV).*", _means),
    (r"MSUM,\d+,(\d+),(\d+),([-\d.,]*)", _sums),
    (SLOT_LINE, lambda found: SlotEcho(int(found[1]), HeldSlot.of(found), "b")),
    (r"Started ([TU]) train with parameters of PulseTrain (\d+)", lambda found: SlotStarted(int(found[2]), found[1])),
    (r"Started PulseTrain\[(\d+)\]\.", lambda found: SlotStarted(int(found[1]), "")),
    (r"Train (?:#\d+ )?complete\. Delivered (\d+) pulses\.", lambda found: TrainComplete(int(found[1]))),
    (r"Forcing ([TU]) train to stop", lambda found: StopForced(found[1])),
    (r"Stimulus cancelled\.", lambda _found: StopForced("")),
    (r"Set channel (\d) to mode 3", lambda found: OutputGrounded(int(found[1]))),
    (r"Ch(\d) output mode set to 3", lambda found: OutputGrounded(int(found[1]))),
    (
        r"(?:Set channel \d|Ch\d output mode set|Attaching interrupt) to .*",
        lambda found: ByHand(Label.of_device(found[0])),
    ),
    (r"Detaching interrupt to IN([01])", lambda found: Detached(int(found[1]))),
    (r"IN([01]) -> Disabled", lambda found: Detached(int(found[1]))),
    (r"IN\d -> .*|WARN trigger: .*", lambda found: ByHand(Label.of_device(found[0]))),
    (r"(?:ENV\d+|MEAS\d+|TRIG\d)(?:,-?\d+)+", lambda found: Setting(found[0])),
    (r"Read value: -?\d+ \((-?\d+) ?uA\)", lambda found: CurrentReading(int(found[1]))),
    (r"IDN,[^,]*,.*", lambda _found: IdnReply("b")),
    (r"Unknown command: 'I'", lambda _found: IdnReply("c")),
    (
        r"ERR (?!X).*|WARN (?!X|MEAS).*|Invalid (?!pulse train index: '-1').*|Stimulus rejected.*|startIT\d: failure.*",
        lambda found: CommandRejected(Label.of_device(found[0])),
    ),
)
_PATTERNS = tuple((re.compile(pattern), make) for pattern, make in _ALONE)


def _alone(text: str) -> list[Any]:
    for pattern, make in _PATTERNS:
        if found := pattern.fullmatch(text):
            said = make(found)
            return said if isinstance(said, list) else [said]
    return []
