"""Points of a plan on simulated parts: what is measured is what flowed, and a device that lies is named."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyvisa_py", reason="PyVISA-py is not installed")
from firmware_sim.factory import DeviceSpec
from stimctl.api import Session
from stimctl.bench.plan.driving import _Drive
from stimctl.bench.plan.judging import READBACK, judged
from stimctl.bench.plan.points import PlanPoint, points_of
from stimctl.bench.plan.steps import AmplitudeStep, EnduranceStep, LoadStep, PairStep, PlanStep, StopStep, WatchdogStep
from stimctl.errors import LineLost, Misuse, TimedOut
from stimctl.port import Port
from stimctl.session.states import End
from stimctl.stimulators.discovery import DeviceChoice
from stimlab.oscilloscope.siglent import SiglentScpi
from tests.stimctl.bench.lying import LYING
from tests.stimctl.bench.plan.simulated import BOUNDS, driver_at, rows_of
from tests.stimlab.conformance.dangerous.device import of_parts
from tests.stimlab.conformance.mutants.late_ends import SlowWatchdog

pytestmark = pytest.mark.realtime
AMPLITUDE: PlanStep = AmplitudeStep(kind="amplitude", amplitudes_ma=(0.5,))
STOP: PlanStep = StopStep(kind="stop", times=1, amplitude_ma=0.5)
WATCHDOG: PlanStep = WatchdogStep(kind="watchdog", amplitude_ma=0.5)
_STEPS = {
    "integrator": (AMPLITUDE, "second phase, amplitude"),
    "readback": (AmplitudeStep(kind="amplitude", amplitudes_ma=(1.0,)), READBACK),
    "fake zero": (STOP, "current from 0.1 s after the stop on"),
    "simultaneous channels": (
        PairStep(kind="pair", amplitude_ma=0.5), "pulses that flow on both channels at once"
    ),
}  # fmt: skip


def only(step: PlanStep) -> PlanPoint:
    (point,) = points_of(0, step)
    return point


def test_an_amplitude_is_measured(tmp_path: Path) -> None:
    point = only(AMPLITUDE)
    with driver_at(tmp_path) as driver:
        driven = driver.drive(point)
    rows = rows_of(point, driven, tmp_path)
    assert driven.report.end is End.TIMER
    assert rows["amplitude, median"].figure.value == pytest.approx(500, abs=5)
    judged = {row.verdict for row in rows.values() if row.judged and not row.name.startswith(("average", "net"))}
    assert judged == {"holds"}


def test_a_stop_and_a_watchdog_are_timed_by_the_capture(tmp_path: Path) -> None:
    with driver_at(tmp_path) as driver:
        for step, end, name, low_s, high_s in (
            (STOP, End.OPERATOR, "from the stop to the last pulse's end", -0.011, 0.02),
            (WATCHDOG, End.WATCHDOG, "from the last keepalive to the last pulse's end", 0.985, 1.015),
        ):
            point = only(step)
            driven = driver.drive(point)
            figure = rows_of(point, driven, tmp_path)[name]
            assert driven.report.end is end
            assert figure.verdict == "holds"
            assert low_s - figure.figure.uncertainty < figure.figure.value < high_s + figure.figure.uncertainty
            (tmp_path / f"{point.key}.npz").unlink()


def test_a_capture_that_ends_before_the_stop_does_not_hold(tmp_path: Path) -> None:
    point = only(STOP)
    with driver_at(tmp_path) as driver:
        driven = driver.drive(point)
    assert driven.acted_us is not None
    assert driven.trigger_us is not None
    wave = driven.waves[1]
    stop_s = (driven.acted_us - driven.trigger_us[0]) / 1e6 - wave.start_s
    before = wave._replace(volts=wave.volts[: round((stop_s - 0.3) * wave.rate_hz)])
    row = rows_of(point, driven._replace(waves={1: before}), tmp_path)["from the stop to the last pulse's end"]
    assert row.verdict == "not measurable"
    assert "ends before" in row.figure.reason


def test_a_channel_of_a_pair_that_gives_nothing_fails(tmp_path: Path) -> None:
    point = only(PairStep(kind="pair", amplitude_ma=0.5))
    with driver_at(tmp_path) as driver:
        driven = driver.drive(point)
    dead = driven.waves[2]._replace(volts=driven.waves[2].volts * 0.0)
    rows = rows_of(point, driven._replace(waves={**driven.waves, 2: dead}), tmp_path)
    assert rows["pulses"].verdict == "fails"
    assert rows["pulses"].where == "ch2"


def test_where_the_trigger_is_not_told_its_pulse_is_found(tmp_path: Path) -> None:
    """A Siglent's samples do not say where the trigger is: the uncertainty has the pulses that it may have been."""
    point = only(STOP)
    with driver_at(tmp_path, maker=SiglentScpi) as driver:
        driven = driver.drive(point)
    figure = rows_of(point, driven, tmp_path)["from the stop to the last pulse's end"].figure
    assert -0.011 - figure.uncertainty < figure.value < 0.02 + figure.uncertainty
    assert 0.005 < figure.uncertainty < 0.2


def test_a_board_in_leases_is_stopped_and_has_no_watchdog_to_time(tmp_path: Path) -> None:
    short, *_ = points_of(0, EnduranceStep(kind="endurance", cycles=1, amplitude_ma=0.5))
    board = DeviceSpec("stimjim", dialect="a").make
    with driver_at(tmp_path, board, choice=DeviceChoice("stimjim", "a")) as driver:
        stopped, silent = driver.drive(only(STOP)), driver.drive(only(WATCHDOG))
        with pytest.raises(Misuse, match="leave such a step out"):
            driver.drive(short)
    stop = rows_of(only(STOP), stopped, tmp_path)["from the stop to the last pulse's end"]
    (row,) = judged(only(WATCHDOG), silent, None, None, BOUNDS, probe=1.0, simulated=True)
    assert stop.verdict == "holds"
    assert row.verdict == "not measurable"
    assert "it has no watchdog" in row.figure.reason


def test_an_oscilloscope_that_falls_silent_ends_the_session_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with driver_at(tmp_path) as driver:
        questions = iter(range(100))
        whole = driver.scope.triggered

        def silent() -> bool:
            if next(questions) == 40:
                raise LineLost("it stopped answering")
            return whole()

        monkeypatch.setattr(driver.scope, "triggered", silent)
        with pytest.raises(LineLost, match="stopped answering"):
            driver.drive(only(STOP))
        closed = [entry.body for entry in driver.ledger.entries() if entry.kind == "closed"]
    assert [body["end_reason"] for body in closed] == [End.INTERRUPTED]
    assert closed[0]["zero_confirmed_us"] is not None


def test_a_probe_that_sees_nothing_is_asked_about(tmp_path: Path) -> None:
    with driver_at(tmp_path, setup=_Unprobed) as driver, pytest.raises(TimedOut, match="is its probe across"):
        driver.drive(only(AMPLITUDE))


def test_a_relay_that_a_signal_broke_off_leaves_the_signal_as_the_end(tmp_path: Path) -> None:
    short, *_ = points_of(0, EnduranceStep(kind="endurance", cycles=1, amplitude_ma=0.5))
    sessions: list[Session] = []

    @contextmanager
    def known(session: Session) -> Iterator[None]:
        sessions.append(session)
        yield

    with driver_at(tmp_path, setup=lambda bench: _BrokenOff(bench, sessions)) as driver:
        assert replace(driver, on_session=known).drive(short).report.end is End.SIGNAL


def test_after_a_signal_nobody_waits_for_the_capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def signalled(drive: _Drive) -> None:
        assert drive.session is not None
        drive.session.stop(End.SIGNAL)

    monkeypatch.setattr(_Drive, "_act", signalled)
    with driver_at(tmp_path) as driver:
        driven = driver.drive(only(STOP))
    assert driven.report.end is End.SIGNAL
    assert not driven.waves


class _BrokenOff:
    """A bench whose relay gets the signal that stops the session."""

    simulated = True

    def __init__(self, bench: Any, sessions: list[Session]) -> None:
        self.open, self.wait, self._sessions = bench.open, bench.wait, sessions

    def connect(self, load: str) -> None:
        self._sessions[0].stop(End.SIGNAL)
        raise Misuse(f"--relay: {load} failed with code -2")


class _Unprobed:
    """A bench whose oscilloscope is connected to nothing."""

    simulated = False

    def __init__(self, bench: Any) -> None:
        bench.scope.load_ohm = 0.0
        self.open, self.connect, self.wait = bench.open, bench.connect, bench.wait


def test_a_slow_watchdog_fails_and_the_plan_ends_what_it_does_not(tmp_path: Path) -> None:
    point = only(WATCHDOG)
    with driver_at(tmp_path, of_parts(SlowWatchdog)) as driver:
        driven = driver.drive(point)
    rows = rows_of(point, driven, tmp_path)
    assert rows["ends other than planned"].verdict == "fails"
    assert driven.report.zero_confirmed_us is not None


def test_a_short_is_noticed_and_an_open_load_is_held(tmp_path: Path) -> None:
    short, open_, _ = points_of(0, EnduranceStep(kind="endurance", cycles=1, amplitude_ma=0.5))
    with driver_at(tmp_path) as driver:
        for point, ends in ((short, End.SHORT), (open_, End.OPERATOR)):
            driver.setup.connect("1000")
            driven = driver.drive(point)
            row = rows_of(point, driven, tmp_path)[f"from {point.act} to zero, by the device's own word"]
            assert driven.report.end is ends
            assert 0 < row.figure.value < 0.5
            assert row.figure.uncertainty == 0
            assert not driven.waves
            assert driven.acted_us is not None
            late = driven._replace(acted_us=driven.acted_us - 4_000_000, quiet_us=driven.acted_us - 2_000_000)
            by_hand = rows_of(point, late, tmp_path)[row.name].figure
            assert (by_hand.value, by_hand.uncertainty) == (1.0, 1.0), "a hand was seen to act before it said so"


def test_where_the_device_holds_the_plan_ends_it_and_tells_how_long_it_lasted(tmp_path: Path) -> None:
    point = only(LoadStep(kind="loads", ohms=(5_000,), amplitude_ma=2.0))
    with driver_at(tmp_path) as driver:
        driver.setup.connect("5000")
        driven = driver.drive(point)
        flows = driver.setup.recorder.flows(1)  # type: ignore[attr-defined]
    rows = rows_of(point, driven, tmp_path)
    assert rows["ends other than planned"].verdict == "fails"
    assert "the device holds the output" in rows["ends other than planned"].note
    flowed_s = (flows[-1].last_us - flows[0].first_us) / 1e6  # 5 kohm is where contact ends: it holds early
    lasted = rows["from the begin of the rise to the last pulse"].figure
    assert abs(lasted.value - flowed_s) < lasted.uncertainty + 0.01


@pytest.mark.parametrize("name", LYING)
def test_a_device_that_lies_is_named(name: str, tmp_path: Path) -> None:
    """The line is content with it: only the oscilloscope is not."""
    step, figure = _STEPS[name]
    point = only(step)
    with driver_at(tmp_path, LYING[name][0]) as driver:
        driven = driver.drive(point)
    rows = rows_of(point, driven, tmp_path)
    assert rows["ends other than planned"].verdict == "holds"
    assert rows[figure].verdict == "fails", rows[figure]


class _Breaks:
    """A bench whose line is lost in the middle of a session, or whose load cannot be changed."""

    def __init__(self, bench: Any, at_us: int | None = None) -> None:
        self._bench, self._at_us = bench, at_us
        self.simulated = True
        self.wait = bench.wait

    def open(self, url: str, *, traffic: Any = None) -> Port:
        port: Port = self._bench.open(url, traffic=traffic)
        whole = port.wait

        def wait(deadline_us: int | None) -> bytes:
            if self._at_us is not None and port.now_us() > self._at_us:
                raise LineLost("the cable is out")
            return whole(deadline_us)

        port.wait = wait  # type: ignore[method-assign]
        return port

    def connect(self, load: str) -> None:
        raise Misuse(f"--relay: {load} does not come on")


def test_a_lost_line_ends_the_session_and_is_told(tmp_path: Path) -> None:
    with driver_at(tmp_path, setup=lambda bench: _Breaks(bench, 3_000_000)) as driver:
        assert driver.drive(only(STOP)).report.end is End.LINE_LOST


def test_a_relay_that_fails_under_power_is_a_stop(tmp_path: Path) -> None:
    short, *_ = points_of(0, EnduranceStep(kind="endurance", cycles=1, amplitude_ma=0.5))
    with driver_at(tmp_path, setup=_Breaks) as driver:
        with pytest.raises(Misuse, match="short does not come on"):
            driver.drive(short)
        (session,) = driver.ledger.sessions()
        closed = next(each for each in driver.ledger.entries(session.session_id) if each.kind == "closed")
        assert closed.body["end_reason"] == End.OPERATOR
