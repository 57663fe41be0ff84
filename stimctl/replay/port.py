"""A port that plays the device's part of a recording, and checks the host's part against it.

Its clock is the record's. It moves only while it is waited on: to the next recorded bytes, or to the deadline. A
host is never woken at its deadline to the microsecond, so where the record shows it writing a little after the
deadline, the wait ends that much later, as it did then: else the small delays of a long session would add up to
a difference that is none. What the device said after the host had sent something waits until the host has sent it:
an answer before its question would be nonsense.

Whatever is written must be the recorded bytes, in their order, each within the tolerance of its recorded time.
The first difference ends it.
"""

from collections import deque
from collections.abc import Iterable
from typing import NoReturn

from stimctl.errors import LineLost, StimctlError
from stimctl.traffic.decoder import DecodedLine, Decoder
from stimctl.traffic.transcript import TrafficChunk
from stimctl.wire.codec import KeepAlive
from stimctl.wire.framing import DELIMITER

TOLERANCE_US = 10_000  # [choice] half of the shortest time between two frames that the driver sends by itself
_SHOWN_BYTES = 64
_FRAME_US = 1_000_000  # within which the rest of a frame was written


class ReplayMismatch(StimctlError):
    """The driver did something else than in the record: what was expected and what came instead, at `at_us`."""

    def __init__(self, at_us: int, expected: str, got: str) -> None:
        self.at_us = at_us
        self.expected = expected
        self.got = got
        super().__init__(f"at {at_us / 1e6:.6f} s: expected {expected}, got {got}")


class ReplayPort:
    """A `stimctl.port.Port` in memory. Raises `ReplayMismatch` at the first one, and on every call after it.

    Times in us: `begin_us` is where its clock starts, `end_us` where the record ends; beyond that the line is
    lost. `sent` counts the recorded pieces
    that were matched, `worst_us` is the largest time by which one of them was off. `virtual` is what the recorded
    port was; `open_ended` says that the record ends before its session, or with its line: what is sent there is lost.
    """

    realtime = False

    def __init__(
        self,
        records: Iterable[TrafficChunk],
        *,
        begin_us: int = 0,
        end_us: int = 0,
        tolerance_us: int = TOLERANCE_US,
        virtual: bool = False,
        open_ended: bool = False,
        url: str = "replay",
    ) -> None:
        self.url = url
        self.virtual = virtual
        self.worst_us = 0
        self.sent = 0
        self._now_us = begin_us
        self._end_us = end_us
        self._tolerance_us = tolerance_us
        self._open_ended = open_ended
        self._device: deque[tuple[int, TrafficChunk]] = deque()  # with their places in the record
        self._host: deque[tuple[int, TrafficChunk]] = deque()
        for place, record in enumerate(records):
            (self._host if record.sender == "host" else self._device).append((place, record))
            self._end_us = max(self._end_us, record.at_us)
        self._open_frame = b""  # what was sent of a frame that has not ended
        self._difference: ReplayMismatch | None = None
        self._lost = False

    # --- a port -------------------------------------------------------------------------------------

    def now_us(self) -> int:
        return self._now_us

    def wait(self, deadline_us: int | None) -> bytes:
        self._still_alike()
        wake_us = self._wake_us(deadline_us)
        if self._device and (wake_us is None or self._comes_by(wake_us)):
            record = self._device.popleft()[1]
            self._move_to(record.at_us)
            return record.data
        if wake_us is None or (not self._device and not self._host and wake_us > self._end_us):
            self._move_to(self._end_us)
            self._lose()
        self._move_to(wake_us)
        return b""

    def write(self, data: bytes) -> None:
        self._still_alike()
        if self._lost:
            self._lose()
        while data:
            data = self._match(data)

    def wake(self) -> None:
        """Nothing to wake: nobody sleeps here."""

    def close(self) -> None:
        """There is nothing to give back."""

    # --- for whoever runs a session on it -----------------------------------------------------------

    def skip_to(self, at_us: int) -> None:
        """Let the time pass in which the host did something else than wait on the line."""
        self._now_us = max(self._now_us, at_us)

    def skip_to_next_write(self) -> None:
        """The same, until the record shows the host going on."""
        if self._host:
            self.skip_to(self._host_us())

    def went_on(self) -> bool:
        """Whether the record shows the host going on by now, with more than a keepalive."""
        if not self._host:
            return True
        if self._host_us() > self._now_us:
            return False
        lines = list(Decoder().feed(TrafficChunk(0, "host", self._open_frame + self._host[0][1].data)))
        return not lines or any(not isinstance(line.message, KeepAlive) for line in lines)

    def finish(self) -> None:
        """Raise `ReplayMismatch` when the record shows the host sending more."""
        self._still_alike()
        if self._host:
            self._differ(self._expected(), "the end of the session")

    # --- time ---------------------------------------------------------------------------------------

    def _wake_us(self, deadline_us: int | None) -> int | None:
        """When a wait until `deadline_us` ends without bytes: with it, or as late as it did in the record."""
        if deadline_us is None:
            return self._host_us() + self._tolerance_us + 1 if self._host else None
        deadline_us = max(deadline_us, self._now_us)
        if self._host and deadline_us <= self._host_us() <= deadline_us + self._tolerance_us:
            return self._host_us()
        return deadline_us

    def _comes_by(self, wake_us: int) -> bool:
        """Whether the next bytes come before the host wakes. Never before what the host had sent by then: they may
        be its answer."""
        place, record = self._device[0]
        answers_what_is_to_come = bool(self._host) and place > self._host[0][0]
        return record.at_us <= wake_us and not answers_what_is_to_come

    def _host_us(self) -> int:
        return self._host[0][1].at_us

    def _move_to(self, to_us: int) -> None:
        if self._host:
            latest_us = self._host_us() + self._tolerance_us
            if to_us > latest_us:
                self._now_us = max(self._now_us, latest_us)
                self._differ(self._expected(), f"nothing within {self._tolerance_us / 1_000:g} ms of then")
        self._now_us = max(self._now_us, to_us)

    def _lose(self) -> NoReturn:
        self._lost = True
        raise LineLost(f"{self.url}: the record ends here")

    # --- comparing ----------------------------------------------------------------------------------

    def _still_alike(self) -> None:
        if self._difference is not None:
            raise self._difference

    def _match(self, data: bytes) -> bytes:
        """Compare with the next recorded piece; returns what is left of `data` after it."""
        if not self._host:
            if self._open_ended and self._end_us - self._now_us <= self._tolerance_us:
                self._lose()
            self._differ("nothing: the record has no more from the host", _in_words(self._open_frame + data))
        place, record = self._host.popleft()
        size = min(len(data), len(record.data))
        off_us = record.at_us - self._now_us
        if data[:size] != record.data[:size]:
            self._host.appendleft((place, record))
            self._differ(self._expected(), _in_words(self._open_frame + data))
        if abs(off_us) > self._tolerance_us:
            self._host.appendleft((place, record))
            when = "early" if off_us > 0 else "late"
            self._differ(self._expected(), f"the same {abs(off_us) / 1_000:g} ms too {when}")
        self.worst_us = max(self.worst_us, abs(off_us))
        self._open_frame = (self._open_frame + data[:size]).rpartition(DELIMITER)[2][-_SHOWN_BYTES:]
        if size == len(record.data):
            self.sent += 1
        else:
            self._host.appendleft((place, record._replace(data=record.data[size:])))
        return data[size:]

    def _expected(self) -> str:
        rest = b"".join(record.data for _, record in self._host if record.at_us <= self._host_us() + _FRAME_US)
        return f"{_in_words(self._open_frame + rest)} at {self._host_us() / 1e6:.6f} s"

    def _differ(self, expected: str, got: str) -> NoReturn:
        self._difference = ReplayMismatch(self._now_us, expected, got)
        raise self._difference


def _in_words(data: bytes) -> str:
    """The first message of `data`."""
    decoder = Decoder()
    lines: list[DecodedLine] = [*decoder.feed(TrafficChunk(0, "host", data)), *decoder.finish()]
    if not lines or lines[0].message is None:
        return repr(data.partition(DELIMITER)[0][:_SHOWN_BYTES])
    line = lines[0]
    return " ".join([line.kind, f"#{line.sequence}", *(f"{name}={value}" for name, value in line.fields.items())])
