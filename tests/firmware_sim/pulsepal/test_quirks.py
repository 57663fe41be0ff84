"""What is known to go wrong with PulsePals: each fault taken away and put in."""

import struct
from typing import Any

import pytest

from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.pulsepal import FIRMWARES
from firmware_sim.quirks import UnknownFault

S = 1_000_000
ONE_VOLT, MINUS_ONE = 36_045, 29_491
SIZES = {**dict.fromkeys((2, 3, 17), 2), **dict.fromkeys(range(4, 12), 4)}
TRIGGER = bytes([213, 77, 1])
HANDSHAKE = bytes([213, 72])
CUT_SHORT = bytes([213, 74, 4, 1, 5])
BOTH = pytest.mark.parametrize("firmware", ["21", "22"])


def one(code: int, value: int) -> bytes:
    return bytes([213, 74, code, 1]) + value.to_bytes(SIZES.get(code, 1), "little")


def program(**changes: int) -> bytes:
    values = {1: 1, 2: ONE_VOLT, 3: MINUS_ONE, 4: 4, 5: 0, 6: 4, 7: 192, 10: 60_000, 12: 0}
    values.update({int(name[1:]): value for name, value in changes.items()})
    return b"".join(one(code, value) for code, value in values.items())


def played(firmware: str, *sent: tuple[int, bytes], faults: str = "", for_us: int = 5 * S,
           **options: Any) -> tuple[bytes, Recorder]:  # fmt: skip
    """Send bytes at their times; what was answered, and what flowed."""
    record = Recorder()
    pal = FIRMWARES[firmware](recorder=record, faults=faults, load="r1k", **options)
    said = b""
    for at_us, data in sent:
        pal.receive(data, at_us)
        said += pal.take_output()
    pal.advance(for_us)
    return said + pal.take_output(), record


@BOTH
def test_an_unknown_fault_is_said(firmware: str) -> None:
    with pytest.raises(UnknownFault, match=f"PulsePal firmware {firmware} has no fault 'x'; there are deaf \\(on\\)"):
        FIRMWARES[firmware](faults="lost_stop,x")


@pytest.mark.parametrize(("faults", "deaf"), [("", True), ("-deaf", False)])
def test_21_is_deaf_after_a_command_cut_short(faults: str, deaf: bool) -> None:
    said, _ = played("21", (0, CUT_SHORT), (S, HANDSHAKE), faults=faults)
    assert said == (b"\1" if deaf else b"\1K\x15\0\0\0")


@pytest.mark.parametrize(("faults", "acknowledged"), [("", True), ("-false_ack", False)])
def test_21_acknowledges_a_command_cut_short(faults: str, acknowledged: bool) -> None:
    said, _ = played("21", (0, CUT_SHORT), faults=faults)
    assert said == (b"\1" if acknowledged else b"")


@pytest.mark.parametrize(("firmware", "faults", "held"), [
    ("21", "", True), ("21", "-dac_held", False), ("22", "", True), ("22", "-dac_held", False),
])  # fmt: skip
def test_where_the_outputs_stay(firmware: str, faults: str, held: bool) -> None:
    """In the middle of a first phase: both hold it, and no stop is heard; later documents promise rest."""
    stop = bytes([213, 80])
    _, record = played(
        firmware, (0, program()), (50_000, TRIGGER), (150_100, CUT_SHORT), (2 * S, stop), (3 * S, stop), faults=faults
    )
    steady = record.flows(1, FlowKind.HELD)
    if held:
        assert record.end_us() == 5 * S
        assert {flow.shape.first_na for flow in steady} == {1_000_061}
    else:
        assert steady == []
        assert record.end_us() <= 150_100 + 500_000


def test_22_plays_on_until_it_gives_up() -> None:
    cut = (0, program()), (50_000, TRIGGER), (150_100, CUT_SHORT)
    said, record = played("22", *cut, faults="-dac_held")
    assert said == b"\1" * 10
    assert record.end_us() == 150_100 + 100_000
    said, _ = played("22", *cut, faults="-false_ack")
    assert said == b"\1" * 9


def test_22_takes_what_did_not_come_for_zeros() -> None:
    pal = FIRMWARES["22"](faults="-deaf")
    pal.receive(one(4, 0x01010101), 0)
    pal.receive(CUT_SHORT, 1)
    pal.advance(S)
    assert pal.take_output() == b"\1\1"
    assert pal.params.channels[0].phase1 == 5


def test_22_does_nothing_where_a_count_asks_for_billions() -> None:
    pal = FIRMWARES["22"](faults="-deaf")
    pal.receive(bytes([213, 75, *b"\xff\xff\xff\xff"]), 0)
    pal.advance(S)
    assert pal.take_output() == b""


@BOTH
def test_a_click_ends_what_plays_without_a_word(firmware: str) -> None:
    record = Recorder()
    pal = FIRMWARES[firmware](recorder=record, load="r1k")
    pal.receive(program() + TRIGGER, 0)
    pal.advance(S)
    pal.take_output()
    pal.click()
    pal.receive(TRIGGER, 2 * S)
    pal.advance(2 * S + 10_000)
    assert pal.take_output() == b""
    pal.advance(10 * S)
    assert record.pulses(1) == 100 + 300
    assert {flow.shape.first_na for flow in record.flows(1)} == {1_000_061}, "as high as before, at once"


def test_21_stands_still_while_a_command_arrives() -> None:
    """In the middle of an interval; the rest of the train comes so much later."""
    whole = one(9, 0)
    _, record = played("21", (0, program()), (50_000, TRIGGER), (155_010, whole[:4]), (355_010, whole[4:]))
    first, second = record.flows(1)
    assert (first.count, second.count) == (11, 289)
    assert second.first_us - first.last_us == 10_000 + 200_000
    _, record = played("22", (0, program()), (50_000, TRIGGER), (155_010, whole[:4]), (245_000, whole[4:]))
    assert [flow.count for flow in record.flows(1)] == [300]


def test_21_goes_on_where_a_trigger_and_half_a_command_come_at_once() -> None:
    """What it stands still for is no event that it waits for; half a second later it gives up."""
    pal, now_us = FIRMWARES["21"](), 0
    pal.receive(TRIGGER + HANDSHAKE[:1], now_us)
    for _ in range(5):
        if not pal.deaf:
            now_us = pal.next_event_us()
            pal.advance(now_us)
    assert pal.deaf
    assert S // 2 <= now_us < S


@BOTH
def test_a_click_brings_it_back_with_its_defaults(firmware: str) -> None:
    pal = FIRMWARES[firmware]()
    pal.receive(program() + CUT_SHORT, 0)
    pal.advance(S)
    pal.take_output()
    pal.receive(HANDSHAKE, S)
    pal.click()
    pal.receive(HANDSHAKE, 2 * S)
    pal.advance(3 * S)
    assert len(pal.take_output()) == 5
    assert pal.params.channels[0].phase1 == 2


@BOTH
@pytest.mark.parametrize(("faults", "dc"), [("", True), ("-zero_phase_dc", False)])
def test_a_first_phase_of_zero(firmware: str, faults: str, dc: bool) -> None:
    _, record = played(firmware, (0, program(p4=0, p10=20_000)), (50_000, TRIGGER), faults=faults)
    if dc:
        assert [flow.shape[:2] for flow in record.flows(1)] == [(1_000_061, S)]
    else:
        assert record.channels == ()


@BOTH
@pytest.mark.parametrize(("faults", "loops"), [("", False), ("-no_biphasic_loop", True)])
def test_a_custom_train_of_two_phases(firmware: str, faults: str, loops: bool) -> None:
    train = bytes([213, 75]) + struct.pack("<I4I4H", 4, 0, 200, 400, 600, *[ONE_VOLT] * 4)
    sent = (0, train + program(p10=10_000, p14=1, p16=1)), (50_000, TRIGGER)
    _, record = played(firmware, *sent, faults=faults)
    assert (record.pulses(1) > 40) if loops else (record.pulses(1) == 4)


@pytest.mark.parametrize(("firmware", "faults", "cut"), [
    ("21", "", True), ("21", "-cut_end", False), ("22", "", True), ("22", "-cut_end", False),
])  # fmt: skip
@pytest.mark.parametrize("changes", [{"p10": 20_004}, {"p8": 2_006, "p9": 400, "p10": 20_000}])
def test_an_end_in_the_middle_of_a_pulse(firmware: str, faults: str, cut: bool, changes: dict[str, int]) -> None:
    _, record = played(firmware, (0, program(**changes)), (50_000, TRIGGER), faults=faults)
    assert (record.net_fc(1) != 0) == cut
    whole = [flow for flow in record.flows(1) if flow.shape.net_fc == 0]
    assert sum(flow.count for flow in whole) >= 80


@BOTH
@pytest.mark.parametrize(("faults", "pulses"), [("", 600), ("-latched_trigger", 300)])
def test_a_trigger_while_a_train_plays(firmware: str, faults: str, pulses: int) -> None:
    _, record = played(firmware, (0, program()), (50_000, TRIGGER), (S, TRIGGER), for_us=10 * S, faults=faults)
    assert record.pulses(1) == pulses


@BOTH
@pytest.mark.parametrize(("faults", "pulses"), [("", 10), ("lost_stop", 300)])
@pytest.mark.parametrize("op", [80, 81, 98])
def test_a_stop_that_does_not_arrive(firmware: str, faults: str, pulses: int, op: int) -> None:
    if op == 98 and firmware == "21":
        return
    stop = bytes([213, op, *([1] if op == 98 else [])])
    _, record = played(firmware, (0, program()), (50_000, TRIGGER), (145_000, stop), faults=faults)
    assert record.pulses(1) == pulses


@BOTH
@pytest.mark.parametrize("faults", ["", "unapplied"])
def test_a_parameter_that_is_confirmed_and_not_taken(firmware: str, faults: str) -> None:
    record = Recorder()
    pal = FIRMWARES[firmware](faults=faults, recorder=record)
    pal.receive(program(), 0)
    pal.advance(S)
    assert pal.take_output() == b"\1" * 9
    assert (pal.params.channels[0].phase1 == 4) == (not faults)


@BOTH
@pytest.mark.parametrize("faults", ["", "silence"])
def test_silence_after_the_trigger(firmware: str, faults: str) -> None:
    said, record = played(firmware, (0, HANDSHAKE + program()), (50_000, TRIGGER), (S, HANDSHAKE), faults=faults)
    assert said.count(b"K") == (1 if faults else 2)
    assert record.pulses(1) == 300


@BOTH
@pytest.mark.parametrize("faults", ["", "truncated"])
def test_the_command_after_a_trigger_is_cut_short(firmware: str, faults: str) -> None:
    said, record = played(
        firmware, (0, program(p10=2_000)), (50_000, TRIGGER), (S, TRIGGER), (2 * S, HANDSHAKE), faults=faults
    )
    assert (b"K" in said) == (not faults)
    assert record.pulses(1) == (10 if faults else 20)


@pytest.mark.parametrize("faults", ["", "rejects"])
def test_22_rejects(faults: str) -> None:
    said, _ = played("22", (0, program()), faults=faults)
    assert said == (b"\0" if faults else b"\1") * 9


@BOTH
def test_split_writes_say_the_same_in_pieces(firmware: str) -> None:
    pal = FIRMWARES[firmware](faults="split_writes")
    pal.receive(HANDSHAKE + bytes([213, 85]), 0)
    pieces = []
    while pal.next_event_us() < 10 * S:
        pal.advance(pal.next_event_us())
        pieces.append(pal.take_output())
    assert len(b"".join(pieces)) == 5 + 178
    assert max(map(len, pieces)) <= 7
