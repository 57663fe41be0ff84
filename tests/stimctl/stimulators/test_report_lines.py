"""What a StimJim tells, lost or against the clock: no count is called exact that time does not bear out."""

import re

import pytest

from firmware_sim.factory import DeviceSpec
from stimctl.port import Port
from stimctl.session.commands import AskStop
from stimctl.session.dose_tracker import UNMEASURED
from stimctl.session.states import End
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.stimulators.lease.plan import Lease, LeaseLevel
from stimctl.stimulators.lease.report_checks import contradicts_clock
from stimctl.waveform import Segment
from tests.stimctl.session.world import Line, prescription
from tests.stimctl.stimulators.bench import Bench, S
from tests.stimctl.stimulators.test_faults import checked

HIGH = Segment(10_000, 200, 0, 200, 0)
LEASE = Lease(1, HIGH, (LeaseLevel(1, 1_000, 0),), 300, 0, 3_000_000)


class _Dropped(Line):
    def __init__(self, port: Port, after_us: int, what: bytes) -> None:
        super().__init__(port)
        self._after_us = after_us
        self._what = re.compile(what)

    def wait(self, deadline_us: int | None) -> bytes:
        data = self.inner.wait(deadline_us)
        return data if self.now_us() < self._after_us else self._what.sub(b"", data)


def dropped(port: Port, *, after_us: int, what: bytes) -> Line:
    """A line on which what fits a pattern is lost from a time on."""
    return _Dropped(port, after_us, what)


@pytest.mark.parametrize(
    ("after_us", "early"), [(2_990_000, True), (2_991_000, True), (2_995_000, False), (3_400_000, False)]
)
def test_an_end_cannot_come_before_the_lease_can_be_over(after_us: int, *, early: bool) -> None:
    assert (contradicts_clock(LEASE, after_us) is not None) is early


def test_a_count_whose_zero_was_not_measured_is_not_known_to_be_all() -> None:
    bench = Bench(
        DeviceSpec("stimjim", dialect="b"), DeviceChoice("stimjim", dialect="b"), prescription(seconds=12),
        line=lambda port: dropped(port, after_us=7 * S, what=rb"Read value[^\n]*\n"),
    )  # fmt: skip
    report = bench.run((7.0361, AskStop()))
    assert report.kept is not None
    assert (report.kept["evidence"], report.zero_measured) == ("counted", False)
    assert (report.agreement["exact"], report.agreement["reason"]) == (None, UNMEASURED)


@pytest.mark.parametrize("dialect", "abc")
def test_an_end_that_is_told_too_soon_ends_the_session_and_is_not_exact(dialect: str) -> None:
    """Another program's lines, word for word as the device's own, in mid-lease."""
    end = {
        "a": b"Train complete. Delivered 300 pulses.\r\nStage 0  1000uA, 0uA,\r\nStage 1 -1000uA, 0uA,\r\n",
        "b": b"Train #9 complete. Delivered 300 pulses.\r\nMSUM,1,300,0,,,1000.0,1,,,,\nMSUM,1,300,1,,,-1000.0,1,,,,\n",
        "c": b"Channel 0 pulse train terminated. Delivered:\r\n  300x Stage 0:   1000 uA\r\n"
        b"  300x Stage 1:  -1000 uA\r\n  300x Inter-pulse gap:      0 uA\r\n",
    }[dialect]

    class Forged(Line):
        told = False

        def wait(self, deadline_us: int | None) -> bytes:
            until_us = 17 * S if not self.told and (deadline_us is None or deadline_us > 17 * S) else deadline_us
            data = self.inner.wait(until_us)
            if not self.told and self.now_us() >= 17 * S:
                self.told = True
                return data + end
            return data

    which, choice = DeviceSpec("stimjim", dialect=dialect), DeviceChoice("stimjim", dialect=dialect)
    bench = Bench(which, choice, prescription(seconds=60, amplitudes_ma={1: 1.0}, profile="bench-100hz"), line=Forged)
    report = bench.run()
    assert report.end is End.ECHO
    assert "told of its end after" in report.end_text
    assert report.kept is not None
    assert report.kept["evidence"] == "estimated"
    assert report.agreement["exact"] is not True


class _Slow(Line):
    """From a time on what the device says of an end arrives so much later."""

    def __init__(self, port: Port, late_us: int) -> None:
        super().__init__(port)
        self._late_us = late_us
        self._held: tuple[int, bytes] | None = None

    def wait(self, deadline_us: int | None) -> bytes:
        if self._held is not None:
            due_us, data = self._held
            until_us = due_us if deadline_us is None else min(due_us, deadline_us)
            more = self.inner.wait(until_us)
            self._held = (due_us, data + more)
            if self.now_us() < due_us:
                return b""
            _, data = self._held
            self._held = None
            return data
        data = self.inner.wait(deadline_us)
        if b"omplete" in data and self.now_us() > 8 * S:
            self._held = (self.now_us() + self._late_us, data)
            return b""
        return data


@pytest.mark.parametrize(("late_us", "exact"), [(20_000, True), (150_000, True), (350_000, False)])
def test_an_end_that_is_told_too_late_is_an_estimate(late_us: int, *, exact: bool) -> None:
    bench = Bench(
        DeviceSpec("stimjim", dialect="a"), DeviceChoice("stimjim", dialect="a"),
        prescription(seconds=20, amplitudes_ma={1: 1.0}), line=lambda port: _Slow(port, late_us),
    )  # fmt: skip
    report = bench.run()
    assert (report.agreement["exact"] is True) is exact
    assert report.delivered is not None
    assert sum(report.delivered["1"]["pulses"]) >= bench.pulses() - checked(bench)


@pytest.mark.parametrize(
    ("dialect", "what"),
    [
        ("a", rb"Stage \d+ .*\n"),
        ("a", rb"Stage 1 .*\n"),
        ("b", rb"MSUM,.*\n"),
        ("b", rb"MSUM,\d+,\d+,1.*\n"),
        ("c", rb"  \d+x Stage \d+:.*\n"),
        ("c", rb"  \d+x Stage 1:.*\n"),
    ],
)
def test_currents_that_are_told_no_more_end_the_session(dialect: str, what: bytes) -> None:
    """Of two channels, or of one: what it carries would not be looked at any more, and its leads not be missed."""
    rx = prescription(seconds=30, profile="bench-100hz", amplitudes_ma={1: 1.0, 2: 1.0})
    board = DeviceSpec("stimjim", dialect=dialect), DeviceChoice("stimjim", dialect=dialect)
    bench = Bench(*board, rx, line=lambda port: dropped(port, after_us=8 * S, what=what))
    report = bench.run()
    assert report.end is End.LINE_LOST
    assert report.end_text == "the device told no current of channel 1 in 3 leases in a row; check the cable"
    assert report.zero_confirmed_us is not None
    assert bench.last_us() <= 18 * S, "three leases of 3 s"


class _Cut(Line):
    """From a time on so many definitions of slots come to the device cut."""

    def __init__(self, port: Port, left: int, cut: slice) -> None:
        super().__init__(port)
        self._left, self._cut = left, cut

    def write(self, data: bytes) -> None:
        is_cut = self._left > 0 and self.now_us() >= 3 * S and data.startswith(b"S")
        self._left -= is_cut
        self.inner.write(data[: self._cut.start] + data[self._cut.stop :] if is_cut else data)


@pytest.mark.parametrize(("dialect", "cut"), [("b", slice(0, 5)), ("b", slice(0, 2)), ("c", slice(8, 12))])
@pytest.mark.parametrize(("times", "end"), [(1, End.TIMER), (2, End.REFUSED)])
def test_a_definition_that_comes_cut_is_sent_once_more(dialect: str, cut: slice, times: int, end: End) -> None:
    """What the device answers to half a line is no refusal of the line; the same answer to it twice is."""
    which, choice = DeviceSpec("stimjim", dialect=dialect), DeviceChoice("stimjim", dialect=dialect)
    bench = Bench(which, choice, prescription(seconds=15), line=lambda port: _Cut(port, times, cut))
    assert bench.run().end is end
