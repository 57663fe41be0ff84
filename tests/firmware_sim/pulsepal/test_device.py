"""The two PulsePals: their frames, byte for byte, and their pulses, to the cycle."""

import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.pulsepal import FIRMWARES, PulsePalDevice
from firmware_sim.pulsepal.params import DeviceParams, by_channel, by_field, from_file, read_back, to_file

S = 1_000_000
ONE_VOLT, MINUS_ONE = 36_045, 29_491
BOTH = pytest.mark.parametrize("firmware", ["21", "22"])
SIZES = {**dict.fromkeys((2, 3, 17), 2), **dict.fromkeys(range(4, 12), 4)}


def frame(op: int, *data: int | bytes) -> bytes:
    return bytes([213, op]) + b"".join(bytes([part]) if isinstance(part, int) else part for part in data)


def one(code: int, channel: int, value: int) -> bytes:
    return frame(74, code, channel, value.to_bytes(SIZES.get(code, 1), "little"))


def pulses(channel: int = 1, **changes: int) -> bytes:
    """Balanced pulses of 1 V, unlinked from the trigger lines; 100 Hz of 0.2 ms for 3 s unless told otherwise."""
    values = {1: 1, 2: ONE_VOLT, 3: MINUS_ONE, 4: 4, 5: 0, 6: 4, 7: 192, 8: 0, 9: 0, 10: 60_000, 11: 0, 12: 0, 13: 0}
    values.update({int(name[1:]): value for name, value in changes.items()})
    return b"".join(one(code, channel, value) for code, value in values.items())


class Bench:
    """A PulsePal, what flows behind its isolators, and a clock that only `wait` moves."""

    def __init__(self, firmware: str, **options: Any) -> None:
        self.record = Recorder()
        self.pal: PulsePalDevice = FIRMWARES[firmware](recorder=self.record, **options)
        self.now_us = 0

    def send(self, data: bytes) -> None:
        self.pal.receive(data, self.now_us)

    def wait(self, for_us: int) -> bytes:
        self.now_us += for_us
        self.pal.advance(self.now_us)
        return self.pal.take_output()

    def ask(self, data: bytes) -> bytes:
        """What is answered within ten milliseconds."""
        self.send(data)
        return self.wait(10_000)


# --- frames ----------------------------------------------------------------------------------------------


@BOTH
def test_handshake(firmware: str) -> None:
    assert Bench(firmware).ask(b"\xd5\x48") == b"K" + bytes([int(firmware), 0, 0, 0])


@BOTH
def test_what_comes_before_213_is_passed_over(firmware: str) -> None:
    bench = Bench(firmware)
    assert bench.ask(b"        \x0bPython fw21     " + frame(72))[:1] == b"K"
    assert bench.ask(bytes(range(213)) + frame(72))[:1] == b"K"


@BOTH
def test_the_official_connect(firmware: str) -> None:
    bench = Bench(firmware)
    assert len(bench.ask(frame(72))) == 5
    assert bench.ask(frame(89, b"PYTHON")) == b""
    assert bench.ask(frame(73, _legacy(DeviceParams()))) == b"\1"
    assert bench.pal.params == DeviceParams()


def _legacy(params: DeviceParams) -> bytes:
    times = [getattr(channel, name) for channel in params.channels for name in
             ("phase1", "interphase", "phase2", "interpulse", "burst", "burst_gap", "train", "delay")]  # fmt: skip
    volts = [getattr(channel, name) for channel in params.channels for name in ("volt1", "volt2", "rest")]
    flags = [getattr(channel, name) for channel in params.channels for name in
             ("biphasic", "custom_id", "custom_target", "custom_loop")]  # fmt: skip
    links = [getattr(channel, name) for name in ("link1", "link2") for channel in params.channels]
    return struct.pack("<32I12H16B8B2B", *times, *volts, *flags, *links, *params.modes)


def test_layouts_hold_all_fields() -> None:
    params = DeviceParams()
    for number, channel in enumerate(params.channels):
        for place, name in enumerate(channel.__slots__):
            setattr(channel, name, (number + place) % 2 if name in ("loop", "link1", "link2") else 10 * place + number)
    params.modes[:] = [1, 2]
    wide = read_back(params)
    assert len(wide) == len(to_file(params)) == len(_legacy(params)) == 178
    loops = bytes(channel.loop for channel in params.channels)
    assert by_field(wide[:168] + loops + wide[168:]) == params
    for channel in params.channels:
        channel.loop = 0
    assert by_channel(_legacy(params)) == params
    assert from_file(to_file(params)) == params
    assert wide[:4] == b"\0\0\0\0"
    assert wide[16:20] == b"\x0a\0\0\0", "op 93 goes field by field"
    assert to_file(params)[4:8] == b"\x0a\0\0\0", "a file goes channel by channel"


def test_22_reads_back_what_was_programmed() -> None:
    bench = Bench("22")
    set_up = pulses(1) + pulses(3, p4=12, p6=12, p7=9_976)
    assert bench.ask(set_up) == b"\1" * 26
    back = bench.ask(frame(93))
    times = struct.unpack("<32I", back[:128])
    assert times[0:4] == (4, 2, 12, 2)
    assert times[12:16] == (192, 20, 9_976, 20)
    assert struct.unpack("<4H", back[128:136]) == (ONE_VOLT, 49_152, ONE_VOLT, 49_152)
    assert bench.ask(frame(73, back)) in (b"\1", b"\0")


def test_22_programs_all_by_op_92() -> None:
    bench = Bench("22")
    body = read_back(DeviceParams())
    wide = body[:168] + b"\1\0\0\0" + body[168:]
    assert bench.ask(frame(92, wide)) == b"\1"
    assert bench.pal.params.channels[0].loop == 1
    assert bench.ask(frame(93)) == body
    bad = bytearray(wide)
    bad[152] = 2  # biphasic
    assert bench.ask(frame(92, bytes(bad))) == b"\0"
    assert bench.ask(frame(93)) == body[:152] + b"\0" + body[153:], "0 is said, the rest is taken, the bad field is 0"


def test_22_says_what_it_is() -> None:
    assert Bench("22").ask(frame(94)) == struct.pack("<BIBI", 2, 50, 2, 5_000)
    assert Bench("21").ask(frame(94)) == b""


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (one(1, 1, 1), b"\1"),
        (one(1, 1, 2), b"\0"),
        (one(1, 0, 1), b"\0"),
        (one(1, 5, 1), b"\0"),
        (one(14, 1, 2), b"\1"),
        (one(14, 1, 3), b"\0"),
        (one(18, 1, 2), b"\1"),
        (one(12, 1, 7), b"\1"),
        (one(128, 2, 2), b"\1"),
        (one(128, 3, 0), b"\0"),
        (one(128, 1, 3), b"\0"),
        (frame(79, 1, b"\0\x80"), b"\1"),
        (frame(79, 9, b"\0\x80"), b"\0"),
        (frame(82, 1, 2), b"\0"),
        (frame(91, 4, struct.pack("<4I", 1, 2, 3, 4)), b"\1"),
        (frame(91, 1, b"\0\1\2\0"), b"\0"),
        (frame(91, 128, b"\0\1"), b"\1"),
        (frame(95, 0, struct.pack("<I2I2H", 2, 0, 40, ONE_VOLT, ONE_VOLT)), b"\1"),
        (frame(95, 2, struct.pack("<I2I2H", 2, 0, 40, ONE_VOLT, ONE_VOLT)), b"\0"),
        (frame(75, struct.pack("<I", 5_001) + bytes(6 * 5_001)), b"\0"),
        (frame(90, 1, 3, b"abc"), b"\1"),
        (frame(90, 2, 3, b"xyz"), b"\0"),
        (frame(96, 3, b"\0\0"), b"\1"),
        (frame(90, 3, 3, b"xyz"), b"\1"),
        (frame(90, 1, 0), b"\0"),
        (frame(90, 4, 3, b"abc"), b"\0"),
        (frame(97), b""),
        (frame(98, 15), b""),
        (frame(78, 3, b"abc"), b""),
        (frame(86, 1, 1), b""),
        (frame(87, 1), b"\0"),
    ],
)
def test_22_confirms_or_refuses(data: bytes, answer: bytes) -> None:
    bench = Bench("22")
    assert bench.ask(data) == answer
    assert bench.ask(frame(72))[:1] == b"K", "the data of what was refused is not taken for a command"


def test_22_passes_over_what_follows_an_unknown_code() -> None:
    bench = Bench("22")
    assert bench.ask(frame(74, 99, 1, 213, 72, 213, 72)) == b"\0"
    assert bench.ask(frame(72)) == b""
    bench.wait(100_000)
    assert bench.ask(frame(72))[:1] == b"K"


def test_21_confirms_everything() -> None:
    bench = Bench("21")
    for data in (one(1, 9, 1), one(1, 1, 7), one(128, 1, 9), frame(74, 99, 1), frame(79, 9, b"\0\0")):
        assert bench.ask(data) == b"\1"
    assert bench.ask(frame(90, 1, 3, b"abc")) == b""
    assert len(bench.ask(frame(90, 2, 3, b"abc"))) == 178
    assert len(bench.ask(frame(85))) == 178


def test_settings_are_kept_by_name() -> None:
    bench = Bench("22")
    bench.ask(pulses() + frame(90, 1, 2, b"ea"))
    bench.ask(one(4, 1, 7))
    assert bench.ask(frame(90, 2, 2, b"ea")) == b"\1"
    assert bench.pal.params.channels[0].phase1 == 4
    assert from_file(bench.ask(frame(85))).channels[0].phase1 == 4
    assert bench.ask(frame(90, 3, 2, b"ea") + frame(90, 2, 2, b"ea")) == b"\1\0"


# --- pulses ----------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("changes", "period_us", "width_us", "count"),
    [({"p4": 12, "p6": 12, "p7": 9_976}, 500_000, 600, 6), ({}, 10_000, 200, 300)],
)
def test_acupuncture_trains_are_exact(
    firmware: str, changes: dict[str, int], period_us: int, width_us: int, count: int
) -> None:
    bench = Bench(firmware)
    bench.ask(pulses(**changes))
    bench.send(frame(77, 1))
    bench.wait(4 * S)
    [flow] = bench.record.flows(1)
    assert (flow.first_us, flow.period_us, flow.count) == (10_050, period_us, count)
    assert flow.shape[1:3] == (width_us, 0)
    assert flow.shape.first_na == flow.shape.second_na == 1_000_061
    assert flow.shape.second_width_us == width_us
    assert bench.record.channels == (1,)


@BOTH
@pytest.mark.parametrize(("sent_us", "begun_us"), [(10_000, 10_050), (10_001, 10_050), (10_049, 10_050)])
def test_a_trigger_is_for_the_next_cycle(firmware: str, sent_us: int, begun_us: int) -> None:
    bench = Bench(firmware)
    bench.send(pulses())
    bench.wait(sent_us)
    bench.send(frame(77, 1))
    assert bench.pal.next_event_us() == begun_us
    bench.wait(100)
    assert bench.pal.next_event_us() == begun_us + 3 * S, "the train's end"
    bench.wait(S)
    assert bench.record.flows(1)[0].first_us == begun_us


@BOTH
@pytest.mark.parametrize(("isolator", "na"), [(0.5, 500_031), (2.0, 2_000_122)])
def test_the_isolator_makes_current_of_volts(firmware: str, isolator: float, na: int) -> None:
    bench = Bench(firmware, isolator=isolator)
    bench.ask(pulses())
    bench.ask(frame(77, 1))
    assert bench.wait(4 * S) == b""
    assert bench.record.flows(1)[0].shape.first_na == na


@BOTH
def test_two_channels_alternate_in_bursts(firmware: str) -> None:
    """100 Hz and 2 Hz, 3 s each, on two channels, as for a summing isolator."""
    bench = Bench(firmware)
    train = 12 * 20_000
    bench.ask(pulses(1, p8=60_000, p9=60_000, p10=train))
    bench.ask(pulses(2, p4=12, p6=12, p7=9_976, p8=60_000, p9=60_000, p10=train, p11=60_000))
    bench.send(frame(77, 3))
    bench.wait(20 * S)
    dense, sparse = bench.record.flows(1), bench.record.flows(2)
    start_us = dense[0].first_us
    assert [(flow.first_us - start_us, flow.count) for flow in dense] == [(0, 300), (6 * S, 300)]
    assert [(flow.first_us - start_us, flow.count) for flow in sparse] == [(3 * S, 6), (9 * S, 6)]
    assert bench.record.net_fc(1) == bench.record.net_fc(2) == 0


@BOTH
def test_interphase_gap_and_one_phase(firmware: str) -> None:
    bench = Bench(firmware)
    bench.ask(pulses(1, p5=2, p7=190) + pulses(2, p1=0, p7=196))
    bench.ask(frame(77, 3))
    bench.wait(4 * S)
    assert bench.record.flows(1)[0].shape[1:] == (200, 100, 1_000_061, 200)
    assert bench.record.flows(2)[0].shape[1:] == (200, 0, 0, 0)
    assert bench.record.flows(2)[0].period_us == 10_000
    assert (bench.record.pulses(1), bench.record.pulses(2)) == (300, 300)


@BOTH
def test_stop_is_at_once_and_in_the_middle(firmware: str) -> None:
    bench = Bench(firmware)
    bench.ask(pulses(1) + pulses(2))
    bench.send(frame(77, 3))
    bench.wait(1_000_100)
    bench.send(frame(98, 1) if firmware == "22" else frame(80))
    bench.wait(4 * S)
    assert bench.record.end_us(1) == 10_000 + 1_000_100
    assert bench.record.flows(1)[-1].shape.second_na == 0
    assert (bench.record.pulses(2) == 300) == (firmware == "22"), "op 98 stops the channels that it names"


@BOTH
def test_disconnect_stops(firmware: str) -> None:
    bench = Bench(firmware)
    bench.ask(pulses() + frame(77, 1))
    bench.send(frame(81))
    bench.wait(S)
    assert bench.record.end_us() <= 10_000


@BOTH
def test_continuous_loop_does_not_end(firmware: str) -> None:
    bench = Bench(firmware)
    bench.ask(pulses(p10=20))
    assert bench.ask(frame(82, 1, 1)) == b"\1"
    if firmware == "22":
        bench.wait(S)
        assert bench.record.pulses(1) == 0, "22 starts nothing by it"
        bench.ask(frame(77, 1))
    bench.wait(10 * S)
    assert bench.record.pulses(1) > 1_000
    bench.ask(frame(82, 1, 0))
    before = bench.record.pulses(1)
    bench.wait(S)
    assert bench.record.pulses(1) == before


@BOTH
def test_fixed_and_resting_voltages_flow(firmware: str) -> None:
    bench = Bench(firmware, load="r1k")
    assert bench.ask(frame(79, 2, ONE_VOLT.to_bytes(2, "little"))) == b"\1"
    bench.wait(490_000)
    bench.ask(frame(79, 2, b"\x00\x80") + one(17, 3, MINUS_ONE))
    bench.wait(S)
    assert sum(flow.shape.width_us for flow in bench.record.flows(2, FlowKind.HELD)) == 500_000
    assert bench.record.flows(2, FlowKind.HELD)[0].shape.first_na == 1_000_061
    if firmware == "22":
        assert bench.record.flows(3, FlowKind.HELD)[0].shape.first_na == -1_000_061
    else:
        assert not bench.record.flows(3, FlowKind.HELD), "21 does not move a converter for a program"


def test_21_keeps_a_fixed_level_until_it_is_told_otherwise() -> None:
    bench = Bench("21", load="r1k")
    bench.ask(frame(79, 1, ONE_VOLT.to_bytes(2, "little")))
    bench.ask(one(17, 1, 32_768) + frame(73, bytes(128) + b"\x00\x80" * 12 + bytes(26)))
    bench.wait(S)
    assert bench.ask(frame(80)) == b""
    bench.wait(S)
    assert sum(flow.shape.width_us for flow in bench.record.flows(1, FlowKind.HELD)) == S + 20_000


def test_21_answers_a_loaded_file_as_op_73_programs_it() -> None:
    bench = Bench("21")
    body = bytes(range(1, 129)) + b"\x00\x80" * 12 + b"\1\0\0\0" * 4 + bytes(10)
    assert bench.ask(frame(73, body) + frame(90, 1, 2, b"ea")) == b"\1"
    assert bench.ask(frame(73, bytes(178)) + frame(90, 2, 2, b"ea")) == b"\1" + body


def test_21_makes_a_phase_of_two_one() -> None:
    bench = Bench("21")
    assert bench.ask(one(1, 1, 2)) == b"\1"
    assert bench.pal.params.channels[0].biphasic == 1


@BOTH
def test_the_defaults_are_five_volts_on_a_trigger_edge(firmware: str) -> None:
    """Why nothing may be connected before every channel has been unlinked."""
    bench = Bench(firmware)
    bench.pal.ttl(1, True, 10_000)
    bench.wait(3 * S)
    assert [flow.shape.first_na for channel in (1, 2, 3, 4) for flow in bench.record.flows(channel)] == [5_000_000] * 4
    quiet = Bench(firmware)
    quiet.ask(b"".join(one(code, channel, 0) for code in (12, 13) for channel in (1, 2, 3, 4)))
    quiet.pal.ttl(1, True, 20_000)
    quiet.wait(3 * S)
    assert quiet.record.channels == ()


@pytest.mark.parametrize(("mode", "count"), [(0, 100), (1, 50), (2, 25 + 100)])
def test_trigger_modes(mode: int, count: int) -> None:
    bench = Bench("22")
    bench.ask(pulses(p10=20_000, p12=1) + one(128, 1, mode))
    bench.pal.ttl(1, True, 20_020)
    bench.pal.ttl(1, False, 20_020 + 249_000)
    bench.pal.ttl(1, True, 20_020 + 499_000)
    bench.now_us = 20_020 + 499_000
    bench.wait(3 * S)
    assert bench.record.pulses(1) == count


@BOTH
def test_a_monophasic_custom_train_loops(firmware: str) -> None:
    bench = Bench(firmware)
    bench.ask(frame(75, struct.pack("<I4I4H", 4, 0, 200, 400, 600, *[ONE_VOLT] * 4)))
    bench.ask(pulses(p1=0, p10=10_000, p14=1, p16=1))
    bench.send(frame(77, 1))
    bench.wait(2 * S)
    assert bench.record.pulses(1) > 40
    assert bench.record.end_us() <= 20_050 + 500_000


@BOTH
def test_custom_volts_and_their_mirror(firmware: str) -> None:
    bench = Bench(firmware)
    bench.ask(frame(76, struct.pack("<I2I2H", 2, 0, 200, ONE_VOLT, 40_000)) + pulses(p14=2))
    bench.send(frame(77, 1))
    bench.wait(4 * S)
    assert [flow.shape.first_na for flow in bench.record.flows(1)] == [1_000_061, 2_207_031]
    assert [flow.shape.net_fc for flow in bench.record.flows(1)] == [0, 0]


# --- anything --------------------------------------------------------------------------------------------


@BOTH
def test_time_in_pieces_changes_nothing(firmware: str) -> None:
    seen = []
    for step_us in (4 * S, 777):
        bench = Bench(firmware, load="intermittent")
        bench.send(pulses() + frame(77, 1))
        while bench.now_us < 4 * S:
            bench.wait(min(step_us, 4 * S - bench.now_us))
        seen.append(bench.record.flows(1))
    assert seen[0] == seen[1]


@BOTH
@settings(max_examples=60)
@given(
    values=st.fixed_dictionaries({
        "p1": st.integers(0, 1), "p4": st.integers(0, 6), "p5": st.integers(0, 3), "p6": st.integers(0, 6),
        "p7": st.integers(0, 40), "p8": st.sampled_from([0, 0, 77]), "p9": st.sampled_from([0, 31]),
        "p10": st.integers(0, 900), "p11": st.sampled_from([0, 5]), "p17": st.sampled_from([32_768, 32_768, 33_000]),
    }),
    changed=st.tuples(st.integers(4, 8), st.integers(0, 30)),
)  # fmt: skip
# A channel whose bursts are switched off between two of them is in no burst any more, so it plays nothing.
@example(
    values={"p1": 0, "p4": 1, "p5": 0, "p6": 0, "p7": 1, "p8": 77, "p9": 31, "p10": 326, "p11": 0, "p17": 32_768},
    changed=(8, 0),
)
def test_pulses_at_once_are_what_they_are_one_by_one(
    firmware: str, values: dict[str, int], changed: tuple[int, int]
) -> None:
    """With no more than a cycle at a time nothing can be taken together. One parameter changes on the way."""
    seen = []
    for step_us in (15_000, 50):
        bench = Bench(firmware, load="r1k")
        bench.send(pulses(**values) + frame(77, 1))
        for _ in range(3):
            for _ in range(15_000 // step_us):
                bench.wait(step_us)
            bench.send(one(changed[0], 1, changed[1]))
        bench.pal.flush()
        flows = bench.record.flows(1)
        seen.append([(flow.first_us + k * flow.period_us, flow.shape) for flow in flows for k in range(flow.count)])
    assert seen[0] == seen[1]


@BOTH
@settings(max_examples=60)
@given(
    pieces=st.lists(st.one_of(
        st.binary(max_size=40),
        st.builds(frame, st.integers(0, 255), st.binary(max_size=8)),
        st.builds(one, st.sampled_from([*range(20), 128]), st.integers(0, 6), st.integers(0, 255)),
        st.sampled_from([frame(77, 15), frame(80), pulses(), frame(82, 1, 1), frame(75, b"\2\0\0\0" + bytes(12))]),
    ), max_size=20),
    waits=st.lists(st.integers(0, 2_000_000), max_size=20),
)  # fmt: skip
def test_any_bytes_at_any_time(firmware: str, pieces: list[bytes], waits: list[int]) -> None:
    record = Recorder()
    pal = FIRMWARES[firmware](recorder=record)
    now_us = 0
    for piece, wait_us in zip(pieces, [*waits, *[0] * len(pieces)], strict=False):
        pal.receive(piece, now_us)
        now_us += wait_us
        pal.advance(now_us)
        pal.take_output()
        assert pal.next_event_us() > now_us
    assert record.end_us() >= 0
