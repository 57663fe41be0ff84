"""The device's own limits, and the gate that every pulse passes.

These are the firmware's figures, in its own source: nothing here comes from the driver, and nothing a
driver sends can widen them. The gate denies by default: it gives its one `True` only after every check.
Labels: [source] the source document; [calc] from the figures beside it; [lit] read in public material;
[choice] this project's own decision.
"""

from typing import NamedTuple

from firmware_sim.native.program import OutputProgram
from stimctl.wire.codes import DeviceState

# --- what a session may ask for ---
MIN_CEILING_UA = 500  # the 0.5-2.0 mA window [source]
MAX_AMPLITUDE_UA = 2_000  # the top of that window, whatever is armed [source]
MIN_STIMULATION_US = 1_000_000
MAX_STIMULATION_US = 1_800_000_000  # 30 min, ramps counted [source]
MIN_TIME_TO_LIVE_MS = 100  # an arm that lapses before an answer can come back is useless [choice]
MAX_TIME_TO_LIVE_MS = 10_000  # a forgotten arm must not wait for somebody to lean on a key [choice]
MAX_CHANNELS = 3  # on one person at once (FDA K130768 precedent) [lit]

# --- what a program may ask for ---
MIN_PERIOD_US = 10_000  # 100 Hz [source]
MAX_PERIOD_US = 1_000_000  # 1 Hz [source]
MIN_WIDTH_US = 100  # 0.1 ms [choice]
MAX_WIDTH_US = 600  # 0.6 ms, with 2.0 mA the charge cap [choice]
MAX_GAP_US = 100  # between the phases [choice]
MAX_SECOND_WIDTH_US = 1_200  # a longer, lower second phase [choice]
MIN_DWELL_US = 500_000  # one period of 2 Hz [choice]
MAX_DWELL_US = 60_000_000  # [choice]
MIN_SLOPE_UA_PER_S = 100  # [choice]
MAX_SLOPE_UA_PER_S = 380  # at least 5 s from 0 to 2.0 mA, also where 100 uA a pulse is the tighter rule [calc]
MAX_RAMP_DOWN_US = 30_000_000  # [choice]
MAX_QUANTUM_UA = 100  # coarser amplitudes could not rise by 100 uA and keep both areas equal in integers [calc]

# --- what a pulse may be ---
MAX_CHARGE_PC = 1_200_000  # a phase: 2.0 mA for 0.6 ms [calc]
MAX_RISE_UA = 100  # from one delivered pulse to the next, and a raise of a target [choice]
RAISE_INTERVAL_US = 1_000_000  # between two raises of a channel's target [choice]
CHANNEL_SLOT_US = 2_500  # channel n's pulses start n-1 slots late, so that no two drive at once [choice]

# --- the impedance check ---
CHECK_AMPLITUDE_UA = 100  # [choice]
CHECK_WIDTH_US = 200  # [choice]
CHECK_PULSES = 10  # a channel, at most [choice]
CHECK_PERIOD_US = 10_000  # [choice]

# --- when it trips ---
OVER_CURRENT_UA = 2_200  # measured, on any channel [choice]
OVER_CURRENT_MARGIN_UA = 100  # measured over applied, or 10 % of it when that is more [choice]
SHORT_OHM = 50  # below it the clips touch [choice]
LEAD_OFF_OHM = 5_000  # above it a needle or a clip is off [choice]
TRIP_PULSES = 3  # consecutive pulses before an impedance counts [choice]
MEAN_DC_UA = 1  # average direct current a channel, regardless of the net charge a pulse [choice]
ZERO_UA = 20  # measured current below it is zero [choice]
ZERO_WATCH_US = 20_000  # so long without a break [choice]

# --- when it ends by itself ---
WATCHDOG_US = 1_000_000  # after the last keepalive [choice]
HOLD_US = 600_000_000  # 10 min [choice]
SESSION_US = 2_700_000_000  # 45 min from the first arm to the end in all [choice]

OUTPUT_STATES = frozenset(
    {DeviceState.CHECKING, DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN},
)  # fmt: skip


class OutputPulse(NamedTuple):
    """One biphasic pulse as it would leave the converter."""

    amplitude_ua: int
    width_us: int
    interphase_gap_us: int
    second_ua: int
    second_width_us: int
    period_us: int


def permit(state: DeviceState, ceiling_ua: int, last_ua: int, pulse: OutputPulse) -> bool:
    """Whether this pulse may leave the device now. `last_ua` is the channel's last delivered amplitude."""
    amplitude_ua, width_us, gap_us, second_ua, second_width_us, period_us = pulse
    charge_pc = amplitude_ua * width_us
    # The first check that fails denies; there is no other way to a True than through all of them.
    return (
        state in OUTPUT_STATES
        and 0 < amplitude_ua <= min(ceiling_ua, MAX_AMPLITUDE_UA)
        and (state != DeviceState.CHECKING or amplitude_ua <= CHECK_AMPLITUDE_UA)
        and amplitude_ua - last_ua <= MAX_RISE_UA
        and second_ua <= amplitude_ua
        and MIN_WIDTH_US <= width_us <= MAX_WIDTH_US
        and MIN_WIDTH_US <= second_width_us <= MAX_SECOND_WIDTH_US
        and 0 <= gap_us <= MAX_GAP_US
        and MIN_PERIOD_US <= period_us <= MAX_PERIOD_US
        and charge_pc <= MAX_CHARGE_PC
        and charge_pc == second_ua * second_width_us
    )


def pulse_of(program: OutputProgram, segment: int, amplitude_ua: int, second_ua: int) -> OutputPulse:
    """A pulse in the shape of the program's segment; segment -1 is the impedance check's own shape."""
    if segment < 0:
        return OutputPulse(amplitude_ua, CHECK_WIDTH_US, 0, second_ua, CHECK_WIDTH_US, CHECK_PERIOD_US)
    shape = program.segments[segment]
    return OutputPulse(
        amplitude_ua, shape.width_us, shape.interphase_gap_us, second_ua, shape.second_width_us, shape.period_us
    )
