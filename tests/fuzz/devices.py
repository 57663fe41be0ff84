"""The simulated devices under hostile bytes. Frames that only need a right checksum, sequence number or nonce are
given one, so that a script gets past the door.
"""

from typing import Any

from firmware_sim.analog.recorder import Recorder
from firmware_sim.native.device import Device
from firmware_sim.pulsepal import FIRMWARES
from firmware_sim.stimjim import DIALECTS
from stimctl.stimulators.native import STOP_FRAME, program_digest, program_messages
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION
from stimctl.wire.framing import MAX_FRAME, MAX_PAYLOAD, FrameSplitter, frame
from tests.fuzz.script import MAX_US, prescription, steps, wait_us

MOST_NA = 2_100_000  # 2.0 mA, and what the converter may be off
PULSE_US = 1_300  # the longest pulse there is
SAID_BOUND = 200_000  # bytes that a device may say in one script


# --- a native device --------------------------------------------------------------------------------


class _NativeBench:
    """A native device, and what has to hold of it after every step."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.device = Device(recorder=self.recorder)
        self.now_us = 0
        self.sequence = 0
        self.armed = m.Armed(0, 0, 0, 0, 0, 0, 0, 0)
        self.started = False
        self.stopped_us: int | None = None
        self.said = 0
        self._heard = FrameSplitter()

    def send(self, data: bytes) -> None:
        self.device.receive(data, self.now_us)
        self.hear()

    def order(self, message: Any) -> None:
        self.sequence = self.sequence + 1 & 0xFFFF
        self.send(m.encode(self.sequence, message))

    def wait(self, us: int) -> None:
        self.now_us = min(self.now_us + us, MAX_US)
        self.device.advance(self.now_us)
        self.hear()

    def hear(self) -> None:
        out = self.device.take_output()
        self.said += len(out)
        assert self.said < SAID_BOUND
        for payload in self._heard.feed(out):
            message = m.parse(payload)[1]  # whatever the host sends, the device answers in words of the protocol
            if isinstance(message, m.Armed):
                self.armed = message
            elif isinstance(message, m.Started):
                self.started, self.stopped_us = True, None
            elif isinstance(message, m.Stopped):
                self.stopped_us = self.now_us if self.stopped_us is None else self.stopped_us
        assert self._heard.damaged == 0
        assert len(self.device._splitter._tail) < MAX_FRAME

    def check(self) -> None:
        flows = [flow for channel in self.recorder.channels for flow in self.recorder._flows[channel]]
        assert self.started or not flows, "current without a start"
        assert all(0 <= flow.shape.first_na <= MOST_NA for flow in flows), "more than any limit allows"
        if self.stopped_us is not None:
            assert self.recorder.end_us() <= self.stopped_us + PULSE_US, "current after a stop"


def _canned(bench: _NativeBench, body: bytes) -> None:
    """One of the steps of an honest session."""
    number = body[0] % 7 if body else 0
    program = prescription().program
    head, segments = program_messages(program)
    if number == 0:
        bench.sequence = 0
        bench.order(m.Hello(PROTOCOL_VERSION))
    elif number == 1:
        for message in (head, *segments, m.ReadDigest()):
            bench.order(message)
    elif number == 2:
        bench.order(m.SelfTest())
    elif number == 3:
        purpose = 1 + body[1] % 2 if len(body) > 1 else 1
        bench.order(m.Arm(purpose, 1, 1_000, 5_000_000, 5_000, int.from_bytes(program_digest(program)[:8], "little")))
    elif number == 4:
        level_ua = 4 * body[1] if len(body) > 1 else 0
        bench.order(m.Start(bench.armed.nonce, level_ua, 0, 0, 0))
    elif number == 5:
        bench.order(m.KeepAlive(bench.armed.nonce))
    else:
        bench.order(m.SetTarget(bench.armed.nonce, 1 + body[1] % 4, 4 * body[2]) if len(body) > 2 else m.Hold())


def device_native(data: bytes) -> None:
    """A native device: never an exception, never current without a start, over a limit or after a stop."""
    bench = _NativeBench()
    for code, body in steps(data):
        if code % 6 == 0:
            bench.send(body)
        elif code % 6 == 1 and body:
            bench.send(frame(body[:MAX_PAYLOAD]))
        elif code % 6 == 2:
            bench.wait(wait_us(body))
        elif code % 6 == 3 and body:
            bench.sequence = bench.sequence + 1 & 0xFFFF
            bench.send(frame(body[:1] + bench.sequence.to_bytes(2, "little") + body[1 : MAX_PAYLOAD - 2]))
        elif code % 6 == 4:
            _canned(bench, body)
        elif code % 6 == 5:
            bench.send(STOP_FRAME)
    bench.check()


# --- other devices ----------------------------------------------------------------------------------


def _on_other_device(device: Any, data: bytes) -> None:
    now_us = 0
    for code, body in steps(data):
        if code % 4 == 2:
            now_us = min(now_us + wait_us(body), MAX_US)
            device.advance(now_us)
        else:
            device.receive(body + b"\n" if code % 4 == 1 else body, now_us)
        device.take_output()


def device_stimjim(data: bytes) -> None:
    """A simulated StimJim of any dialect takes any bytes."""
    dialect = "abc"[data[0] % 3] if data else "a"
    _on_other_device(DIALECTS[dialect](seed=1, load="nominal"), data[1:])


def device_pulsepal(data: bytes) -> None:
    """A simulated PulsePal of either firmware takes any bytes."""
    firmware = sorted(FIRMWARES)[data[0] % 2] if data else "22"
    _on_other_device(FIRMWARES[firmware](seed=1, load="nominal", isolator=1.0), data[1:])
