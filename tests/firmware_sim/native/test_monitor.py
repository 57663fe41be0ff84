"""The monitor at its limits, reading by reading."""

import pytest

from firmware_sim.native.monitor import Monitor, Reading, over_current_ua
from stimctl.wire.codes import ChannelFlag, EndReason

GOOD = Reading(1_000_000, 1_000_000, 0, 600, False)


@pytest.mark.parametrize(
    ("applied_ua", "limit_ua"), [(0, 100), (500, 600), (1_000, 1_100), (1_500, 1_650), (2_000, 2_200), (2_100, 2_200)]
)
def test_over_current_is_ten_percent_or_a_hundred_microamperes_and_never_over_2200(
    applied_ua: int, limit_ua: int
) -> None:
    assert over_current_ua(applied_ua) == limit_ua


@pytest.mark.parametrize(
    ("charge_pc", "net_pc", "trips"),
    [(600_000, 6_000, False), (600_000, 6_001, True), (600_000, -6_001, True), (20_000, 3_000, False),
     (20_000, 3_001, True), (1_200_000, 11_999, False)],
)  # fmt: skip
def test_net_charge_of_a_pulse_is_one_percent_or_the_floor(charge_pc: int, net_pc: int, trips: bool) -> None:
    verdict = Monitor().judge(GOOD._replace(net_fc=net_pc * 1_000), charge_pc, 0)
    assert (verdict == (EndReason.NET_CHARGE, abs(net_pc), 0)) == trips
    assert (verdict is None) == (not trips)


@pytest.mark.parametrize(
    ("odd", "reason", "flags"),
    [
        (GOOD._replace(ohm=5_001), EndReason.LEAD_OFF, ChannelFlag.LEAD_OFF),
        (GOOD._replace(ohm=49), EndReason.SHORT, ChannelFlag.SHORT),
        (GOOD._replace(clipped=True), EndReason.COMPLIANCE, ChannelFlag.COMPLIANCE),
    ],
)
def test_three_in_a_row_trip_and_a_good_one_between_starts_anew(
    odd: Reading, reason: EndReason, flags: ChannelFlag
) -> None:
    monitor = Monitor()
    verdicts = [monitor.judge(reading, 200_000, 0) for reading in (odd, odd, GOOD, odd, odd)]
    assert verdicts == [None] * 5
    assert monitor.flags == flags
    assert monitor.judge(odd, 200_000, 0) == (reason, odd.ohm, 0)


@pytest.mark.parametrize("ohm", [0, 50, 5_000])
def test_an_ohm_at_the_limit_or_not_measured_is_no_fault(ohm: int) -> None:
    monitor = Monitor()
    assert [monitor.judge(GOOD._replace(ohm=ohm), 200_000, 0) for _ in range(9)] == [None] * 9
    assert monitor.flags == 0
