"""Devices that break R-02 to R-09: the line, the frames, and what is not in the protocol."""

from typing import Any
from zlib import crc32

from cobs.cobs import DecodeError
from cobs.cobs import decode as cobs_decode
from cobs.cobs import encode as cobs_encode

from firmware_sim.native.device import Device
from firmware_sim.native.telemetry import PERIOD_US
from stimctl.wire import codec as m
from stimctl.wire.codes import Refusal
from stimctl.wire.framing import CRC_SIZE, DELIMITER, FrameSplitter, frame_sized, unframe
from tests.stimlab.conformance.mutants.altered import Altered
from tests.stimlab.conformance.mutants.mutant import mutant, saying

STOP_KIND = 0x1F


@mutant("R-02", "sends telemetry from power-on")
class SpeaksUnasked(Device):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._tick_us = PERIOD_US


class Reframed(Device):
    """Puts its own kind of frame around what it says."""

    def frame(self, payload: bytes) -> bytes:
        raise NotImplementedError

    def take_output(self) -> bytes:
        chunks = filter(None, super().take_output().split(DELIMITER))
        return b"".join(self.frame(unframe(chunk)) for chunk in chunks)


@mutant("R-03", "sends frames that are too long")
class Longwinded(Reframed):
    def frame(self, payload: bytes) -> bytes:
        return frame_sized(payload.ljust(60, b"\x55") if payload[0] == 0x61 else payload)


@mutant("R-03", "takes no frame over 40 bytes")
class SmallBuffer(Altered):
    def hears(self, payload: bytes) -> bytes | None:
        return payload if len(payload) <= 34 else None


@mutant("R-04", "sends the CRC big-endian")
class BigEndianCrc(Reframed):
    def frame(self, payload: bytes) -> bytes:
        stuffed: bytes = cobs_encode(payload + crc32(payload).to_bytes(4, "big"))
        return stuffed + DELIMITER


@mutant("R-04", "leaves out the CRC's final xor")
class NoFinalXor(Reframed):
    def frame(self, payload: bytes) -> bytes:
        stuffed: bytes = cobs_encode(payload + (crc32(payload) ^ 0xFFFF_FFFF).to_bytes(4, "little"))
        return stuffed + DELIMITER


@mutant("R-05", "sends its bytes without stuffing")
class Unstuffed(Reframed):
    def frame(self, payload: bytes) -> bytes:
        return payload + crc32(payload).to_bytes(4, "little") + DELIMITER


@mutant("R-05", "loses commands with a zero behind the kind")
class LosesZeros(Altered):
    def hears(self, payload: bytes) -> bytes | None:
        return None if payload[1] == 0 and payload[0] != STOP_KIND else payload


class _AnyCrc(FrameSplitter):
    """Believes every frame."""

    def feed(self, data: bytes) -> list[bytes]:
        *chunks, self._tail = (self._tail + data).split(DELIMITER)
        return [body[:-CRC_SIZE] for chunk in chunks if len(body := _decoded(chunk)) > CRC_SIZE]


def _decoded(chunk: bytes) -> bytes:
    try:
        body: bytes = cobs_decode(chunk)
    except DecodeError:
        return b""
    return body


@mutant("R-06", "checks no CRC")
class Credulous(Device):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._splitter = _AnyCrc()


@mutant("R-06", "answers what is damaged")
class AnswersDamage(Device):
    def receive(self, data: bytes, now_us: int) -> None:
        before = self._splitter.damaged
        super().receive(data, now_us)
        if self._splitter.damaged > before:
            self._reply(0, m.Refused(0, Refusal.WRONG_LENGTH, 0, 0))


@mutant("R-06", "takes one frame of each read, and drops the rest of it")
class OneFrameARead(Device):
    def receive(self, data: bytes, now_us: int) -> None:
        head, delimiter, _ = data.partition(DELIMITER)
        super().receive(head + delimiter, now_us)


@mutant("R-06", "forgets a frame that comes in two pieces")
class WholeFramesOnly(Device):
    def receive(self, data: bytes, now_us: int) -> None:
        self._splitter = FrameSplitter()
        super().receive(data, now_us)


@mutant("R-07", "is silent about a device's own kinds")
class SilentOnAnswers(Altered):
    def hears(self, payload: bytes) -> bytes | None:
        return payload if payload[0] < 0x40 else None


@mutant("R-07", "sends a kind of its own")
class OwnKind(Reframed):
    def frame(self, payload: bytes) -> bytes:
        return frame_sized(b"\x30" + payload[1:] if payload[0] == 0x61 else payload)


@mutant("R-08", "is silent about kinds that it does not know")
class SilentOnUnknown(Altered):
    def hears(self, payload: bytes) -> bytes | None:
        return payload if payload[0] in m.SHAPES or payload[0] >= 0x40 else None


@mutant("R-08", "takes longer commands, and cuts them")
class CutsLong(Altered):
    def hears(self, payload: bytes) -> bytes | None:
        shape = m.SHAPES.get(payload[0])
        return payload if shape is None or payload[0] == STOP_KIND else payload[: shape.packer.size]


@mutant("R-08", "takes shorter commands, and fills them up")
class FillsShort(Altered):
    def hears(self, payload: bytes) -> bytes | None:
        shape = m.SHAPES.get(payload[0])
        return payload if shape is None or payload[0] == STOP_KIND else payload.ljust(shape.packer.size, b"\0")


@mutant("R-08", "takes an unknown purpose for stimulation")
class GuessesPurpose(Altered):
    def hears(self, payload: bytes) -> bytes | None:
        if payload[0] == 0x07 and len(payload) > m.HEADER_SIZE and payload[m.HEADER_SIZE] > 1:
            return payload[: m.HEADER_SIZE] + b"\0" + payload[m.HEADER_SIZE + 1 :]
        return payload


@mutant("R-08", "takes an unknown page for the last one")
class GuessesPage(Altered):
    def hears(self, payload: bytes) -> bytes | None:
        if payload[0] == 0x02 and len(payload) == m.HEADER_SIZE + 1 and payload[m.HEADER_SIZE] > 2:
            return payload[: m.HEADER_SIZE] + b"\x02"
        return payload


@mutant("R-08", "takes no notice of mask bits over the fourth")
class CutsMasks(Device):
    def _in_turn(self, sequence: int, order: Any, payload: bytes) -> None:
        if type(order) is m.Arm:
            order = order._replace(channel_mask=order.channel_mask & 0b1111)
        super()._in_turn(sequence, order, payload)


mutant("R-09", "numbers channels from 0 in its telemetry")(
    saying(m.Channel, lambda message: message._replace(channel=message.channel - 1))
)


@mutant("R-09", "answers with the counters of the next channel")
class WrongCounters(Device):
    def _execute(self, order: Any, kind: int) -> object:
        if kind == 0x0E and 1 <= order.channel <= 4:
            answer = super()._execute(order._replace(channel=order.channel % 4 + 1), kind)
            return answer._replace(channel=order.channel) if isinstance(answer, m.Counters) else answer
        return super()._execute(order, kind)
