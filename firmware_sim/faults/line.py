"""A line that loses, doubles, delays, tears or joins what passes, in both directions, from one seed.

It owns no port and no clock: bytes are sent at a time, and fetched when they arrive. Frames are cut at 0x00,
as the wire cuts them; a frame is spoilt before its bytes, bytes before their time. Where no fault acts, bytes
pass as they are, in the pieces in which they were sent.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING

from firmware_sim.analog.load_changes import NEVER_US
from stimctl.errors import WireError
from stimctl.wire.framing import DELIMITER, unframe

if TYPE_CHECKING:
    from firmware_sim.faults.schedule import FaultWindow

BITS_PER_BYTE = 10
_LONGEST = 1_024  # bytes without a delimiter that are held as one frame; far over any message
_FRAMEWISE = frozenset({"line.loss", "line.one_way", "line.duplicate", "line.reorder", "line.junk", "line.flip"})
_UNASKED = range(0x60, 0x70)  # kinds of telemetry
_TIMEWISE = frozenset({"line.merge", "line.baud", "line.delay", "line.split"})


class LineDirection:
    """One direction. `next_us` is when it next has something to do: bytes to hand out, or a frame held back."""

    def __init__(self, name: str, windows: Sequence["FaultWindow"], seed: int) -> None:
        self._windows = [
            window for window in windows
            if "direction" not in window.kind.options or window.word("direction") in ("both", name)
        ]  # fmt: skip
        self._dice = {window.index: Random(f"line {seed} {window.index} {name}") for window in self._windows}
        self._framewise: list[FaultWindow] = []
        self._timewise: list[FaultWindow] = []
        self._cut = self._stalled = self._acts = False
        self._tail = b""
        self._delayed: dict[int, tuple[int, bytes]] = {}  # by fault: until when, and the frame
        self._queue: deque[tuple[int, bytes]] = deque()
        self._telemetry: deque[tuple[int, bytes]] = deque()  # until when it waits to set out
        self._lags: list[FaultWindow] = []
        self._last_us = self._busy_us = self._gather_us = 0
        self.next_us = NEVER_US
        self.plain = True  # nothing acts and nothing is on the way: bytes need not come through here

    def changed(self, now_us: int) -> None:
        """A fault began or ended."""
        on = [window for window in self._windows if window.on]
        self._acts = bool(on)
        self._framewise = [window for window in on if window.fault.kind in _FRAMEWISE]
        self._timewise = [window for window in on if window.fault.kind in _TIMEWISE]
        self._lags = [each for each in on if each.fault.kind == "line.delay" and each.number("telemetry_us")]
        self._stalled = any(window.fault.kind == "line.stall" for window in on)
        self._cut = any(window.fault.kind == "line.unplug" for window in on)
        if self._cut:
            self._tail = b""
            self._delayed.clear()
            self._queue.clear()
            self._telemetry.clear()
        for index in list(self._delayed):
            if index not in {window.index for window in self._framewise}:
                self._release(index, now_us)
        while self._telemetry and not self._lags:
            self._go_out(self._telemetry.popleft()[1], now_us)
        if not self._framewise and self._tail:
            self._tail = self._set_out(self._tail, now_us)
        self._look_ahead()

    def send(self, data: bytes, now_us: int) -> None:
        """Bytes enter the line."""
        if self._cut or not data:
            return
        if self._lags:
            data = self._set_aside(data, now_us)
        self._go_out(data, now_us)
        self._look_ahead()

    def _set_aside(self, data: bytes, now_us: int) -> bytes:
        """Let telemetry wait. Returns the rest."""
        rest = b""
        for frame in _frames(data):
            if not _is_telemetry(frame):
                rest += frame
                continue
            until_us = self._telemetry[-1][0] if self._telemetry else now_us
            for window in self._lags:
                until_us = max(until_us, now_us + self._dice[window.index].randint(0, window.number("telemetry_us")))
            self._telemetry.append((until_us, frame))
        return rest

    def _go_out(self, data: bytes, now_us: int) -> None:
        if self._framewise:
            frames = (self._tail + data).split(b"\x00")
            self._tail = frames.pop()
            for frame in frames:
                if frame:
                    self._spoil(frame + b"\x00", now_us)
                else:
                    self._set_out(b"\x00", now_us)  # an empty one is no frame
            if len(self._tail) > _LONGEST:
                junk, self._tail = self._tail, b""
                self._spoil(junk, now_us)
        elif data:
            self._set_out(data, now_us)

    def take(self, now_us: int) -> list[bytes]:
        """The pieces that have arrived by `now_us`, in order."""
        while self._telemetry and self._telemetry[0][0] <= now_us:
            until_us, frame = self._telemetry.popleft()
            self._go_out(frame, until_us)
        for index in [index for index, (until_us, _) in self._delayed.items() if until_us <= now_us]:
            self._release(index, self._delayed[index][0])
        taken = []
        if not self._stalled:
            while self._queue and self._queue[0][0] <= now_us:
                taken.append(self._queue.popleft()[1])
        self._look_ahead()
        return taken

    def _look_ahead(self) -> None:
        next_us = NEVER_US if self._stalled or not self._queue else self._queue[0][0]
        if self._telemetry:
            next_us = min(next_us, self._telemetry[0][0])
        self.next_us = (
            min([next_us, *(until_us for until_us, _ in self._delayed.values())]) if self._delayed else next_us
        )
        self.plain = not (self._acts or self._queue or self._delayed or self._telemetry)

    # --- whole frames ---------------------------------------------------------------------------

    def _spoil(self, frame: bytes, now_us: int, after: int = -1) -> None:
        """Show a frame to the faults behind fault `after`, and let what is left of it set out."""
        frames = [frame]
        for window in self._framewise:
            if window.index > after:
                frames = [left for each in frames for left in self._spoilt(window, each, now_us)]
        for left in frames:
            self._set_out(left, now_us)

    def _spoilt(self, window: "FaultWindow", frame: bytes, now_us: int) -> list[bytes]:
        kind, dice = window.fault.kind, self._dice[window.index]
        if kind == "line.flip":
            return [self._flipped(window, frame, now_us)]
        if kind == "line.reorder" and window.index in self._delayed:
            return [frame, self._delayed.pop(window.index)[1]]
        if kind != "line.one_way" and dice.randrange(1_000) >= window.number("permille"):
            return [frame]
        window.fire(now_us)
        if kind == "line.duplicate":
            return [frame] * (1 + window.number("copies"))
        if kind == "line.junk":
            return [dice.randbytes(dice.randint(1, window.number("most_bytes"))), frame]
        if kind == "line.reorder":
            self._delayed[window.index] = (now_us + window.number("hold_us"), frame)
        return []

    def _flipped(self, window: "FaultWindow", frame: bytes, now_us: int) -> bytes:
        draw, permille = self._dice[window.index].getrandbits, window.number("permille")
        spoilt, flips = bytearray(frame), 0
        for place in range(len(spoilt)):
            # As `randrange(1_000)` and `randrange(8)` draw, at a quarter of their price: there are some for each byte.
            while (drawn := draw(10)) >= 1_000:
                pass
            if drawn < permille:
                while (bit := draw(4)) >= 8:
                    pass
                spoilt[place] ^= 1 << bit
                flips += 1
        if flips:
            window.fire(now_us, flips)
        return bytes(spoilt)

    def _release(self, index: int, now_us: int) -> None:
        _, frame = self._delayed.pop(index)
        self._spoil(frame, now_us, index)

    # --- times ----------------------------------------------------------------------------------

    def _set_out(self, data: bytes, now_us: int) -> bytes:
        """Give bytes the times at which they arrive, never before those ahead of them. Returns b""."""
        pieces = [(now_us, data)]
        for window in self._timewise:
            pieces = [late for at_us, piece in pieces for late in self._late(window, piece, at_us)]
        for at_us, piece in pieces:
            self._last_us = max(self._last_us, at_us)
            self._queue.append((self._last_us, piece))
            if self._stalled:
                self._count_stalled(now_us)
        return b""

    def _late(self, window: "FaultWindow", data: bytes, at_us: int) -> Iterator[tuple[int, bytes]]:
        kind = window.fault.kind
        if kind == "line.baud":
            yield from self._paced(window, data, at_us)
            return
        window.fire(at_us)
        if kind == "line.delay":
            jitter_us = self._dice[window.index].randint(0, window.number("jitter_us"))
            yield at_us + window.number("delay_us") + jitter_us, data
        elif kind == "line.merge":
            if at_us >= self._gather_us:
                self._gather_us = at_us + window.number("wait_us")
            yield self._gather_us, data
        else:
            while data:
                size = self._dice[window.index].randint(1, window.number("piece_bytes"))
                yield at_us, data[:size]
                data, at_us = data[size:], at_us + window.number("gap_us")

    def _paced(self, window: "FaultWindow", data: bytes, at_us: int) -> Iterator[tuple[int, bytes]]:
        rate = window.number("bits_per_s") // BITS_PER_BYTE
        begin_us = max(at_us, self._busy_us)
        room = window.number("room_bytes") - (begin_us - at_us) * rate // 1_000_000
        kept = data[: max(0, room)]
        window.fire(at_us)
        if kept:
            self._busy_us = begin_us + -(-len(kept) * 1_000_000 // rate)
            yield self._busy_us, kept

    def _count_stalled(self, now_us: int) -> None:
        for window in self._windows:
            if window.on and window.fault.kind == "line.stall":
                window.fire(now_us)


def _frames(data: bytes) -> list[bytes]:
    """`data` cut behind each delimiter."""
    *whole, rest = data.split(DELIMITER)
    return [*(frame + DELIMITER for frame in whole), *([rest] if rest else [])]


def _is_telemetry(frame: bytes) -> bool:
    try:
        return unframe(frame.rstrip(DELIMITER))[0] in _UNASKED
    except WireError:
        return False


class HostileLine:
    """Both directions. `windows` are those of line faults; somebody else turns them on and off, and says so."""

    def __init__(self, windows: Sequence["FaultWindow"], seed: int) -> None:
        self._unplugs = [window for window in windows if window.fault.kind == "line.unplug"]
        self.to_device = LineDirection("to_device", windows, seed)
        self.from_device = LineDirection("from_device", windows, seed)
        self.gone = False

    def changed(self, now_us: int) -> None:
        """A fault began or ended at `now_us`."""
        self.gone = any(window.on for window in self._unplugs)
        self.to_device.changed(now_us)
        self.from_device.changed(now_us)
