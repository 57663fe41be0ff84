"""The driver's engine with each of its adapters, an honest device at the far end, and hostile bytes between them."""

from collections.abc import Callable
from typing import Any

from firmware_sim.device import Device
from firmware_sim.pulsepal import FIRMWARES
from firmware_sim.stimjim import DIALECTS as DEVICES
from stimctl.errors import LogFault, Misuse, TimedOut, Unsafe
from stimctl.session.engine import Engine
from stimctl.session.states import State
from stimctl.stimulators.leased import Leased
from stimctl.stimulators.native import Native
from stimctl.stimulators.pulsepal import PulsePal
from stimctl.stimulators.stimjim import DIALECTS
from stimctl.wire import messages as m
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
    lambda: (Native(), Device()),
    *(
        lambda letter=letter: (Leased(DIALECTS[letter](simulator=True)), DEVICES[letter](seed=1, load="nominal"))
        for letter in "abc"
    ),
    lambda: (Leased(PulsePal(1_000, simulator=True)), FIRMWARES["22"](seed=1, load="nominal", isolator=1.0)),
)
_AFTER_A_STOP = (m.Stop, m.ReadCounters, m.ReadMeasured, m.ReadSession, m.Acknowledge)


class _DriverBench:
    """An engine and an honest device with the fuzzer between them."""

    def __init__(self, kind: int) -> None:
        self.native = kind % len(_PAIRS) == 0
        stimulator, self.device = _PAIRS[kind % len(_PAIRS)]()
        self.engine = Engine(stimulator, prescription(), _Log(), session_id="fuzz")
        self.now_us = 0
        self.sent = FrameSplitter()
        self.newest = 0
        self.engine.begin(0)
        self.after()

    def say(self, data: bytes) -> None:
        """Bytes to the driver."""
        self.engine.receive(data, self.now_us)
        self.after()

    def after(self) -> None:
        """What the runner does, and what goes out."""
        engine = self.engine
        for _ in range(3):
            if engine.wants_durable:
                engine.durable(self.now_us)
            if engine.recovered is not None:
                engine.recovery_logged(self.now_us)
        engine.take_events()
        stopping = engine.state in (State.STOPPING, State.ENDED)
        out = engine.take_output()
        if self.native:
            for payload in self.sent.feed(out):
                self.newest, message = m.parse(payload)
                assert not stopping or isinstance(message, _AFTER_A_STOP), f"{message} after the stop"
            assert self.sent.damaged == 0
        self.device.receive(out, self.now_us)

    def go(self, until_us: int, *, deaf: bool) -> None:
        """Let time pass; the device's answers arrive, unless the driver is deaf meanwhile."""
        while self.now_us < until_us and not self.engine.finished:
            due_us = min(self.engine.next_deadline_us(), self.device.next_event_us(), until_us)
            self.now_us = max(self.now_us + 1, due_us)
            self.device.advance(self.now_us)
            heard = self.device.take_output()
            self.engine.check_in(self.now_us)
            if heard and not deaf:
                self.engine.receive(heard, self.now_us)
            self.engine.advance(self.now_us)
            self.after()


_STOP = 5


def _ordered(bench: _DriverBench, body: bytes) -> None:
    engine, now_us = bench.engine, bench.now_us
    number, value = (body + b"\0\0")[:2]
    orders: tuple[Callable[[], None], ...] = (
        lambda: engine.proceed(now_us),
        lambda: engine.raise_target(1, now_us),
        lambda: engine.lower_target(1 + value % 4, now_us),
        lambda: engine.set_target(1, 10 * value, now_us),
        lambda: engine.hold(now_us),
        lambda: engine.stop(now_us),
        lambda: engine.line_lost(TimedOut("fuzz"), now_us),
        lambda: engine.log_failed(LogFault("fuzz"), now_us),
    )
    try:
        orders[number % len(orders)]()
    except (Misuse, Unsafe):  # an order may be refused
        assert number % len(orders) < 5
    bench.after()


def driver(data: bytes) -> None:
    """The engine with any adapter: whatever the line says, no exception, a stop is the last order, and it ends."""
    bench = _DriverBench(data[0] if data else 0)
    for code, body in steps(data[1:]):
        if bench.engine.finished:
            return
        if code % 6 == 0:
            bench.say(body)
        elif code % 6 == 1 and body:
            bench.say(frame(body[:MAX_PAYLOAD]))
        elif code % 6 == 2:
            bench.go(min(bench.now_us + wait_us(body) // 8, MAX_US), deaf=False)
        elif code % 6 == 3 and body:
            bench.say(frame(body[:1] + bench.newest.to_bytes(2, "little") + body[1 : MAX_PAYLOAD - 2]))
        elif code % 6 == 4:
            bench.go(min(bench.now_us + wait_us(body) // 64, MAX_US), deaf=True)
        elif code % 6 == 5:
            _ordered(bench, body)
    _ordered(bench, bytes((_STOP,)))
    bench.go(bench.now_us + CLOSE_US, deaf=False)
    assert bench.engine.finished, f"still {bench.engine.state} after a stop"
