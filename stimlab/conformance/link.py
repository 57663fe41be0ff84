"""Talks to a device with nothing in between: any command, right or wrong, any bytes, and all that it says.

The driver's own adapter would refuse to send what is wrong on purpose. All times are of the port's clock, so
that a simulator is talked to in virtual time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from cobs.cobs import DecodeError
from cobs.cobs import decode as cobs_decode

from stimctl.errors import WireError
from stimctl.port import Port
from stimctl.traffic.transcript import TrafficChunk
from stimctl.wire import codec as m
from stimctl.wire.codes import Refusal
from stimctl.wire.framing import DELIMITER, MAX_FRAME, FrameSplitter, frame_sized, unframe
from stimlab.conformance.verdict import Nonconforming

STOP_FRAME = bytes.fromhex("02 1F 01 05 5F 3D 3B E8 00")
KEEP_ALIVE_US = 250_000
ANSWER_MS = 300
AGAIN_US = 50_000  # a command without an answer is sent again, R-11: a device may drop one while it is busy, R-81
BYTE_US = 87  # of 115 200 baud
_CIRCLE = 1 << 16
_ANSWERS = range(0x40, 0x60)

M = TypeVar("M")


class ReceivedFrame(NamedTuple):
    """A frame from the device. `message` is None when this version does not have it; `payload` is as it came.

    `stale` is telemetry that was made before the newest answer was, and was under way when that came; of Events, what
    was made before the newest arm: it tells of no later change.
    """

    at_us: int
    sequence: int
    message: Any
    payload: bytes
    stale: bool = False

    @property
    def is_answer(self) -> bool:
        """Whether it answers a command, and is not sent by the device on its own."""
        return self.payload[0] in _ANSWERS


class Transaction(NamedTuple):
    """A command and what came back. Times are of the port's clock."""

    sent_us: int
    at_us: int
    sequence: int
    message: Any
    payload: bytes

    @property
    def took_us(self) -> int:
        """From the command to its answer."""
        return self.at_us - self.sent_us


class Link:
    """One end of a line. `received` and `traffic` hold everything since the last `forget`.

    While `nonce` is a number, KeepAlive is sent with it every 250 ms of listening. One command is under way at a time,
    and one that is not answered is sent again, as R-11 and R-81 have it.
    """

    def __init__(self, port: Port) -> None:
        self.port = port
        self.sequence = 0
        self.nonce: int | None = None
        self.received: list[ReceivedFrame] = []
        self.traffic: list[TrafficChunk] = []
        self._splitter = FrameSplitter()
        self._pieces: list[bytes] = []  # what stood between two delimiters since the last `forget`
        self._begun = b""  # a piece whose delimiter is still to come
        self._cut = True  # the first piece after the line was opened may be the end of a frame
        self._alive_us = 0
        self._sent_by_us = 0  # when the last byte of what was sent has left
        self._answered_us = 0  # device time of the newest answer that tells one
        self.armed_us = 0  # and of the newest Armed

    @property
    def now_us(self) -> int:
        return self.port.now_us()

    @property
    def slack_us(self) -> int:
        """What this line and this host may add to a time: nothing in virtual time."""
        return 0 if self.port.virtual else 25_000

    @property
    def busy_us(self) -> int:
        """How long the line is still busy with what was sent."""
        return max(0, self._sent_by_us - self.now_us)

    def forget(self) -> None:
        """Begin anew with what is kept."""
        self.received, self.traffic, self._pieces = [], [], []
        if self._begun:
            self.traffic.append(TrafficChunk(self.now_us, "device", self._begun))

    def restart_line(self) -> None:
        """The device was off: what it had half sent is gone."""
        self._splitter, self._begun, self._cut = FrameSplitter(), b"", True
        self._answered_us = self.armed_us = 0

    # --- saying ---------------------------------------------------------------------------------

    def send_raw(self, data: bytes) -> int:
        """Put bytes on the line as they are; the time when they went."""
        at_us = self.now_us
        self.traffic.append(TrafficChunk(at_us, "host", data))
        self.port.write(data)
        if not self.port.virtual:
            self._sent_by_us = max(at_us, self._sent_by_us) + len(data) * BYTE_US
        return at_us

    def next_sequence(self) -> int:
        """The number of the next command."""
        self.sequence = (self.sequence + 1) % _CIRCLE
        return self.sequence

    def send(self, order: Any, sequence: int | None = None) -> int:
        """Send a command and wait for nothing; its sequence number."""
        if sequence is None:
            sequence = 0 if type(order) is m.Stop else self.next_sequence()
        self._say(sequence, order)
        return sequence

    def _say(self, sequence: int, order: Any) -> bytes:
        # Half a frame or noise that is left on the line must not eat a Stop.
        data = (DELIMITER if type(order) is m.Stop else b"") + m.encode(sequence, order)
        self.send_raw(data)
        return data

    def ask(
        self, order: Any, *, sequence: int | None = None, within_ms: int = ANSWER_MS, by: str = "R-12"
    ) -> Transaction:
        """Send a command and wait for its answer. Raises `Nonconforming` of requirement `by` without one."""
        sent_us, first = self.now_us, len(self.received)
        number = self.send(order, sequence)
        # Each Stop is answered afresh: who asks for zero says how often.
        again = b"" if type(order) is m.Stop else m.encode(number, order)
        found = self.answer_to(number, first, within_ms, again)
        if found is None:
            self.require_whole()
            text = f"{type(order).__name__} was not answered within {within_ms} ms"
            raise Nonconforming(by, text, expected=f"an answer within {within_ms} ms", seen="none")
        return Transaction(sent_us, found.at_us, number, found.message, found.payload)

    def ask_payload(self, payload: bytes, within_ms: int = ANSWER_MS) -> ReceivedFrame | None:
        """Send a payload that may be no message at all; its answer, or None."""
        first, data = len(self.received), frame_sized(payload)
        self.send_raw(data)
        return self.answer_to(int.from_bytes(payload[1:3], "little"), first, within_ms, data)

    def answer_to(
        self, sequence: int, first: int, within_ms: int = ANSWER_MS, again: bytes = b""
    ) -> ReceivedFrame | None:
        """The first answer with that number among `received[first:]` or among what comes in time; None without one.

        `again` are the command's bytes, to be sent every 50 ms until the answer comes; nothing is without them.
        """

        def is_answer(each: ReceivedFrame) -> bool:
            return each.is_answer and each.sequence == sequence

        for each in self.received[first:]:
            if is_answer(each):
                return each
        deadline_us = max(self.now_us, self._sent_by_us) + within_ms * 1_000
        while again and (again_us := max(self.now_us, self._sent_by_us) + AGAIN_US) < deadline_us:
            if (found := self._pump(again_us, is_answer)) is not None:
                return found
            self.send_raw(again)
        return self._pump(deadline_us, is_answer)

    def get(
        self,
        order: Any,
        kind: type[M],
        *,
        by: str = "R-12",
        sequence: int | None = None,
        within_ms: int = ANSWER_MS,
    ) -> M:
        """The answer, which must be a `kind`. Raises `Nonconforming` of requirement `by` when it is not."""
        message = self.ask(order, by=by, sequence=sequence, within_ms=within_ms).message
        if not isinstance(message, kind):
            text = f"{type(order).__name__} was answered with {shown(message)}"
            raise Nonconforming(by, text, expected=kind.__name__, seen=shown(message))
        return message

    def refused(self, order: Any, reason: Refusal, *, by: str, sequence: int | None = None) -> m.Refused:
        """The refusal that `order` must get. Raises `Nonconforming` of requirement `by` for anything else."""
        message = self.get(order, m.Refused, by=by, sequence=sequence)
        if message.reason != reason or message.command != m.SHAPE_OF[type(order)].kind:
            text = f"{order} was answered with {shown(message)}, not refused with {reason.name}"
            raise Nonconforming(by, text, expected=f"Refused {reason.name}", seen=shown(message))
        return message

    def require_whole(self) -> None:
        """Raise `Nonconforming` for the first piece from the device, since the last `forget`, that is no frame."""
        for piece in filter(None, self._pieces):
            wrong = _damage(piece)
            if wrong is not None:
                raise Nonconforming(*wrong)

    # --- hearing --------------------------------------------------------------------------------

    def listen(self, for_us: int, until: Callable[[ReceivedFrame], bool] | None = None) -> list[ReceivedFrame]:
        """Hear what comes for `for_us`, or until one frame satisfies `until`. Keepalives go out under a nonce.

        A keepalive that was sent in that time is waited for, so that the next command finds the device idle.
        """
        first, deadline_us = len(self.received), self.now_us + for_us
        alive: tuple[int, int, bytes] | None = None
        while self.now_us < deadline_us:
            slice_us = deadline_us
            if self.nonce is not None:
                if self.now_us - self._alive_us >= KEEP_ALIVE_US:
                    self._finish(alive)
                    number, place = self.next_sequence(), len(self.received)
                    alive = number, place, self._say(number, m.KeepAlive(self.nonce))
                    self._alive_us = self.now_us
                slice_us = min(deadline_us, self._alive_us + KEEP_ALIVE_US)
            if self._pump(slice_us, until or _never) is not None:
                break
        self._finish(alive)
        return self.received[first:]

    def _finish(self, alive: tuple[int, int, bytes] | None) -> None:
        """Wait for the answer to a keepalive; a device that gives none shows in what it does then."""
        if alive is not None:
            number, place, data = alive
            self.answer_to(number, place, again=data)

    def wait_for(self, until: Callable[[ReceivedFrame], bool], within_us: int) -> ReceivedFrame | None:
        """The first frame from now on that satisfies `until`, or None when none came."""
        return next((each for each in self.listen(within_us, until) if until(each)), None)

    def _pump(self, deadline_us: int, until: Callable[[ReceivedFrame], bool]) -> ReceivedFrame | None:
        """Take what comes up to the deadline; the first frame that satisfies `until` ends it."""
        while True:
            data = self.port.wait(deadline_us)
            now_us = self.now_us
            found = self._take(data, now_us, until) if data else None
            if found is not None or now_us >= deadline_us:
                return found

    def _take(self, data: bytes, now_us: int, until: Callable[[ReceivedFrame], bool]) -> ReceivedFrame | None:
        self.traffic.append(TrafficChunk(now_us, "device", data))
        *pieces, self._begun = (self._begun + data).split(DELIMITER)
        if pieces and self._cut:
            self._cut, pieces[0] = False, b""
        self._pieces += pieces
        found = None
        for payload in self._splitter.feed(data):
            each = self._aged(_received(now_us, payload))
            self.received.append(each)
            if found is None and until(each):
                found = each
        return found

    def _aged(self, each: ReceivedFrame) -> ReceivedFrame:
        """The frame, marked when it is telemetry from before the newest answer."""
        made_us = getattr(each.message, "device_time_us", None)
        if each.is_answer:
            before_us = 0 if isinstance(each.message, m.Welcome) else self._answered_us
            self._answered_us = max(before_us, made_us or 0)
            if isinstance(each.message, m.Welcome):
                self.armed_us = 0
            elif isinstance(each.message, m.Armed):
                self.armed_us = each.message.device_time_us
            return each
        since_us = self.armed_us if isinstance(each.message, m.Event) else self._answered_us
        stale = isinstance(each.message, m.Status | m.Channel | m.Event) and (made_us or 0) < since_us
        return each._replace(stale=True) if stale else each


def untimed(message: M) -> M:
    """An answer without the time at which it was made, to be compared with a later one."""
    return message._replace(device_time_us=0)  # type: ignore[attr-defined,no-any-return]


def shown(message: Any) -> str:
    """A message as a sentence has it: a refusal with its reason by name."""
    if isinstance(message, m.Refused):
        return f"Refused {Refusal(message.reason).name} (detail {message.detail}, limit {message.limit})"
    return "a frame that this version does not have" if message is None else str(message)


def _damage(piece: bytes) -> tuple[str, str] | None:
    """The requirement that a piece between two delimiters breaks, and how."""
    shown_hex = piece.hex(" ")
    if len(piece) >= MAX_FRAME:
        return "R-03", f"a frame of {len(piece) + 1} bytes, over {MAX_FRAME}: {shown_hex}"
    try:
        cobs_decode(piece)
    except DecodeError as wrong:
        return "R-05", f"its COBS does not decode ({wrong}): {shown_hex}"
    try:
        unframe(piece)
    except WireError as wrong:
        return "R-04", f"{wrong}: {shown_hex}"
    return None


def _never(_: ReceivedFrame) -> bool:
    return False


def _received(at_us: int, payload: bytes) -> ReceivedFrame:
    try:
        sequence, message = m.parse(payload)
    except WireError:
        return ReceivedFrame(at_us, int.from_bytes(payload[1:3], "little"), None, payload)
    return ReceivedFrame(at_us, sequence, message, payload)
