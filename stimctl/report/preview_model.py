"""A preview's figures and curves: one channel of a program at one amplitude, from its pulses to its caption.

Times are us and currents mA, as they are drawn; amplitudes uA. Everything comes from the same pulses that the dose is
counted from, so that a preview cannot show anything else. It is a plan and says so: nothing in it was measured.
"""

from dataclasses import dataclass
from typing import NamedTuple

from stimctl import limits
from stimctl.dose import ChannelDose, planned
from stimctl.units import US_PER_S, charge_text, clock_text, counted, hz_text, ma_text
from stimctl.waveform import Program, Pulse, Segment, pulses, reached

PLANNED = "Planned, not measured."
PERIODS_SHOWN = 10  # of a pattern that never switches band


@dataclass(frozen=True, slots=True)
class NeedleFigures:
    """The declared needle's name, and the figures worked out from it."""

    label: str
    density_uc_per_cm2: float
    shannon_k: float
    rms_ma_per_cm2: float


@dataclass(frozen=True, slots=True)
class PreviewInput:
    """The input of a preview: one channel of a program at one amplitude.

    `needle` is None where none has been declared.
    """

    title: str
    program: Program
    channel: int
    amplitude_ua: int
    needle: NeedleFigures | None = None
    on_a_load: bool = False  # between its terminals there is no needle to declare
    open: str = ""  # what the profile leaves open, so that what is drawn is nobody's wish

    @property
    def asked_ua(self) -> int:
        """The amplitude that is asked for, as it can be driven: a multiple of the program's quantum."""
        return self.amplitude_ua - self.amplitude_ua % self.program.quantum_ua

    @property
    def peak_ua(self) -> int:
        """The amplitude that will be reached: the ramps may take too long for what is asked."""
        return reached(self.program, self.channel, self.amplitude_ua).amplitude_ua

    @property
    def peak_text(self) -> str:
        """`full`, or the amplitude that is reached in place of the one asked for."""
        return "full" if self.peak_ua == self.asked_ua else f"{ma_text(self.peak_ua)} (not full)"

    def dose(self) -> ChannelDose:
        """What the channel gets if nobody touches it, ramps included."""
        return planned(self.program, {self.channel: self.amplitude_ua})[self.channel]


# --- what is said -------------------------------------------------------------------------------------


def caption(preview: PreviewInput) -> list[str]:
    """What stands under the picture: amplitude, charge, the needle's figures, and that it is a plan."""
    program, dose = preview.program, preview.dose()
    charges = ", ".join(charge_label(segment, preview.peak_ua) for segment in program.segments)
    return [
        *([f"{preview.open[0].upper()}{preview.open[1:]}."] if preview.open else []),
        *_short_of_it(preview),
        f"Channel {preview.channel}: {ma_text(preview.peak_ua)} peak of the first phase,"
        f" {clock_text(program.stimulation_us)} min; {counted(dose.total_pulses, 'pulse')},"
        f" {charge_text(dose.total_charge_pc)} in first phases, ramps included.",
        f"Charge per phase: {charges}.{_charge_flag(preview)}",
        _NO_NEEDLE if preview.on_a_load else _needle_text(preview.needle),
        PLANNED,
    ]


def _short_of_it(preview: PreviewInput) -> list[str]:
    if preview.peak_ua == preview.asked_ua:
        return []
    asked, comes = ma_text(preview.asked_ua), ma_text(preview.peak_ua)
    return [f"Attention: {comes} will be reached, not the {asked} asked for: the time is too short for the ramps."]


def charge_label(segment: Segment, peak_ua: int) -> str:
    """A band's charge per phase: `1.200 uC at 2 Hz`."""
    return f"{charge_text(segment.charge_pc(peak_ua))} at {hz_text(segment.period_us)}"


def _charge_flag(preview: PreviewInput) -> str:
    largest_pc = max(segment.charge_pc(preview.peak_ua) for segment in preview.program.segments)
    if largest_pc < limits.CHARGE_FLAG_PC:
        return ""
    return f" Attention: {charge_text(limits.CHARGE_FLAG_PC)} and more corroded steel needles in rats [lit]."


_NO_NEEDLE = "A load has no needle: charge density and Shannon k are not computed."


def _needle_text(needle: NeedleFigures | None) -> str:
    if needle is None:
        return "No needle declared: charge density and Shannon k are not known, and it cannot be armed."
    flag = ""
    if needle.rms_ma_per_cm2 > limits.RMS_FLAG_MA_PER_CM2:
        flag = f" (attention: over {limits.RMS_FLAG_MA_PER_CM2:g})"
    return (
        f"Needle {needle.label}: {needle.density_uc_per_cm2:.1f} uC/cm2 a phase (limit {limits.DENSITY_UC_PER_CM2:g}),"
        f" Shannon k {needle.shannon_k:.2f} (limit {limits.SHANNON_K:g}),"
        f" {needle.rms_ma_per_cm2:.1f} mA/cm2 rms{flag}."
    )


# --- what is drawn ------------------------------------------------------------------------------------


def pulse_outline(segment: Segment, peak_ua: int, begin_us: int) -> tuple[list[int], list[float]]:
    """Corners of one pulse: times in us from `begin_us` on, current in mA."""
    peak_ma, second_ma = peak_ua / 1_000, -segment.second_amplitude_ua(peak_ua) / 1_000
    fall_us = begin_us + segment.width_us
    second_us, end_us = fall_us + segment.interphase_gap_us, begin_us + segment.span_us
    times = [begin_us, begin_us, fall_us, fall_us, second_us, second_us, end_us, end_us]
    return times, [0, peak_ma, peak_ma, 0, 0, second_ma, second_ma, 0]


def cycle_shown_us(program: Program) -> int:
    """How much of the pattern makes one picture: one cycle, or ten periods where the band never switches."""
    return program.cycle_us or PERIODS_SHOWN * program.segments[0].period_us


def cycle_pulses(preview: PreviewInput) -> list[Pulse]:
    """One cycle of the pattern at the amplitude that will be reached, seen from its start."""
    until_us = min(cycle_shown_us(preview.program), preview.program.stimulation_us)
    return list(pulses(preview.program, preview.channel, preview.peak_ua, until_us=until_us, flat=True))


class Envelope(NamedTuple):
    """The session's amplitude from pulse to pulse: times in us, mA, and the times where the ramps end and begin."""

    times_us: list[int]
    currents_ma: list[float]
    risen_us: int
    falling_us: int


def envelope(preview: PreviewInput) -> Envelope:
    """The whole session with its ramps, thinned where the amplitude stays."""
    end_us = preview.program.stimulation_us
    every = list(pulses(preview.program, preview.channel, preview.amplitude_ua))
    if not every:
        return Envelope([0, end_us], [0, 0], 0, end_us)
    top_ua = max(pulse.amplitude_ua for pulse in every)
    at_top_us = [pulse.t_us for pulse in every if pulse.amplitude_ua == top_ua]
    kept = [
        pulse
        for before, pulse, after in zip(every, every[1:], every[2:], strict=False)
        if not before.amplitude_ua == pulse.amplitude_ua == after.amplitude_ua
    ]
    steps = [every[0], *kept, every[-1]]
    return Envelope(
        [0, *(pulse.t_us for pulse in steps), end_us],
        [0, *(pulse.amplitude_ua / 1_000 for pulse in steps), 0],
        at_top_us[0],
        at_top_us[-1],
    )


def seconds(times_us: list[int]) -> list[float]:
    """Times in us as seconds, for an axis."""
    return [t_us / US_PER_S for t_us in times_us]
