"""Time goes on, whatever a host's clock does: it ends the session, and every timer of the stop still runs."""

import pytest

from firmware_sim.factory import DeviceSpec
from stimctl import limits
from stimctl.port import Port
from stimctl.session.commands import AskStop
from stimctl.session.engine import ATTENDED
from stimctl.session.states import End, State
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.wire import codec as m
from tests.stimctl.session.world import PULSE_US, Cut, Line, Rig, S, at_1_ma, exact
from tests.stimctl.stimulators.bench import Bench

DAYS_US = 1_000_000 * S


class Back(Line):
    """From a time on the clock is `by_us` behind, while the world goes on."""

    def __init__(self, port: Port, at_us: int, by_us: int = DAYS_US) -> None:
        super().__init__(port)
        self._at_us = at_us
        self._by_us = by_us
        self.now_us = self._now_us

    def _behind_us(self) -> int:
        return self._by_us if self.inner.now_us() >= self._at_us else 0

    def _now_us(self) -> int:
        return self.inner.now_us() - self._behind_us()

    def wait(self, deadline_us: int | None) -> bytes:
        return self.inner.wait(None if deadline_us is None else deadline_us + self._behind_us())


@pytest.mark.parametrize("by_us", [200_000, 3 * S, DAYS_US])
def test_a_clock_that_goes_back_ends_the_session_at_zero(by_us: int) -> None:
    rig = Rig(at_1_ma(), line=lambda port: Back(port, 8 * S, by_us))
    report = rig.run()
    assert report.end is End.CLOCK
    assert report.end_text == "the host's clock went back"
    assert report.zero_confirmed_us is not None
    assert exact(report)
    assert rig.last_pulse_us() <= 8 * S + 100_000 + PULSE_US, "at the next word of the device"


def test_it_does_so_while_nothing_flows() -> None:
    rig = Rig(at_1_ma(), auto=ATTENDED, line=lambda port: Back(port, 3 * S))
    report = rig.run()
    assert report.end is End.CLOCK
    assert rig.flowed() == 0


def test_stop_frames_go_on_when_the_clock_goes_back_under_them() -> None:
    rig = Rig(at_1_ma(), line=lambda port: Back(Cut(port, 8 * S, to_device=False), 9 * S))
    report = rig.run()
    assert report.end is End.LINE_LOST
    assert rig.engine.state is State.ENDED
    sent = rig.tape.messages(m.Stop)
    assert len(sent) >= limits.STOP_TRY_US // limits.STOP_RESEND_US - 10


BOARDS = {
    "stimjim a": (DeviceSpec("stimjim", dialect="a"), DeviceChoice("stimjim", dialect="a")),
    "stimjim c": (DeviceSpec("stimjim", dialect="c"), DeviceChoice("stimjim", dialect="c")),
    "pulsepal": (DeviceSpec("pulsepal", firmware="22"), DeviceChoice("pulsepal", isolator="1")),
}


@pytest.mark.parametrize("at_us", range(6 * S, 6_100_000, 23_000))
@pytest.mark.parametrize("board", BOARDS)
def test_the_dose_by_lease_is_within_its_bounds_whatever_a_wait_lost(board: str, at_us: int) -> None:
    """The device plays on while the clock goes back, and nobody knows how much of the wait had passed."""
    bench = Bench(*BOARDS[board], at_1_ma(), line=lambda port: Back(port, at_us))
    assert bench.run().end is End.CLOCK
    flowed = bench.pulses() - sum(each["pulses"] for each in bench.log.of("impedance"))
    leases = bench.log.of("lease")
    assert sum(each["least"] for each in leases) <= flowed <= sum(each["pulses"] for each in leases)


def test_a_thread_that_looks_on_judges_no_clock() -> None:
    """It had read the clock, and by the time it goes on the loop has read a later one."""
    rig = Rig(at_1_ma())
    rig.run((9 * S, AskStop()))
    port, seen_us = rig.runner._port, rig.runner.view.now_us
    port._clock = lambda: seen_us - 1_000
    assert rig.runner.view.now_us == seen_us
    assert not port.went_back
    port._clock = lambda: seen_us + 1_000
    assert rig.runner.view.now_us == seen_us + 1_000
