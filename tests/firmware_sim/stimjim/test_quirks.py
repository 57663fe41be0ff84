"""What is known to go wrong with StimJims: each fault taken away and put in."""

from typing import Any

import pytest

from firmware_sim.analog.recorder import Recorder
from firmware_sim.quirks import UnknownFault
from firmware_sim.stimjim import DIALECTS

S = 1_000_000
TRAIN = "S1,1,3,10000,3000000;1000,0,200;-1000,0,200"
STOP = {"a": "T-1", "b": "T-1", "c": "X"}


def played(dialect: str, *lines: str, faults: str = "", for_us: int = 5 * S, **options: Any) -> tuple[str, Recorder]:
    """Send lines 103 ms apart; what was said, and what flowed."""
    record = Recorder()
    jim = DIALECTS[dialect](recorder=record, faults=faults, **{"ideal": True, **options})
    said = b""
    now_us = 0
    for line in lines:
        jim.receive(f"{line}\n".encode(), now_us)
        now_us += 103_000
        jim.advance(now_us)
        said += jim.take_output()
    jim.advance(for_us)
    return (said + jim.take_output()).decode(), record


@pytest.mark.parametrize("dialect", "abc")
def test_an_unknown_fault_is_said(dialect: str) -> None:
    with pytest.raises(UnknownFault, match=f"StimJim dialect {dialect} has no fault 'gremlins'; there are .*lost_stop"):
        DIALECTS[dialect](faults="gremlins")
    with pytest.raises(UnknownFault, match="has no fault 'gremlins'"):
        DIALECTS[dialect](faults="-gremlins")


@pytest.mark.parametrize("dialect", "abc")
@pytest.mark.parametrize(("faults", "pulses"), [("", 11), ("lost_stop", 300), ("garbled_stop", 300)])
def test_a_stop_that_does_not_arrive(dialect: str, faults: str, pulses: int) -> None:
    said, record = played(dialect, TRAIN, "T1", STOP[dialect], faults=faults)
    assert ("Forcing" in said or "cancelled" in said) == (not faults)
    if dialect == "a" and faults == "garbled_stop":
        assert said.endswith(
            "Started T train with parameters of PulseTrain 0\r\n" + said[said.index("Train complete") :]
        )
        pulses = 11  # train 0 took its place, and drives nothing
    assert record.pulses(1) == pulses


def test_garbage_starts_train_0() -> None:
    slot_0 = "S0,1,3,10000,3000000;500,0,200;-500,0,200"
    for garbage in ("T", "Tfoo", "T-", "Tx1"):
        assert played("a", slot_0, garbage)[1].pulses(1) == 300, garbage
        said, record = played("a", slot_0, garbage, faults="-garbage_start")
        assert "Invalid PulseTrain index." in said
        assert record.channels == ()


@pytest.mark.parametrize("dialect", "abc")
@pytest.mark.parametrize("faults", ["-wrap", "wrap"])
def test_codes_beyond_16_bits(dialect: str, faults: str) -> None:
    if dialect == "c":
        if faults == "-wrap":
            return
        # It looks at the amplitude; only an offset carries the code over the edge.
        _, record = played(dialect, TRAIN.replace("1000", "3333"), "T1", faults=faults, ideal=False, seed=_over_edge())
        assert record.flows(1)[0].shape.first_na < 0
        return
    _, record = played(dialect, TRAIN.replace("1000,0", "4000,0"), "T1", faults=faults)
    [flow] = record.flows(1)
    if faults == "wrap":
        assert (flow.shape.first_na, flow.shape.second_na) == (-2_665_048, -2_665_048)
    else:
        assert (flow.shape.first_na, flow.shape.second_na) == (3_332_404, 3_332_506)


def _over_edge() -> int:
    """A seed that gives dialect C's channel 0 an offset of 5 codes or more."""
    return next(seed for seed in range(100) if DIALECTS["c"](seed=seed).board.current_offset[0] >= 5)


def test_wrap_is_dialect_a_as_it_is() -> None:
    _, record = played("a", TRAIN.replace("1000,0", "4000,0"), "T1")
    assert record.flows(1)[0].shape.first_na == -2_665_048
    _, record = played("b", TRAIN.replace("1000,0", "4000,0"), "T1")
    assert record.flows(1)[0].shape.first_na == 3_332_404


def test_an_offset_turns_one_phase_of_3332_ua_over() -> None:
    record = Recorder()
    jim = DIALECTS["a"](recorder=record, ideal=True, load="r1k")
    jim.board.current_offset[0] = 10
    jim.receive((TRAIN.replace("1000,0", "3332,0") + "\nT1\n").encode(), 0)
    jim.advance(4 * S)
    sizes = {round(flow.shape.first_na / 1_000) for flow in record.flows(1)}
    assert sizes == {-3_333, -3_332}, "both phases flow backward"


@pytest.mark.parametrize("faults", ["", "-half_update"])
def test_a_malformed_definition(faults: str) -> None:
    said, _ = played("a", "S5,1,3,9000,3000000;1000,0,200;-1000,0,200", "S5,3,1,20000", faults=faults)
    echo = said.rpartition("Parameters")[2]
    if faults:
        assert "mode[ch0]: 1" in echo
        assert "period:    9000 usec" in echo
    else:
        assert "mode[ch0]: 3" in echo
        assert "period:    20000 usec" in echo
    assert "duration:  3000000 usec" in echo
    assert "    1      200 usec    -1000uA        0uA" in echo


def test_an_eleventh_stage_overwrites_the_first() -> None:
    said, _ = played("a", "S5,1,1,90000,90000" + ";500,0,100" * 10 + ";1,0,100")
    lines = said.splitlines()
    assert "    0        0 usec      500uA        1uA" in lines
    assert "    9      100 usec      500uA        0uA" in lines
    assert "   10      100 usec        1uA        0uA" in lines


@pytest.mark.parametrize("dialect", "abc")
@pytest.mark.parametrize("faults", ["", "cut_line"])
def test_a_definition_loses_its_end(dialect: str, faults: str) -> None:
    said, record = played(dialect, TRAIN, "T1", faults=faults)
    assert ("-1000" in said.partition("Started")[0]) == (not faults)
    assert (record.flows(1)[0].shape.second_na == 0) == bool(faults)


@pytest.mark.parametrize("dialect", "abc")
@pytest.mark.parametrize("faults", ["", "silence"])
def test_silence_after_the_start(dialect: str, faults: str) -> None:
    said, record = played(dialect, TRAIN, "T1", "M0,3", faults=faults)
    assert said.partition("Started")[1]
    after = said.partition("Started")[2].strip("\r\n")
    assert ("300" in after) == (not faults)
    assert ("mode" in after) == (not faults)
    assert record.pulses(1) == 300


@pytest.mark.parametrize("dialect", "abc")
def test_split_writes_say_the_same_in_pieces(dialect: str) -> None:
    whole, _ = played(dialect, TRAIN, "T1")
    jim = DIALECTS[dialect](faults="split_writes", ideal=True)
    pieces = []
    jim.receive(f"{TRAIN}\nT1\n".encode(), 0)
    while jim.next_event_us() < 10 * S:
        jim.advance(jim.next_event_us())
        pieces.append(jim.take_output())
    assert b"".join(pieces).decode() == whole
    assert max(map(len, pieces)) <= 7
    assert len(pieces) > 20


@pytest.mark.parametrize(("faults", "says"), [("", False), ("-busy_discard", True)])
def test_c_says_started_and_is_busy(faults: str, says: bool) -> None:
    said, record = played("c", TRAIN, TRAIN.replace("S1", "S2"), "T1", "T2", faults=faults)
    assert "Started PulseTrain[2]." in said
    assert ("Stimulus rejected: channel(s) busy." in said) == says
    assert said.count("terminated") == 1
    assert record.pulses(1) == 300


@pytest.mark.parametrize(("faults", "deaf"), [("", True), ("-deaf_read", False)])
def test_c_waits_for_a_reading_for_ever(faults: str, deaf: bool) -> None:
    said, record = played("c", TRAIN, "T1", "E0,1", "X", faults=faults)
    assert ("cancelled" in said) == (not deaf)
    assert record.pulses(1) == (300 if deaf else 21)


@pytest.mark.parametrize("faults", ["", "abort_on_byte"])
def test_c_any_byte_cancels(faults: str) -> None:
    said, record = played("c", TRAIN, "T1", "D", faults=faults)
    assert ("cancelled" in said) == bool(faults)
    assert record.pulses(1) == (11 if faults else 300)


def test_t_minus_1_does_not_stop_c() -> None:
    said, record = played("c", TRAIN, "T1", "T-1")
    assert "Invalid pulse train index: '-1'" in said
    assert record.pulses(1) == 300


def test_the_stop_for_all_stops_all() -> None:
    for dialect in "abc":
        _, record = played(dialect, TRAIN, "T1", "X\nT-1\nU-1\nM0,3\nM1,3")
        assert record.pulses(1) == 11, dialect
