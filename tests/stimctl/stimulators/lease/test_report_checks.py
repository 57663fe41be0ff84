"""What a report must agree with, when a cut may be sent, and what is told of a lease that was cut."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.factory import DeviceSpec
from stimctl import limits
from stimctl.port import Port
from stimctl.session.states import End
from stimctl.stimulators.discovery import DeviceChoice, identify
from stimctl.stimulators.lease.device import LeaseDone, RestMean, StageMean
from stimctl.stimulators.lease.plan import Lease, LeaseLevel
from stimctl.stimulators.lease.report_checks import Readings, trip, wrong_report
from stimctl.stimulators.lease.stop import EDGE_US, CutReason, LeaseCut
from stimctl.stimulators.lease.tally import LeaseTally
from stimctl.waveform import Segment
from stimctl.wire.codes import EndReason
from tests.stimctl.session.world import Line, prescription
from tests.stimctl.stimulators.bench import Bench
from tests.stimctl.stimulators.contract import stop

HIGH = Segment(10_000, 200, 0, 200, 0)
LEASE = Lease(1, HIGH, (LeaseLevel(1, 1_000, 0),), 300, 0, 3_000_000)
IDENTITY = identify("sim://?device=stimjim", DeviceChoice("stimjim", dialect="a")).identity


def report(first_ua: int, second_ua: int, pulses: int | None = 300) -> LeaseDone:
    return LeaseDone(pulses, (StageMean(1, 0, first_ua), StageMean(1, 1, second_ua)))


def test_a_good_report_is_good() -> None:
    assert wrong_report(LEASE, report(1_003, -998)) is None
    assert trip(IDENTITY, LEASE, report(1_003, -998)) is None
    assert trip(IDENTITY, LEASE, LeaseDone(300)) is None
    assert wrong_report(LEASE, LeaseDone(None)) is None


@pytest.mark.parametrize("pulses", [0, 299, 301])
def test_another_count_than_was_ordered(pulses: int) -> None:
    assert "pulses where 300 were ordered" in str(wrong_report(LEASE, report(1_000, -1_000, pulses)))


@pytest.mark.parametrize(("first_ua", "second_ua"), [(-1_000, 1_000), (1_000, 1_000), (-1_000, -1_000)])
def test_the_wrong_polarity(first_ua: int, second_ua: int) -> None:
    assert "wrong polarity" in str(wrong_report(LEASE, report(first_ua, second_ua)))


@pytest.mark.parametrize(
    ("first_ua", "second_ua", "reason"),
    [
        (1_101, -1_000, EndReason.OVER_CURRENT),
        (1_000, -1_101, EndReason.OVER_CURRENT),
        (789, -789, EndReason.LEAD_OFF),
        (1_000, -789, EndReason.LEAD_OFF),
        (0, 0, EndReason.LEAD_OFF),
        (1_000, -979, EndReason.NET_CHARGE),
        (1_000, -1_021, EndReason.NET_CHARGE),
        (1_200, 0, EndReason.OVER_CURRENT),
    ],
)
def test_currents_that_hold_or_end_the_session(first_ua: int, second_ua: int, reason: EndReason) -> None:
    found = trip(IDENTITY, LEASE, report(first_ua, second_ua))
    assert found is not None
    assert found.reason == reason
    assert found.channel == 1


def test_a_report_that_is_lost_now_and_then_is_forgiven_and_three_in_a_row_are_not() -> None:
    readings, whole = Readings(), report(1_000, -1_000)
    half = LeaseDone(300, (StageMean(1, 0, 1_000),))
    for told in (LeaseDone(300), half, whole, half, LeaseDone(300)):
        assert readings.missing(LEASE, told) is None
    assert "no current of channel 1 in 3 leases in a row" in str(readings.missing(LEASE, half))


@given(
    st.sampled_from([HIGH, Segment(500_000, 600, 100, 1_200, 0), Segment(1_000_000, 600, 0, 600, 0)]),
    st.sampled_from([0, 2_500, 5_000]),
    st.integers(0, 3_000_000),
    st.integers(-EDGE_US // 2, EDGE_US // 2),
)
def test_a_cut_falls_between_two_pulses(shape: Segment, delay_us: int, asked_us: int, late_us: int) -> None:
    """Even when the device is a millisecond off from what the host believes."""
    lease = Lease(0, shape, (LeaseLevel(1, 500, 0), LeaseLevel(2, 500, delay_us)), 3, 0, 3 * shape.period_us)
    cut = LeaseCut(CutReason.LOWER, asked_us, asked_us)
    cut.wait_for_gap(lease, 0, EDGE_US)
    at_us = cut.due_us
    assert cut.in_gap
    assert asked_us <= at_us <= asked_us + delay_us + shape.span_us + 2 * EDGE_US
    phase_us = (at_us + late_us) % shape.period_us
    assert phase_us > delay_us + shape.span_us
    assert phase_us < shape.period_us


def test_only_a_cut_that_its_first_stop_made_in_a_gap_surely_spared_each_pulse() -> None:
    lease = Lease(0, HIGH, (LeaseLevel(1, 500, 0),), 25, 0, 250_000)

    def cut(begun_us: int, zero_us: int | None) -> bool:
        made = LeaseCut(CutReason.LOWER, 50_000, 50_000, sent_us=55_000, zero_us=zero_us)
        made.wait_for_gap(lease, 0, begun_us)
        return made.spared_pulses

    assert cut(EDGE_US, 56_000)
    assert not cut(EDGE_US + 1, 56_000), "the line is too slow to be sure"
    assert not cut(EDGE_US, 55_000 + limits.STOP_RESEND_US), "it was sent again"
    assert not cut(EDGE_US, None), "nobody saw a zero"


def test_a_cut_lease_is_told_as_the_most_that_may_have_flowed() -> None:
    tally = LeaseTally([1])
    tally.cut(LEASE, 100, 102)
    counted = tally.counters(1, 1)
    assert (counted.pulses_1, counted.charge_1_pc) == (102, 102 * 200_000)
    kept = tally.figure_origins("test", {}, reports_ends=True)
    assert (kept.bases[0].least, kept.bases[0].estimated, kept.bases[0].counted) == ((0, 100), (0, 102), (0, 0))
    assert kept.record()["evidence"] == "estimated"
    assert not tally.is_measured


class Reworded(Line):
    """What the device says, with a word changed."""

    def __init__(self, port: Port, pattern: bytes, new: bytes) -> None:
        super().__init__(port)
        self._pattern = re.compile(pattern)
        self._new = new

    def wait(self, deadline_us: int | None) -> bytes:
        return self._pattern.sub(self._new, self.inner.wait(deadline_us))


def said_otherwise(pattern: bytes, new: bytes, dialect: str = "a") -> Bench:
    choice = DeviceChoice("stimjim", dialect=dialect)
    line = lambda port: Reworded(port, pattern, new)  # noqa: E731
    return Bench(DeviceSpec("stimjim", dialect=dialect), choice, prescription(seconds=20), line=line)


@pytest.mark.parametrize(
    ("dialect", "pattern", "new"),
    [
        ("a", rb"200 usec      100uA", b"300 usec      100uA"),
        ("a", rb"\(Current output\)", b"(?)"),
        ("b", rb"(S[123],1,3,)(\d+)", rb"\g<1>20000"),
        ("c", rb"pulses=10,", b"pulses=11,"),
    ],
)
def test_an_echo_that_differs_starts_nothing(dialect: str, pattern: bytes, new: bytes) -> None:
    bench = said_otherwise(pattern, new, dialect)
    report = bench.run()
    if new == b"(?)":
        assert report.end is End.TIMER  # words for people only: the number beside it is what is compared
    else:
        assert report.end is End.ECHO
        assert bench.pulses() == 0


def test_a_current_at_rest_is_no_zero() -> None:
    """From the start of the session on the outputs read 25 uA while grounded: nothing is started."""
    bench = said_otherwise(rb"\((-?\d+)uA\)", b"(25uA)")
    report = bench.run()
    assert report.end is End.SELF_TEST
    assert any("PULL THE LEADS" in alarm.action for alarm in report.alarms)
    assert bench.pulses() == 0


def test_a_report_of_more_current_ends_the_session() -> None:
    bench = said_otherwise(rb"Stage 0  [ \d]{4}uA", b"Stage 0  2100uA")
    report = bench.run((18, stop))
    assert report.end in (End.OVER_CURRENT, End.ECHO)
    assert bench.highest_ua() <= 110


def direct(*leases: tuple[Segment, int, int]) -> list[bool]:
    """Whether each lease of (shape, pulses, current between them in uA) is too much, all of a channel at 500 uA."""
    watch, found = Readings(), []
    for shape, pulses, rest_ua in leases:
        lease = Lease(0, shape, (LeaseLevel(1, 500, 0),), pulses, 0, pulses * shape.period_us)
        means = (StageMean(1, 0, 500), StageMean(1, 1, -500))
        rests = (RestMean(1, rest_ua, shape.period_us - shape.span_us),)
        found.append(watch.direct(IDENTITY, lease, LeaseDone(pulses, means, rests)) is not None)
    return found


def test_a_few_long_readings_are_no_sixteen() -> None:
    """Six of half a second weigh more than the 25 of a quarter of a second behind them: 2 uA may be their error."""
    slow = Segment(500_000, 600, 0, 600, 0)
    assert direct(*[(slow, 1, 2)] * 6, (HIGH, 25, 0)) == [False] * 7
    assert direct(*[(slow, 1, 2)] * 16)[-1], "and of 16 it is none"
    assert direct((slow, 1, 8), (slow, 1, 8), (slow, 1, 8))[-1], "nor is 8 uA the error of three"
