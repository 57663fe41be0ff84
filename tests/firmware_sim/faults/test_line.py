"""The hostile line by itself: what each kind of fault does to bytes and times, both ways."""

from collections.abc import Iterable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.faults.catalogue import CATALOGUE
from firmware_sim.faults.line import HostileLine, LineDirection
from firmware_sim.faults.model import Fault
from firmware_sim.faults.schedule import FaultSchedule
from stimctl.wire import codec as wire
from stimctl.wire.framing import FrameSplitter
from stimctl.wire.framing import frame as framed

FRAMES = [wire.encode(number, wire.KeepAlive(number)) for number in range(1, 401)]
KINDS = [name for name in CATALOGUE if name.startswith("line.")]
STEP_US = 1_000


class Rig:
    """A line with faults, and a clock that somebody turns."""

    def __init__(self, *faults: Fault, seed: int = 1) -> None:
        self.schedule = FaultSchedule(faults)
        self.line = HostileLine(self.schedule.windows, seed)
        self.heard: list[tuple[int, bytes]] = []
        self.go(0)

    def go(self, now_us: int, way: LineDirection | None = None) -> None:
        """Let time pass, and hear what comes on the way."""
        for _ in self.schedule.turns(now_us):
            self.line.changed(now_us)
        for each in (self.line.to_device, self.line.from_device) if way is None else (way,):
            self.heard += [(now_us, piece) for piece in each.take(now_us)]

    def pass_on(self, frames: Iterable[bytes] = FRAMES, *, to_device: bool = True, every_us: int = STEP_US) -> bytes:
        """Send frames one after the other, and give back all that came by a minute later."""
        way = self.line.to_device if to_device else self.line.from_device
        for number, frame in enumerate(frames):
            self._live(way, number * every_us)
            self.go(number * every_us, way)
            way.send(frame, number * every_us)
        self._live(way, NEVER_US - 1)
        return b"".join(piece for _, piece in self.heard)

    def _live(self, way: LineDirection, until_us: int) -> None:
        while (next_us := min(way.next_us, self.schedule.next_us)) <= until_us:
            self.go(next_us, way)

    def fired(self, index: int = 0) -> int:
        return self.schedule.windows[index].fired


def sent(data: bytes) -> list[bytes]:
    return [frame + b"\0" for frame in data.split(b"\0")[:-1]]


def test_every_kind_has_a_test_here() -> None:
    assert {f"line.{name}" for name in SEEN} == set(KINDS)


def see_loss() -> None:
    rig = Rig(Fault("line.loss", options={"permille": 250}))
    frames = sent(rig.pass_on())
    assert rig.fired() == len(FRAMES) - len(frames)
    assert 60 < rig.fired() < 140
    assert [frame for frame in FRAMES if frame in frames] == frames, "in order, and only what was sent"


def see_flip() -> None:
    rig = Rig(Fault("line.flip", options={"permille": 10}))
    out = rig.pass_on()
    whole = b"".join(FRAMES)
    assert len(out) == len(whole)
    changed = [one ^ other for one, other in zip(out, whole, strict=True) if one != other]
    assert len(changed) == rig.fired() > 10
    assert all(each.bit_count() == 1 for each in changed)


def see_duplicate() -> None:
    rig = Rig(Fault("line.duplicate", options={"permille": 500, "copies": 2}))
    frames = sent(rig.pass_on())
    assert len(frames) == len(FRAMES) + 2 * rig.fired()
    assert list(dict.fromkeys(frames)) == FRAMES
    assert {frames.count(frame) for frame in FRAMES} == {1, 3}


def see_reorder() -> None:
    rig = Rig(Fault("line.reorder", options={"permille": 200, "hold_us": 50_000}))
    frames = sent(rig.pass_on())
    assert sorted(frames) == sorted(FRAMES)
    swapped = [index for index in range(len(FRAMES) - 1) if frames[index] == FRAMES[index + 1]]
    assert len(swapped) == rig.fired() > 40
    assert all(frames[index + 1] == FRAMES[index] for index in swapped)
    alone = Rig(Fault("line.reorder", options={"permille": 1_000, "hold_us": 7_000}))
    assert alone.pass_on(FRAMES[:1]) == FRAMES[0]
    assert [at_us for at_us, _ in alone.heard] == [7_000], "one that nothing follows comes by itself"


def see_split() -> None:
    rig = Rig(Fault("line.split", options={"piece_bytes": 4, "gap_us": 300}))
    assert rig.pass_on(FRAMES[:20], every_us=100_000) == b"".join(FRAMES[:20])
    assert max(len(piece) for _, piece in rig.heard) <= 4
    times = [at_us for at_us, _ in rig.heard]
    assert {later - at for at, later in pairwise(times) if later - at < 10_000} == {300}


def see_merge() -> None:
    rig = Rig(Fault("line.merge", options={"wait_us": 16_000}))
    assert rig.pass_on() == b"".join(FRAMES)
    times = sorted({at_us for at_us, _ in rig.heard})
    assert all(later - at >= 16_000 for at, later in pairwise(times))
    assert times[0] == 16_000


def see_delay() -> None:
    rig = Rig(Fault("line.delay", options={"delay_us": 20_000, "jitter_us": 5_000}))
    assert rig.pass_on() == b"".join(FRAMES)
    late_us = [at_us - number * STEP_US for number, (at_us, _) in enumerate(rig.heard)]
    assert min(late_us) >= 20_000
    assert max(late_us) <= 25_000
    assert len(set(late_us)) > 10


def test_answers_go_ahead_of_telemetry_that_waits() -> None:
    """Each in its own order; what is said after an answer stays behind it."""
    status, answer = framed(b"\x61\x00\x00"), framed(b"\x41\x00\x00")
    rig = Rig(Fault("line.delay", options={"delay_us": 0, "telemetry_us": 50_000}))
    way = rig.line.from_device
    for number in range(300):
        rig.go(number * STEP_US, way)
        if number < 200:
            way.send(status + answer if number % 10 == 5 else status, number * STEP_US)
    heard = [piece for _, piece in rig.heard]
    assert heard.count(status) == 200
    answered_us = [at_us for at_us, piece in rig.heard if piece == answer]
    assert answered_us == [(10 * number + 6) * STEP_US for number in range(20)]
    places = [place for place, piece in enumerate(heard) if piece == answer]
    waited = [10 * number + 6 - heard[:place].count(status) for number, place in enumerate(places)]
    assert min(waited) >= 0
    assert max(waited) > 5


def see_stall() -> None:
    rig = Rig(Fault("line.stall", at_us=100_500, for_us=50_000))
    assert rig.pass_on() == b"".join(FRAMES)
    assert not [at_us for at_us, _ in rig.heard if 100_500 <= at_us < 150_500]
    assert [at_us for at_us, _ in rig.heard].count(150_500) == rig.fired() == 50


def see_junk() -> None:
    rig = Rig(Fault("line.junk", options={"permille": 300, "most_bytes": 8}))
    out = rig.pass_on()
    assert 0 < len(out) - len(b"".join(FRAMES)) <= 8 * rig.fired()
    for frame in FRAMES:
        assert frame in out, "what was sent is still there"
    assert len(FrameSplitter().feed(out)) <= len(FRAMES)


def see_one_way() -> None:
    rig = Rig(Fault("line.one_way", options={"direction": "from_device"}))
    assert rig.pass_on(to_device=False) == b""
    assert rig.fired() == len(FRAMES)
    assert Rig(Fault("line.one_way", options={"direction": "from_device"})).pass_on() == b"".join(FRAMES)


def see_unplug() -> None:
    rig = Rig(Fault("line.unplug", at_us=100_500, for_us=50_000), Fault("line.delay", options={"delay_us": 10_000}))
    out = sent(rig.pass_on())
    # From 0.101 s on nothing enters; what was on the way is lost with it.
    assert out == [*FRAMES[:91], *FRAMES[151:]]
    rig = Rig(Fault("line.unplug", at_us=5, for_us=5))
    for at_us, gone in ((4, False), (5, True), (10, False)):
        rig.go(at_us)
        assert rig.line.gone is gone


def see_baud() -> None:
    rig = Rig(Fault("line.baud", options={"bits_per_s": 100_000, "room_bytes": 100_000}))
    assert rig.pass_on(every_us=0) == b"".join(FRAMES[: len(rig.heard)])
    taken_us = rig.heard[-1][0]
    assert taken_us == sum(len(piece) for _, piece in rig.heard) * 100
    full = Rig(Fault("line.baud", options={"bits_per_s": 300, "room_bytes": 64}))
    assert len(full.pass_on(every_us=0)) <= 64 + len(FRAMES[0]), "what has no room is lost"


SEEN = {name.removeprefix("see_"): see for name, see in list(globals().items()) if name.startswith("see_")}


@pytest.mark.parametrize("name", SEEN)
def test_a_fault_does_what_it_says(name: str) -> None:
    SEEN[name]()


@pytest.mark.parametrize("kind", KINDS)
def test_each_ends_and_leaves_nothing_behind(kind: str) -> None:
    full = {"permille": 1_000} if "permille" in CATALOGUE[kind].options else {}
    direction = {"direction": "to_device"} if "direction" in CATALOGUE[kind].options else {}
    rig = Rig(Fault(kind, at_us=50_500, for_us=100_000, options={**full, **direction}))
    out = rig.pass_on(every_us=1_000)
    assert rig.fired() or kind == "line.unplug"
    assert out.startswith(b"".join(FRAMES[:50]))
    assert out.endswith(b"".join(FRAMES[-100:]))
    assert rig.line.to_device.plain


@pytest.mark.parametrize("kind", KINDS)
def test_a_direction_that_is_not_meant_is_whole(kind: str) -> None:
    if "direction" not in CATALOGUE[kind].options:
        return
    rig = Rig(Fault(kind, options={"direction": "to_device"}))
    assert rig.pass_on(to_device=False) == b"".join(FRAMES)
    assert rig.fired() == 0


def test_frames_are_frames_whatever_pieces_they_are_sent_in() -> None:
    whole = b"".join(FRAMES)
    pieces = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    fault = Fault("line.loss", options={"permille": 300})
    assert Rig(fault).pass_on(pieces) == Rig(fault).pass_on()


faults = st.builds(
    Fault,
    st.sampled_from([kind for kind in KINDS if kind != "line.unplug"]),
    at_us=st.integers(0, 200_000),
    for_us=st.none() | st.integers(1, 200_000),
)


@settings(max_examples=60)
@given(st.lists(faults, min_size=1, max_size=4), st.integers(0, 9))
def test_the_same_seed_gives_the_same_bytes_at_the_same_times(some: list[Fault], seed: int) -> None:
    one, other = Rig(*some, seed=seed), Rig(*some, seed=seed)
    assert one.pass_on(FRAMES[:100]) == other.pass_on(FRAMES[:100])
    assert one.heard == other.heard


def test_another_seed_gives_others() -> None:
    fault = Fault("line.loss", options={"permille": 500})
    assert Rig(fault, seed=1).pass_on() != Rig(fault, seed=2).pass_on()


@settings(max_examples=60)
@given(st.lists(faults, min_size=1, max_size=4), st.integers(0, 9))
def test_no_valid_frame_comes_that_nobody_sent(some: list[Fault], seed: int) -> None:
    rig = Rig(*some, seed=seed)
    heard = FrameSplitter().feed(rig.pass_on(FRAMES[:100]))
    known = FrameSplitter().feed(b"".join(FRAMES[:100]))
    assert set(heard) <= set(known)
    if not any(fault.kind == "line.duplicate" for fault in some):
        assert len(heard) == len(set(heard))
    if all(fault.kind in ("line.split", "line.merge", "line.delay") for fault in some):
        assert heard == known


def test_bytes_without_an_end_are_not_held_for_ever() -> None:
    rig = Rig(Fault("line.loss", options={"permille": 0}))
    assert rig.pass_on([b"\x01" * 600] * 4) == b"\x01" * 2_400


def test_the_bits_that_are_turned_over_are_those_of_the_seed() -> None:
    """Same seed, same session: the draws of `Random.randrange`, one for each byte, which the line makes by itself."""
    dice = Random("line 1 0 to_device")
    wanted = bytearray(b"".join(FRAMES))
    for place in range(len(wanted)):
        if dice.randrange(1_000) < 20:
            wanted[place] ^= 1 << dice.randrange(8)
    rig = Rig(Fault("line.flip", options={"permille": 20}))
    assert rig.pass_on() == wanted
