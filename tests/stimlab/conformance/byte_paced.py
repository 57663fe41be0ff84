"""Test equipment: the simulated stimulator behind a UART, byte by byte at 115 200 baud, on a pty or a TCP port.

Bytes come in and go out one at a time, 86.8 us each. `--latency-us 16000` gathers what goes out as a USB adapter does;
`--clock-ppm 500` lets the device's clock run that much fast. What the device has to say waits in a queue as a
firmware's does: Stopped ahead of all, answers and Events in their order ahead of telemetry, whose count is given as it
is sent, and the frame that is being sent is sent to its end. While an answer is not sent, commands that come are
dropped, but Stop.

python -m tests.stimlab.conformance.byte_paced --tcp 0
"""

import argparse
import signal
import sys
from collections import deque
from select import select

from firmware_sim.native.device import Device
from firmware_sim.serve import PtyLine, ServedLine, TcpLine, clock_us
from stimctl.errors import WireError
from stimctl.wire.framing import DELIMITER, frame, unframe

BYTE_US = 10 * 1_000_000 / 115_200
USB_PACKET = 62  # bytes that an adapter sends on without waiting for its timer
_STOP, _STOPPED, _ANSWERS, _OWN, _EVENT = 0x1F, 0x5F, range(0x40, 0x60), range(0x60, 0x70), 0x62


class Uart:
    """What is on its way, in both directions. Times are the wall's, in us."""

    def __init__(self) -> None:
        self._coming: deque[tuple[float, int]] = deque()
        self._coming_until_us = 0.0
        self._urgent: deque[bytes] = deque()
        self._answers: deque[bytes] = deque()
        self._telemetry: deque[bytes] = deque()
        self._leaving = b""
        self._answering = False
        self._count = 0
        self._next_us = 0.0

    def arrive(self, data: bytes, now_us: float) -> None:
        """Bytes that the host sent at once come in one by one."""
        at_us = max(now_us, self._coming_until_us)
        for byte in data:
            at_us += BYTE_US
            self._coming.append((at_us, byte))
        self._coming_until_us = at_us

    def arrived(self, now_us: float) -> list[tuple[int, bytes]]:
        """The bytes that have come in by now, each with its time."""
        came = []
        while self._coming and self._coming[0][0] <= now_us:
            at_us, byte = self._coming.popleft()
            came.append((int(at_us), bytes([byte])))
        return came

    def say(self, data: bytes) -> None:
        """Frames that the device has ready."""
        for piece in filter(None, data.split(DELIMITER)):
            payload = unframe(piece)
            kind = payload[0]
            ahead = kind in _ANSWERS or kind == _EVENT
            queue = self._urgent if kind == _STOPPED else self._answers if ahead else self._telemetry
            queue.append(payload)

    def left(self, now_us: float) -> bytes:
        """The bytes that have gone out by now."""
        out = bytearray()
        while True:
            if not self._leaving:
                queue = self._urgent or self._answers or self._telemetry
                if not queue:
                    self._next_us = max(self._next_us, now_us)
                    return bytes(out)
                self._answering = queue is self._answers
                self._leaving = frame(self._numbered(queue.popleft()))
            if self._next_us + BYTE_US > now_us:
                return bytes(out)
            self._next_us += BYTE_US
            out.append(self._leaving[0])
            self._leaving = self._leaving[1:]

    def _numbered(self, payload: bytes) -> bytes:
        if payload[0] not in _OWN:
            return payload
        self._count = (self._count + 1) & 0xFFFF
        return payload[:1] + self._count.to_bytes(2, "little") + payload[3:]

    def takes(self, piece: bytes) -> bool:
        """Whether a frame that came now is taken: a Stop always, all else when no answer waits to be sent."""
        if not self._answers and not (self._leaving and self._answering):
            return True
        try:
            return unframe(piece.rstrip(DELIMITER))[0] == _STOP
        except WireError:
            return False

    @property
    def busy(self) -> bool:
        """Whether anything is on its way."""
        return bool(self._coming or self._leaving or self._urgent or self._answers or self._telemetry)


def serve(line: ServedLine, *, latency_us: int, clock_ppm: int, load: str = "r1k") -> None:
    """Run a device behind the line until a signal ends the process."""
    began_us = clock_us()

    def device_us(wall_us: float) -> int:
        return int((wall_us - began_us) * (1_000_000 + clock_ppm) / 1_000_000)

    device, uart = Device(seed=1, load=load), Uart()
    gathered, gathered_us, piece = b"", 0, b""
    while True:
        idle_us = (device.next_event_us() - device_us(clock_us())) * 1_000_000 / (1_000_000 + clock_ppm)
        wait_us = BYTE_US if uart.busy or gathered else min(max(0.0, idle_us), 1_000_000.0)
        ready, _, _ = select(line.waiting_on(), [], [], wait_us / 1_000_000)
        now_us = clock_us()
        if data := line.receive(ready):
            uart.arrive(data, now_us)
        for at_us, byte in uart.arrived(now_us):
            piece += byte
            if byte == DELIMITER:
                if uart.takes(piece):
                    device.receive(piece, device_us(at_us))
                    uart.say(device.take_output())
                piece = b""
        device.advance(device_us(now_us))
        uart.say(device.take_output())
        if out := uart.left(now_us):
            gathered_us = gathered_us if gathered else now_us
            gathered += out
        if gathered and (now_us - gathered_us >= latency_us or len(gathered) >= USB_PACKET):
            for each in gathered:  # one write a byte: they may be read in any pieces
                line.send(bytes([each]))
            gathered = b""


def main(arguments: list[str] | None = None) -> int:
    """Serve, and say the URL first. Returns the exit code."""
    parser = argparse.ArgumentParser(description="The simulated stimulator behind a UART of 115 200 baud.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--tcp", type=int, metavar="PORT", help="on this TCP port; 0 for any")
    where.add_argument("--pty", action="store_true", help="on a pseudo-terminal")
    parser.add_argument("--latency-us", type=int, default=0, help="how long an adapter gathers what goes out")
    parser.add_argument("--clock-ppm", type=int, default=0, help="how much the device's clock is fast")
    options = parser.parse_args(arguments)
    line = PtyLine() if options.pty else TcpLine(options.tcp)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(line.url, flush=True)
    try:
        serve(line, latency_us=options.latency_us, clock_ppm=options.clock_ppm)
    finally:
        line.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
