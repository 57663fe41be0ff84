"""The part that the three StimJim dialects share: lines in, text out, two engines, the board, the device's clock.

Each dialect is a class that says what a line does. Faults that are the line's or the device's as a whole are
here: a stop that is lost or garbled, a definition that loses its end, silence, replies in pieces.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import ClassVar

from firmware_sim.analog.load import Load, load_named
from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.analog.recorder import Recorder
from firmware_sim.quirks import chosen_faults
from firmware_sim.reply_queue import ReplyQueue
from firmware_sim.stimjim.board import CHANNELS, TEENSY, Board, Scales
from firmware_sim.stimjim.engine import TrainEngine, TrainResult
from firmware_sim.stimjim.slot import SLOTS, TrainSlot

Journal = Callable[[Mapping[str, int | str]], None]

LINE_FAULTS = {
    "lost_stop": "no stop (T-1, U-1, X) arrives",
    "garbled_stop": "of each stop only its letter arrives",
    "cut_line": "each definition loses its last stage on the way",
    "silence": "after the first start nothing more is said",
    "split_writes": "what is said comes in small pieces",
}


class StimJimDevice(ABC):
    """One StimJim from power-on. It has the same face as the native `Device`.

    `faults` adds to the dialect's natural ones or takes from them; `banner` says the boot text, which a host
    that opens the port later never sees; `ideal` is a board without offsets and noise.
    """

    dialect: ClassVar[str]
    natural: ClassVar[Mapping[str, str]] = {}
    extra: ClassVar[Mapping[str, str]] = LINE_FAULTS
    line_size: ClassVar[int] = 999
    tail_is_a_line: ClassVar[bool] = False  # what is too long is dropped with the next byte, and what follows is obeyed
    scales: ClassVar[Scales] = TEENSY
    encoding: ClassVar[str] = "latin-1"

    def __init__(
        self,
        *,
        seed: int = 1,
        load: Load | str = "nominal",
        faults: str = "",
        recorder: Recorder | None = None,
        journal: Journal | None = None,
        boot_us: int = 0,
        banner: bool = False,
        ideal: bool = False,
    ) -> None:
        self.faults = chosen_faults(faults, self.natural, self.extra, f"StimJim dialect {self.dialect}")
        self.now_us = 0
        self.slots = [TrainSlot() for _ in range(SLOTS)]
        chosen = load_named(load, seed) if isinstance(load, str) else load
        self.board = Board(chosen, recorder, self.scales, seed=seed, wraps="wrap" in self.faults, ideal=ideal)
        self.engines = [TrainEngine(self.board.analog_outputs) for _ in range(CHANNELS)]
        self._boot_us = boot_us
        self._journal = journal
        self._replies = ReplyQueue(split="split_writes" in self.faults, seed=seed)
        self._silent = False
        self._buffer = bytearray()
        self._lines: deque[bytes] = deque()
        self._levels = [False] * CHANNELS
        chosen.watch(self.flush)
        if recorder is not None:
            recorder.listen(self.flush)
        self._note(event="boot", device_time_us=0, device="stimjim", dialect=self.dialect)
        if banner:
            self.say(self.boot_text())

    # --- the four ways in and out ----------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> None:
        """Take bytes that arrive at `now_us`, in any pieces. Never raises for what they say."""
        self.advance(now_us)
        if data:
            self.on_bytes()
        for byte in data:
            if self.tail_is_a_line and len(self._buffer) >= self.line_size:
                self._buffer.clear()
            elif byte == 0x0A:
                self._lines.append(bytes(self._buffer))
                self._buffer.clear()
            elif len(self._buffer) <= self.line_size:
                self._buffer.append(byte)
        self._work()

    def advance(self, now_us: int) -> None:
        """Let time pass up to `now_us`. An earlier time than the last one changes nothing."""
        until_us = now_us - self._boot_us
        while (at_us := self._own_next_us()) <= until_us:
            self.now_us = max(self.now_us, at_us)
            self._finish()
            self._work()
        self.now_us = max(self.now_us, until_us)

    def next_event_us(self) -> int:
        """When, on the caller's clock, the device next does or says something by itself; far off when never."""
        return min(self._own_next_us(), self._replies.next_us()) + self._boot_us

    def take_output(self) -> bytes:
        """The bytes that have arrived since the last call."""
        return self._replies.take(self.now_us)

    def close(self) -> None:
        """Take the power away: what was delivered until now is on record."""
        self.flush()

    def ttl(self, line: int, high: bool, now_us: int) -> None:
        """A trigger input, IN0 or IN1, goes high or low."""
        self.advance(now_us)
        before, self._levels[line] = self._levels[line], high
        if before != high:
            self.edge(line, high)
            self._work()

    # --- what a dialect says ---------------------------------------------------------------------

    @abstractmethod
    def boot_text(self) -> str:
        """What it prints when it boots."""

    @abstractmethod
    def obey(self, line: str) -> None:
        """Do what a line says."""

    @abstractmethod
    def tell_end(self, engine: int, slot: int, result: TrainResult) -> None:
        """Say that a train has come to its end."""

    @abstractmethod
    def edge(self, line: int, rising: bool) -> None:
        """An input has changed."""

    def on_bytes(self) -> None:  # noqa: B027
        """Called for any bytes, before they are parsed."""

    def busy_until_us(self) -> int:
        """Until when lines wait, because a pulse is being played."""
        return self.now_us

    # --- for the dialects ------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Print, with a line end after each newline as it stands in `text`."""
        if not self._silent:
            self._replies.say(text.encode(self.encoding), self.now_us)

    def started(self, engine: int, slot: int) -> None:
        """Called when a train starts to play."""
        self._silent |= "silence" in self.faults
        self._note(event="started", device_time_us=self.now_us, engine=engine, slot=slot)

    def stopped(self, engine: int, slot: int, pulses: int, how: str) -> None:
        """A train plays no more: `complete`, `stopped` at a pulse's end, or `cut`."""
        self._note(event=how, device_time_us=self.now_us, engine=engine, slot=slot, pulses=pulses)

    def flush(self) -> None:
        """Bring the record up to now."""
        for engine in self.engines:
            engine.book(self.now_us)
        self.board.settle(self.now_us)

    def _own_next_us(self) -> int:
        ends_us = min(engine.end_us for engine in self.engines)
        return min(ends_us, self.busy_until_us() if self._lines else NEVER_US)

    def _finish(self) -> None:
        for number, engine in enumerate(self.engines):
            if engine.end_us <= self.now_us:
                slot = engine.slot
                result = engine.end(self.now_us)
                self.stopped(number, slot, result.pulses, "complete")
                self.tell_end(number, slot, result)

    def _work(self) -> None:
        while self._lines and self.busy_until_us() <= self.now_us:
            raw = self._lines.popleft()
            if len(raw) > self.line_size:
                self.too_long()
                continue
            line = raw.split(b"\0")[0].removesuffix(b"\r").decode("latin-1")
            if (kept := self._through_the_line(line)) is not None:
                self.obey(kept)

    def too_long(self) -> None:  # noqa: B027
        """A line was longer than the buffer. What a device without a check does then is not modelled: it is lost."""

    def _through_the_line(self, line: str) -> str | None:
        if line[:2] in {"T-", "U-"} or line == "X":
            if "lost_stop" in self.faults:
                return None
            if "garbled_stop" in self.faults:
                return line[0] if line != "X" else "x"
        if "cut_line" in self.faults and line.startswith("S") and ";" in line:
            return line.rstrip("; ").rpartition(";")[0]
        return line

    def _note(self, **entry: int | str) -> None:
        if self._journal is not None:
            self._journal(entry)
