"""The gate before a StimJim: hostile lines and programs do not get through, and nothing is sent unread."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl.errors import Unsafe
from stimctl.stimulators.lease.plan import Lease, LeaseLevel
from stimctl.stimulators.stimjim import gate as gate_module
from stimctl.stimulators.stimjim.gate import (
    ALL_MEASURED,
    DETACH,
    HARMLESS_SLOT,
    IDENTIFY,
    NO_ENVELOPES,
    NO_TRIGGERS,
    READ_CURRENTS,
    STOP,
    StimJimGate,
)
from stimctl.stimulators.stimjim.train import slot_of
from stimctl.waveform import Segment

GOOD = b"S1,1,3,10000,1000000;100,0,200;-100,0,200\n"
LOUD = b"S1,1,3,10000,1000000;2000,0,200;-2000,0,200\n"


def ready(line: bytes = GOOD) -> StimJimGate:
    """A gate with slot 0 grounded and one slot proven, armed to 2.0 mA."""
    gate = StimJimGate()
    gate.send(HARMLESS_SLOT.line(0), 0)
    gate.echoed(0)
    gate.send(line, 0)
    gate.echoed(1)
    gate.arm(2_000)
    gate.take()
    return gate


def test_what_is_lawful_passes() -> None:
    gate = ready()
    gate.send(b"T1\n", 0)
    assert gate.take() == b"T1\n"
    gate.send(STOP, 0)
    gate.over()
    gate.send(READ_CURRENTS, 0)
    assert gate.take() == STOP + READ_CURRENTS


AT_REST = [HARMLESS_SLOT.line(3), *DETACH, *NO_TRIGGERS, *NO_ENVELOPES, *ALL_MEASURED, b"ENV2?\n", b"TRIG1?\n"]


@pytest.mark.parametrize("line", AT_REST)
def test_what_puts_a_device_at_rest_passes_while_nothing_plays(line: bytes) -> None:
    gate = ready()
    gate.send(line, 0)
    assert gate.take() == line
    if not line.startswith(b"S"):
        gate.send(b"T1\n", 0)
        with pytest.raises(Unsafe, match="only while nothing plays"):
            gate.send(line, 0)


@pytest.mark.parametrize(
    "line",
    [
        b"R0,1\n",
        b"R0,-1,1\n",
        b"R1,0\n",
        b"TRIG0,1,1,-1,0\n",
        b"ENV1,5,5\n",
        b"MEAS1,0,0,0,1,0\n",
        b"P\n",
        b"R0,-1\nT1\n",
    ],
)
def test_what_would_set_something_going_does_not(line: bytes) -> None:
    with pytest.raises(Unsafe):
        ready().send(line, 0)


def test_a_grounded_slot_is_no_lease() -> None:
    gate = ready(HARMLESS_SLOT.line(1))
    with pytest.raises(Unsafe, match="nothing to start"):
        gate.send(b"T1\n", 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"S1,1,3,10000,1000000;2001,0,200;-2001,0,200\n", "ceiling_ua|0.5-2.0"),
        (b"S1,1,3,10000,1000000;4000,0,200;-4000,0,200\n", "wraps round above 3322"),
        (b"S1,1,3,10000,1000000;3323,0,200;-3323,0,200\n", "wraps round"),
        (b"S1,1,3,10000,1000000;-3323,0,200;3323,0,200\n", "wraps round"),
        (b"S1,1,3,10000,1000000;1000,0,200\n", "positive phase, then one negative"),
        (b"S1,1,3,10000,1000000;1000,0,200;-999,0,200\n", "areas must be equal"),
        (b"S1,1,3,10000,1000000;1000,0,200;-1000,0,201\n", "areas must be equal"),
        (b"S1,1,3,10000,1000000;1000,0,0;-1000,0,200\n", "never zero"),
        (b"S1,1,3,10000,1000000;1000,0,50;-1000,0,50\n", "width_us"),
        (b"S1,1,3,10000,1000000;1000,0,601;-1000,0,601\n", "width_us|charge"),
        (b"S1,1,3,10000,1000000;1000,0,400;-2000,0,200\n", "never higher|charge"),
        (b"S1,1,3,10000,1000000;-1000,0,200;1000,0,200\n", "positive phase"),
        (b"S1,1,3,5000,1000000;1000,0,200;-1000,0,200\n", "period_us"),
        (b"S1,1,3,0,1000000;1000,0,200;-1000,0,200\n", "duration|period"),
        (b"S1,1,3,10000,3010000;1000,0,200;-1000,0,200\n", "lease lasts at most"),
        (b"S1,1,3,10000,1000001;1000,0,200;-1000,0,200\n", "whole periods"),
        (b"S1,0,3,10000,1000000;1000,0,200;-1000,0,200\n", "mode of channel 1"),
        (b"S1,2,3,10000,1000000;1000,0,200;-1000,0,200\n", "mode of channel 1"),
        (b"S1,3,1,10000,1000000;1000,0,200;-1000,0,200\n", "grounded and has an amplitude"),
        (b"S1,1,1,10000,1000000;1000,500,200;-1000,-500,200\n", "no two channels"),
        (b"S100,1,3,10000,1000000;100,0,200;-100,0,200\n", "0 to 99"),
        (b"S-1,1,3,10000,1000000;100,0,200;-100,0,200\n", "0 to 99"),
        (b"S0,1,3,10000,1000000;100,0,200;-100,0,200\n", "stays grounded"),
        (b"S1,1,3,20000\n", "not whole"),
        (b"S1\n", "not whole"),
        (b"S1,1,3,10000,1000000;100,0,200;-100,0,200;\n", "not whole"),
        (b"S01,1,3,10000,1000000;100,0,200;-100,0,200\n", "not whole"),
        (b"S1,1,3,10000,1000000;+100,0,200;-100,0,200\n", "not whole"),
        (b"S1,1,3,10000,1000000;1e3,0,200;-100,0,200\n", "not whole"),
        (b"S1,1,3,10000,1000000" + b";0,0,20" * 10 + b"\n", "at most 9"),
        (b"S1,1,3,10000,1000000" + b";0,0,20" * 200 + b"\n", "998 bytes"),
        (b"T1", "one line with its end"),
        (b"T1\nT1\n", "one line with its end"),
        (b"T\n", "not a command"),
        (b"Tfoo\n", "not a command"),
        (b"T0\n", "not a command"),
        (b"T-1\n", "not a command"),
        (b"T01\n", "not a command"),
        (b"U1\n", "second engine"),
        (b"D\n", "stack"),
        (b"C\n", "voltage"),
        (b"B\n", "blocks"),
        (b"A0,4916\n", "direct current"),
        (b"V0,100\n", "direct current"),
        (b"M0,1\n", "not a command"),
        (b"R0,1\n", "input"),
        (b"L1,1,3,10000,1000000;1,0,200\n", "rectangular"),
        (b"E0,1\n", "not a command"),
        (b"Q\n", "not a command"),
        (b"\n", "printable"),
        (b"\xd5H\n", "printable"),
    ],
)
def test_what_is_not_lawful_is_not_sent(line: bytes, said: str) -> None:
    gate = ready()
    with pytest.raises(Unsafe, match=said):
        gate.send(line, 0)
    assert gate.take() == b""


def test_the_slot_that_plays_is_not_written() -> None:
    gate = ready()
    gate.send(b"T1\n", 0)
    with pytest.raises(Unsafe, match="is the one that plays"):
        gate.send(GOOD, 0)


def test_no_second_start_and_no_reading_while_one_may_play() -> None:
    gate = ready()
    gate.send(GOOD.replace(b"S1", b"S2"), 0)
    gate.echoed(2)
    gate.send(b"T1\n", 0)
    for line in (b"T2\n", READ_CURRENTS, IDENTIFY):
        with pytest.raises(Unsafe):
            gate.send(line, 0)
    gate.over()
    gate.send(b"T2\n", 0)


def test_a_start_needs_an_echo_each_time() -> None:
    gate = ready()
    gate.send(b"T1\n", 0)
    gate.over()
    with pytest.raises(Unsafe, match="echo"):
        gate.send(b"T1\n", 0)
    gate = ready()
    gate.send(GOOD, 0)
    with pytest.raises(Unsafe, match="echo"):
        gate.send(b"T1\n", 0)


def test_a_start_needs_slot_0_grounded() -> None:
    gate = StimJimGate()
    gate.send(GOOD, 0)
    gate.echoed(1)
    gate.arm(2_000)
    with pytest.raises(Unsafe, match="grounded"):
        gate.send(b"T1\n", 0)


def test_nothing_starts_unarmed_above_the_ceiling_or_a_step_too_high() -> None:
    gate = ready()
    gate.disarm()
    with pytest.raises(Unsafe, match="nothing is armed"):
        gate.send(b"T1\n", 0)
    gate = ready(LOUD)
    with pytest.raises(Unsafe, match="at most 100 uA above"):
        gate.send(b"T1\n", 0)
    gate = ready(LOUD)
    gate.arm(1_000)
    with pytest.raises(Unsafe, match="the ceiling is 1000 uA"):
        gate.send(b"T1\n", 0)


def test_a_ceiling_outside_its_own_limits_arms_nothing() -> None:
    for ceiling_ua in (0, 499, 2_001, -1):
        with pytest.raises(Unsafe):
            StimJimGate().arm(ceiling_ua)


def test_a_stop_overtakes_what_was_not_sent() -> None:
    gate = ready()
    gate.send(b"T1\n", 0)
    gate.send(STOP, 0)
    assert gate.take() == STOP


_NUMBERS = st.one_of(
    st.integers(-(2**33), 2**33), st.integers(-2_100, 2_100), st.sampled_from([0, 200, 600, 10_000, 3_000_000])
)


@given(
    st.lists(_NUMBERS, min_size=5, max_size=5),
    st.lists(st.tuples(_NUMBERS, _NUMBERS, _NUMBERS), min_size=1, max_size=11),
)
def test_hostile_programs(head: list[int], stages: list[tuple[int, int, int]]) -> None:
    """Whatever passes is balanced, within every limit, and can be a lease."""
    text = ",".join(map(str, head)) + "".join(f";{a},{b},{us}" for a, b, us in stages)
    gate = ready()
    try:
        gate.send(f"S{text}\n".encode(), 0)
    except Unsafe:
        assert gate.take() == b""
        return
    for channel in (0, 1):
        assert sum(stage[channel] * stage[2] for stage in stages) == 0
        assert all(abs(stage[channel]) <= 2_000 for stage in stages)
        assert all(abs(stage[channel]) * stage[2] <= 1_200_000 for stage in stages)
    assert len(stages) <= 9
    assert head[4] <= 3_000_000


@given(st.binary(max_size=60))
def test_hostile_bytes(data: bytes) -> None:
    gate = ready()
    try:
        gate.send(data, 0)
    except Unsafe:
        assert gate.take() == b""
    else:
        assert data in (STOP, b"T1\n", IDENTIFY, GOOD, *gate_module.AT_REST, *map(HARMLESS_SLOT.line, range(100)))


@given(st.text(alphabet="STUMAVERBCDXIN0123456789,;-\n", max_size=40))
def test_hostile_lines(text: str) -> None:
    gate = ready()
    try:
        gate.send(text.encode(), 0)
    except Unsafe:
        return
    assert text.encode() in (STOP, b"T1\n", IDENTIFY) or text.startswith("S")


@given(
    st.integers(1, 2_000),
    st.integers(1, 2_000),
    st.sampled_from([(600, 0, 600), (200, 50, 200), (300, 100, 600), (100, 0, 100)]),
    st.integers(1, 6),
)
def test_every_lease_that_the_plan_can_make_passes(
    first_ua: int, second_ua: int, widths: tuple[int, int, int], pulses: int
) -> None:
    width_us, gap_us, second_us = widths
    ratio = second_us // width_us
    shape = Segment(10_000, width_us, gap_us, second_us, 0)
    asked = ((1, first_ua * ratio, 0), (2, second_ua, 2_500))
    levels = [LeaseLevel(channel, min(2_000, ua) // ratio * ratio, delay_us) for channel, ua, delay_us in asked]
    lease = Lease(0, shape, tuple(level for level in levels if level.amplitude_ua), pulses, 0, pulses * 10_000)
    if lease.levels:
        StimJimGate().send(slot_of(lease).line(1), 0)
