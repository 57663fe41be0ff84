"""A host of a few lines, with a clock of its own, and the way to each of the device's states."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stimctl.wire import codec as wire
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState, Purpose
from stimctl.wire.framing import FrameSplitter

MINUTE_US = 60_000_000
UNSOLICITED = (wire.Status, wire.Channel, wire.Event)


@contextmanager
def serving(device: Any, line: Any) -> Iterator[None]:
    """A thread serves the device on the line until the block ends."""
    from firmware_sim.serve import serve

    near, far = socket.socketpair()
    thread = threading.Thread(target=serve, args=(device, line, near))
    thread.start()
    try:
        yield
    finally:
        far.send(b"x")
        thread.join(5)
        assert not thread.is_alive()
        for each in (line, near, far):
            each.close()


class Host:
    """Talks to a `Device` and remembers what it heard. `now_us` is its clock; only `wait` moves it."""

    def __init__(self, **options: Any) -> None:
        from firmware_sim.native.device import Device

        self.device = Device(**options)
        self.machine = self.device.machine
        self.now_us = 0
        self.sequence = 0
        self.heard: list[tuple[int, Any]] = []
        self.sent = b""
        self.said = bytearray()
        self.armed: wire.Armed | None = None
        self.digest_head = 0
        self._splitter = FrameSplitter()

    @property
    def state(self) -> DeviceState:
        return self.machine.state

    def listen(self) -> list[tuple[int, Any]]:
        """What the device said since the last call."""
        out = self.device.take_output()
        self.said += out
        new = [wire.parse(payload) for payload in self._splitter.feed(out)]
        self.heard += new
        return new

    def ask(self, message: Any, sequence: int | None = None) -> Any:
        """Send a command and return its answer."""
        if sequence is None:
            self.sequence = sequence = (self.sequence + 1) & 0xFFFF
        self.device.receive(wire.encode(sequence, message), self.now_us)
        answers = [told for number, told in self.listen() if number == sequence and type(told) not in UNSOLICITED]
        assert len(answers) == 1, answers
        return answers[0]

    def wait(self, for_us: int, *, alive: bool = True) -> None:
        """Let time pass, with a keepalive each 250 ms unless told not to."""
        until_us = self.now_us + for_us
        while self.now_us < until_us:
            self.now_us = min(self.now_us + 250_000, until_us)
            if alive and self.armed is not None:
                self.ask(wire.KeepAlive(self.armed.nonce))
            else:
                self.device.advance(self.now_us)
                self.listen()

    def told(self, kind: type[Any]) -> list[Any]:
        """Every message of a kind heard so far."""
        return [message for _, message in self.heard if type(message) is kind]

    def arm(self, purpose: int = Purpose.STIMULATE, **changes: int) -> Any:
        """Arm with lawful values, or with changes."""
        values = {
            "purpose": purpose,
            "channel_mask": 0b0011,
            "ceiling_ua": 2_000,
            "stimulation_limit_us": MINUTE_US,
            "time_to_live_ms": 5_000,
            "digest_head": self.digest_head,
        }
        answer = self.ask(wire.Arm(**{**values, **changes}))
        if isinstance(answer, wire.Armed):
            self.armed = answer
        return answer

    def start(self, first_ua: int = 600, second_ua: int = 500) -> Any:
        """Start what is armed on channels 1 and 2."""
        assert self.armed is not None
        checking = self.armed.purpose == Purpose.CHECK_IMPEDANCE
        targets = (0, 0) if checking else (first_ua, second_ua)
        return self.ask(wire.Start(self.armed.nonce, *targets, 0, 0))

    def load(
        self, *segments: wire.LoadSegment, mask: int = 0b0011, slope: int = 200, ramp_down_us: int = 5_000_000
    ) -> None:
        """Load, close and test a program; 100 Hz alone unless told otherwise."""
        given = segments or (wire.LoadSegment(0, 10_000, 200, 0, 200, 0),)
        self.ask(wire.LoadProgram(len(given), mask, slope, ramp_down_us))
        for segment in given:
            self.ask(segment)
        self.digest_head = int.from_bytes(self.ask(wire.ReadDigest()).sha256[:8], "little")
        self.ask(wire.SelfTest())

    def to(self, state: DeviceState, **arm: int) -> "Host":
        """Bring the device to a state by the shortest lawful way."""
        self.ask(wire.Hello(PROTOCOL_VERSION), sequence=self.sequence)
        _WAYS[state](self, arm)
        assert self.state is state, self.state
        return self


def _loading(host: Host, _arm: dict[str, int]) -> None:
    host.ask(wire.LoadProgram(1, 0b0011, 200, 5_000_000))


def _loaded(host: Host, arm: dict[str, int]) -> None:
    _loading(host, arm)
    host.ask(wire.LoadSegment(0, 10_000, 200, 0, 200, 0))
    host.digest_head = int.from_bytes(host.ask(wire.ReadDigest()).sha256[:8], "little")


def _tested(host: Host, arm: dict[str, int]) -> None:
    _loaded(host, arm)
    host.ask(wire.SelfTest())


def _armed(host: Host, arm: dict[str, int]) -> None:
    _tested(host, arm)
    host.arm(**arm)


def _checking(host: Host, arm: dict[str, int]) -> None:
    _tested(host, arm)
    host.arm(Purpose.CHECK_IMPEDANCE, **arm)
    host.start()


def _ramping(host: Host, arm: dict[str, int]) -> None:
    _armed(host, arm)
    host.start()
    host.wait(1_000)


def _running(host: Host, arm: dict[str, int]) -> None:
    _armed(host, arm)
    host.start()
    host.wait(10_000_000)


def _ramping_down(host: Host, arm: dict[str, int]) -> None:
    _running(host, arm)
    host.wait(MINUTE_US - 12_000_000)


def _held(host: Host, arm: dict[str, int]) -> None:
    _running(host, arm)
    host.ask(wire.Hold())


def _ended(host: Host, arm: dict[str, int]) -> None:
    _running(host, arm)
    host.ask(wire.Stop())


_WAYS: dict[DeviceState, Callable[[Host, dict[str, int]], None]] = {
    DeviceState.IDLE: lambda _host, _arm: None,
    DeviceState.LOADING: _loading,
    DeviceState.LOADED: _loaded,
    DeviceState.TESTED: _tested,
    DeviceState.ARMED: _armed,
    DeviceState.CHECKING: _checking,
    DeviceState.RAMPING: _ramping,
    DeviceState.RUNNING: _running,
    DeviceState.RAMPING_DOWN: _ramping_down,
    DeviceState.HELD: _held,
    DeviceState.ENDED: _ended,
}


@pytest.fixture
def new_host() -> type[Host]:
    """The class: `new_host(load="open")` makes a device and its host."""
    return Host


@pytest.fixture
def host() -> Host:
    """A host and a device with a nominal load, just booted."""
    return Host()
