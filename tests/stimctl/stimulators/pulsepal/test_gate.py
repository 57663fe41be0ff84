"""The gate before a PulsePal: hostile frames and programs do not get through."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl.errors import Unsafe
from stimctl.stimulators.lease.plan import Lease, LeaseLevel
from stimctl.stimulators.pulsepal.adapter import PulsePalAdapter, outputs_of
from stimctl.stimulators.pulsepal.gate import (
    HANDSHAKE,
    READ_BACK,
    REST,
    REST_ALL,
    ChannelOutput,
    PulsePalGate,
    cycles,
    program_frame,
    read_back_of,
)
from stimctl.stimulators.pulsepal.isolator import Isolator
from stimctl.waveform import Mode, Program, Segment, segments_for

LOW = ChannelOutput(12, 0, 12, 9_976, 10_000 - 4_988, 0, 327, -327)


def only(output: ChannelOutput, op: int = 73) -> bytes:
    """A program with one channel driven."""
    return program_frame(op, (output, REST, REST, REST))


def ready(output: ChannelOutput = LOW, op: int = 73) -> PulsePalGate:
    gate = PulsePalGate(1_000)
    gate.send(only(output, op), 0)
    gate.confirmed()
    gate.arm(2_000)
    gate.take()
    return gate


@pytest.mark.parametrize("op", [73, 92])
def test_what_is_lawful_passes(op: int) -> None:
    gate = ready(op=op)
    gate.send(b"\xd5\x4d\x01", 0)
    gate.send(b"\xd5\x50" + program_frame(op, REST_ALL), 0)
    gate.over()
    gate.send(HANDSHAKE + READ_BACK, 0)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (LOW._replace(code_1=6_557, code_2=-6_557), "amplitude|0.5-2.0"),
        (LOW._replace(code_1=32_767, code_2=-32_767), "amplitude|0.5-2.0"),
        (LOW._replace(code_2=0), "positive phase, then one negative"),
        (LOW._replace(code_2=-326), "areas must be equal"),
        (LOW._replace(code_1=-327, code_2=327), "positive phase"),
        (LOW._replace(phase_1=0), "zero"),
        (LOW._replace(phase_2=0), "zero|second"),
        (LOW._replace(interpulse=0), "period|zero"),
        (LOW._replace(phase_1=13, phase_2=13), "width_us"),
        (LOW._replace(interphase=3), "interphase"),
        (LOW._replace(interpulse=100), "period"),
        (LOW._replace(train=60_001), "lease lasts at most"),
        (LOW._replace(train=2**32 - 1), "lease lasts at most"),
        (LOW._replace(train=10_000 + 6), "between two pulses"),
        (LOW._replace(train=10_000), "between two pulses"),
        (LOW._replace(delay=2**32 - 1), "period|delay"),
    ],
)
@pytest.mark.parametrize("op", [73, 92])
def test_a_program_that_is_not_lawful(output: ChannelOutput, said: str, op: int) -> None:
    gate = ready()
    with pytest.raises(Unsafe, match=said):
        gate.send(only(output, op), 0)
    assert gate.take() == b""


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"", "no command"),
        (b"\xd5", "213 and a command"),
        (b"\x00\xd5\x48", "213"),
        (b"\xd5\x4d", "truncated"),
        (only(LOW)[:-1], "truncated"),
        (b"\xd5\x4d\x02", "exactly the channels"),
        (b"\xd5\x4d\x0f", "exactly the channels"),
        (b"\xd5\x4f\x01" + struct.pack("<H", 36_045), "direct current"),
        (b"\xd5\x4f\x00" + struct.pack("<H", 32_768), "1 to 4"),
        (b"\xd5\x52\x01\x01", "never ends"),
        (b"\xd5\x52\x00\x00", "1 to 4"),
        (b"\xd5\x4a\x04\x01" + struct.pack("<I", 0), "not a command"),
        (b"\xd5\x4a\x80\x01\x01", "trigger mode"),
        (b"\xd5\x4a\x80\x03\x00", "trigger mode"),
        (b"\xd5\x4b" + struct.pack("<I", 10_000), "not a command"),
        (b"\xd5\x51", "not a command"),
        (b"\xd5\x56\x01\x01", "not a command"),
        (b"\xd5\x5a\x02\x01x", "not a command"),
        (b"\xd5\x60\x00\x10\x00", "not a command"),
    ],
)
def test_a_frame_that_is_not_lawful(frame: bytes, said: str) -> None:
    gate = ready()
    with pytest.raises(Unsafe, match=said):
        gate.send(frame, 0)
    assert gate.take() == b""


@pytest.mark.parametrize("at", [*range(152 - 128 + 128, 178)])
def test_any_flag_link_or_mode_makes_a_program_unlawful(at: int) -> None:
    frame = bytearray(only(LOW))
    frame[2 + at] ^= 1
    with pytest.raises(Unsafe):
        ready().send(bytes(frame), 0)


def test_the_official_defaults_are_five_volts_and_are_refused() -> None:
    times = struct.pack("<8I", 20, 20, 20, 200, 0, 0, 20_000, 0) * 4
    volts = struct.pack("<3H", 49_152, 16_384, 32_768) * 4
    frame = b"\xd5\x49" + times + volts + bytes([0, 0, 0, 0] * 4) + bytes([1] * 4 + [0] * 4 + [0, 0])
    with pytest.raises(Unsafe, match="linked"):
        ready().send(frame, 0)


def test_nothing_is_programmed_or_started_twice_while_one_plays() -> None:
    gate = ready()
    gate.send(b"\xd5\x4d\x01", 0)
    for frame in (b"\xd5\x4d\x01", only(LOW), HANDSHAKE, READ_BACK):
        with pytest.raises(Unsafe):
            gate.send(frame, 0)
    gate.send(program_frame(73, REST_ALL), 0)


def test_a_start_needs_a_confirmed_program_arming_and_a_small_step() -> None:
    gate = PulsePalGate(1_000)
    gate.send(only(LOW), 0)
    gate.arm(2_000)
    with pytest.raises(Unsafe, match="confirmed"):
        gate.send(b"\xd5\x4d\x01", 0)
    gate = ready()
    gate.disarm()
    with pytest.raises(Unsafe, match="nothing is armed"):
        gate.send(b"\xd5\x4d\x01", 0)
    gate = ready(LOW._replace(code_1=3_276, code_2=-3_276))
    with pytest.raises(Unsafe, match="at most 100 uA above"):
        gate.send(b"\xd5\x4d\x01", 0)
    gate.arm(500)
    with pytest.raises(Unsafe, match="the ceiling is 500 uA"):
        gate.send(b"\xd5\x4d\x01", 0)


def test_a_stronger_isolator_makes_the_same_code_unlawful() -> None:
    one_volt = LOW._replace(code_1=3_276, code_2=-3_276)
    PulsePalGate(1_000).send(only(one_volt), 0)
    with pytest.raises(Unsafe, match="amplitude"):
        PulsePalGate(10_000).send(only(one_volt), 0)


@given(st.binary(max_size=200))
def test_hostile_bytes(data: bytes) -> None:
    gate = ready()
    try:
        gate.send(b"\xd5" + data, 0)
    except Unsafe:
        assert gate.take() == b""


@given(st.lists(st.integers(0, 2**32 - 1), min_size=32, max_size=32), st.binary(min_size=50, max_size=50))
def test_hostile_programs(times: list[int], rest: bytes) -> None:
    with pytest.raises(Unsafe):
        ready().send(b"\xd5\x49" + struct.pack("<32I", *times) + rest, 0)


@given(
    st.integers(201, 10_000),
    st.integers(50, 2_000),
    st.sampled_from([(600, 0, 600, 500_000), (200, 50, 200, 10_000), (300, 100, 600, 10_000)]),
    st.integers(1, 3),
    st.sampled_from([73, 92]),
)
def test_every_lease_that_the_plan_can_make_passes_and_is_never_above_it(
    ua_per_v: int, amplitude_ua: int, widths: tuple[int, int, int, int], pulses: int, op: int
) -> None:
    width_us, gap_us, second_us, period_us = widths
    shape = Segment(period_us, width_us, gap_us, second_us, 0)
    amplitude_ua -= amplitude_ua % shape.quantum_ua
    levels = (LeaseLevel(1, amplitude_ua, 0), LeaseLevel(3, amplitude_ua, 5_000))
    outputs = outputs_of(Lease(0, shape, levels, pulses, 0, pulses * period_us), ua_per_v)
    gate = PulsePalGate(ua_per_v)
    gate.send(program_frame(op, outputs), 0)
    assert gate.current_ua(outputs[0].code_1) <= amplitude_ua
    assert outputs[1] == REST


def test_times_that_are_not_whole_cycles_are_refused_with_what_they_would_become() -> None:
    assert cycles("width_us", 600) == 12
    with pytest.raises(Unsafe, match="width_us is 620: must be whole cycles of 50 us: it would become 600 us"):
        cycles("width_us", 620)
    segments = segments_for(Mode.LOW, width_low_us=510)
    with pytest.raises(Unsafe, match="would become 500 us"):
        PulsePalAdapter(Isolator(1_000)).check_program(Program(segments, (1,)))


def test_the_examples_of_the_published_protocol() -> None:
    low, high = segments_for(Mode.LOW)[0], segments_for(Mode.HIGH)[0]
    first = outputs_of(Lease(0, low, (LeaseLevel(1, 1_000, 0),), 6, 0, 3_000_000), 1_000)[0]
    assert (first.phase_1, first.interphase, first.phase_2, first.interpulse) == (12, 0, 12, 9_976)
    second = outputs_of(Lease(0, high, (LeaseLevel(1, 1_000, 0),), 300, 0, 3_000_000), 1_000)[0]
    assert (second.phase_1, second.interphase, second.phase_2, second.interpulse) == (4, 0, 4, 192)


def test_read_back_is_the_program_without_its_loops() -> None:
    frame = program_frame(92, (LOW, REST, REST, REST))
    assert len(frame) == 184
    assert len(read_back_of((LOW, REST, REST, REST))) == 178
