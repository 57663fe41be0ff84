"""Each known fault of each device, put in: the session ends safely or refuses, and never above the ceiling.

What a device's fault keeps from being known is told as such: a zero that nobody confirmed is an alarm, pulses
that nobody counted are an estimate that is never too low.
"""

from collections.abc import Iterator

import pytest

from firmware_sim.factory import DeviceSpec
from firmware_sim.pulsepal import FIRMWARES
from firmware_sim.stimjim import DIALECTS
from stimctl import limits
from stimctl.errors import LineLost
from stimctl.port import Port
from stimctl.session.states import End
from stimctl.stimulators.discovery import DeviceChoice
from tests.stimctl.session.world import ByteAtATime, Line, prescription
from tests.stimctl.stimulators.bench import Bench, S
from tests.stimctl.stimulators.contract import TOLD, hold, proceed, stop


def devices() -> Iterator[tuple[DeviceSpec, DeviceChoice]]:
    """Every dialect and firmware with each of its faults."""
    for dialect, jim in DIALECTS.items():
        for fault in [*jim.natural, *jim.extra]:
            yield DeviceSpec("stimjim", dialect=dialect, faults=fault), DeviceChoice("stimjim", dialect=dialect)
    for firmware, pal in FIRMWARES.items():
        for fault in [*pal.natural, *pal.extra]:
            yield DeviceSpec("pulsepal", firmware=firmware, faults=fault), DeviceChoice("pulsepal", isolator="1")


ALL = list(devices())
NAMES = [f"{which.device}-{which.dialect or which.firmware}-{which.faults}" for which, _choice in ALL]


def checked(bench: Bench) -> int:
    """Pulses of the contact check, which the load's record cannot tell from others."""
    return sum(body["pulses"] for body in bench.log.of("impedance"))


@pytest.mark.parametrize(("which", "choice"), ALL, ids=NAMES)
@pytest.mark.parametrize("at_s", [4.3, 16.7])
def test_a_session_with_a_fault(which: DeviceSpec, choice: DeviceChoice, at_s: float) -> None:
    bench = Bench(which, choice, prescription(seconds=30))
    report = bench.run((8.0, hold), (9.0, proceed), (10.0, proceed), (at_s, stop))
    assert bench.highest_ua() <= 2_000 * TOLD
    assert report.end is not End.TIMER
    # Nothing outlives its lease, whatever was lost.
    assert bench.last_us() <= bench.stopping_us() + limits.LEASE_US + S // 10
    if report.zero_confirmed_us is not None:
        assert bench.last_us() <= bench.stopping_us() + report.zero_confirmed_us, "zero was confirmed and was not"
    elif bench.last_us():
        assert any("PULL THE LEADS" in alarm.action for alarm in report.alarms)
    if report.delivered is not None and report.end is End.OPERATOR:
        assert sum(report.delivered["1"]["pulses"]) >= bench.pulses() - checked(bench)


def test_a_device_that_goes_deaf_with_its_output_held_is_an_alarm() -> None:
    """Firmware 21 after half a command: the converter stays where it was. No host can end that."""
    which = DeviceSpec("pulsepal", firmware="21", faults="truncated,dac_held,false_ack")
    bench = Bench(which, DeviceChoice("pulsepal", isolator="1"), prescription(seconds=30))
    report = bench.run()
    assert report.end in (End.LINE_LOST, End.REFUSED, End.ECHO)
    assert report.zero_confirmed_us is None
    assert any("PULL THE LEADS" in alarm.action for alarm in report.alarms)
    assert bench.highest_ua() <= 2_000 * TOLD


@pytest.mark.parametrize(("device", "options"), [("stimjim", {"dialect": "a"}), ("pulsepal", {"firmware": "22"})])
def test_answers_a_byte_at_a_time(device: str, options: dict[str, str]) -> None:
    choice = DeviceChoice("stimjim", dialect="a") if device == "stimjim" else DeviceChoice("pulsepal", isolator="1")
    bench = Bench(DeviceSpec(device, **options), choice, line=ByteAtATime)
    assert bench.run().end is End.TIMER


@pytest.mark.parametrize("dialect", ["a", "c"])
def test_an_open_lead_is_found_before_the_start(dialect: str) -> None:
    bench = Bench(DeviceSpec("stimjim", dialect=dialect), DeviceChoice("stimjim", dialect=dialect), load="open")
    report = bench.run()
    assert report.end is End.CONTACT
    assert "no contact" in report.end_text


def test_the_estimate_after_a_stop_is_marked() -> None:
    bench = Bench(DeviceSpec("stimjim", dialect="a"), DeviceChoice("stimjim", dialect="a"), prescription(seconds=30))
    report = bench.run((16.7, stop))
    assert report.kept is not None
    assert report.kept["evidence"] == "estimated"
    basis = report.kept["channels"]["1"]
    most, least = sum(basis["estimated"]), sum(basis["least"])
    flowed = bench.pulses() - checked(bench) - sum(basis["counted"])
    assert least <= flowed <= most
    assert most - least <= 2
    assert report.agreement["exact"] is None
    assert report.agreement["measured"] is None


def test_a_pulsepal_measures_nothing_and_says_so() -> None:
    bench = Bench(DeviceSpec("pulsepal", firmware="22"), DeviceChoice("pulsepal", isolator="1"))
    report = bench.run()
    assert report.measured is None
    assert report.zero_measured is False
    assert report.kept is not None
    assert "device reports nothing" in report.kept["source"]
    assert [body["measured"] for body in bench.log.of("stop")] == [False, False]


def test_each_lease_is_in_the_log_with_its_gap() -> None:
    bench = Bench(DeviceSpec("stimjim", dialect="a"), DeviceChoice("stimjim", dialect="a"))
    report = bench.run()
    leases = bench.log.of("lease")
    assert report.delivered is not None
    assert sum(body["pulses"] for body in leases) == sum(report.delivered["1"]["pulses"])
    assert all(body["evidence"] == "counted" and body["measured_ua"] for body in leases)
    gaps = [body["gap_us"] for body in leases if body["gap_us"] is not None]
    assert report.kept is not None
    assert report.kept["handovers"]["max_us"] == max(gaps)
    assert 0 < max(gaps) <= 5_000


@pytest.mark.parametrize("which", [DeviceSpec("stimjim", dialect="a"), DeviceSpec("pulsepal", firmware="22")], ids=str)
def test_a_line_that_is_gone_leaves_an_estimate_that_is_not_too_low(which: DeviceSpec) -> None:
    choice = (
        DeviceChoice("stimjim", dialect="a") if which.device == "stimjim" else DeviceChoice("pulsepal", isolator="1")
    )
    bench = Bench(which, choice, prescription(seconds=60), line=lambda port: Pulled(port, 16 * S))
    report = bench.run()
    assert report.end is End.LINE_LOST
    assert report.zero_confirmed_us is None
    ends = "output ends within 3 s by itself" if which.device == "stimjim" else "its output may stay driven"
    assert any(ends in alarm.action and "PULL THE LEADS" in alarm.action for alarm in report.alarms)
    assert report.kept is not None
    assert report.kept["evidence"] == ("estimated" if which.device == "stimjim" else "at most")
    assert report.delivered is not None
    assert sum(report.delivered["1"]["pulses"]) >= bench.pulses() - checked(bench)
    assert bench.last_us() <= 16 * S + limits.LEASE_US


class Pulled(Line):
    """A cable that is pulled at a time: the port says so at once."""

    def __init__(self, port: Port, at_us: int) -> None:
        super().__init__(port)
        self._at_us = at_us
        self._told = False

    def wait(self, deadline_us: int | None) -> bytes:
        until_us = self._at_us if deadline_us is None else min(deadline_us, self._at_us)
        if self.now_us() < self._at_us:
            return self.inner.wait(until_us)
        if not self._told:
            self._told = True
            raise LineLost("the cable was pulled")
        return self.inner.wait(deadline_us)

    def write(self, data: bytes) -> None:
        if self.now_us() < self._at_us:
            self.inner.write(data)
