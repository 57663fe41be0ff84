"""The host's side of a whole session, sent again byte for byte by somebody else's tool, makes nothing flow.

stimctl itself cannot replay to a port. What protects against others is the device's nonce: half of it counts arms
over all boots of one device, half is drawn by chance at each arm. So what was recorded starts nothing, not on the same
device, not on a twin that has armed as often, and not on a device whose memory was erased.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import pytest

from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.native.device import Device
from firmware_sim.native.flash import Flash
from firmware_sim.native.nonces import by_system
from stimctl.session.commands import AskHold
from stimctl.wire.codec import Alive, Armed, Refused, Start, Started, parse
from stimctl.wire.codes import Refusal
from stimctl.wire.framing import FrameSplitter
from tests.stimctl.session.world import Rig, S, proceed

REST_US = 5 * S  # watched for after the last byte


@dataclass(frozen=True)
class Recorded:
    """A session with a hold in it: what the host sent, and the device that it was sent to."""

    sent: tuple[tuple[int, bytes], ...]
    rig: Rig
    flash: Flash
    end_us: int


BY_CHANCE = partial(Device, draw=by_system)  # as a device does that was given no seed


def a_whole_session(device: Callable[..., Device] = Device) -> Recorded:
    """On a brand-new device, from the handshake over a hold to the acknowledgement of the dose."""
    flash = Flash()
    rig = Rig(flash=flash, device=device)
    rig.run((4 * S, AskHold()), (5 * S, proceed), (7 * S, proceed))
    sent = tuple((at_us, data) for at_us, sender, data in rig.tape.pieces if sender == "host")
    assert rig.flowed() > 100
    assert [type(message) for message in messages(b"".join(data for _, data in sent))].count(Start) == 4
    return Recorded(sent, rig, flash, rig.tape.pieces[-1][0])


@cache
def once() -> Recorded:
    """The same, for those who do not go on with its device."""
    return a_whole_session()


def messages(data: bytes) -> list[object]:
    return [parse(payload)[1] for payload in FrameSplitter().feed(data)]


def flowed(recorder: Recorder) -> int:
    return sum(recorder.pulses(channel, kind) for channel in recorder.channels for kind in FlowKind)


def send_again(recorded: Recorded, device: Device, from_us: int = 0) -> list[object]:
    """Each recorded piece at its recorded time, whatever the device says; returns all that it said."""
    said = b""
    device.advance(from_us)
    device.take_output()
    for at_us, data in recorded.sent:
        device.receive(data, from_us + at_us)
        said += device.take_output()
    device.advance(from_us + recorded.end_us + REST_US)
    return messages(said + device.take_output())


def refusals(said: list[object]) -> list[Refusal]:
    return [Refusal(each.reason) for each in said if isinstance(each, Refused)]


def nothing_flowed(recorder: Recorder, said: list[object]) -> None:
    """No pulse of any kind, because no Start was taken: each was refused for its nonce."""
    assert flowed(recorder) == 0
    assert not any(isinstance(each, Started | Alive) for each in said)
    assert refusals(said).count(Refusal.WRONG_NONCE) >= 1
    assert sum(isinstance(each, Armed) for each in said) >= 1  # it did come as far as an arm


def rebooted(flash: Flash, boots: int = 1, seed: int = 1) -> tuple[Device, Recorder]:
    for _ in range(boots - 1):
        flash.boot()
    recorder = Recorder()
    return Device(flash=flash, recorder=recorder, seed=seed), recorder


def test_the_same_device_rebooted() -> None:
    device, recorder = rebooted(a_whole_session().flash)
    nothing_flowed(recorder, send_again(once(), device))


def test_the_same_device_without_a_reboot() -> None:
    recorded = a_whole_session()
    before = flowed(recorded.rig.recorder)
    said = send_again(recorded, recorded.rig.device, from_us=recorded.end_us + S)
    assert flowed(recorded.rig.recorder) == before
    assert not any(isinstance(each, Started) for each in said)
    assert refusals(said).count(Refusal.WRONG_NONCE) >= 1


@pytest.mark.parametrize("boots", [1, 2, 3, 500])
def test_a_twin_that_was_on_as_often_or_more(boots: int) -> None:
    """With one boot all its counters are those of the device that was recorded."""
    device, recorder = rebooted(Flash(), boots, seed=2)
    nothing_flowed(recorder, send_again(once(), device))


def test_the_same_device_erased() -> None:
    """Nothing is left of its counters: they begin again, and chance does not."""
    recorded = a_whole_session(BY_CHANCE)
    recorder = Recorder()
    nothing_flowed(recorder, send_again(recorded, BY_CHANCE(flash=Flash(), recorder=recorder)))


def test_a_device_without_chance_would_be_started() -> None:
    """What the tests above rest on: with the same seed and erased counters a simulator is its own past."""
    recorder = Recorder()
    said = send_again(once(), Device(flash=Flash(), recorder=recorder))
    assert any(isinstance(each, Started) for each in said)
    assert flowed(recorder) == once().rig.flowed()


@pytest.mark.parametrize("from_piece", range(0, 60, 3))
def test_any_later_part_of_it(from_piece: int) -> None:
    """Without the handshake, without the program, without the arm: from wherever the replay begins."""
    part = Recorded(once().sent[from_piece:], once().rig, once().flash, once().end_us)
    device, recorder = rebooted(Flash(), seed=2)
    said = send_again(part, device)
    assert flowed(recorder) == 0
    assert not any(isinstance(each, Started) for each in said)


@pytest.mark.parametrize("again", [1, 2, 3])
def test_as_often_as_one_likes(again: int) -> None:
    """The count of arms goes on, and chance never comes back to what it gave."""
    device, recorder = rebooted(Flash(), seed=2)
    for turn in range(again):
        said = send_again(once(), device, from_us=turn * (once().end_us + REST_US + S))
        assert flowed(recorder) == 0
        assert not any(isinstance(each, Started) for each in said)
