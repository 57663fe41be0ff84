"""Frames that are doubled, swapped, damaged, or played back later; and clocks that jump: the dose stays exact.

Or the session ends, at zero: what never happens is a current that nobody ordered.
"""

import re
from collections.abc import Callable
from random import Random

import pytest

from stimctl import limits
from stimctl.errors import Suspended
from stimctl.port import SLICE_S, HostClock, Port
from stimctl.session.commands import AskHold, AskStop, Lower, Proceed
from stimctl.session.engine import Engine
from stimctl.session.states import End
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, EndReason
from tests.stimctl.session.world import PULSE_US, Line, Rig, S, at_1_ma, ended_at_zero, exact, prescription


def frames_of(data: bytes) -> list[bytes]:
    return [frame + b"\x00" for frame in data.split(b"\x00") if frame]


class Doubled(Line):
    """Every frame arrives twice, both ways."""

    def wait(self, deadline_us: int | None) -> bytes:
        return b"".join(frame * 2 for frame in frames_of(self.inner.wait(deadline_us)))

    def write(self, data: bytes) -> None:
        self.inner.write(b"".join(frame * 2 for frame in frames_of(data)))


class Swapped(Line):
    """What the device says at one time arrives backwards: the newest frame first."""

    def wait(self, deadline_us: int | None) -> bytes:
        return b"".join(reversed(frames_of(self.inner.wait(deadline_us))))


class Sliced(Line):
    """A line that is read in slices: a wait for nothing comes back late by up to one."""

    SLICE_US = round(SLICE_S * S)

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.virtual = False
        self.late = self.again = 0
        self._came_back_us: int | None = None

    def wait(self, deadline_us: int | None) -> bytes:
        assert deadline_us is not None
        now_us = self.now_us()
        self.again += deadline_us == self._came_back_us
        slices = max(1, -((now_us - deadline_us) // self.SLICE_US))
        data = self.inner.wait(now_us + slices * self.SLICE_US)
        self._came_back_us = None if data else self.now_us()
        self.late += not data and self.now_us() > deadline_us + 5_000
        return data


class Flipped(Line):
    """Of every so many bytes, both ways, one has a bit turned over."""

    def __init__(self, port: Port, one_in: int, seed: int) -> None:
        super().__init__(port)
        self._one_in = one_in
        self._dice = Random(seed)

    def _spoil(self, data: bytes) -> bytes:
        return bytes(
            byte ^ 1 << self._dice.randrange(8) if self._dice.randrange(self._one_in) == 0 else byte for byte in data
        )

    def wait(self, deadline_us: int | None) -> bytes:
        return self._spoil(self.inner.wait(deadline_us))

    def write(self, data: bytes) -> None:
        self.inner.write(self._spoil(data))


work = Lower(1)


def test_a_wait_that_is_a_slice_late_is_not_followed_by_another_slice() -> None:
    rig = Rig(prescription(seconds=20), line=Sliced)
    assert rig.run().end is End.TIMER
    assert isinstance(rig.line, Sliced)
    assert rig.line.late > 10
    assert rig.line.again == 0


@pytest.mark.parametrize("spoil", [Doubled, Swapped], ids=lambda spoil: spoil.__name__.lower())
def test_frames_doubled_or_swapped_change_nothing(spoil: Callable[[Port], Port]) -> None:
    rig = Rig(line=spoil)
    report = rig.run((14 * S, work), (16 * S, work))
    ended_at_zero(rig, report, End.TIMER)
    assert exact(report)
    plain = Rig().run((14 * S, work), (16 * S, work))
    assert report.delivered == plain.delivered


@pytest.mark.parametrize("seed", range(12))
def test_bits_turned_over_end_a_session_at_worst(seed: int) -> None:
    """One byte in 400 is damaged: about every tenth frame is lost, and none is taken for another."""
    rig = Rig(prescription(seconds=15), line=lambda port: Flipped(port, 400, seed))
    report = rig.run((10 * S, work))
    assert report.end in (End.TIMER, End.LINE_LOST)
    rig.device.advance(60 * S)
    assert rig.device.machine.run is None
    assert report.agreement["exact"] is not False
    assert rig.native.damaged_frames > 0
    assert 0 < report.damaged_frames <= rig.native.damaged_frames
    assert 0 < report.frames <= rig.native.frames
    assert rig.log.of("closed")[-1]["line"] == {"frames": report.frames, "damaged_frames": report.damaged_frames}
    assert not any("examined" in alarm for alarm in rig.alarms)


@pytest.mark.parametrize("kind", [m.Start, m.SetTarget, m.Arm, m.KeepAlive, m.Hold])
def test_a_frame_played_back_later_does_nothing(kind: type[object]) -> None:
    """A recording of the order itself, sent again to the device after the session: from a buffer, or by somebody."""
    rig = Rig()
    rig.run((12 * S, work), (14 * S, AskHold()), (15 * S, AskStop()))
    old = [m.encode(told.sequence, told.message) for told in rig.tape.messages(kind)]
    assert old
    flowed = rig.flowed()
    for number, frame in enumerate(old):
        rig.device.receive(frame, 30 * S + number * 1_000)
    rig.device.advance(60 * S)
    assert rig.flowed() == flowed
    assert rig.device.machine.state is DeviceState.IDLE


@pytest.mark.parametrize("kind", [m.Start, m.SetTarget, m.Hold])
def test_a_frame_played_back_in_mid_session_does_nothing(kind: type[object]) -> None:
    """After a hold and a new start, everything of the run before: nonces and numbers are of the past."""
    rig = Rig(prescription(seconds=30))

    def play_back(_engine: Engine, now_us: int) -> None:
        for told in rig.tape.messages(kind):
            if told.at_us < 15 * S:
                rig.device.receive(m.encode(told.sequence, told.message), now_us)

    report = rig.run(
        (12 * S, work),
        (14 * S, AskHold()),
        (15 * S, Proceed()),
        (16 * S, Proceed()),
        (25 * S, play_back),
    )
    ended_at_zero(rig, report, End.TIMER)
    assert exact(report)


# --- clocks ------------------------------------------------------------------------------------------


class Jumping(Line):
    """The host's clock jumps by `by_us` at a time."""

    def __init__(self, port: Port, at_us: int, by_us: int) -> None:
        super().__init__(port)
        self._at_us, self._by_us = at_us, by_us
        self.now_us = self._now_us

    def _now_us(self) -> int:
        now_us = self.inner.now_us()
        return now_us + self._by_us if now_us >= self._at_us else now_us

    def wait(self, deadline_us: int | None) -> bytes:
        if deadline_us is not None and self.inner.now_us() >= self._at_us:
            deadline_us -= self._by_us
        return self.inner.wait(deadline_us)


@pytest.mark.parametrize("by_us", [2 * S, 3_600 * S, -2 * S, -7 * S])
def test_a_host_clock_that_jumps_ends_the_session(by_us: int) -> None:
    """On, this program seems to have stood still; back, its timer and the device's no longer agree."""
    rig = Rig(line=lambda port: Jumping(port, 8 * S, by_us))
    report = rig.run()
    assert report.end is (End.STOOD_STILL if by_us > 0 else End.CLOCK), report.end_text
    assert report.zero_confirmed_us is not None
    assert rig.last_pulse_us() <= 8 * S + limits.WATCHDOG_US + PULSE_US


class Frozen(Line):
    """From a time on the host stands still: its loop is held up, and nothing more is sent or read."""

    def __init__(self, port: Port, at_us: int, for_us: int) -> None:
        super().__init__(port)
        self._at_us, self._for_us = at_us, for_us

    def wait(self, deadline_us: int | None) -> bytes:
        data = self.inner.wait(deadline_us)
        if self._at_us <= self.now_us():
            until_us, self._at_us = self.now_us() + self._for_us, 1 << 62
            while self.now_us() < until_us:
                data += self.inner.wait(until_us)
        return data


def test_a_host_that_stands_still_is_ended_by_the_watchdog() -> None:
    rig = Rig(line=lambda port: Frozen(port, 8 * S, 3 * S))
    report = rig.run()
    assert report.end is End.STOOD_STILL
    assert re.fullmatch(r"this program stood still for (2\.[5-9]|3\.0) s", report.end_text)
    ended = next(each for each in rig.journal if each.get("state") == "ENDED")
    assert ended["reason"] == EndReason.WATCHDOG.name
    assert ended["keepalive_age_us"] == limits.WATCHDOG_US
    assert rig.last_pulse_us() <= ended["device_time_us"] + PULSE_US
    assert report.zero_confirmed_us is not None
    assert exact(report)


@pytest.mark.parametrize("stands_us", [700_000, 2 * S])
def test_a_stop_that_was_asked_for_while_this_program_stood_still_says_so_where_output_had_ended(
    stands_us: int,
) -> None:
    rig = Rig(at_1_ma(), line=lambda port: Frozen(port, 9 * S, stands_us))
    report = rig.run((9 * S + 600_000, AskStop()))
    assert report.end is (End.OPERATOR if stands_us < S else End.STOOD_STILL)
    assert exact(report)


def test_a_short_delay_of_the_host_ends_nothing() -> None:
    rig = Rig(line=lambda port: Frozen(port, 8 * S, 300_000))
    report = rig.run()
    ended_at_zero(rig, report, End.TIMER)
    assert exact(report)


def test_a_host_that_was_suspended_ends_the_session() -> None:
    """Asleep, the monotonic clock stands still and the boot-time clock does not: their distance gives it away."""
    lead_us = 1_000
    clock = HostClock(lambda: 7 * S * 1_000, lambda: (7 * S + lead_us) * 1_000)
    clock.check_awake()
    lead_us += 50_000
    clock.check_awake()
    lead_us += 20 * S
    with pytest.raises(Suspended, match=r"suspended for 20\.\d s; the session is over"):
        clock.check_awake()
