"""What a point came to, as rows with their limits: from its capture, and beside it from what the device said.

The trigger joins the computer's time to the oscilloscope's: it came between two questions, and no time between the two
is better known than that. What was not captured has no figure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stimctl.bench.acceptance import Acceptance, AcceptanceSpec, Source, accept
from stimctl.bench.channel import BenchChannel
from stimctl.bench.expected import Expected
from stimctl.bench.oscilloscope import CODES_PER_DIVISION, Waveform
from stimctl.bench.plan.driving import TRIGGER_UA, Driven
from stimctl.bench.plan.points import Act, PlanPoint
from stimctl.bench.tolerances import Tolerances
from stimctl.bench.verdict import Row, Verdict, around, count_row, open_, shown
from stimctl.capture import Declared
from stimctl.capture.train import spans_s
from stimctl.capture.uncertainty import COVERAGE, Figure, Instrument
from stimctl.session.states import End
from stimctl.units import US_PER_S

_ENDS = {
    Act.NOTHING: (End.TIMER,),
    Act.STOP: (End.OPERATOR,),
    Act.SILENCE: (End.WATCHDOG,),
    # A device may hold instead, and the plan then ends what is on hold.
    Act.SHORT: (End.SHORT, End.CONTACT, End.OPERATOR),
    Act.OPEN: (End.CONTACT, End.OPERATOR),
}
_OF_TIMER = ("stimulation, from first pulse to last", "rate")
_FROM_KEEPALIVE = "from the last keepalive to the last pulse's end"
_SLACK_S = 0.1  # to each side of full amplitude
_BEFORE_S = 0.01  # a first pulse: not so long before a session begins its impedance check has ended
_HIGHEST_CODE = 127
READBACK = "the device's own reading, against the capture"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What captures are judged by."""

    tolerances: Tolerances
    file: str
    sha256: str
    instrument: Instrument


def judged(
    point: PlanPoint, driven: Driven, capture: Path | None, reference: Path | None, bounds: Bounds, *,
    probe: float, simulated: bool,
) -> tuple[Row, ...]:  # fmt: skip
    """All rows of a point. Raises `InputInvalid` for a capture that cannot be read."""
    if point.act is Act.SILENCE and driven.identity is not None and not driven.identity.watchdog_ms:
        why = "it has no watchdog: its leases end by themselves, which step 11 of the wiring check tries"
        return (open_(_FROM_KEEPALIVE, f"channel {point.run.channels[0]}", "s", why),)
    rows = [_end(point, driven)]
    if point.act in (Act.SHORT, Act.OPEN):
        return (*rows, *_switched(point, driven))
    if capture is None or driven.settings is None:
        where = f"channel {point.run.channels[0]}"
        return (*rows, open_("amplitude, median", where, "uA", "no pulse came, so that nothing was captured"))
    settings = driven.settings
    spec = AcceptanceSpec(
        channels=tuple(f"ch{number}" for number in point.run.channels),
        stop_at_s=_in_capture_s(driven)[0] if point.act is Act.STOP else None,
        minutes=None if point.whole_s is None else point.whole_s / 60,
        full_scale=_HIGHEST_CODE * settings.volts_per_division / CODES_PER_DIVISION,
        simulated=simulated,
        between_s=_part_s(point, driven),
    )
    source = Source(capture, Declared(float(point.run.ohm), "V", probe), reference)
    expected = _expected(point)
    found = accept([source], expected, bounds.tolerances, bounds.file, bounds.sha256, bounds.instrument, spec)
    if _early(point, driven):
        return (*rows, *(_lasted(point, channel) for channel in found.taken[0].channels))
    if point.whole_s is not None:  # of its ramps there is nothing to judge but how long all lasts
        return (*rows, *(row for row in found.rows if row.name in _OF_TIMER))
    return (*rows, *found.rows, *_readbacks(point, driven, found, bounds), *_times(point, driven, found, bounds))


def _part_s(point: PlanPoint, driven: Driven) -> tuple[float, float]:
    """The part of the capture that is judged: full amplitude by the prescription's own times, or all of a session.

    Before it lie the pulses of the impedance check and the rise. What lies after an act is judged too.
    """
    settings = driven.settings
    assert settings is not None
    wave = driven.waves[settings.channel]
    end_s = len(wave.volts) / wave.rate_hz
    prescription = point.prescription()
    slope = prescription.program.ramp_slope_ua_per_s
    trigger_s, _ = trigger_in(wave, settings.trigger_v)
    began_s = (0.0 if trigger_s is None else trigger_s) - TRIGGER_UA / slope
    if point.whole_s is not None or _early(point, driven):
        return began_s - _BEFORE_S, end_s
    slowest_s = max(each.period_us for each in prescription.program.segments) / US_PER_S
    full_s = began_s + max(point.run.amplitude_ua / slope, -(-point.run.amplitude_ua // 100) * slowest_s) + _SLACK_S
    lasts_s = point.run.plateau_us / US_PER_S - 2 * _SLACK_S
    return full_s, full_s + lasts_s if point.act is Act.NOTHING else end_s


def _early(point: PlanPoint, driven: Driven) -> bool:
    """Whether the device ended or held what was to run to its timer: then the time until that is the figure."""
    return point.act is Act.NOTHING and driven.report.end is not End.TIMER


def _lasted(point: PlanPoint, channel: BenchChannel) -> Row:
    """From where the rise began, which the trigger tells: its first pulses may be too small for eight bits."""
    onsets, name = channel.pulses["onset_s"], "from the begin of the rise to the last pulse"
    if not len(onsets):
        return open_(name, channel.name, "s", "no pulse was found in this channel")
    lasted = Figure(float(onsets[-1]) - _BEFORE_S, COVERAGE * (point.run.period_us or 0) / US_PER_S, "s")
    return shown(name, channel.name, lasted)


def _expected(point: PlanPoint) -> Expected:
    prescription, amplitude_ua = point.prescription(), float(point.run.amplitude_ua)
    profile = prescription.profile
    bands = tuple(prescription.program.segments)
    return Expected(
        profile.id, profile.version, point.title, prescription.variant, bands, amplitude_ua, amplitude_ua, True
    )


def _end(point: PlanPoint, driven: Driven) -> Row:
    end = driven.report.end
    wrong = int(end not in _ENDS[point.act] or driven.report.zero_confirmed_us is None)
    text = driven.report.end_text
    words = f"{end.value}: {text}" if text and text != end.value else end.value
    return count_row("ends other than planned", "session", wrong, words)


def _switched(point: PlanPoint, driven: Driven) -> Iterator[Row]:
    """How long output went on over a short or an open circuit, as the session saw it: no capture can.

    A person and a relay take their time, and when in it the load changed nobody knows.
    """
    where, name = f"channel {point.run.channels[0]}", f"from {point.act} to zero, by the device's own word"
    if driven.acted_us is None or driven.quiet_us is None or driven.switched_us is None:
        yield open_(name, where, "s", "the session never came that far, or output went on until it was stopped")
    else:
        most_us, least_us = driven.quiet_us - driven.acted_us, max(0, driven.quiet_us - driven.switched_us)
        middle_s, half_s = (most_us + least_us) / 2 / US_PER_S, (most_us - least_us) / 2 / US_PER_S
        yield shown(name, where, Figure(middle_s, half_s, "s"))


def _readbacks(point: PlanPoint, driven: Driven, found: Acceptance, bounds: Bounds) -> Iterator[Row]:
    """A readback that says something else than what flowed, by more than the device states and both can be off."""
    if point.act is not Act.NOTHING or driven.identity is None:
        return
    accuracy = driven.identity.readback_accuracy_ua
    permille = driven.identity.readback_accuracy_permille
    for steady, channel in zip(driven.steady, found.taken[0].channels, strict=False):
        if steady.measured_ua is None or not channel.amplitude_is_judged:
            continue
        pulses = channel.in_band(0)
        flowed = channel.judge.level(pulses["level"], pulses["width_s"])
        off = accuracy + permille * steady.measured_ua / 1_000
        off += bounds.tolerances.amplitude.around_ua(steady.measured_ua)
        yield around(READBACK, channel.name, flowed, float(steady.measured_ua), off, f"it read {steady.measured_ua} uA")


def _times(point: PlanPoint, driven: Driven, found: Acceptance, bounds: Bounds) -> Iterator[Row]:
    """From an act to the end of the last pulse, by the capture."""
    if point.act not in (Act.STOP, Act.SILENCE):
        return
    stop = point.act is Act.STOP
    name = "from the stop to the last pulse's end" if stop else _FROM_KEEPALIVE
    channel = found.taken[0].channels[0]
    at_s, u_s = _in_capture_s(driven)
    if at_s is None or not len(channel.pulses):
        yield open_(name, channel.name, "s", "no trigger came while it was looked for")
        return
    measured = channel.judge.measured
    last_s = measured.start_s + float((channel.pulses["onset_s"] + spans_s(channel.pulses)).max())
    period_s = (point.run.period_us or 0) / US_PER_S
    limit_s = bounds.tolerances.zero.within_s
    if not stop:
        limit_s += period_s + (driven.identity.watchdog_ms / 1_000 if driven.identity else 0.0)
    end_s = measured.start_s + measured.duration_s
    if last_s > end_s - 2 * period_s and end_s < at_s + limit_s:
        yield open_(name, channel.name, "s", "the capture ends before output had to")
        return
    if last_s > end_s - 2 * period_s:
        yield Row(name, channel.name, Figure(last_s - at_s, u_s, "s"), None, 0.0, "pulses went on to the capture's end")
        return
    yield Row(name, channel.name, Figure(last_s - at_s, u_s, "s"), None, limit_s)
    if stop and driven.report.zero_confirmed_us is not None:
        reading = "measured zero" if driven.report.zero_measured else "acknowledged the stop, and measured no zero"
        seconds = driven.report.zero_confirmed_us / US_PER_S
        yield shown("from the stop to zero, by the device's own word", channel.name, Figure(seconds, 0.0, "s"), reading)


def _in_capture_s(driven: Driven) -> tuple[float | None, float]:
    """When something was done, in s of the capture, and its expanded uncertainty."""
    settings, acted_us, between_us = driven.settings, driven.acted_us, driven.trigger_us
    if settings is None or acted_us is None or between_us is None:
        return None, 0.0
    trigger_s, trigger_u_s = trigger_in(driven.waves[settings.channel], settings.trigger_v)
    if trigger_s is None:
        return None, 0.0
    low_us, high_us = between_us
    u_s = float(np.hypot(trigger_u_s, (high_us - low_us) / US_PER_S / 12**0.5))
    return trigger_s + (acted_us - (low_us + high_us) / 2) / US_PER_S, COVERAGE * u_s


def trigger_in(wave: Waveform, level_v: float) -> tuple[float | None, float]:
    """When the trigger came, in s from the first sample, and its standard uncertainty.

    An instrument that does not tell where it is has taken one of the pulses that first reach its level, give or take
    what its comparator and its converter see differently; nothing is that high before, as no session ran.
    """
    if wave.start_s < 0:
        return -wave.start_s, 1 / wave.rate_hz
    off_v = 3 * wave.step_v + 0.02 * level_v
    early, late = (np.flatnonzero(wave.volts >= level_v + each) for each in (-off_v, off_v))
    if not len(late):
        return None, 0.0
    first_s, last_s = early[0] / wave.rate_hz, late[0] / wave.rate_hz
    return float(first_s + last_s) / 2, float(last_s - first_s) / 12**0.5


def outcome(rows: tuple[Row, ...]) -> Verdict:
    """What they say together: one that fails is enough, and one that is open leaves all of it open."""
    verdicts = {row.verdict for row in rows if row.judged}
    order = (Verdict.FAILS, Verdict.UNDECIDED, Verdict.NOT_MEASURABLE, Verdict.HOLDS)
    return next((each for each in order if each in verdicts), Verdict.NO_LIMIT)
