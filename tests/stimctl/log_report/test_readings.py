"""A session's readings over time."""

import pytest

from stimctl.ledger import Ledger
from stimctl.log_report.case import case_of
from stimctl.log_report.readings import SessionReadings
from tests.stimctl.log_report.sessions import MINUTE_US, opened, put_session, sample


def test_samples_become_series_in_minutes(ledger: Ledger) -> None:
    found = case_of(ledger, put_session(ledger)).readings
    assert found.applied == {1: [(1.0, 1.5), (2.0, 1.5)]}
    assert found.measured == {1: [(1.0, 1.49), (2.0, 1.49)]}
    assert found.impedance == {1: [(1.0, 0.76), (2.0, 0.76)]}
    assert found.charge[1][1] == pytest.approx((2.0, 2544.0))


def test_bands_share_the_time_by_their_pulses(ledger: Ledger) -> None:
    first, second = case_of(ledger, put_session(ledger)).readings.bands
    # 60 pulses of 0.5 s and 3,000 of 0.01 s: half a minute each.
    assert (first.from_min, first.to_min, second.from_min, second.to_min) == (pytest.approx(0, abs=1e-3), 1, 1, 2)
    assert first.shares == pytest.approx((0.5, 0.5))


def test_by_lease_a_sample_is_no_reading_and_a_lease_is(ledger: Ledger) -> None:
    one = put_session(ledger, begin=opened(by_lease=True))
    means = [[1, 0, 1480], [1, 1, -1480]]
    ledger.append(one, "lease", 2 * MINUTE_US, {"measured_ua": means, "pulses": 6, "segment": 0})
    found = case_of(ledger, one).readings
    assert (found.impedance, found.measured) == ({}, {1: [(2.0, 1.48)]})
    assert found.applied


@pytest.mark.parametrize("ohm", [0, 65535])
def test_neither_nothing_measured_nor_an_open_circuit_is_an_impedance(ledger: Ledger, ohm: int) -> None:
    one = put_session(ledger, cut=True)
    ledger.append(one, "impedance", 5, {"channel": 1, "ohm": ohm})
    body = sample(0, (1, 1))
    body["channels"]["1"]["ohm"] = ohm
    ledger.append(one, "sample", 3 * MINUTE_US, body)
    assert [minute for minute, _ in case_of(ledger, one).readings.impedance[1]] == [1.0, 2.0]


@pytest.mark.parametrize("channels", [None, "1", {"x": {}}, {"1": None}, {"1": {"applied_ua": "1", "pulses_0": "9"}}])
def test_what_is_no_reading_is_left_out(ledger: Ledger, channels: object) -> None:
    one = "20260302-093000-x3baw"
    ledger.append(one, "opened", 0, opened())
    ledger.append(one, "sample", 5, {"channels": channels})
    ledger.append(one, "lease", 6, {"measured_ua": 7})
    assert case_of(ledger, one).readings == SessionReadings()
