"""Falsifies, delays or drops what the firmware sends, before it comes to the line.

Frames stay whole and their checksums hold: nothing here can be seen by looking at bytes alone.
"""

from collections import deque
from collections.abc import Sequence

from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.faults.schedule import FaultWindow
from stimctl.errors import WireError
from stimctl.wire.codec import SHAPES, MessageSchema
from stimctl.wire.framing import DELIMITER, frame_sized, unframe

KINDS = ("device.silent_telemetry", "device.wrong_echo", "device.wrong_version", "device.slow_answers")
_WELCOME = 0x41
_HEADER_FIELDS = 2  # kind and sequence number
_UNASKED = range(0x60, 0x70)
_WIDTH = {"B": 8, "H": 16, "I": 32, "Q": 64, "b": 8, "h": 16, "i": 32, "q": 64}


class Transmitter:
    """`next_us` is when it next says something that waits; `plain` says that bytes need not come through here."""

    def __init__(self, windows: Sequence[FaultWindow]) -> None:
        self._windows = windows
        self._on: list[FaultWindow] = []
        self._late: list[FaultWindow] = []
        self._queue: deque[tuple[int, bytes]] = deque()
        self.next_us = NEVER_US
        self.plain = True

    def changed(self) -> None:
        """A fault began or ended."""
        on = [window for window in self._windows if window.on]
        self._late = [window for window in on if window.fault.kind == "device.slow_answers"]
        self._on = [window for window in on if window.fault.kind != "device.slow_answers"]
        self._look_ahead()

    def say(self, data: bytes, now_us: int) -> None:
        """Take whole frames from the firmware."""
        if self._on:
            data = b"".join(self._falsified(frame, now_us) for frame in data.split(DELIMITER)[:-1])
        if not data:
            return
        at_us = now_us
        for window in self._late:
            window.fire(now_us)
            at_us += window.number("delay_us")
        ahead_us = self._queue[-1][0] if self._queue else 0
        self._queue.append((max(at_us, ahead_us), data))
        self._look_ahead()

    def take(self, now_us: int) -> list[bytes]:
        """The bytes that reach the line by `now_us`."""
        taken = []
        while self._queue and self._queue[0][0] <= now_us:
            taken.append(self._queue.popleft()[1])
        self._look_ahead()
        return taken

    def forget(self) -> None:
        """Drop whatever waits."""
        self._queue.clear()
        self._look_ahead()

    def _look_ahead(self) -> None:
        self.next_us = self._queue[0][0] if self._queue else NEVER_US
        self.plain = not (self._on or self._late or self._queue)

    def _falsified(self, frame: bytes, now_us: int) -> bytes:
        try:
            payload = unframe(frame)
        except WireError:  # the firmware makes none
            return frame + DELIMITER
        for window in self._on:
            spoilt = _spoilt(window, payload)
            if spoilt != payload:
                window.fire(now_us)
            if spoilt is None:
                return b""
            payload = spoilt
        return frame_sized(payload)


def _spoilt(window: FaultWindow, payload: bytes) -> bytes | None:
    """The payload as it is told, or None for not at all."""
    shape, kind = SHAPES[payload[0]], window.fault.kind
    if kind == "device.silent_telemetry":
        silent = payload[0] in _UNASKED and window.word("message") in ("all", shape.cls.__name__)
        return None if silent else payload
    if kind == "device.wrong_version":
        return _with(payload, shape, "version", window.number("version")) if payload[0] == _WELCOME else payload
    if shape.cls.__name__ != window.word("message"):
        return payload
    numbers = [name for name, field in shape.fields.items() if field.code in _WIDTH]
    name = window.word("field")
    name = numbers[0] if name == "first" else name
    return _with(payload, shape, name, None, window.number("add")) if name in numbers else payload


def _with(payload: bytes, shape: MessageSchema, name: str, value: int | None, add: int = 0) -> bytes:
    """The payload with one number replaced by `value`, or `add` added to it around the ends of its width."""
    values = list(shape.packer.unpack(payload))
    place = _HEADER_FIELDS + list(shape.fields).index(name)
    code = shape.fields[name].code
    bits = _WIDTH[code]
    new = (values[place] + add if value is None else value) % (1 << bits)
    values[place] = new - (1 << bits) if code.islower() and new >> (bits - 1) else new
    return shape.packer.pack(*values)
