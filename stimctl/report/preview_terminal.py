"""The preview as text for a terminal: the same three views, without colours, so that it can also go into a file."""

import plotext

from stimctl.report.preview_model import (
    PERIODS_SHOWN,
    PreviewInput,
    caption,
    charge_label,
    cycle_pulses,
    cycle_shown_us,
    envelope,
    pulse_outline,
    seconds,
)
from stimctl.units import US_PER_MIN, US_PER_MS, hz_text

HEIGHT = 14  # an odd number of rows is left for the curve, so that zero has one of its own
MOST_TICKS = 7


def text(preview: PreviewInput, width: int) -> str:
    """Pulse, cycle and session as text plots, and the caption."""
    blocks = [
        preview.title,
        _pulses(preview, width),
        _cycle(preview, width),
        _session(preview, width),
        "\n".join(caption(preview)),
    ]
    return "\n\n".join(blocks) + "\n"


def _plot(title: str, unit: str, times: list[float], currents_ma: list[float], width: int) -> str:
    """One plot of connected points. plotext keeps one figure for the process: cleared before, and left cleared."""
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, HEIGHT)
    figure.title(title)
    figure.label(unit)
    figure.label("mA", axis="y")
    ticks = round_ticks(times[-1])
    figure.ruler("x").ticks(ticks, [f"{tick:g}" for tick in ticks])
    figure.draw(figure.signal(times, currents_ma).lines())
    drawn = str(plotext.uncolorize(str(figure.build())))
    figure.clear()
    return "\n".join(line.rstrip() for line in drawn.splitlines())


def round_ticks(last: float) -> list[float]:
    """From 0 to `last` in the smallest round step that gives few enough of them."""
    steps = (digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 5))
    step = next(step for step in steps if last / step < MOST_TICKS)
    return [round(index * step, 6) for index in range(int(last / step) + 1)]


def _pulses(preview: PreviewInput, width: int) -> str:
    """Both bands' pulses on one scale, side by side."""
    widest_us = max(segment.span_us for segment in preview.program.segments)
    times, currents_ma = [], []
    for index, segment in enumerate(preview.program.segments):
        outline_us, outline_ma = pulse_outline(segment, preview.peak_ua, index * 2 * widest_us)
        times += [t_us / US_PER_MS for t_us in outline_us]
        currents_ma += outline_ma
    labels = " | ".join(charge_label(segment, preview.peak_ua) for segment in preview.program.segments)
    return _plot(f"The pulse: {labels}", "ms, one band's pulse beside the other's", times, currents_ma, width)


def _cycle(preview: PreviewInput, width: int) -> str:
    program = preview.program
    times, currents_ma = [0.0], [0.0]
    for pulse in cycle_pulses(preview):
        second_ua = program.segments[pulse.segment].second_amplitude_ua(pulse.amplitude_ua)
        times += seconds([pulse.t_us] * 4)
        currents_ma += [0, pulse.amplitude_ua / 1_000, -second_ua / 1_000, 0]
    times += seconds([cycle_shown_us(program)])
    currents_ma += [0]
    bands = " then ".join(hz_text(segment.period_us) for segment in program.segments)
    title = f"One cycle of the pattern: {bands}" if program.cycle_us else f"{PERIODS_SHOWN} periods at {bands}"
    return _plot(title, "seconds", times, currents_ma, width)


def _session(preview: PreviewInput, width: int) -> str:
    shape = envelope(preview)
    rise, fall = seconds([shape.risen_us, preview.program.stimulation_us - shape.falling_us])
    title = f"The session: {preview.peak_text} after {rise:.1f} s, falling for the last {fall:.1f} s"
    return _plot(title, "minutes", [t_us / US_PER_MIN for t_us in shape.times_us], shape.currents_ma, width)
