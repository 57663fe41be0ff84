"""Each limit that both machines hold, with one machine's check taken away: the other one still holds it.

How each row is shown stands in `device_alone`, where the driver's check is gone, and in `driver_alone`, where the
device's is.
"""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from firmware_sim.native import gate
from stimctl import limits
from stimctl.session.states import End
from stimctl.wire.codes import Refusal
from tests.stimctl.session import device_alone as device
from tests.stimctl.session import device_opened as opened
from tests.stimctl.session import driver_alone as driver

Patch = pytest.MonkeyPatch

# The rows marked B of the limits that were decided, as a second list beside `limits.LIMITS`.
DECIDED = (
    "peak amplitude, both phases",
    "lowering",
    "raising",
    "charge per phase",
    "balance",
    "measured net charge",
    "pulse width",
    "frequency",
    "stimulation time",
    "a hold",
    "from arm to end",
    "keepalive",
    "over-current trip",
    "lead-off",
    "short",
    "zero",
    "impedance check",
    "self-test",
    "channels on one person",
    "a fault on one channel stops all",
)


class Row(NamedTuple):
    """A limit that both hold, shown from both sides."""

    limit: str
    device: Callable[[Patch], None]
    driver: Callable[[Patch], None]


TABLE = (
    # as decided
    Row("peak amplitude, both phases", device.peak, driver.peak),
    Row("lowering", device.lowering, opened.finds(End.IMPLAUSIBLE, opened.deaf_to_lowering)),
    Row("raising", device.raising, driver.raising),
    Row("charge per phase", device.charge, driver.charge),
    Row("balance", device.balance, opened.unsafe_program("amplitude_quantum_ua", width_us=150, second_width_us=1_199)),
    Row("measured net charge", device.net_charge, opened.finds(End.NET_CHARGE, opened.weak_back_phase)),
    Row(
        "pulse width",
        device.refuses_segment(Refusal.BELOW_LIMIT, width_us=99, second_width_us=99),
        opened.unsafe_program("width_us", width_us=99),
    ),
    Row(
        "frequency",
        device.refuses_segment(Refusal.BELOW_LIMIT, period_us=9_999),
        opened.finds(End.IMPLAUSIBLE, opened.half_the_period),
    ),
    Row("stimulation time", device.time, driver.time),
    Row("a hold", device.hold, driver.hold),
    Row("from arm to end", device.session, driver.session),
    Row("keepalive", device.keepalive, driver.keepalive),
    Row("over-current trip", device.over_current, opened.finds(End.OVER_CURRENT, opened.too_much_current)),
    Row("lead-off", device.lead_off, driver.lead_off),
    Row("short", device.short, opened.finds(End.SHORT, opened.another_load("short"))),
    Row("zero", device.zero, driver.zero),
    Row("impedance check", device.check, driver.check),
    Row("self-test", device.self_test, driver.self_test),
    Row("channels on one person", device.channels, driver.channels),
    Row("a fault on one channel stops all", device.one_stops_all, driver.one_stops_all),
    # as they stand in the driver's source
    Row("ceiling_ua", device.refuses_arm(Refusal.BELOW_LIMIT, ceiling_ua=499), driver.peak),
    Row("charge_per_phase_pc", device.charge, driver.charge),
    Row(
        "width_us",
        device.refuses_segment(Refusal.ABOVE_LIMIT, width_us=601, second_width_us=601),
        opened.unsafe_program("width_us", width_us=601, second_width_us=601),
    ),
    Row(
        "second_width_us",
        device.refuses_segment(Refusal.ABOVE_LIMIT, width_us=601 - 1, second_width_us=1_201),
        opened.unsafe_program("second_width_us", width_us=600, second_width_us=1_201),
    ),
    Row(
        "interphase_gap_us",
        device.refuses_segment(Refusal.ABOVE_LIMIT, interphase_gap_us=101),
        opened.unsafe_program("interphase_gap_us", interphase_gap_us=101),
    ),
    Row(
        "period_us",
        device.refuses_segment(Refusal.ABOVE_LIMIT, period_us=1_000_001),
        opened.unsafe_program("period_us", period_us=1_000_001),
    ),
    Row(
        "dwell_us",
        device.refuses_segment(Refusal.BELOW_LIMIT, dwell_us=499_999),
        opened.unsafe_program("dwell_us", dwell_us=499_999),
    ),
    Row(
        "ramp_down_us",
        device.refuses_head(Refusal.ABOVE_LIMIT, ramp_down_us=30_000_001),
        opened.unsafe_program("ramp_down_us", ramp_down_us=30_000_001),
    ),
    Row(
        "stimulation_us",
        device.refuses_arm(Refusal.BELOW_LIMIT, stimulation_limit_us=999_999),
        opened.unsafe_program("stimulation_us", stimulation_us=999_999),
    ),
    Row("channels", device.channels, driver.channels),
    Row(
        "ramp_slope_ua_per_s",
        device.refuses_head(Refusal.BELOW_LIMIT, ramp_slope_ua_per_s=99),
        opened.unsafe_program("ramp_slope_ua_per_s", ramp_slope_ua_per_s=99),
    ),
    Row("amplitude_quantum_ua", device.balance, opened.unsafe_program("quantum", width_us=200, second_width_us=1_199)),
)


def test_every_limit_that_both_hold_is_in_the_table() -> None:
    named = [row.limit for row in TABLE]
    assert len(named) == len(set(named))
    assert set(named) == set(DECIDED) | {limit.name for limit in limits.LIMITS if limit.held_by == "B"}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.limit)
def test_the_device_alone_holds_it(row: Row, monkeypatch: Patch) -> None:
    row.device(monkeypatch)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.limit)
def test_the_driver_alone_holds_it(row: Row, monkeypatch: Patch) -> None:
    row.driver(monkeypatch)


def test_what_is_opened_is_all_that_the_device_limits_by() -> None:
    """A limit that is added to the firmware has to be opened here too, or it would help the driver in secret."""
    kept = {
        *("MIN_TIME_TO_LIVE_MS", "MAX_TIME_TO_LIVE_MS", "CHANNEL_SLOT_US", "ZERO_UA", "ZERO_WATCH_US", "TRIP_PULSES"),
        *("CHECK_AMPLITUDE_UA", "CHECK_WIDTH_US", "CHECK_PULSES", "CHECK_PERIOD_US", "MEAN_DC_UA"),
        *("OVER_CURRENT_UA", "OVER_CURRENT_MARGIN_UA", "SHORT_OHM", "LEAD_OFF_OHM"),  # gone with the monitor
    }
    numbers = {name for name, value in vars(gate).items() if name.isupper() and isinstance(value, int)}
    assert numbers == set(opened.OPENED) | kept
