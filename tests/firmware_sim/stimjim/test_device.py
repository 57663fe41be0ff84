"""The three StimJims: what they say, byte for byte, and when they stimulate, to the microsecond."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.reply_queue import LATENCY_US
from firmware_sim.stimjim import DIALECTS, StimJimDevice

S = 1_000_000
TWO_HZ = "S0,1,3,500000,3000000;1000,0,600;-1000,0,600"
HUNDRED_HZ = "S1,1,3,10000,3000000;1000,0,200;-1000,0,200"
ECHO_A = """\
----------------------------------
Parameters for PulseTrain[0]
  mode[ch0]: 1 (Current output)
  mode[ch1]: 3 (No output (grounded))
  period:    500000 usec (0.500 sec, 2.000 Hz)
  duration:  3000000 usec (3.000 sec)

  stage    duration     output0   output1
    0      600 usec     1000uA        0uA
    1      600 usec    -1000uA        0uA
----------------------------------

"""
END_A = """\
Train complete. Delivered 6 pulses.
Current/Voltage by stage:\x20
           Ch0                Ch1\x20
Stage 0  1000uA,               0uA,         \x20
Stage 1 -1000uA,               0uA,         \x20
"""


class Bench:
    """A StimJim, what flows of it, and a clock that only `wait` moves."""

    def __init__(self, dialect: str, **options: Any) -> None:
        self.record = Recorder()
        self.jim: StimJimDevice = DIALECTS[dialect](recorder=self.record, **{"ideal": True, **options})
        self.now_us = 0

    def send(self, *lines: str) -> None:
        self.jim.receive("".join(f"{line}\n" for line in lines).encode(), self.now_us)

    def wait(self, for_us: int) -> str:
        self.now_us += for_us
        self.jim.advance(self.now_us)
        return self.jim.take_output().decode()

    def ask(self, *lines: str) -> str:
        """What is said within ten milliseconds."""
        self.send(*lines)
        return self.wait(10_000)

    def lines(self, text: str) -> list[str]:
        return text.replace("\r\n", "\n").splitlines()


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


# --- dialect A -------------------------------------------------------------------------------------------


def test_a_echoes_a_definition() -> None:
    bench = Bench("a")
    assert bench.ask(TWO_HZ) == crlf(ECHO_A)
    assert bench.ask("S0") == crlf(ECHO_A), "a bare S asks"
    assert bench.ask(TWO_HZ + "\r") == crlf(ECHO_A)


def test_a_says_what_it_did() -> None:
    bench = Bench("a")
    bench.ask(TWO_HZ)
    assert bench.ask("T0") == "\r\nStarted T train with parameters of PulseTrain 0\r\n"
    assert bench.wait(4 * S) == crlf(END_A)
    assert bench.ask("U0") == "\r\nStarted U train with parameters of PulseTrain 0\r\n"


def test_a_says_when_it_boots_if_somebody_listens() -> None:
    booted = Bench("a", banner=True).wait(LATENCY_US)
    zeros = "0.000000, 0.000000"
    assert booted == crlf(
        "Booting StimJim on Teensy 3.5!\nInitializing triggers inputs...\n"
        f"ADC offsets (+-2.5V): {zeros}\nADC offsets (+-10V): {zeros}\n"
        "current offsets: 0, 0\nvoltage offsets: 0, 0\n\nReady to go!\n\n\n"
    )
    assert Bench("a").wait(S) == "", "who opens the port later hears nothing"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("S100,1,3,1,1", "Invalid PulseTrain index."),
        ("S-1,1,3,1,1", "Invalid PulseTrain index."),
        ("T100", "Invalid PulseTrain index."),
        ("T-1", "Forcing T train to stop"),
        ("U-1", "Forcing U train to stop"),
        ("R0,1", "Attaching interrupt to IN0 to run PulseTrain[1]"),
        ("R0,-1", "Detaching interrupt to IN0\nProgramming IN0 as output that indicates activity on output 0"),
        ("R1,0,1", "Detaching interrupt to IN1\nProgramming IN1 as output that indicates activity on output 1"),
        ("M0,1", "Set channel 0 to mode 1"),
        ("A0,4916", "Set channel 0 to amplitude 4916"),
        ("A0,40000", "40000 is out of range."),
        ("V0,100", "Set channel 0 to amplitude 100 mV (dac value 218)."),
        ("V0,99999", "218624 is out of range."),
        ("E0,1", "Read value: 0 (0uA)"),
        ("E0,0", "Read value: 0 (0mV)"),
    ],
)
def test_a_answers(line: str, says: str) -> None:
    assert Bench("a").ask(line) == crlf(f"{says}\n")


@pytest.mark.parametrize("line", ["", "B", "C", "X", "IDN", "Q", "hello", "?", "\x00", "s0"])
def test_a_has_nothing_to_say(line: str) -> None:
    assert Bench("a").ask(line) == ""


def test_a_prints_its_offsets() -> None:
    said = Bench("a", ideal=False).ask("D")
    assert len(said.encode()) > 100, "more than its buffer holds"
    assert said.startswith("ADC offsets (+-2.5V): ")
    assert said.endswith("\r\n\r\n")


def test_a_hand_over_takes_as_long_as_the_text() -> None:
    """The host cannot start the next train before it has heard of the end."""
    bench = Bench("a")
    bench.ask(TWO_HZ, HUNDRED_HZ, "T1")
    heard_us = 0
    while not heard_us:
        if "complete" in bench.wait(100):
            heard_us = bench.now_us
    bench.send("T0")
    bench.wait(S)
    first, second = bench.record.flows(1)
    assert second.first_us == heard_us == first.first_us + 3 * S + LATENCY_US


def test_a_stop_waits_for_the_pulses_end_and_gives_no_count() -> None:
    bench = Bench("a")
    bench.ask(TWO_HZ)
    bench.send("T0")
    bench.wait(1_000_300)
    bench.send("T-1")
    assert bench.wait(900 + LATENCY_US - 1) == "", "the pulse, then the text"
    assert bench.wait(1) == "Forcing T train to stop\r\n"
    bench.wait(S)
    assert bench.record.pulses(1) == 3
    assert bench.record.net_fc(1) == 0
    assert bench.wait(5 * S) == ""


def test_a_restart_is_silent() -> None:
    bench = Bench("a")
    bench.ask(TWO_HZ, "T0")
    bench.wait(1_200_000)
    assert bench.ask("T0") == "\r\nStarted T train with parameters of PulseTrain 0\r\n"
    assert "Delivered 6 pulses" in bench.wait(4 * S)
    assert bench.record.pulses(1) == 9


def test_a_redefinition_changes_the_train_that_plays() -> None:
    bench = Bench("a")
    bench.ask(TWO_HZ)
    bench.send("T0")
    bench.wait(1_200_000)
    bench.ask("S0,1,3,500000,2000000;500,0,200;-500,0,200")
    said = bench.wait(4 * S)
    assert "Delivered 4 pulses" in said
    assert [(flow.count, flow.shape.width_us) for flow in bench.record.flows(1)] == [(3, 600), (1, 200)]


@pytest.mark.parametrize("period", ["0", "71582789"])
def test_a_without_a_timer_plays_one_pulse(period: str) -> None:
    bench = Bench("a")
    bench.ask(f"S0,1,3,{period},3000000;1000,0,600;-1000,0,600")
    assert bench.ask("T0") == crlf(
        "startIT0: failure to initiate IntervalTimer IT0\n\nStarted T train with parameters of PulseTrain 0\n"
    )
    assert bench.wait(100 * S) == ""
    assert bench.record.pulses(1) == 1


@pytest.mark.parametrize(("duration_us", "pulses"), [(0, 0), (1, 1), (10_000, 1), (10_001, 2), (1_000_000, 100)])
def test_a_ends_at_the_first_tick_past_the_duration(duration_us: int, pulses: int) -> None:
    bench = Bench("a")
    bench.ask(f"S0,1,3,10000,{duration_us};100,0,200;-100,0,200", "T0")
    bench.wait(2 * S)
    assert bench.record.pulses(1) == pulses


def test_a_line_that_is_too_long_is_lost() -> None:
    bench = Bench("a")
    assert bench.ask("S0" + "," * 2_000) == ""
    assert bench.ask("M0,3") == "Set channel 0 to mode 3\r\n"


# --- dialect B -------------------------------------------------------------------------------------------


def test_b_says_who_it_is() -> None:
    said = Bench("b").ask("IDN")
    assert said.startswith("IDN,stimjimAWG,Teensy3.5,fw=0.8.0,proto=1\n# build: ")
    assert [line[0] for line in said.splitlines()] == ["I", "#", "#"]


def test_b_echoes_one_line() -> None:
    bench = Bench("b")
    assert bench.ask(TWO_HZ) == TWO_HZ + "\r\n"
    assert bench.ask("S0?") == TWO_HZ + "\r\n"
    assert bench.ask("S0, 1,3, 500000,3000000 ; 1000,0,600;-1000,0,600; ") == TWO_HZ + "\r\n"
    assert bench.ask("S2,1,3,10000,50000,700;1,0,200") == "S2,1,3,10000,50000,700;1,0,200\r\n"
    assert bench.ask("DELAY2?", "DELAY2,9", "S2?") == "DELAY2,700\r\nDELAY2,9\r\nS2,1,3,10000,50000,9;1,0,200\r\n"
    assert bench.ask("DUMP").splitlines()[-1] == "OK"
    assert bench.ask("S5").splitlines()[-1] == "OK"


def test_b_says_what_it_did() -> None:
    bench = Bench("b")
    bench.ask(HUNDRED_HZ)
    assert bench.ask("T1") == "\r\nStarted T train with parameters of PulseTrain 1\r\n"
    assert bench.wait(S) == ""
    assert bench.ask("STAT") == "STAT,1,101,1010000,3000000,-1,0,0,0\n"
    said = bench.wait(4 * S)
    assert said.startswith("Train #1 complete. Delivered 300 pulses.\r\nMSUM,1,300,0,")
    current, spread, *other = said.splitlines()[2].split(",")[6:]
    assert (current, spread, other) == ("-999.91", "1.00", ["", "", "", ""])
    assert bench.ask("STAT") == "STAT,-1,0,0,0,-1,0,0,0\n"
    bench.ask("T1")
    assert "Train #2 complete. Delivered 300 pulses." in bench.wait(4 * S)


def test_b_stops_in_the_middle_and_sums_up() -> None:
    bench = Bench("b")
    bench.ask(TWO_HZ)
    bench.send("T0")
    bench.wait(1_000_300)
    bench.send("T-1")
    said = bench.wait(S)
    assert said.splitlines()[0] == "Forcing T train to stop"
    assert [line[:9] for line in said.splitlines()[1:]] == ["MSUM,0,2,", "MSUM,0,2,"]
    assert bench.record.end_us() == 10_000 + 1_000_300
    assert bench.record.net_fc(1) == 999_914 * 300


def test_b_waits_for_its_delay() -> None:
    bench = Bench("b")
    bench.ask("S0,1,3,10000,50000,700000;100,0,200;-100,0,200")
    bench.send("T0")
    bench.wait(2 * S)
    assert bench.record.flows(1)[0].first_us == 10_000 + 700_000


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("Tfoo", "ERR Tfoo: unknown command"),
        ("T", "ERR T: need a slot index (or -1 to stop)"),
        ("T1,2", "ERR T: need a slot index (or -1 to stop)"),
        ("X", "ERR X: unknown command"),
        ("S", "ERR S: need a slot index 0-99"),
        ("S100,1", "ERR S: slot index out of range 0-99"),
        ("S5,1,3,20000", "ERR S: bad or missing duration_us"),
        ("S5,4,3,20000,1", "ERR S: mode must be 0-3 or 90/91 (V/I without measurement)"),
        ("S5,1,3,0,1", "ERR S: period_us must be > 0"),
        ("S5,1,3,1,1,2000000001", "ERR S: delay_us exceeds 2000000000 us (2000 s)"),
        ("S5,1,3,1,1" + ";1,0,1" * 11, "ERR S: too many stages (max 10)"),
        ("S5,1,3,9,9;1,0", "ERR S: bad stage dur_us"),
        ("S5,1,3,9,9;1,0,-5", "ERR S: bad stage dur_us"),
        ("M0", "ERR M: need <ch>,<mode>"),
        ("M0,4", "ERR M: mode must be 0-3 (90/91 exist in train definitions only)"),
        ("L0,1,3,1,1;1,0,1", "ERR L: not in this simulator"),
        ("12", "ERR parse: expected command word"),
        ("x" * 1_200, "ERR line too long (max 999)"),
        ("M0,3", "Set channel 0 to mode 3\r"),
        ("A0,40000", "40000 is out of range.\r"),
        ("V0,100", "Set channel 0 to amplitude 100 mV (dac value 218).\r"),
        ("T100", "Invalid PulseTrain index.\r"),
        ("B", "OK\r"),
        ("C", "WARN C: output will ramp\nOK\r"),
        ("# what", ""),
        ("", ""),
    ],
)
def test_b_answers(line: str, says: str) -> None:
    assert Bench("b").ask(line) == (f"{says}\n" if says else "")


def test_b_keeps_a_slot_that_it_could_not_read_and_warns() -> None:
    bench = Bench("b")
    bench.ask(TWO_HZ, "S0,1,3,99,")
    assert bench.ask("S0?") == TWO_HZ + "\r\n"
    assert bench.ask("S0,1,3,500,500;3500,0,200").splitlines() == [
        "WARN S: amplitudes above 3000 uA convert incorrectly on the DAC",
        "S0,1,3,500,500;3500,0,200",
    ]
    assert "WARN S: stage durations exceed period_us" in bench.ask("S0,1,3,100,500;1,0,200")


def test_b_drops_a_start_that_would_fight() -> None:
    bench = Bench("b")
    bench.ask(TWO_HZ, HUNDRED_HZ, "S2,3,1,10000,50000;0,100,200;0,-100,200", "T0")
    assert bench.ask("T1") == "WARN T: engine busy (slot 0) — start dropped, stop with T-1\n"
    assert bench.ask("U1") == "WARN U: channel conflict with the running T train — start dropped\n"
    assert bench.ask(TWO_HZ) == "ERR S: slot is attached to a running train — stop first (T-1 / U-1)\n"
    assert "Started U" in bench.ask("U2")
    bench.wait(4 * S)
    assert (bench.record.pulses(1), bench.record.pulses(2)) == (6, 5)


# --- dialect C -------------------------------------------------------------------------------------------


def test_c_boots() -> None:
    assert Bench("c", banner=True).wait(LATENCY_US) == crlf(
        "StimJim v0.0.0\n\nChannel 0 offsets: adc=0.0000 voltage=0 current=0\n"
        "Channel 1 offsets: adc=0.0000 voltage=0 current=0\n\n"
    )


def test_c_says_what_it_did() -> None:
    bench = Bench("c")
    assert bench.ask(TWO_HZ) == crlf(
        "PulseTrain[0]: mode[2,8], period=500000 us, pulses=6, 2 stages\n"
        "  Stage 0: amp[1000,0], dur=600 us\n  Stage 1: amp[-1000,0], dur=600 us\n\n"
    )
    assert bench.ask("T0") == crlf("Started PulseTrain[0].\n\n")
    assert bench.wait(4 * S) == crlf(
        "Channel 0 pulse train terminated. Delivered:\n  6x Stage 0:   1000 uA\n  6x Stage 1:  -1000 uA\n"
        "  6x Inter-pulse gap:      0 uA\n\n"
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("IDN", "Unknown command: 'I'\n\n"),
        ("Q", "Unknown command: 'Q'\n\n"),
        ("", "Unknown command: '\0'\n\n"),
        ("X", "Stimulus cancelled.\n\n"),
        ("X1", "X usage: X\n\n"),
        ("T-1", "Invalid pulse train index: '-1' (must be 0..99)\n\nT/U usage: T<idx> or U<idx>\n\n"),
        ("T", "Invalid pulse train index: '' (must be 0..99)\n\nT/U usage: T<idx> or U<idx>\n\n"),
        ("T5", "Started PulseTrain[5].\n\n"),
        ("S0,1,3,500000,3000000;4000,0,600", "Invalid amp0 stage[0]: '4000' (must be -3333..3333)\n\n"),
        ("S0,3,0,500000,3000000;0,10001,600", "Invalid amp1 stage[0]: '10001' (must be -10000..10000)\n\n"),
        ("S0,1,3,90000,90000;1,0,65536", "Invalid stage_dur_us stage[0]: '65536' (must be 1..65535)\n\n"),
        ("S0,1,3,500,500;1,0,600", "Invalid pulse train: summed stage durations exceed period.\n\n"),
        ("M0,3", "Ch0 output mode set to 3\n\n"),
        ("A0,4916", "Set channel 0 to DAC code 4916.\n\n"),
        ("V0,100", "Set channel 0 to 100 mV (DAC code 218).\n\n"),
        ("E0,1", "Read value: 0 (0 uA)\n\n"),
        ("R0,1", "IN0 -> PulseTrain[1] trigger\n\n"),
        ("R0,-1", "IN0 -> Disabled\n\n"),
        ("R1,1,1", "IN1 -> Sync signal\n\n"),
        ("B", "Updating ADC offsets...\nOffsets updated\n\n"),
    ],
)
def test_c_answers(line: str, says: str) -> None:
    assert Bench("c").ask(line) == crlf(says)


def test_c_says_how_a_line_is_written() -> None:
    said = Bench("c").ask("S0,7")
    assert said.startswith(crlf("Invalid mode0: '7' (must be 0..3)\n\nS usage: S<idx>,<mode0>,<mode1>,"))


def test_c_cancels_in_the_middle_of_a_stage() -> None:
    bench = Bench("c")
    bench.ask(TWO_HZ)
    bench.send("T0")
    bench.wait(1_000_300)
    assert bench.ask("X") == crlf("Stimulus cancelled.\n\n" * 2), "once from each core"
    assert bench.record.end_us() == 1_000_300 + 10_000
    assert bench.record.flows(1)[-1].shape.second_na == 0


def test_c_a_redefinition_does_not_touch_the_train_that_plays() -> None:
    bench = Bench("c")
    bench.ask(TWO_HZ, "T0")
    bench.ask("S0,1,3,10000,30000;100,0,200;-100,0,200")
    assert "6x Stage 0" in bench.wait(4 * S)
    assert bench.record.pulses(1) == 6


# --- all -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", "abc")
@pytest.mark.parametrize(
    ("define", "period_us", "width_us", "pulses"), [(TWO_HZ, 500_000, 600, 6), (HUNDRED_HZ, 10_000, 200, 300)]
)
def test_acupuncture_trains_are_exact(dialect: str, define: str, period_us: int, width_us: int, pulses: int) -> None:
    bench = Bench(dialect, ideal=False)
    bench.ask(define)
    bench.send(f"T{define[1]}")
    bench.wait(5 * S)
    [flow] = bench.record.flows(1)
    assert (flow.first_us, flow.period_us, flow.count) == (10_000, period_us, pulses)
    assert (flow.shape.width_us, flow.shape.gap_us, flow.shape.second_width_us) == (width_us, 0, width_us)
    assert abs(flow.shape.first_na - 1_000_000) < 150
    assert flow.shape.net_fc == 0 or abs(flow.shape.first_na - flow.shape.second_na) <= 110
    assert bench.record.channels == (1,)


@pytest.mark.parametrize("dialect", "abc")
def test_both_channels_in_one_train(dialect: str) -> None:
    bench = Bench(dialect)
    bench.ask("S3,1,1,10000,1000000;500,800,200;-500,-800,200", "T3")
    bench.wait(2 * S)
    assert [bench.record.flows(channel)[0].count for channel in (1, 2)] == [100, 100]
    assert abs(bench.record.charge_pc(2) - 100 * 800 * 200) < 100 * 20


@pytest.mark.parametrize("dialect", "abc")
def test_an_open_electrode_shows_in_the_means(dialect: str) -> None:
    bench = Bench(dialect, load="open", ideal=False)
    bench.ask(TWO_HZ)
    bench.send("T0")
    said = bench.wait(5 * S)
    line = next(line for line in said.splitlines() if "Stage 0" in line or line.startswith("MSUM,0,6,0"))
    current = line.split(",")[6] if dialect == "b" else line.partition("Stage 0")[2].strip(" :").split("uA")[0]
    assert abs(float(current)) < 100
    assert bench.record.charge_pc(1) < 6 * 600 * 10


@pytest.mark.parametrize("dialect", "abc")
def test_nothing_is_driven_until_it_is_told(dialect: str) -> None:
    bench = Bench(dialect)
    bench.ask("T0", "U0", "IDN", "STAT", "S0")
    bench.wait(10 * S)
    assert bench.record.channels == ()


@pytest.mark.parametrize("dialect", "abc")
def test_a_level_by_hand_flows_until_it_is_grounded(dialect: str) -> None:
    bench = Bench(dialect, load="r1k")
    bench.ask("M0,1", "A0,4916")
    said = bench.ask("E0,1", "E0,0")
    assert "Read value: " in said
    bench.wait(480_000)
    bench.ask("M0,3")
    bench.wait(S)
    [*_, flow] = bench.record.flows(1, FlowKind.HELD)
    assert abs(flow.shape.first_na - 499_957) < 200
    assert sum(flow.shape.width_us for flow in bench.record.flows(1, FlowKind.HELD)) == 500_000


@pytest.mark.parametrize("dialect", "abc")
def test_a_train_takes_the_channel_and_leaves_it_grounded(dialect: str) -> None:
    bench = Bench(dialect, load="r1k")
    bench.ask(HUNDRED_HZ, "M0,1", "A0,4916")
    bench.send("T1")
    bench.wait(10 * S)
    assert sum(flow.shape.width_us for flow in bench.record.flows(1, FlowKind.HELD)) == 10_000
    assert bench.record.pulses(1) == 300


@pytest.mark.parametrize("dialect", "abc")
def test_measuring_offsets_drives_the_outputs(dialect: str) -> None:
    """That is why no probe may send C."""
    bench = Bench(dialect, load="r1k")
    bench.ask("C")
    bench.wait(S)
    assert bench.record.channels == (1, 2)


@pytest.mark.parametrize("dialect", "abc")
def test_the_same_seed_says_the_same(dialect: str) -> None:
    said = []
    for seed in (3, 3, 4):
        bench = Bench(dialect, seed=seed, ideal=False, banner=True)
        bench.ask(TWO_HZ, "T0")
        said.append(bench.wait(5 * S))
    assert said[0] == said[1] != said[2]


@pytest.mark.parametrize("dialect", "abc")
def test_time_in_pieces_changes_nothing(dialect: str) -> None:
    said = []
    for step_us in (4 * S, 777):
        bench = Bench(dialect, ideal=False, load="intermittent")
        bench.send(TWO_HZ, HUNDRED_HZ, "T1")
        text = "".join(bench.wait(min(step_us, 4 * S - bench.now_us)) for _ in range(-(-4 * S // step_us)))
        said.append((text, bench.record.flows(1)))
    assert said[0] == said[1]


@pytest.mark.parametrize("dialect", "abc")
@settings(max_examples=60)
@given(pieces=st.lists(st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"S", b"T", b"U", b"X", b"M0,1\n", b"A0,999\n", b"E0,1\n", b"\n", b",", b";", b"-1", b"1", b"0\n",
                     b"99999999999999999999", TWO_HZ.encode() + b"\n", b"S0,1,1,0,9;1,1,0\n", b"STAT\n", b"DUMP\n"]),
)), waits=st.lists(st.integers(0, 10**7)))  # fmt: skip
def test_any_bytes_at_any_time(dialect: str, pieces: list[bytes], waits: list[int]) -> None:
    record = Recorder()
    jim = DIALECTS[dialect](recorder=record)
    now_us = 0
    for piece, wait_us in zip(pieces, [*waits, *[0] * len(pieces)], strict=False):
        jim.receive(piece, now_us)
        now_us += wait_us
        jim.advance(now_us)
        jim.take_output()
        assert jim.next_event_us() > now_us
    assert record.end_us() <= max(now_us, record.end_us())
