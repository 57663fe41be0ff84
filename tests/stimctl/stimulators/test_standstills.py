"""This program stands still once, behind a write or in a wait, at any moment of a session on a board by lease.

Whoever stood still says so, and lays it to nobody: what came meanwhile was not late, and zero that was confirmed is.
"""

from collections.abc import Iterable
from itertools import pairwise

import pytest

from firmware_sim.factory import DeviceSpec
from stimctl import limits
from stimctl.port import Port
from stimctl.session.commands import AskTarget
from stimctl.session.states import End
from stimctl.session.view import PULL_THE_LEADS, SessionReport
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.stimulators.lease.device import TICK_US
from stimctl.stimulators.lease.gate import CLOCK_US
from tests.stimctl.session.world import Deed, Line, prescription
from tests.stimctl.stimulators.bench import Bench, S
from tests.stimctl.stimulators.contract import TOLD, hold, stop

MS = 1_000
DEVICES = {
    **{each: (DeviceSpec("stimjim", dialect=each), DeviceChoice("stimjim", dialect=each)) for each in "abc"},
    **{each: (DeviceSpec("pulsepal", firmware=each), DeviceChoice("pulsepal", isolator="1")) for each in ("21", "22")},
}


class StandsStillOnce(Line):
    """A host in real time that stands still for `for_us` once, from `at_us` on: in a wait, or behind a write."""

    def __init__(self, port: Port, at_us: int, for_us: int, where: str) -> None:
        super().__init__(port)
        self.stood_us: int | None = None
        self._at_us, self._for_us, self._where = at_us, for_us, where
        self._held = b""

    def _stand_still(self) -> None:
        self.stood_us = self.now_us()
        while self.now_us() < self.stood_us + self._for_us:
            self._held += self.inner.wait(self.stood_us + self._for_us)

    def wait(self, deadline_us: int | None) -> bytes:
        if not self._held and self.stood_us is None and self._where == "wait":
            if self.now_us() < self._at_us and (deadline_us is None or deadline_us >= self._at_us):
                data = self.inner.wait(self._at_us)
                if data or self.now_us() < self._at_us:
                    return data
            if self.now_us() >= self._at_us:
                self._stand_still()
        if self._held or (deadline_us is not None and deadline_us <= self.now_us()):
            data, self._held = self._held, b""
            return data
        return self.inner.wait(deadline_us)

    def write(self, data: bytes) -> None:
        self.inner.write(data)
        if self._where == "write" and self.stood_us is None and self.now_us() >= self._at_us:
            self._stand_still()


class SlowToWrite(StandsStillOnce):
    """From `at_us` on each write of a second and a half takes `for_us`; and until when was waited behind each."""

    def __init__(self, port: Port, at_us: int, for_us: int) -> None:
        super().__init__(port, at_us, for_us, "write")
        self.waited_us: list[int] = []
        self._behind_write = False

    def write(self, data: bytes) -> None:
        began_us = self.now_us()
        super().write(data)
        self._behind_write = self.now_us() > began_us
        if self.now_us() < self._at_us + 1_500 * MS:
            self.stood_us = None

    def wait(self, deadline_us: int | None) -> bytes:
        if self._behind_write:
            self._behind_write = False
            self.waited_us.append((deadline_us or 0) - self.now_us())
        return super().wait(deadline_us)


def ran(
    device: str, at_us: int, for_us: int, where: str, *actions: tuple[float, Deed], profile: str = "bench-100hz",
) -> tuple[Bench, SessionReport]:  # fmt: skip
    """A session in which it stood still, and what has to hold of each of them."""
    bench = Bench(
        *DEVICES[device], prescription(seconds=12, profile=profile),
        line=lambda port: StandsStillOnce(port, at_us, for_us, where),
    )  # fmt: skip
    bench.runner._port.virtual = False
    report = bench.run(*actions)
    assert isinstance(bench.port, StandsStillOnce)
    assert bench.port.stood_us is not None
    assert report.end in (End.TIMER, End.OPERATOR, End.STOOD_STILL), report.end_text
    assert [alarm.text for alarm in report.alarms if PULL_THE_LEADS in alarm.action] == []
    assert report.zero_confirmed_us is not None
    return bench, report


def every(from_us: int, to_us: int, number: int) -> Iterable[int]:
    return range(from_us, to_us, (to_us - from_us) // number)


@pytest.mark.parametrize("profile", ["bench-2hz", "bench-2-100hz"])
@pytest.mark.parametrize("for_us", [150 * MS, 300 * MS])
@pytest.mark.parametrize("device", DEVICES)
def test_behind_a_write_in_the_ramp_no_lease_rises_too_soon(device: str, for_us: int, profile: str) -> None:
    """The lease may have begun only when its order left: the next one waits for as long as it lasts from then."""
    for at_us in every(1_500 * MS, 4 * S, 7):
        bench, report = ran(device, at_us, for_us, "write", profile=profile)
        assert report.end is End.TIMER
        rises = [(flow.first_us, flow.shape.first_na / 1_000) for flow in bench.recorder.flows(1)]
        for (from_us, from_ua), (to_us, to_ua) in pairwise(rises):
            steepest_ua = limits.ramp_ua(limits.RAMP_SLOPE.high, to_us - from_us + CLOCK_US)
            assert to_ua - from_ua <= TOLD * (limits.RAISE_STEP_UA + steepest_ua)


@pytest.mark.parametrize("for_us", [280 * MS, 300 * MS, 600 * MS])
@pytest.mark.parametrize("device", "ac")
def test_in_a_wait_of_the_check_no_contact_gets_the_blame(device: str, for_us: int) -> None:
    for at_us in every(2 * MS, 110 * MS, 12):
        bench, report = ran(device, at_us, for_us, "wait")
        assert report.end is End.TIMER
        assert report.agreement["exact"] is True
        assert [body["pulses"] for body in bench.log.of("impedance")] == [10]


@pytest.mark.parametrize("where", ["wait", "write"])
@pytest.mark.parametrize("asked", [hold, AskTarget(1, 0), AskTarget(1, 500)], ids=["hold", "zero", "low"])
@pytest.mark.parametrize("device", ["21", "22"])
def test_at_a_stop_that_was_sent_again_zero_stays_confirmed(device: str, asked: Deed, where: str) -> None:
    """How often a PulsePal answers one counts from what was sent, in each of the two forms of it."""
    for at_ms in (-40, -1, 0, 1, 5, 20):
        bench, _report = ran(device, 8 * S + at_ms * MS, 1_100 * MS, where, (8, asked), (10, stop))
        assert bench.last_us() <= bench.stopping_us() + limits.LEASE_US


@pytest.mark.parametrize("for_us", [110 * MS, 190 * MS, 350 * MS, 600 * MS, 690 * MS, 970 * MS, 2_400 * MS])
@pytest.mark.parametrize("device", ["21", "22"])
def test_what_was_read_late_is_no_slow_line(device: str, for_us: int) -> None:
    """The slowest answer says when a trigger has surely been heard, and so when the lease after it may begin."""
    moments_us = [*every(0, 2 * MS, 6), *([] if for_us > limits.WATCHDOG_US - 100 * MS else every(3 * MS, 6 * MS, 6))]
    for at_us in moments_us:
        bench, report = ran(device, at_us, for_us, "wait")
        assert report.end is End.TIMER
        gaps_us = [body["gap_us"] for body in bench.log.of("lease")][2:]  # it may have stood still before the first
        assert max(gaps_us) <= TICK_US


@pytest.mark.parametrize("device", DEVICES)
def test_behind_the_stop_of_a_lowering_no_pulses_are_told_that_are_taken_back(device: str) -> None:
    """The lease is cut meanwhile, and a board that counts tells of fewer than its time would have given."""
    for asked_ms in (3_130, 4_070):
        lowered = (asked_ms / 1_000, AskTarget(1, 500))
        assert ran(device, (asked_ms - 1) * MS, 480 * MS, "write", lowered)[1].end is End.TIMER


@pytest.mark.parametrize("asked", [hold, stop, AskTarget(1, 600)], ids=["hold", "stop", "low"])
@pytest.mark.parametrize("for_us", [25 * MS, 150 * MS, 190 * MS])
@pytest.mark.parametrize("device", DEVICES)
def test_what_came_behind_each_of_many_slow_writes_was_not_late(device: str, for_us: int, asked: Deed) -> None:
    """Each is over only when the next is due: what was answered is read all the same."""
    bench = Bench(*DEVICES[device], prescription(seconds=12), line=lambda port: SlowToWrite(port, 5 * S, for_us))
    bench.runner._port.virtual = False
    report = bench.run((5.1, asked), (8, stop))
    assert report.end is End.OPERATOR, report.end_text
    assert isinstance(bench.port, SlowToWrite)
    assert max(bench.port.waited_us) < 0, "it is only looked"
    assert report.zero_confirmed_us is not None
    assert [alarm.text for alarm in report.alarms if PULL_THE_LEADS in alarm.action] == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize("device", DEVICES)
def test_a_lease_that_waited_long_enough_while_the_next_was_prepared_asks_for_no_turn_any_more(device: str) -> None:
    """A deadline that is past is none: the loop would turn without end until the device answers."""
    for at_us in (107_171, 107_300):
        assert ran(device, at_us, 803_529, "wait", profile="bench-2-100hz")[1].end is End.TIMER
