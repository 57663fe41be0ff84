"""The preview as a matplotlib figure."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stimctl.label import isolated
from stimctl.report.picture import picture_of
from stimctl.report.preview_model import (
    PERIODS_SHOWN,
    Envelope,
    PreviewInput,
    caption,
    cycle_pulses,
    cycle_shown_us,
    envelope,
    pulse_outline,
    seconds,
)
from stimctl.units import US_PER_MIN, US_PER_S, charge_text, hz_text
from stimctl.waveform import Program

BANDS = ("#1b5e9b", "#c2571a")
INK, QUIET, PALE, WARNING = "#222222", "#666666", "#d9d9d9", "#9a1f1f"
LEFT, RIGHT = 0.07, 0.975


def picture(preview: PreviewInput, kind: str) -> bytes:
    """As `png` or `svg`. Raises `Misuse`."""
    return picture_of(lambda: draw(preview), kind)


def draw(preview: PreviewInput) -> Figure:
    """Pulse, cycle and session, one below the other, and the caption."""
    figure = Figure(figsize=(11, 10), facecolor="white")
    figure.text(LEFT, 0.962, isolated(preview.title), fontsize=16, fontweight="bold", color=INK)
    bands = preview.program.segments
    top = figure.add_gridspec(1, len(bands), left=LEFT, right=RIGHT, top=0.9, bottom=0.73, wspace=0.08)
    _draw_pulses([figure.add_subplot(top[column]) for column in range(len(bands))], preview)
    middle = figure.add_gridspec(1, 1, left=LEFT, right=RIGHT, top=0.625, bottom=0.455)
    _draw_cycle(figure.add_subplot(middle[0]), preview)
    lower = figure.add_gridspec(
        1, 3, left=LEFT, right=RIGHT, top=0.355, bottom=0.195, wspace=0.1, width_ratios=(1, 1.3, 1)
    )
    _draw_session([figure.add_subplot(lower[column]) for column in range(3)], preview)
    *lines, note = caption(preview)
    figure.text(LEFT, 0.135, "\n".join(lines), fontsize=9.5, color=INK, va="top", linespacing=1.7)
    figure.text(LEFT, 0.025, note, fontsize=11, color=WARNING, fontweight="bold")
    return figure


def _dress(axes: Axes, title: str, x_label: str, *, pad: int = 8) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=INK, pad=pad)
    axes.set_xlabel(x_label, fontsize=9, color=QUIET)
    axes.axhline(0, color=QUIET, linewidth=0.8, zorder=1)
    axes.tick_params(labelsize=9, colors=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)


def _draw_pulses(panels: list[Axes], preview: PreviewInput) -> None:
    """Each band's pulse in a panel of its own, all on one scale."""
    segments = preview.program.segments
    widest_us = max(segment.span_us for segment in segments)
    lowest_ua = max(segment.second_amplitude_ua(preview.peak_ua) for segment in segments)
    for axes, segment, colour in zip(panels, segments, BANDS, strict=False):
        title = f"The pulse at {hz_text(segment.period_us)}: two phases of equal area"
        _dress(axes, title, "µs")
        times, currents = pulse_outline(segment, preview.peak_ua, 0)
        axes.plot(times, currents, color=colour, linewidth=1.8, zorder=3)
        axes.fill_between(times, currents, color=colour, alpha=0.18, linewidth=0, zorder=2)
        charge = f"{charge_text(segment.charge_pc(preview.peak_ua))} a phase"
        shape = f"{segment.width_us} µs, gap {segment.interphase_gap_us} µs, {segment.second_width_us} µs"
        place = (segment.width_us + 0.08 * widest_us, 0.5 * preview.peak_ua / 1_000)
        axes.annotate(f"{charge}\n", place, color=colour, fontsize=11, fontweight="bold", va="center")
        axes.annotate(f"\n{shape}", place, color=QUIET, fontsize=9, va="center")
        axes.set_xlim(-0.08 * widest_us, 1.4 * widest_us)
        axes.set_ylim(-1.15 * max(lowest_ua, 1) / 1_000, 1.15 * max(preview.peak_ua, 1) / 1_000)
    for axes in panels[1:]:
        axes.tick_params(labelleft=False)
    panels[0].set_ylabel("mA", color=QUIET)


def _draw_cycle(axes: Axes, preview: PreviewInput) -> None:
    """Every pulse of one cycle as a line from its first phase to its second."""
    program, shown_us = preview.program, cycle_shown_us(preview.program)
    title = "One cycle of the pattern" if program.cycle_us else f"{PERIODS_SHOWN} periods of the pattern"
    _dress(axes, f"{title}, at {preview.peak_text} amplitude", "seconds", pad=20)
    every = cycle_pulses(preview)
    for index, segment in enumerate(program.segments):
        drawn = [pulse for pulse in every if pulse.segment == index]
        highs = [pulse.amplitude_ua / 1_000 for pulse in drawn]
        lows = [-segment.second_amplitude_ua(pulse.amplitude_ua) / 1_000 for pulse in drawn]
        width = 0.8 if len(drawn) > 50 else 2
        axes.vlines(seconds([pulse.t_us for pulse in drawn]), lows, highs, color=BANDS[index], linewidth=width)
    _shade_bands(axes, program, 0, shown_us, named=True)
    axes.set_xlim(-0.005 * shown_us / US_PER_S, shown_us * 1.005 / US_PER_S)
    axes.set_ylabel("mA", color=QUIET)


def _shade_bands(axes: Axes, program: Program, from_us: int, to_us: int, *, named: bool) -> None:
    for index, begin_us, end_us in program.bands(0, to_us):
        if end_us <= from_us:
            continue
        begin_s, end_s = max(begin_us, from_us) / US_PER_S, min(end_us, to_us) / US_PER_S
        axes.axvspan(begin_s, end_s, color=BANDS[index], alpha=0.06, linewidth=0, zorder=0)
        if named:
            axes.annotate(
                hz_text(program.segments[index].period_us),
                ((begin_s + end_s) / 2, 1.02),
                xycoords=("data", "axes fraction"),
                ha="center",
                color=BANDS[index],
                fontsize=9.5,
            )


def _draw_session(panels: list[Axes], preview: PreviewInput) -> None:
    """The session's envelope: its start and its end in seconds, and between them the whole of it in minutes."""
    start, whole, end = panels
    shape, end_us = envelope(preview), preview.program.stimulation_us
    start_us = min(end_us, max(shape.risen_us * 5 // 4, US_PER_S))
    tail_us = max(0, min(shape.falling_us - (end_us - shape.falling_us) // 4, end_us - US_PER_S))
    _dress(start, f"The start: {preview.peak_text} after {shape.risen_us / US_PER_S:.1f} s", "seconds")
    _dress(whole, "The whole session", "minutes")
    _dress(end, f"The end: falling for {(end_us - shape.falling_us) / US_PER_S:.1f} s", "seconds")
    _step(start, shape, US_PER_S)
    _step(whole, shape, US_PER_MIN)
    _step(end, shape, US_PER_S)
    for axes, from_us, to_us in ((start, 0, start_us), (end, tail_us, end_us)):
        axes.set_xlim(from_us / US_PER_S, to_us / US_PER_S)
        _shade_bands(axes, preview.program, from_us, to_us, named=False)
    whole.set_xlim(0, end_us / US_PER_MIN)
    if end_us >= 5 * US_PER_MIN:
        whole.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels:
        axes.set_ylim(0, max(1.15 * preview.peak_ua, 100) / 1_000)
    for axes in (whole, end):
        axes.tick_params(labelleft=False)
    start.set_ylabel("mA, first phase", color=QUIET)


def _step(axes: Axes, shape: Envelope, per_unit_us: int) -> None:
    times = [t_us / per_unit_us for t_us in shape.times_us]
    axes.step(times, shape.currents_ma, where="post", color=INK, linewidth=1.4, zorder=3)
    axes.fill_between(times, shape.currents_ma, step="post", color=INK, alpha=0.08, linewidth=0, zorder=2)
