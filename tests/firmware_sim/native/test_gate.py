"""The gate: dense at each boundary, and every check seen denying by itself."""

import pytest

from firmware_sim.native import gate
from firmware_sim.native.gate import OutputPulse, permit
from firmware_sim.native.program import OutputProgram, OutputSegment
from stimctl.wire.codes import DeviceState

LAWFUL = OutputPulse(
    amplitude_ua=1_000, width_us=200, interphase_gap_us=0, second_ua=1_000, second_width_us=200, period_us=10_000
)
OUTPUT = (DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN)


def allowed(
    pulse: OutputPulse, *, state: DeviceState = DeviceState.RUNNING, ceiling_ua: int = 2_000, last_ua: int = 2_000
) -> bool:
    return permit(state, ceiling_ua, last_ua, pulse)


@pytest.mark.parametrize("state", list(DeviceState))
def test_a_lawful_pulse_passes_in_output_states_only(state: DeviceState) -> None:
    assert allowed(LAWFUL, state=state) is (state in OUTPUT)


@pytest.mark.parametrize("amplitude_ua", [1, 99, 100])
def test_an_impedance_check_may_use_its_own_amplitude(amplitude_ua: int) -> None:
    pulse = LAWFUL._replace(amplitude_ua=amplitude_ua, second_ua=amplitude_ua)
    assert allowed(pulse, state=DeviceState.CHECKING, last_ua=0)


@pytest.mark.parametrize("amplitude_ua", [101, 102, 200, 500, 2_000])
def test_an_impedance_check_may_use_no_more(amplitude_ua: int) -> None:
    pulse = LAWFUL._replace(amplitude_ua=amplitude_ua, second_ua=amplitude_ua)
    assert allowed(pulse), "the sweep must fail for its state alone"
    assert not allowed(pulse, state=DeviceState.CHECKING)


def symmetric(amplitude_ua: int) -> OutputPulse:
    return LAWFUL._replace(amplitude_ua=amplitude_ua, second_ua=amplitude_ua)


@pytest.mark.parametrize("ceiling_ua", [500, 501, 1_000, 1_999, 2_000, 2_001, 2_500, 65_535])
def test_no_pulse_above_the_ceiling_or_above_two_milliamperes(ceiling_ua: int) -> None:
    top_ua = min(ceiling_ua, 2_000)
    sweep = [*range(-3, 3), *range(top_ua - 20, top_ua + 21), 2_000, 2_001, 2_002, 2_199, 2_500, 4_000, 65_535]
    assert max(sweep) > 2_000
    for amplitude_ua in sweep:
        passes = allowed(symmetric(amplitude_ua), ceiling_ua=ceiling_ua, last_ua=65_535)
        assert passes is (0 < amplitude_ua <= top_ua), amplitude_ua


@pytest.mark.parametrize("last_ua", [0, 1, 100, 900, 1_899, 1_900, 2_000])
def test_no_rise_of_more_than_a_step(last_ua: int) -> None:
    for rise_ua in [*range(-5, 6), *range(90, 111), 150, 1_000]:
        amplitude_ua = last_ua + rise_ua
        if 0 < amplitude_ua <= 2_000:
            assert allowed(symmetric(amplitude_ua), last_ua=last_ua) is (rise_ua <= 100), rise_ua


def test_a_fall_of_any_size_passes() -> None:
    assert allowed(symmetric(1), last_ua=2_000)


@pytest.mark.parametrize("width_us", [*range(95, 106), *range(595, 606), 0, 1, 5_000])
def test_first_width(width_us: int) -> None:
    pulse = LAWFUL._replace(width_us=width_us, second_width_us=width_us)
    assert allowed(pulse) is (100 <= width_us <= 600)


@pytest.mark.parametrize("second_width_us", [*range(1_195, 1_206), 2_400])
def test_second_width(second_width_us: int) -> None:
    # Amplitudes chosen so that the areas are equal at every width of the sweep.
    pulse = OutputPulse(second_width_us, 600, 0, 600, second_width_us, 10_000)
    assert pulse.amplitude_ua * 600 <= gate.MAX_CHARGE_PC or second_width_us > 1_200
    assert allowed(pulse, last_ua=2_000) is (second_width_us <= 1_200)


def test_the_second_phase_is_never_over_nor_shorter_than_the_first() -> None:
    for second_ua in (-1_000, 0, 999, 1_000, 1_001, 2_000):
        assert allowed(LAWFUL._replace(second_ua=second_ua)) is (second_ua == 1_000), second_ua
    shorter = OutputPulse(1_000, 400, 0, 2_000, 200, 10_000)
    assert shorter.amplitude_ua * shorter.width_us == shorter.second_ua * shorter.second_width_us
    assert not allowed(shorter)


def test_two_wrong_signs_do_not_make_a_pulse() -> None:
    assert not allowed(LAWFUL._replace(second_ua=-1_000, second_width_us=-200))
    assert not allowed(LAWFUL._replace(amplitude_ua=-1_000, width_us=-200))


def test_no_amplitude_is_no_pulse() -> None:
    assert not allowed(LAWFUL._replace(amplitude_ua=0, second_ua=0))


@pytest.mark.parametrize("off_ua", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("off_us", [-1, 0, 1])
def test_areas_are_equal_or_nothing(off_ua: int, off_us: int) -> None:
    pulse = OutputPulse(1_000, 200, 0, 500 + off_ua, 400 + off_us, 10_000)
    assert allowed(pulse) is (off_ua == 0 and off_us == 0)


@pytest.mark.parametrize("gap_us", [-1, 0, 1, 99, 100, 101, 102, 1_000])
def test_gap(gap_us: int) -> None:
    assert allowed(LAWFUL._replace(interphase_gap_us=gap_us)) is (0 <= gap_us <= 100)


@pytest.mark.parametrize("period_us", [0, 9_998, 9_999, 10_000, 10_001, 999_999, 1_000_000, 1_000_001, 2_000_000])
def test_period(period_us: int) -> None:
    assert allowed(LAWFUL._replace(period_us=period_us)) is (10_000 <= period_us <= 1_000_000)


def test_charge_has_a_check_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Width and amplitude limits already imply 1.2 uC, so one of them is taken away to see this one hold."""
    monkeypatch.setattr(gate, "MAX_WIDTH_US", 1_000)
    for width_us in [*range(595, 606), 1_000]:
        pulse = OutputPulse(2_000, width_us, 0, 2_000, width_us, 10_000)
        assert allowed(pulse) is (2_000 * width_us <= 1_200_000), width_us


def test_a_pulse_takes_its_shape_from_the_program_or_from_the_check() -> None:
    program = OutputProgram((OutputSegment(500_000, 600, 50, 1_200, 0),), 0b1, 200, 0)
    assert gate.pulse_of(program, 0, 1_000, 500) == OutputPulse(1_000, 600, 50, 500, 1_200, 500_000)
    assert gate.pulse_of(program, -1, 100, 100) == OutputPulse(100, 200, 0, 100, 200, 10_000)


def test_the_figures_are_those_of_the_limits_table() -> None:
    figures = {name: value for name, value in vars(gate).items() if name.isupper() and isinstance(value, int)}
    assert figures == {
        "MIN_CEILING_UA": 500,
        "MAX_AMPLITUDE_UA": 2_000,
        "MIN_STIMULATION_US": 1_000_000,
        "MAX_STIMULATION_US": 30 * 60 * 1_000_000,
        "MIN_TIME_TO_LIVE_MS": 100,
        "MAX_TIME_TO_LIVE_MS": 10_000,
        "MAX_CHANNELS": 3,
        "MIN_PERIOD_US": 10_000,
        "MAX_PERIOD_US": 1_000_000,
        "MIN_WIDTH_US": 100,
        "MAX_WIDTH_US": 600,
        "MAX_GAP_US": 100,
        "MAX_SECOND_WIDTH_US": 1_200,
        "MIN_DWELL_US": 500_000,
        "MAX_DWELL_US": 60_000_000,
        "MIN_SLOPE_UA_PER_S": 100,
        "MAX_SLOPE_UA_PER_S": 380,
        "MAX_RAMP_DOWN_US": 30_000_000,
        "MAX_QUANTUM_UA": 100,
        "MAX_CHARGE_PC": 1_200_000,
        "MAX_RISE_UA": 100,
        "RAISE_INTERVAL_US": 1_000_000,
        "CHANNEL_SLOT_US": 2_500,
        "CHECK_AMPLITUDE_UA": 100,
        "CHECK_WIDTH_US": 200,
        "CHECK_PULSES": 10,
        "CHECK_PERIOD_US": 10_000,
        "OVER_CURRENT_UA": 2_200,
        "OVER_CURRENT_MARGIN_UA": 100,
        "SHORT_OHM": 50,
        "LEAD_OFF_OHM": 5_000,
        "TRIP_PULSES": 3,
        "MEAN_DC_UA": 1,
        "ZERO_UA": 20,
        "ZERO_WATCH_US": 20_000,
        "WATCHDOG_US": 1_000_000,
        "HOLD_US": 10 * 60 * 1_000_000,
        "SESSION_US": 45 * 60 * 1_000_000,
    }
