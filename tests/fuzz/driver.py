"""The driver's engine with each of its adapters, an honest device at the far end, and hostile bytes between them."""

from collections.abc import Callable
from typing import Any

from firmware_sim.native.device import Device
from firmware_sim.pulsepal import FIRMWARES
from firmware_sim.stimjim import DIALECTS as DEVICES
from stimctl.errors import LineLost, LogFault
from stimctl.session import commands as c
from stimctl.session.context import AwaitDurable, LogEarlierDose, SessionOver
from stimctl.session.engine import Engine
from stimctl.session.states import State
from stimctl.session.view import OperatorMessage
from stimctl.stimulators.lease.adapter import LeaseAdapter
from stimctl.stimulators.native import NativeAdapter
from stimctl.stimulators.pulsepal.adapter import PulsePalAdapter
from stimctl.stimulators.pulsepal.isolator import Isolator
from stimctl.stimulators.stimjim.dialects import DIALECTS
from stimctl.wire import codec as m
from stimctl.wire.framing import MAX_PAYLOAD, FrameSplitter, frame
from tests.fuzz.script import MAX_US, prescription, steps, wait_us

CLOSE_US = 10_000_000  # by when a session has ended after a stop, on an honest line


class _Log:
    """A log that is always durable."""

    def put(self, *_: object) -> None: ...
    def problem(self) -> str | None: ...
    def wait_room(self) -> None: ...
    def drain(self, timeout_s: float) -> None: ...


_PAIRS: tuple[Callable[[], tuple[Any, Any]], ...] = (
    lambda: (NativeAdapter(), Device()),
    *(
        lambda letter=letter: (LeaseAdapter(DIALECTS[letter](simulator=True)), DEVICES[letter](seed=1, load="nominal"))
        for letter in "abc"
    ),
    lambda: (
        LeaseAdapter(PulsePalAdapter(Isolator(1_000), simulator=True)),
        FIRMWARES["22"](seed=1, load="nominal", isolator=1.0),
    ),
)
_NEVER_REFUSED = (c.AskStop, c.LineGone, c.LogFailed)
_AFTER_A_STOP = (m.Stop, m.ReadImpedance, m.ReadCounters, m.ReadMeasured, m.ReadSession, m.Acknowledge)


class _DriverBench:
    """An engine and an honest device with the fuzzer between them."""

    def __init__(self, kind: int) -> None:
        self.native = kind % len(_PAIRS) == 0
        stimulator, self.device = _PAIRS[kind % len(_PAIRS)]()
        self.engine = Engine(stimulator, prescription(), _Log(), session_id="fuzz")
        self.now_us = 0
        self.sent = FrameSplitter()
        self.newest = 0
        self.asked: list[c.Command | c.Fact] = []
        self.due_us = 0
        self.over = False
        self.engine.begin(0)
        self.turn()

    def ask(self, asked: c.Command | c.Fact) -> None:
        """A command, or a fact from the loop."""
        self.asked.append(asked)
        refused = [each for each in self.turn() if isinstance(each, OperatorMessage)]
        assert not (refused and isinstance(asked, _NEVER_REFUSED)), f"{asked}: {refused[0].text}"

    def turn(self, data: bytes = b"") -> list[Any]:
        """What the runner does, for as long as the session wants something of it. Returns what was told."""
        told: list[Any] = []
        self.asked.append(c.CheckIn())
        while self.asked or data:
            asked, self.asked = self.asked, []
            stopped = self.engine.state in (State.STOPPING, State.ENDED)
            output, events, self.due_us, wants = self.engine.step(self.now_us, data, asked)
            data = b""
            told += events
            self.over |= isinstance(wants, SessionOver)
            if isinstance(wants, AwaitDurable):
                self.asked.append(c.LogDurable())
            elif isinstance(wants, LogEarlierDose):
                self.asked.append(c.EarlierDoseLogged("here"))
            if output:
                self._send(output, stopped=stopped)
        return told

    def _send(self, out: bytes, *, stopped: bool) -> None:
        if self.native:
            for payload in self.sent.feed(out):
                self.newest, message = m.parse(payload)
                assert not stopped or isinstance(message, _AFTER_A_STOP), f"{message} after the stop"
            assert self.sent.damaged == 0
        self.device.receive(out, self.now_us)
        if self.engine.stimulator.hears_writes:
            self.asked.append(c.BytesWritten(self.now_us))

    def go(self, until_us: int, *, deaf: bool) -> None:
        """Let time pass; the device's answers arrive, unless the driver is deaf meanwhile."""
        while self.now_us < until_us and not self.over:
            due_us = min(self.due_us, self.device.next_event_us(), until_us)
            self.now_us = max(self.now_us + 1, due_us)
            self.device.advance(self.now_us)
            heard = self.device.take_output()
            self.turn(b"" if deaf else heard)


_STOP = 5


def _ordered(bench: _DriverBench, body: bytes) -> None:
    number, value = (body + b"\0\0")[:2]
    asked: tuple[c.Command | c.Fact, ...] = (
        c.Proceed(),
        c.Raise(1),
        c.Lower(1 + value % 4),
        c.AskTarget(1, 10 * value),
        c.AskHold(),
        c.AskStop(),
        c.LineGone(LineLost("fuzz")),
        c.LogFailed(LogFault("fuzz")),
    )
    bench.ask(asked[number % len(asked)])


def driver(data: bytes) -> None:
    """The engine with any adapter: whatever the line says, no exception, a stop is the last order, and it ends."""
    bench = _DriverBench(data[0] if data else 0)
    for code, body in steps(data[1:]):
        if bench.over:
            return
        if code % 6 == 0:
            bench.turn(body)
        elif code % 6 == 1 and body:
            bench.turn(frame(body[:MAX_PAYLOAD]))
        elif code % 6 == 2:
            bench.go(min(bench.now_us + wait_us(body) // 8, MAX_US), deaf=False)
        elif code % 6 == 3 and body:
            bench.turn(frame(body[:1] + bench.newest.to_bytes(2, "little") + body[1 : MAX_PAYLOAD - 2]))
        elif code % 6 == 4:
            bench.go(min(bench.now_us + wait_us(body) // 64, MAX_US), deaf=True)
        elif code % 6 == 5:
            _ordered(bench, body)
    _ordered(bench, bytes((_STOP,)))
    bench.go(bench.now_us + CLOSE_US, deaf=False)
    assert bench.over, f"still {bench.engine.state} after a stop"
