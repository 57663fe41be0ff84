"""What the host holds in the device's place: watchdog, timers, subjects; and what it says of the device."""

from pathlib import Path

import pytest

from firmware_sim.factory import DeviceSpec
from stimctl import limits
from stimctl.errors import Suspended, WrongDevice
from stimctl.prescription import Subject
from stimctl.session.commands import Raise
from stimctl.session.states import End
from stimctl.session.view import OperatorMessage
from stimctl.stimulators import base
from stimctl.stimulators.capabilities import MISSING
from stimctl.stimulators.discovery import DeviceChoice, identify
from stimctl.stimulators.interlocks import check_device
from stimctl.stimulators.lease.adapter import LeaseAdapter
from stimctl.stimulators.stimjim.dialects import StimJimAdapterA
from stimctl.stimulators.targets import Targets
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, EndReason, Purpose
from tests.stimctl.session.world import StandsStill, Stutter, asymmetric_profiles, forged, prescription
from tests.stimctl.stimulators.bench import Bench, S, port_of
from tests.stimctl.stimulators.contract import hold

CHOICES = {
    "sim://?device=stimjim&dialect=a": DeviceChoice("stimjim", dialect="a"),
    "sim://?device=pulsepal": DeviceChoice("pulsepal", isolator="1"),
}


def drive(adapter: LeaseAdapter, load: str, until_s: float, *, alive_until_s: float) -> list[tuple[int, object]]:
    """An adapter by itself, armed and started, with keepalives up to a time. What it tells, with times."""
    which = DeviceSpec("stimjim", dialect="a")
    port = port_of(which.make(seed=1, load=load))
    rx = prescription(seconds=60)
    told: list[tuple[int, object]] = []
    adapter.targets = Targets({1: 2_000})
    adapter.connect(0)
    alive_due_us = 0
    while port.now_us() < until_s * S:
        out = adapter.take_output()
        if out:
            port.write(out)
            adapter.wrote(port.now_us())
        now_us = port.now_us()
        data = port.wait(min(now_us + S // 10, max(now_us, adapter.next_deadline_us() or now_us)))
        now_us = port.now_us()
        if alive_due_us <= now_us < alive_until_s * S:
            adapter.keep_alive(now_us)
            alive_due_us = now_us + limits.KEEPALIVE_US
        for event in [*adapter.receive(data, now_us), *adapter.advance(now_us)]:
            told.append((now_us, event))
            if isinstance(event, base.DeviceIdentified):
                adapter.load(rx.program, now_us)
            elif isinstance(event, base.ProgramLoaded):
                adapter.self_test(now_us)
            elif isinstance(event, base.SelfTested):
                adapter.arm(Purpose.STIMULATE, [1], 2_000, rx.stimulation_us, now_us)
            elif isinstance(event, m.Armed):
                adapter.start({1: 2_000}, now_us)
    return told


def test_without_keepalives_it_ends_within_the_watchdogs_time_and_names_the_host() -> None:
    told = drive(LeaseAdapter(StimJimAdapterA(simulator=True)), "r1k", 25, alive_until_s=12.6)
    ended = [
        (at_us, event) for at_us, event in told if isinstance(event, m.Status) and event.state == DeviceState.ENDED
    ]
    assert ended, "it goes on without keepalives"
    at_us, status = ended[0]
    assert isinstance(status, m.Status)
    assert status.end_reason == EndReason.STOP
    assert at_us <= 12.6 * S + limits.WATCHDOG_US + S // 10
    (failed,) = [event for _, event in told if isinstance(event, base.StimulatorFailed)]
    assert isinstance(failed.error, Suspended)
    assert "the host's keepalives stopped for 1" in str(failed.error)


@pytest.mark.parametrize("url", CHOICES)
def test_what_is_missing_is_shown_and_logged(url: str) -> None:
    choice = CHOICES[url]
    which = DeviceSpec("stimjim", dialect="a") if choice.device == "stimjim" else DeviceSpec("pulsepal")
    bench = Bench(which, choice)
    bench.run()
    (opened,) = bench.log.of("opened")
    assert MISSING_WATCHDOG in opened["device"]["lacks"]
    shown = [event.text for event in bench.runner.take_events() if isinstance(event, OperatorMessage)]
    assert any(MISSING_WATCHDOG in text for text in shown)


MISSING_WATCHDOG = next(text for text in MISSING.values() if "watchdog" in text)


@pytest.mark.parametrize("url", CHOICES)
def test_a_person_is_refused_and_told_why(url: str) -> None:
    identity = forged(identify(url, CHOICES[url]).identity, simulator=False)
    rx = forged(prescription(), subject=Subject.PERSON)
    with pytest.raises(WrongDevice, match=r"may not be used on a person: .*no watchdog.*no limits of its own"):
        check_device(rx, identity)


@pytest.mark.parametrize("url", CHOICES)
def test_an_animal_only_by_leases(url: str) -> None:
    identity = forged(identify(url, CHOICES[url]).identity, simulator=False)
    rx = forged(prescription(), subject=Subject.ANIMAL)
    check_device(rx, identity)
    with pytest.raises(WrongDevice, match="by leases of 3 s at most"):
        check_device(rx, forged(identity, by_lease=False))


def test_a_stimjim_has_two_channels() -> None:
    bench = Bench(CHOICE_A[0], CHOICE_A[1], prescription(amplitudes_ma={3: 1.0}))
    report = bench.run()
    assert report.end is End.WRONG_DEVICE
    assert "has 2" in report.end_text


CHOICE_A = (DeviceSpec("stimjim", dialect="a"), CHOICES["sim://?device=stimjim&dialect=a"])


def test_a_hold_lasts_ten_minutes_at_most() -> None:
    bench = Bench(*CHOICE_A, prescription(seconds=60))
    report = bench.run((14, hold))
    assert report.end is End.HOLD_EXPIRED
    assert bench.last_us() <= 15 * S


def test_titration_from_zero_raises_by_steps() -> None:
    bench = Bench(*CHOICE_A, prescription(seconds=30, titrate=True))
    report = bench.run(*((2 + 1.1 * step, Raise(1)) for step in range(8)))
    assert report.end is End.TIMER
    assert report.agreement["exact"] is True
    assert 780 <= bench.highest_ua() <= 820


def test_a_second_phase_that_is_lower_and_longer(tmp_path: Path) -> None:
    known = asymmetric_profiles(tmp_path)
    for which, choice in (CHOICE_A, (DeviceSpec("pulsepal"), CHOICES["sim://?device=pulsepal"])):
        rx = prescription(profile="bench-asymmetric", known=known, amplitudes_ma={1: 1.6})
        bench = Bench(which, choice, rx)
        report = bench.run()
        assert report.end is End.TIMER, report.end_text
        assert report.agreement["exact"] is (True if which.device == "stimjim" else None)
        assert report.commanded == report.delivered
        assert abs(bench.recorder.net_fc(1)) <= bench.recorder.charge_fc(1) // 50


both = pytest.mark.parametrize(
    ("which", "choice"),
    [
        (DeviceSpec("stimjim", dialect="a"), DeviceChoice("stimjim", dialect="a")),
        (DeviceSpec("pulsepal", firmware="22"), DeviceChoice("pulsepal", isolator="1")),
    ],
    ids=["stimjim", "pulsepal"],
)


@both
@pytest.mark.parametrize("for_us", [50_000, 150_000, 230_000])
def test_what_a_busy_machine_hears_late_is_not_held_against_the_device(
    which: DeviceSpec, choice: DeviceChoice, for_us: int
) -> None:
    bench = Bench(which, choice, prescription(seconds=20), line=lambda port: Stutter(port, for_us))
    report = bench.run()
    assert report.end is End.TIMER, report.end_text


@both
def test_a_host_that_stands_still_reads_what_came_before_it_calls_the_line_silent(
    which: DeviceSpec, choice: DeviceChoice
) -> None:
    rx = prescription(seconds=30, subject="dummy_load", declared_ohm=1_000)
    bench = Bench(which, choice, rx, line=StandsStill)
    report = bench.run()
    assert report.end is End.TIMER, report.end_text
    assert isinstance(bench.port, StandsStill)
    assert bench.port.stood_still > 10
