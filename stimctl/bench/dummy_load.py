"""A run on a dummy load, from amounts alone: no needle, no pseudonym, no file.

The pulses are those of the bench profile of its mode, or of any width and rate that the limits allow. The session is
one like every other: the same limits, ramps, checks and log.
"""

import getpass
from dataclasses import dataclass, replace
from decimal import Decimal

from stimctl.errors import Misuse
from stimctl.label import Label
from stimctl.limits import RAISE_STEP_UA, ramp_ua
from stimctl.prescription import ChannelPlan, Prescription, Subject, Terminal
from stimctl.profile import choose, load_profiles, ramps, segments
from stimctl.stimulators.discovery import DeviceChoice, identify
from stimctl.units import US_PER_S, hz_text, plain_number
from stimctl.waveform import Mode, Segment

PROFILES = {Mode.LOW: "bench-2hz", Mode.HIGH: "bench-100hz", Mode.DENSE_DISPERSE: "bench-2-100hz"}
WIDTH_US = 200  # of a rate of one's own, as at 100 Hz, where no width is given [choice]
PSEUDONYM = "dummy-load"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRun:
    """What is asked of a load. `period_us` is a rate of one's own, in place of the mode; times in us, load in ohm.

    `stimulation_us` is the whole of it, ramps included; None for `plateau_us` at full amplitude and the ramps besides.
    """

    ohm: int
    amplitude_ua: int
    channels: tuple[int, ...] = (1,)
    mode: Mode = Mode.DENSE_DISPERSE
    period_us: int | None = None
    width_us: int | None = None
    stimulation_us: int | None = None
    plateau_us: int = 0
    ramp_only: bool = False


def subject_at(url: str, choice: DeviceChoice | None) -> Subject:
    """A simulator where a simulator answers, else a dummy load. Raises what an identification does."""
    simulated = url.lower().startswith("sim://") or identify(url, choice).identity.simulator
    return Subject.SIMULATOR if simulated else Subject.DUMMY_LOAD


def prescription_for(run: LoadRun, subject: Subject = Subject.DUMMY_LOAD) -> Prescription:
    """The prescription of a run. Raises `Unsafe` with every limit that it breaks."""
    mode = run.mode if run.period_us is None else Mode.HIGH
    profile = choose(load_profiles(), PROFILES[mode])
    variant = profile.variants[0]
    pulses = segments(profile, variant)
    own = run.period_us is not None or run.width_us is not None
    if run.period_us is not None:
        pulses = (Segment(run.period_us, WIDTH_US, 0, WIDTH_US, 0),)
    if run.width_us is not None:
        pulses = tuple(replace(each, width_us=run.width_us, second_width_us=run.width_us) for each in pulses)
    slope, ramp_down_us = ramps(profile)
    whole_us = _rise_us(run.amplitude_ua, slope, pulses) + run.plateau_us + ramp_down_us
    return Prescription(
        subject=subject,
        operator=_operator(),
        pseudonym=PSEUDONYM,
        protocol=profile,
        variant=variant.id,
        channels=tuple(ChannelPlan(each, Terminal(1), Terminal(2), run.amplitude_ua) for each in run.channels),
        ceiling_ua=run.amplitude_ua,
        stimulation_us=run.stimulation_us if run.stimulation_us is not None else whole_us,
        ramp_only=run.ramp_only,
        segments=pulses if own else None,
        declared_ohm=run.ohm if subject is Subject.DUMMY_LOAD else None,
    )


def _rise_us(amplitude_ua: int, slope_ua_per_s: int, pulses: tuple[Segment, ...]) -> int:
    """How long the rise lasts at the most: in whole uA a pulse by the slope, and 100 uA at a slow rate."""
    periods_us = [each.period_us for each in pulses]
    steps_ua = [max(1, min(RAISE_STEP_UA, ramp_ua(slope_ua_per_s, each))) for each in periods_us]
    return max(-(-amplitude_ua // step) * each for step, each in zip(steps_ua, periods_us, strict=True)) + max(
        periods_us
    )


def _operator() -> str:
    """Who is logged in, as a log can hold it."""
    try:
        return Label(getpass.getuser())
    except (OSError, KeyError, ValueError, ImportError):  # nobody by name
        return "bench"


def nearest_period_us(frequency_hz: Decimal | str) -> int:
    """The period of a rate, to the nearest us. Raises `Misuse` for what is no rate."""
    rate = plain_number(frequency_hz, "frequency")
    if not Decimal("0.001") <= rate <= 1_000_000:
        raise Misuse(f"frequency: {frequency_hz} Hz is no rate that can be given")
    return round(US_PER_S / rate)


def asked_hz(period_us: int) -> str:
    """The shortest rate that is asked for by this period: `150 Hz` for 6667 us, which are 149.993 Hz."""
    rates = (f"{float(f'{US_PER_S / period_us:.{digits}g}'):g}" for digits in range(1, 6))
    return next((f"{rate} Hz" for rate in rates if nearest_period_us(rate) == period_us), hz_text(period_us))


def rate_text(period_us: int) -> str:
    """The rate that is asked for and, where whole microseconds make it another one, the rate that is given."""
    asked, given = asked_hz(period_us), hz_text(period_us)
    return asked if asked == given else f"{asked} (given: {given})"


def pulses_text(prescription: Prescription) -> str:
    """`2 Hz 0.6 ms, 100 Hz 0.2 ms`: the rate and the first phase's width of each segment."""
    return ", ".join(
        f"{rate_text(each.period_us)} {each.width_us / 1_000:g} ms" for each in prescription.program.segments
    )
