"""The hard limits: pinned to the figures they were decided as, and to the arithmetic that some follow from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl import limits
from stimctl.limits import LIMITS, Limit, over_current_ua, shannon_k

US = 1_000_000

# Typed in a second time on purpose: a slip of a digit in the source fails here.
PINNED = {
    "ceiling_ua": (500, 2_000, "B"),
    "amplitude_ua": (500, 2_000, "D"),
    "charge_per_phase_pc": (0, 1_200_000, "B"),
    "width_us": (100, 600, "B"),
    "second_width_us": (100, 1_200, "B"),
    "interphase_gap_us": (0, 100, "B"),
    "period_us": (10_000, 1_000_000, "B"),
    "dwell_us": (500_000, 60_000_000, "B"),
    "ramp_down_us": (0, 30_000_000, "B"),
    "stimulation_us": (1_000_000, 1_800_000_000, "B"),
    "channels": (1, 3, "B"),
    "ramp_slope_ua_per_s": (100, 380, "B"),
    "amplitude_quantum_ua": (1, 100, "B"),
}


def test_every_limit_is_what_was_decided() -> None:
    assert {limit.name: (limit.low, limit.high, limit.held_by) for limit in LIMITS} == PINNED


def test_every_limit_of_the_module_is_listed() -> None:
    assert {id(value) for value in vars(limits).values() if isinstance(value, Limit)} == {id(limit) for limit in LIMITS}


def test_times_and_rules_are_what_was_decided() -> None:
    assert limits.CHARGE_FLAG_PC == 1_000_000
    assert (limits.RAISE_STEP_UA, limits.RAISE_INTERVAL_US) == (100, US)
    assert (limits.TITRATION_US, limits.HOLD_US, limits.SESSION_US) == (60 * US, 600 * US, 2_700 * US)
    assert (limits.KEEPALIVE_US, limits.WATCHDOG_US, limits.CHECK_IN_US) == (250_000, US, US)
    assert (limits.SILENCE_US, limits.STOP_RESEND_US, limits.STOP_CONFIRM_US) == (500_000, 20_000, 100_000)
    assert (limits.OVER_CURRENT_UA, limits.OVER_CURRENT_MARGIN_UA) == (2_200, 100)
    assert (limits.SHORT_OHM, limits.LEAD_OFF_OHM, limits.ZERO_UA) == (50, 5_000, 20)
    assert (limits.LEASE_US, limits.CHANNEL_SLOT_US) == (3 * US, 2_500)
    assert (limits.DENSITY_UC_PER_CM2, limits.SHANNON_K, limits.RMS_FLAG_MA_PER_CM2) == (30.0, 1.5, 2.0)


def test_the_charge_limit_is_the_widest_pulse_at_the_highest_ceiling() -> None:
    assert limits.CHARGE_PER_PHASE.high == limits.CEILING.high * limits.WIDTH.high


def test_all_four_channels_fit_one_period_without_overlap() -> None:
    longest_us = limits.WIDTH.high + limits.INTERPHASE_GAP.high + limits.SECOND_WIDTH.high
    assert longest_us <= limits.CHANNEL_SLOT_US
    assert 3 * limits.CHANNEL_SLOT_US + longest_us <= limits.PERIOD.low


def test_no_slope_reaches_2_ma_in_under_5_s() -> None:
    """A first pulse of one step, and the slope for the rest of the way."""
    rest_ua = limits.CEILING.high - limits.RAISE_STEP_UA
    assert rest_ua * US >= 5 * US * limits.RAMP_SLOPE.high


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_both_ends_are_inside_and_the_next_value_is_not(limit: Limit) -> None:
    assert [limit.allows(value) for value in (limit.low - 1, limit.low, limit.high, limit.high + 1)] == [
        False, True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_what_is_allowed_is_said_with_its_reason(limit: Limit) -> None:
    said = limit.allowed()
    assert said.startswith(f"must be {limit.low} to {limit.high} ")
    assert said.endswith(f"({limit.why})")
    assert any(label in limit.why for label in ("[source]", "[choice]", "[calc]", "[lit]")), "where the figure is from"


@pytest.mark.parametrize(
    ("name", "unit"),
    [("width_us", "us"), ("ramp_slope_ua_per_s", "uA/s"), ("charge_per_phase_pc", "pC"), ("channels", "channels")],
)
def test_the_unit_is_read_from_the_name(name: str, unit: str) -> None:
    assert Limit(name, 1, 2, "B", "why").allowed() == f"must be 1 to 2 {unit} (why)"
    assert Limit(name, 2, 2, "B", "why").allowed() == f"must be 2 {unit} (why)"


@pytest.mark.parametrize(
    ("applied_ua", "trip_ua"),
    [(0, 100), (500, 600), (1_000, 1_100), (1_500, 1_650), (1_999, 2_198), (2_000, 2_200), (2_101, 2_200)],
)
def test_over_current_margins(applied_ua: int, trip_ua: int) -> None:
    assert over_current_ua(applied_ua) == trip_ua


@given(st.integers(0, 2_000))
def test_over_current_is_never_over_2_2_ma_and_leaves_a_margin(applied_ua: int) -> None:
    assert applied_ua + 100 <= over_current_ua(applied_ua) <= 2_200


# Needles at 2.0 mA and 0.6 ms, bare cylinders: density in uC/cm2 and k, as in the facts' table.
@pytest.mark.parametrize(("density", "k"), [(30.6, 1.56), (15.3, 1.26), (8.5, 1.01), (4.2, 0.71)])
def test_shannon_k_of_the_needle_table(density: float, k: float) -> None:
    # The densities stand in the table with three figures; k holds to two places from them.
    assert shannon_k(1_200_000, density) == pytest.approx(k, abs=0.01)


def test_stop_frames_go_on_for_a_minute() -> None:
    assert limits.STOP_TRY_US == 60_000_000


@pytest.mark.parametrize(
    ("slope_ua_per_s", "elapsed_us", "risen_ua"),
    [(200, 0, 0), (200, 4_999, 0), (200, 5_000, 1), (200, 1_000_000, 200), (400, 2_500_000, 1_000)],
)
def test_a_ramp_has_risen_by_whole_microamperes(slope_ua_per_s: int, elapsed_us: int, risen_ua: int) -> None:
    assert limits.ramp_ua(slope_ua_per_s, elapsed_us) == risen_ua


NOW_US = 3_600_000_000


@pytest.mark.parametrize(
    ("armed_ago_us", "alive_ago_us", "held_ago_us", "first"),
    [
        (1, 1, None, None),
        (2_700_000_000, 1_000_000, 600_000_000, None),
        (1, 1_000_001, None, limits.SessionTimer.WATCHDOG),
        (2_700_000_001, 1, None, limits.SessionTimer.SESSION),
        (1, 1, 600_000_001, limits.SessionTimer.HOLD),
        (2_700_000_001, 1_000_001, 600_000_001, limits.SessionTimer.WATCHDOG),
        (2_700_000_001, 1, 600_000_001, limits.SessionTimer.SESSION),
    ],
)
def test_a_timer_has_run_out_a_microsecond_after_its_time(
    armed_ago_us: int, alive_ago_us: int, held_ago_us: int | None, first: limits.SessionTimer | None
) -> None:
    held_us = None if held_ago_us is None else NOW_US - held_ago_us
    assert limits.expired(NOW_US, NOW_US - armed_ago_us, NOW_US - alive_ago_us, held_us) is first


def test_the_mean_direct_current_that_ends_a_session() -> None:
    assert limits.MEAN_DC_UA == 1
