"""Recorded traffic in words: every message, every kind of damage, and nothing that the link would not take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl.errors import WireError
from stimctl.traffic.decoder import DecodedLine, Decoder, described
from stimctl.traffic.transcript import TrafficChunk
from stimctl.wire.codec import Channel, KeepAlive, LoadProgram, Refused, SelfTestDone, Welcome, encode, parse
from stimctl.wire.codes import PROTOCOL_VERSION
from stimctl.wire.framing import FrameSplitter
from tests.golden import by_hand

GOLDEN = by_hand.vectors()


def lines_of(*records: TrafficChunk) -> list[DecodedLine]:
    decoder = Decoder()
    return [line for record in records for line in decoder.feed(record)] + list(decoder.finish())


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda vector: vector.message)
def test_every_golden_frame_has_words(vector: by_hand.Vector) -> None:
    (line,) = lines_of(TrafficChunk(1_250_000, "host", vector.frame))
    assert (line.kind, line.sequence) == (vector.message, vector.sequence)
    assert line.text().startswith(f"     1.250000 s  host    {'#' + str(vector.sequence):>6}  {vector.message}")
    assert len(line.fields) == len(vector.layout) - 2
    assert "\n" not in line.text()


def test_numbers_have_units_and_codes_have_names() -> None:
    assert described(LoadProgram(2, 0b0101, 200, 5_000_000)) == {
        "segment_count": "2",
        "channels": "1,3",
        "ramp_slope": "200 uA/s",
        "ramp_down": "5000000 us",
    }
    assert described(KeepAlive(0x0000000700000001)) == {"nonce": "0x0000000700000001"}
    assert described(Refused(0x07, 12, 2_500, 2_000)) == {
        "command": "Arm",
        "reason": "ABOVE_LIMIT",
        "detail": "2500",
        "limit": "2000",
    }
    assert described(Refused(0xEE, 1, 0, 0))["command"] == "0xee"
    assert described(SelfTestDone(0, 3, 7)) == {"failures": "none", "zero": "3 uA", "device_time": "7 us"}
    channel = described(Channel(1, 0b11, 2_000, 0, 0, 640, 5, 6, 7, 8, -9, 10))
    assert (channel["flags"], channel["ohm"], channel["net_charge"]) == ("COMPLIANCE|LEAD_OFF", "640 ohm", "-9 pC")


def test_text_is_shown_without_its_padding() -> None:
    (line,) = lines_of(TrafficChunk(0, "device", next(v.frame for v in GOLDEN if v.message == "Maker")))
    assert line.fields == {"model": "'stimctl simulator'", "serial": "'SIM-0001'"}


def test_a_frame_carries_the_time_of_its_last_byte_and_directions_do_not_mix() -> None:
    hello, stop = GOLDEN[0].frame, bytes.fromhex("021f01055f3d3be800")
    lines = lines_of(
        TrafficChunk(10, "host", hello[:4]), TrafficChunk(20, "device", stop[:3]), TrafficChunk(30, "host", hello[4:]),
        TrafficChunk(40, "device", stop[3:]),
    )  # fmt: skip
    assert [(line.at_us, line.sender, line.kind) for line in lines] == [(30, "host", "Hello"), (40, "device", "Stop")]


def test_damage_is_shown_in_hex_with_the_reason() -> None:
    lines = lines_of(TrafficChunk(7, "device", b"\x03\x01\x02\x00" + b"\x05\x01"))
    assert [line.kind for line in lines] == ["damaged", "damaged"]
    assert lines[0].text().endswith('damaged        why="CRC does not hold" bytes=03 01 02')
    assert lines[1].fields == {"why": '"cut short at the end"', "bytes": "05 01"}


def test_an_unknown_kind_is_damage_by_name() -> None:
    (line,) = lines_of(TrafficChunk(7, "device", by_hand.frame_of(b"\xee\x00\x00")))
    assert "kind ee is not in protocol version 2" in line.fields["why"]


def test_the_decoder_learns_what_the_device_is() -> None:
    decoder = Decoder()
    assert decoder.simulator is None
    list(decoder.feed(TrafficChunk(0, "device", encode(1, Welcome(PROTOCOL_VERSION, 7, 0, 0, 0)))))
    assert decoder.simulator is False


@given(st.lists(st.one_of(st.binary(max_size=150), st.sampled_from([v.frame for v in GOLDEN])), max_size=10))
def test_it_shows_the_frames_that_the_link_takes_and_no_other(parts: list[bytes]) -> None:
    decoder, splitter = Decoder(), FrameSplitter()
    for part in parts:
        shown = [line.message for line in decoder.feed(TrafficChunk(0, "host", part)) if line.message is not None]
        taken = []
        for payload in splitter.feed(part):
            try:
                taken.append(parse(payload)[1])
            except WireError:
                continue
        assert shown == taken
