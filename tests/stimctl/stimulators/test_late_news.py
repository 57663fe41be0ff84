"""What comes late, and in one piece, to whom no fault is laid: a line that holds back, a program that stands still."""

from collections.abc import Callable
from typing import cast

import pytest

from firmware_sim.factory import DeviceSpec
from firmware_sim.pulsepal import FIRMWARES
from firmware_sim.stimjim import DIALECTS
from stimctl import limits
from stimctl.port import Port
from stimctl.session.states import End
from stimctl.session.view import PULL_THE_LEADS
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.stimulators.stop import StopSequence
from tests.stimctl.session.world import Delayed, Line, StandsStill, prescription
from tests.stimctl.stimulators.bench import Bench, S
from tests.stimctl.stimulators.contract import TOLD, hold, proceed

JIMS = [(DeviceSpec("stimjim", dialect=each), DeviceChoice("stimjim", dialect=each)) for each in DIALECTS]
PALS = [(DeviceSpec("pulsepal", firmware=each), DeviceChoice("pulsepal", isolator="1")) for each in FIRMWARES]
NAMES = [f"{which.device}-{which.dialect or which.firmware}" for which, _choice in [*JIMS, *PALS]]
HELD = ((8.0, hold), (9.0, proceed), (10.0, proceed))


class InClumps(Line):
    """All that came within so long comes at the end of it, from 3 s on."""

    CLUMP_US = 100_000
    _held = b""

    def wait(self, deadline_us: int | None) -> bytes:
        now_us = self.now_us()
        if now_us < 3 * S:
            return self.inner.wait(deadline_us)
        due_us = now_us - now_us % self.CLUMP_US + self.CLUMP_US
        if deadline_us is not None and deadline_us < due_us:
            self._held += self.inner.wait(deadline_us)
            return b""
        while self.now_us() < due_us:
            self._held += self.inner.wait(due_us)
        data, self._held = self._held, b""
        return data


@pytest.mark.parametrize(("which", "choice"), PALS, ids=NAMES[len(JIMS) :])
def test_a_stop_that_was_sent_again_may_be_answered_in_one_piece(which: DeviceSpec, choice: DeviceChoice) -> None:
    """No byte of it is waited for any more afterwards, when the next lease is answered."""
    bench = Bench(which, choice, prescription(seconds=20), line=InClumps)
    assert bench.run(*HELD).end is End.TIMER


@pytest.mark.parametrize("for_us", [300_000, 500_000, 700_000])
@pytest.mark.parametrize("every", [5, 17, 40, 63])
@pytest.mark.parametrize(("which", "choice"), [*JIMS, *PALS], ids=NAMES)
def test_a_program_that_stood_still_lays_it_to_no_device(
    which: DeviceSpec, choice: DeviceChoice, every: int, for_us: int
) -> None:
    """Nor to the line, by whatever it was waiting for meanwhile. A second without a keepalive ends it."""

    def line(port: Port) -> Port:
        still = StandsStill(port, for_us)
        still.virtual, still.EVERY = True, every  # a simulator's, for the adapter
        return still

    bench = Bench(which, choice, prescription(seconds=30), line=line)
    bench.runner._port.virtual = False
    report = bench.run(*HELD)
    assert report.end in (End.TIMER, End.STOOD_STILL), (report.end, report.end_text)
    assert bench.highest_ua() <= 2_000 * TOLD
    assert bench.last_us() <= bench.stopping_us() + limits.LEASE_US
    assert report.delivered is not None
    checked = sum(body["pulses"] for body in bench.log.of("impedance"))
    assert sum(report.delivered["1"]["pulses"]) >= bench.pulses() - checked


def test_a_lease_may_be_over_before_its_trigger_would_have_been_answered() -> None:
    """Where a run goes on just before the ramp down, its first lease has few pulses; an answer takes 80 ms."""
    (which, choice), rx = PALS[0], prescription(seconds=12, profile="bench-100hz")
    short = 0
    for held_s in (9.36, 9.78):
        bench = Bench(which, choice, rx, line=lambda port: Delayed(port, 40_000))
        report = bench.run((held_s, hold), (held_s + 1, proceed), (held_s + 2, proceed))
        assert report.end is End.TIMER, report.end_text
        short += any(body["ordered"] < 8 for body in bench.log.of("lease"))
    assert short == 2


class Leaps(Line):
    """Its clock leaps ahead at `at_us`: nothing else moved meanwhile."""

    def __init__(self, port: Port, at_us: int, by_us: int) -> None:
        super().__init__(port)
        self._at_us, self._by_us, self._ahead_us = at_us, by_us, 0
        self.now_us = self._now_us

    def _now_us(self) -> int:
        now_us = self.inner.now_us()
        if now_us >= self._at_us:
            self._ahead_us = self._by_us
        return now_us + self._ahead_us

    def wait(self, deadline_us: int | None) -> bytes:
        return self.inner.wait(None if deadline_us is None else deadline_us - self._ahead_us)


@pytest.mark.parametrize(("which", "choice"), JIMS, ids=NAMES[: len(JIMS)])
def test_a_clock_that_leaps_ahead_is_no_evidence_of_pulses(which: DeviceSpec, choice: DeviceChoice) -> None:
    rx = prescription(seconds=20, profile="bench-100hz", amplitudes_ma={1: 1.0})
    bench = Bench(which, choice, rx, line=lambda port: Leaps(port, 9_640_000, 2 * S))
    report = bench.run()
    assert report.end is End.STOOD_STILL
    checked = sum(body["pulses"] for body in bench.log.of("impedance"))
    assert sum(body["least"] for body in bench.log.of("lease")) <= bench.pulses() - checked


class SleepsInStops(Line):
    """This program stands still for 12 s behind each stop's first bytes; what comes meanwhile is lost, or waits."""

    def __init__(self, port: Port, *, loses: bool) -> None:
        super().__init__(port)
        self._loses = loses
        self.stops: list[StopSequence] = []
        self._slept = 0

    def wait(self, deadline_us: int | None) -> bytes:
        if self._slept < len(self.stops):
            self._slept = len(self.stops)
            came, until_us = b"", self.now_us() + 12 * S
            while self.now_us() < until_us:
                came += self.inner.wait(until_us)
            return b"" if self._loses else came
        return self.inner.wait(deadline_us)


@pytest.mark.parametrize(
    ("which", "choice"),
    [(DeviceSpec(), DeviceChoice()), *JIMS, *PALS],
    ids=["native", *NAMES],
)
def test_who_stands_still_in_a_stop_has_not_waited_for_zero(
    which: DeviceSpec, choice: DeviceChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the stop that is tried before the start, nor in the last one; and it is told when zero came.

    A PulsePal's answers cannot be told apart: one that is lost ends the session.
    """
    loses = (which, choice) not in PALS
    bench = Bench(which, choice, prescription(seconds=5), line=lambda port: SleepsInStops(port, loses=loses))
    stops, begin = cast(SleepsInStops, bench.port).stops, StopSequence.__init__

    def noted(self: StopSequence, send: Callable[[int], None], now_us: int) -> None:
        begin(self, send, now_us)
        stops.append(self)

    monkeypatch.setattr(StopSequence, "__init__", noted)
    report = bench.run()
    assert report.end is End.TIMER, (report.end, report.end_text)
    assert [alarm for alarm in report.alarms if PULL_THE_LEADS in alarm.action] == []
    assert report.zero_confirmed_us is not None
    assert report.zero_confirmed_us >= 12 * S
    assert len(stops) >= 2
