"""What the published StimJim firmware was seen to do, or reads, where a kinder simulator would not."""

from typing import Any

import pytest

from firmware_sim.analog.recorder import FlowKind
from tests.firmware_sim.stimjim.test_device import HUNDRED_HZ, Bench, S

GROUNDED = "S1,3,3,10000,10000;0,0,1000"


def edges(bench: Bench, line: int = 0) -> None:
    """A pulse on a trigger input."""
    bench.jim.ttl(line, True, bench.now_us)
    bench.jim.ttl(line, False, bench.now_us)


# --- triggers --------------------------------------------------------------------------------------------


def test_a_an_edge_begins_the_slot_that_plays_anew() -> None:
    bench = Bench("a")
    bench.ask(HUNDRED_HZ, "R0,1", "T1")
    said = ""
    for _ in range(4):
        said += bench.wait(2 * S)
        edges(bench)
    said += bench.wait(4 * S)
    assert said.count("Started T train with parameters of PulseTrain 1") == 4
    assert said.count("Train complete. Delivered 300 pulses.") == 1
    assert bench.record.pulses(1) >= 4 * 200 + 300


def test_a_inputs_start_nothing_until_r_and_after_its_minus_one() -> None:
    bench = Bench("a")
    bench.ask(HUNDRED_HZ)
    edges(bench)
    assert "Attaching interrupt to IN1 to run PulseTrain[1]" in bench.ask("R1,1")
    assert "Detaching interrupt to IN1" in bench.ask("R1,-1")
    edges(bench, 1)
    assert bench.wait(S) == ""
    assert bench.record.channels == ()


def test_b_an_edge_starts_without_a_word_and_says_what_it_dropped() -> None:
    bench = Bench("b")
    assert bench.ask(HUNDRED_HZ, "TRIG0,1,1,-1,0", "TRIG0?").endswith("TRIG0,1,1,-1,0\r\n" * 2)
    edges(bench)
    assert bench.wait(S) == ""
    edges(bench)
    assert bench.wait(10_000) == "WARN trigger: 1 start(s) dropped, target engine or channel busy\n"
    assert "Delivered 300 pulses." in bench.wait(3 * S)
    assert bench.ask("R0,-1") == "TRIG0,0,-1,-1,0\r\n"
    edges(bench)
    bench.wait(S)
    assert bench.record.pulses(1) == 300


def test_c_an_edge_starts_a_copy_without_a_word_and_none_counts_while_one_plays() -> None:
    bench = Bench("c")
    bench.ask(HUNDRED_HZ, "R0,1")
    edges(bench)
    bench.wait(S)
    edges(bench)
    said = bench.wait(10 * S)
    assert "Started" not in said
    assert said.count("300x Stage 0") == 1
    bench.ask(GROUNDED)
    edges(bench)
    bench.wait(S)
    assert bench.record.pulses(1) == 300, "a slot that is defined anew is so for the input too"
    bench.ask(HUNDRED_HZ, "R0,-1")
    edges(bench)
    bench.wait(S)
    assert bench.record.pulses(1) == 300


# --- dialect A -------------------------------------------------------------------------------------------


def test_a_numbers_beyond_32_bits_stay_at_the_end() -> None:
    said = Bench("a").ask("S1,1,3,99999999999,99999999999;99999999999,-99999999999,99999999999")
    assert "period:    4294967295 usec" in said
    assert "duration:  4294967295 usec" in said
    assert "     -1 usec 2147483647uA -2147483648uA" in said


def test_a_prints_thousandths_of_a_product() -> None:
    assert "period:    100500 usec (0.100 sec, 9.950 Hz)" in Bench("a").ask("S1,3,3,100500,100500")


def test_a_a_header_on_the_slot_that_plays_leaves_its_period() -> None:
    bench = Bench("a")
    bench.ask(HUNDRED_HZ, "T1")
    bench.wait(S - 10_000)
    bench.ask("S1,1,3,20000")
    assert "Delivered 300 pulses." in bench.wait(3 * S)


def test_a_two_engines_on_one_slot_count_together() -> None:
    bench = Bench("a")
    bench.ask("S1,1,3,10000,100000;100,0,200;-100,0,200", "T1")
    bench.wait(40_000)
    said = bench.ask("U1") + bench.wait(200_000)
    assert said.count("Delivered 20 pulses.") == 2, "each tells both, since the later start"
    assert bench.record.pulses(1) == 6 + 20


def test_a_a_stage_of_no_length_reads_full_current() -> None:
    bench = Bench("a", load="r1k")
    bench.ask("S1,1,3,10000,30000;1000,0,0;-1000,0,200", "T1")
    assert "Stage 0  1000uA" in bench.wait(100_000)


def test_a_offsets_of_the_voltage_are_zero_until_they_are_measured() -> None:
    bench = Bench("a", ideal=False, seed=3)
    assert "voltage offsets: 0, 0" in bench.ask("D")
    assert "voltage offsets: 0, 0" not in bench.ask("C", "D")


def test_a_a_stopped_slot_plays_again() -> None:
    bench = Bench("a")
    bench.ask(HUNDRED_HZ, "T1", "T-1")
    before = bench.record.pulses(1)
    bench.ask("T1")
    bench.wait(S)
    assert bench.record.pulses(1) > before + 50


# --- dialect B -------------------------------------------------------------------------------------------


def test_b_settings_survive_a_new_definition() -> None:
    bench = Bench("b")
    assert bench.ask("ENV1,1000,2000", "MEAS1,1,0,0,-1,2").endswith("MEAS1,1,0,0,-1,2\r\n")
    assert bench.ask(HUNDRED_HZ, "ENV1?", "MEAS1?").endswith("ENV1,1000,2000,0\r\nMEAS1,1,0,0,-1,2\r\n")
    assert "ERR S: stored ENV" in bench.ask("S1,3,3,1000,1000;0,0,100")
    assert "ENV1,0,0,0" in bench.ask("ENV1,0,0")


def test_b_a_measurement_of_one_stage_refuses_fewer_stages() -> None:
    bench = Bench("b")
    bench.ask(HUNDRED_HZ, "MEAS1,3,3,0,1")
    assert "ERR S: stored MEAS stage" in bench.ask("S1,1,3,10000,10000;100,0,200")
    bench.ask("T1")
    assert bench.wait(4 * S).count("MSUM,1,300,") == 1


def test_b_what_is_not_measured_is_an_empty_cell_and_without_the_engine_a_note() -> None:
    bench = Bench("b")
    bench.ask(HUNDRED_HZ, "MEAS1,1,0,0,-1", "T1")
    (cells,) = [line.split(",")[4:] for line in bench.wait(4 * S).splitlines() if line.startswith("MSUM,1,300,0")]
    assert [bool(cell) for cell in cells] == [True, True, *[False] * 6]
    noted = Bench("b", faults="no_msum")
    noted.ask(HUNDRED_HZ, "T1")
    assert noted.wait(4 * S).endswith("Note: no measurement carried out.\r\n")


def test_b_keeps_ten_slots_and_the_inputs_through_a_power_cut() -> None:
    eeprom: dict[str, Any] = {}
    bench = Bench("b", eeprom=eeprom)
    bench.ask(HUNDRED_HZ, "ENV1,5,5", "R0,1", "P")
    again = Bench("b", eeprom=eeprom)
    assert again.ask("S1?", "ENV1?", "TRIG0?") == f"{HUNDRED_HZ}\r\nENV1,5,5,0\r\nTRIG0,1,1,-1,0\r\n"
    edges(again)
    again.wait(S)
    assert again.record.pulses(1) > 90


# --- dialect C -------------------------------------------------------------------------------------------


def test_c_a_slot_without_stages_plays_its_gap() -> None:
    bench = Bench("c")
    bench.ask("S1,1,3,10000,100000", "T1")
    assert "10x Inter-pulse gap:      0 uA" in bench.wait(S)


@pytest.mark.parametrize("tail", ["M0,3", "T1"])
def test_c_the_rest_of_a_line_that_is_too_long_is_obeyed(tail: str) -> None:
    bench = Bench("c")
    bench.ask(HUNDRED_HZ)
    # The byte that finds the buffer full is lost with it.
    said = bench.ask("x" * 1_024 + tail)
    assert ("Ch0 output mode set to 3" if tail == "M0,3" else "Started PulseTrain[1].") in said


def test_c_an_offset_flows_between_the_pulses_and_is_told() -> None:
    bench = Bench("c", faults="dac_offset", load="r1k")
    bench.ask("S1,1,3,500000,12000000;1000,0,600;-1000,0,600", "T1")
    said = bench.wait(13 * S)
    assert "24x Stage 0:   1006 uA" in said
    assert "24x Inter-pulse gap:      6 uA" in said
    net_fc = sum(bench.record.net_fc(1, kind) for kind in FlowKind)
    assert 70_000_000_000 < net_fc < 80_000_000_000, "6.1 uA for 12 s are 73 uC"
