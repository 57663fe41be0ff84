"""The hard limits that the driver holds, each with its reason. No file, flag or person lifts one.

The device holds its own copy of each limit marked B, in its own source: neither trusts the other.
`HELD_BY` is "B" for a limit that both enforce and "D" for one that only the driver can know.
Figures marked [choice] are this project's own decisions; [source] is the source document; [calc] follows
from the figures beside it; [lit] was read in public material.
"""

from dataclasses import dataclass
from enum import Enum
from math import log10

from stimctl.units import PC_PER_UC, US_PER_MIN, US_PER_MS, US_PER_S


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: an inclusive range in the unit that the name ends in, who holds it, and why."""

    name: str
    low: int
    high: int
    held_by: str
    why: str

    def allows(self, value: int) -> bool:
        """Whether `value` is inside, both ends included."""
        return self.low <= value <= self.high

    def allowed(self) -> str:
        """What is allowed, for an error message."""
        head, _, unit = self.name.rpartition("_")
        if head.endswith("_per"):
            unit = f"{head.removesuffix('_per').rpartition('_')[2]}/{unit}"
        unit = unit.replace("ua", "uA").replace("pc", "pC")
        span = f"must be {self.low} to {self.high} {unit}" if self.low != self.high else f"must be {self.low} {unit}"
        return f"{span} ({self.why})"


CEILING = Limit("ceiling_ua", 500, 2_000, "B", "the source document's 0.5-2.0 mA window [source]")
TARGET = Limit("amplitude_ua", 500, 2_000, "D", "0, or 0.5 mA up to the session's ceiling [source]")
CHARGE_PER_PHASE = Limit("charge_per_phase_pc", 0, 1_200_000, "B", "2.0 mA for 0.6 ms [calc]")
WIDTH = Limit("width_us", 100, 600, "B", "0.1-0.6 ms a phase [choice]")
SECOND_WIDTH = Limit("second_width_us", 100, 1_200, "B", "a longer, lower second phase of equal area [choice]")
INTERPHASE_GAP = Limit("interphase_gap_us", 0, 100, "B", "0-100 us [choice]")
PERIOD = Limit("period_us", 10_000, 1_000_000, "B", "1-100 Hz [source]")
DWELL = Limit("dwell_us", 500_000, 60_000_000, "B", "a band lasts 0.5-60 s [choice]")
RAMP_DOWN = Limit("ramp_down_us", 0, 30_000_000, "B", "the fall at the timer's end, 30 s at most [choice]")
STIMULATION = Limit("stimulation_us", 1 * US_PER_S, 30 * US_PER_MIN, "B", "at most 30 min, ramps counted [source]")
CHANNELS_AT_ONCE = Limit("channels", 1, 3, "B", "at most 3 on one person (FDA K130768 precedent) [lit]")
# 2 000 uA / (5 s + the 0.263 s between pulses beyond which 100 uA a pulse is the tighter rule): with it no
# train passes from zero to 2.0 mA in under 5 s, its first pulse's own step included [calc].
RAMP_SLOPE = Limit("ramp_slope_ua_per_s", 100, 380, "B", "at least 5 s from 0 to 2.0 mA [choice]")
# 100 uA steps have to be whole multiples of what keeps both phases' areas equal in integers.
AMPLITUDE_QUANTUM = Limit("amplitude_quantum_ua", 1, 100, "B", "equal areas in integers at every ramp step [choice]")
LIMITS: tuple[Limit, ...] = (
    CEILING, TARGET, CHARGE_PER_PHASE, WIDTH, SECOND_WIDTH, INTERPHASE_GAP, PERIOD, DWELL, RAMP_DOWN,
    STIMULATION, CHANNELS_AT_ONCE, RAMP_SLOPE, AMPLITUDE_QUANTUM,
)  # fmt: skip

CHARGE_FLAG_PC = 1_000_000  # shown, not a stop: STS304 needles corroded in rats at 1.0 uC [lit]
RAISE_STEP_UA = 100  # between consecutive pulses, and an operator's step [choice]
RAISE_INTERVAL_US = 1 * US_PER_S  # between an operator's raises; a sooner one is refused, not queued [choice]
TITRATION_US = 60 * US_PER_S  # below 0.5 mA for so long at most, then held
HOLD_US = 10 * US_PER_MIN
SESSION_US = 45 * US_PER_MIN  # from arm to end in all
KEEPALIVE_US = 250 * US_PER_MS
WATCHDOG_US = 1 * US_PER_S  # the device's, which the driver requires
CHECK_IN_US = 1 * US_PER_S  # the operator's front end: no keepalive when it has been silent so long
SILENCE_US = 500 * US_PER_MS  # without a valid frame: line lost
STOP_RESEND_US = 20 * US_PER_MS
STOP_CONFIRM_US = 100 * US_PER_MS  # no measured zero by then: HIGH alarm, "pull the leads"
STOP_TRY_US = 60 * US_PER_S  # without a confirmed zero, stop frames go on for so long [choice]
OVER_CURRENT_UA = 2_200
OVER_CURRENT_MARGIN_UA = 100  # or 10 % of what is applied, whichever is larger
SHORT_OHM = 50
LEAD_OFF_OHM = 5_000
ZERO_UA = 20
MEAN_DC_UA = 1  # mean direct current, over a second or, by leases, a lease [choice]
CHANNEL_SLOT_US = 2_500  # channel n's pulses start (n-1) slots late, so that no two drive at once [choice]
LEASE_US = 3 * US_PER_S  # longest output a device without a watchdog is given at a time [choice]

DENSITY_UC_PER_CM2 = 30.0  # a phase, from the declared needle [choice]
SHANNON_K = 1.5  # damage line 1.85 [lit]; [choice]
RMS_FLAG_MA_PER_CM2 = 2.0  # the level IEC 60601-2-10 asks an operator to attend to [lit]: a flag, not a stop


def over_current_ua(applied_ua: int) -> int:
    """The measured amplitude in uA above which a channel commanded `applied_ua` is over current."""
    return min(applied_ua + max(applied_ua // 10, OVER_CURRENT_MARGIN_UA), OVER_CURRENT_UA)


def ramp_ua(slope_ua_per_s: int, elapsed_us: int) -> int:
    """How far a ramp of this slope may have risen in `elapsed_us`, in uA."""
    return slope_ua_per_s * elapsed_us // US_PER_S


class SessionTimer(Enum):
    """A timer that ends an armed session by the clock alone."""

    WATCHDOG = "the host has been silent for 1 s"
    SESSION = "45 min have passed since the first arm"
    HOLD = "held for 10 min"


def expired(now_us: int, armed_us: int, alive_us: int, held_us: int | None = None) -> SessionTimer | None:
    """The first timer that has run out by `now_us`, or None.

    Times in us on one clock: of the first arm, of the newest keepalive, and of the hold's beginning where there is one.
    """
    if now_us - alive_us > WATCHDOG_US:
        return SessionTimer.WATCHDOG
    if now_us - armed_us > SESSION_US:
        return SessionTimer.SESSION
    if held_us is not None and now_us - held_us > HOLD_US:
        return SessionTimer.HOLD
    return None


def shannon_k(charge_pc: int, density_uc_per_cm2: float) -> float:
    """Shannon's k of one phase: log10(Q in uC) + log10(D in uC/cm2)."""
    return log10(charge_pc / PC_PER_UC) + log10(density_uc_per_cm2)
