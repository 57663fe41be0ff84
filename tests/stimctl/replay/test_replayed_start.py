"""The host's side of a whole session, sent again byte for byte by somebody else's tool, makes nothing flow.

stimctl itself cannot replay to a port. What protects against others is the device's nonce: it was given once, and
a Start or a KeepAlive with it is refused for ever after. That is a promise of one device over all its boots, and no
more: the last test shows where it ends.
"""

from dataclasses import dataclass
from functools import cache

import pytest

from firmware_sim.device import Device
from firmware_sim.flash import Flash
from firmware_sim.record import Kind, Recorder
from stimctl.session.commands import AskHold
from stimctl.wire.codes import Refusal
from stimctl.wire.framing import FrameSplitter
from stimctl.wire.messages import Armed, Refused, Start, Started, parse
from tests.stimctl.session.world import Rig, S, proceed

REST_US = 5 * S  # watched for after the last byte


@dataclass(frozen=True)
class Recorded:
    """A session with a hold in it: what the host sent, and the device that it was sent to."""

    sent: tuple[tuple[int, bytes], ...]
    rig: Rig
    flash: Flash
    end_us: int


def a_whole_session() -> Recorded:
    """On a brand-new device, from the handshake over a hold to the acknowledgement of the dose."""
    flash = Flash()
    rig = Rig(flash=flash)
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
    return sum(recorder.pulses(channel, kind) for channel in recorder.channels for kind in Kind)


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
    assert not any(isinstance(each, Started) for each in said)
    assert refusals(said).count(Refusal.WRONG_NONCE) >= 1
    assert sum(isinstance(each, Armed) for each in said) >= 1  # it did come as far as an arm


def rebooted(flash: Flash, boots: int = 1) -> tuple[Device, Recorder]:
    for _ in range(boots - 1):
        flash.boot()
    recorder = Recorder()
    return Device(flash=flash, recorder=recorder), recorder


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


@pytest.mark.parametrize("boots", [2, 3, 500])
def test_another_device_that_was_on_more_often(boots: int) -> None:
    device, recorder = rebooted(Flash(), boots)
    nothing_flowed(recorder, send_again(once(), device))


@pytest.mark.parametrize("from_piece", range(0, 60, 3))
def test_any_later_part_of_it(from_piece: int) -> None:
    """Without the handshake, without the program, without the arm: from wherever the replay begins."""
    part = Recorded(once().sent[from_piece:], once().rig, once().flash, once().end_us)
    device, recorder = rebooted(a_device_that_was_used())
    said = send_again(part, device)
    assert flowed(recorder) == 0
    assert not any(isinstance(each, Started) for each in said)


def a_device_that_was_used() -> Flash:
    flash = Flash()
    flash.boot()
    return flash


@pytest.mark.parametrize("again", [1, 2, 3])
def test_as_often_as_one_likes(again: int) -> None:
    """The count of arms goes on within a boot, and never comes back to one that was given."""
    device, recorder = rebooted(a_device_that_was_used())
    for turn in range(again):
        said = send_again(once(), device, from_us=turn * (once().end_us + REST_US + S))
        assert flowed(recorder) == 0
        assert not any(isinstance(each, Started) for each in said)


def test_the_promise_is_of_one_device_and_not_of_two() -> None:
    """docs/protocol.md, section 9, says so: two devices with the same count of boots give the same nonces.

    A brand-new device takes the stream of another brand-new one for its host's, up to its own clock and limits.
    """
    device, recorder = rebooted(Flash())
    said = send_again(once(), device)
    assert any(isinstance(each, Started) for each in said)
    assert flowed(recorder) == once().rig.flowed()
