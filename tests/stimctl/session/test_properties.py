"""What holds whatever comes over the line, and whatever an operator does at whatever time."""

import tracemalloc
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from firmware_sim.analog.recorder import FlowKind
from stimctl import limits
from stimctl.port import Port
from stimctl.session.commands import AskHold, AskStop, AskTarget, Command, Lower, Proceed, Raise
from stimctl.session.engine import UNATTENDED, Engine
from stimctl.session.states import End, State
from stimctl.stimulators.native import NativeAdapter
from stimctl.wire import codec as m
from stimctl.wire.codec import SHAPES
from stimctl.wire.framing import MAX_FRAME, frame
from tests.stimctl.session.world import Delayed, Line, ListLog, Rig, S, Tape, exact, prescription

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# --- any bytes ---------------------------------------------------------------------------------------

FRAMED = st.binary(min_size=1, max_size=58).map(frame)


@st.composite
def spoken(draw: st.DrawFn) -> bytes:
    """A message of the protocol with any fields, codes that do not exist among them, under any number."""
    shape = SHAPES[draw(st.sampled_from(sorted(SHAPES)))]
    body = draw(st.binary(min_size=shape.packer.size - 3, max_size=shape.packer.size - 3))
    number = draw(st.integers(0, 20) | st.integers(0, 0xFFFF))
    return frame(bytes([shape.kind]) + number.to_bytes(2, "little") + body)


@st.composite
def plausible(draw: st.DrawFn) -> bytes:
    """A message with small fields, so that the codes in it are often those that exist."""
    shape = SHAPES[draw(st.sampled_from([kind for kind in sorted(SHAPES) if kind >= 0x40]))]
    values: list[int | bytes] = []
    for field in shape.fields.values():
        if field.code.endswith("s"):
            values.append(b"x" * int(field.code[:-1]))
        else:
            values.append(draw(st.integers(0, 12) | st.integers(0, 200)))
    return m.encode(draw(st.integers(0, 12)), shape.cls(*values))


JUNK = st.lists(st.binary(max_size=200) | FRAMED | spoken() | plausible(), max_size=12)


@given(JUNK, st.lists(st.integers(1, 70), min_size=1, max_size=5))
def test_any_bytes_into_the_adapter_never_raise(pieces: list[bytes], sizes: list[int]) -> None:
    native = NativeAdapter()
    native.connect(0)
    data, at_us, number = b"".join(pieces), 0, 0
    while data:
        size = sizes[number % len(sizes)]
        list(native.receive(data[:size], at_us))
        native.advance(at_us)
        native.take_output()
        data, at_us, number = data[size:], at_us + 10_000, number + 1


class Spoken(Line):
    """Junk comes down the line, a piece a read, from a time on."""

    def __init__(self, port: Port, pieces: list[bytes], from_us: int) -> None:
        super().__init__(port)
        self._pieces = list(pieces)
        self._from_us = from_us

    def wait(self, deadline_us: int | None) -> bytes:
        if self._pieces and self.now_us() >= self._from_us:
            return self._pieces.pop(0) + self.inner.wait(self.now_us())
        return self.inner.wait(deadline_us)


@FEW
@given(JUNK, st.sampled_from([0, 10_000, 100_000, S, 6 * S]))
def test_any_bytes_in_a_session_end_it_at_zero_at_worst(pieces: list[bytes], from_us: int) -> None:
    """Frames that hold may say anything, and be believed: the session may end of it, and always does so at zero."""
    rig = Rig(prescription(seconds=8), line=lambda port: Spoken(port, pieces, from_us))
    report = rig.run()
    assert rig.engine.state is State.ENDED
    rig.device.advance(60 * S)
    assert rig.device.machine.run is None
    if rig.log.entries:
        # A forged answer may hide the device's; what flows after the stop flows no longer than the watchdog lets it.
        assert rig.last_pulse_us() <= rig.stopped_us() + limits.WATCHDOG_US + 100_000
    assert report.commanded is not None


def test_no_stream_of_bytes_makes_the_driver_grow() -> None:
    native = NativeAdapter()
    native.connect(0)
    list(native.receive(b"\x01" * 10_000, 0))
    tracemalloc.start()
    for number in range(200):
        list(native.receive(bytes((number + each) % 256 for each in range(500)), number))
        list(native.receive(b"\x55" * 500, number))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 20_000
    assert len(native._splitter._tail) <= MAX_FRAME


def test_a_flood_of_answers_nobody_asked_for_is_counted_and_dropped() -> None:
    engine = Engine(NativeAdapter(), prescription(), ListLog(Tape()), session_id="flood", auto=frozenset())
    engine.begin(0)
    flood = b"".join(m.encode(number, m.Alive(0, 0)) for number in range(1_000))
    engine.step(1, flood)
    assert engine.state is State.IDLE
    native: Any = engine.stimulator
    assert native._exchange.unexpected == 1_000


# --- any work of an operator -------------------------------------------------------------------------


CHANNEL = st.integers(1, 4)  # the fourth is in no prescription here
COMMAND: st.SearchStrategy[Command] = st.one_of(
    st.builds(Raise, CHANNEL),
    st.builds(Lower, CHANNEL),
    st.builds(AskTarget, CHANNEL, st.integers(0, 3_000)),
    st.just(AskHold()),
    st.just(Proceed()),
    st.just(Proceed()),
)
WORK = st.lists(st.tuples(st.integers(0, 45 * S), COMMAND), max_size=30)
CEILING_UA = 1_600


@FEW
@given(WORK, st.booleans(), st.integers(0, 99), st.sampled_from([0, 1_000, 9_000]))
@example([(8 * S, AskTarget(1, 900)), (8 * S + 12_000, AskStop())], False, 1, 9_000)
def test_whatever_an_operator_does_the_dose_is_exact_and_under_the_ceiling(
    work: list[tuple[int, Command]], titrate: bool, seed: int, delay_us: int
) -> None:
    rx = prescription(
        seconds=30, profile="bench-100hz", amplitudes_ma={1: 1.2, 2: 0.5, 3: 1.6}, ceiling_ma=1.6, titrate=titrate
    )
    rig = Rig(rx, seed=seed, auto=UNATTENDED, line=lambda port: Delayed(port, delay_us) if delay_us else port)
    report = rig.run(*work, (60 * S, AskStop()))
    assert report.end in (End.TIMER, End.OPERATOR), report.end_text
    assert exact(report)
    assert report.agreement["measured"] is True
    assert report.zero_confirmed_us is not None
    assert report.alarms == () or all("held" in alarm.action for alarm in report.alarms)
    under_the_rules(rig)


def under_the_rules(rig: Rig) -> None:
    """From what flowed in the load: no pulse above the ceiling, no rise above a step, nothing after the stop."""
    assert rig.last_pulse_us() <= rig.stopped_us() + 10_000 + 1_300
    for channel in rig.recorder.channels:
        before_na, before_us = 0, 0
        for flow in rig.recorder.flows(channel, FlowKind.TRAIN):
            assert flow.shape.first_na <= CEILING_UA * 1_000 + 625
            if flow.first_us - before_us > 1_000_000:
                before_na = 0  # a new run begins from zero
            assert flow.shape.first_na - before_na <= limits.RAISE_STEP_UA * 1_000 + 1_250
            before_na, before_us = flow.shape.first_na, flow.last_us
        assert rig.recorder.net_fc(channel) == 0
