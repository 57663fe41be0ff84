"""Pictures of a capture's pulses: laid over each other, how amplitudes and widths spread, and the bands over time."""

from io import BytesIO

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stimctl.bench.acceptance import Taken
from stimctl.bench.channel import BenchChannel
from stimctl.capture.model import Samples
from stimctl.units import hz_text

BANDS = ("#1b5e9b", "#c2571a")
INK, QUIET, PALE, LIMIT = "#222222", "#666666", "#d9d9d9", "#9a1f1f"
OVERLAID = 40
BEFORE_S, AFTER_S = 120e-6, 1.35


def svg(taken: Taken) -> str:
    """One picture of a capture, a row a channel."""
    channels = [channel for channel in taken.channels if len(channel.pulses)]
    figure = Figure(figsize=(10.5, 3.4 * max(1, len(channels))), facecolor="white", layout="constrained")
    grid = figure.add_gridspec(max(1, len(channels)), 3, width_ratios=(1.5, 1, 1))
    waves = _waves(taken, channels)
    for row, channel in enumerate(channels):
        _overlay(figure.add_subplot(grid[row, 0]), channel, waves[row])
        lower = grid[row, 1].subgridspec(2, 1)
        _spread(figure.add_subplot(lower[0]), channel, "level", channel.judge.ua / 1e3, "mA")
        _spread(figure.add_subplot(lower[1]), channel, "width_s", 1e6, "%")
        _timeline(figure.add_subplot(grid[row, 2]), channel)
    out = BytesIO()
    with rc_context({"svg.hashsalt": "stimctl", "svg.fonttype": "path"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue().decode("utf-8")


def _waves(taken: Taken, channels: list[BenchChannel]) -> list[list[tuple[int, Samples]]]:
    """Some pulses of each channel as samples, with the band of each: read again, and only as far as it takes."""
    if not channels:  # nothing that is a pulse
        return []
    wanted = [_chosen(channel) for channel in channels]
    waves: list[list[tuple[int, Samples]]] = [[] for _ in channels]
    numbers = tuple(taken.capture.column(channel.judge.measured.column) for channel in channels)
    last_s = max(
        float(channel.pulses["onset_s"][each].max(initial=0)) for channel, each in zip(channels, wanted, strict=True)
    )
    begin, interval_s = 0, taken.capture.interval_s
    for block in taken.capture.blocks(numbers):
        for row, (channel, values) in enumerate(zip(channels, block.values, strict=True)):
            for number in wanted[row]:
                pulse = channel.pulses[number]
                start = round((pulse["onset_s"] - BEFORE_S) / interval_s) - begin
                end = start + _length(channel, interval_s)
                if start >= 0 and end <= len(values):
                    wave = (values[start:end] - pulse["baseline"]) * pulse["sign"] * channel.judge.ua / 1e3
                    waves[row].append((int(channel.train.bands[number]), wave))
        begin += len(block.values[0])
        if begin * interval_s > last_s + 0.01:
            break
    return waves


def _chosen(channel: BenchChannel) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Steady pulses of each band, the first of them."""
    places = np.arange(len(channel.pulses))[channel.held]
    bands = channel.train.bands[channel.held]
    return np.concatenate([places[bands == band][:OVERLAID] for band in range(len(channel.expected.bands))])


def _length(channel: BenchChannel, interval_s: float) -> int:
    span_s = max(band.span_us for band in channel.expected.bands) * 1e-6
    return round((BEFORE_S + AFTER_S * span_s) / interval_s)


def _dress(axes: Axes, title: str, x_label: str, y_label: str = "") -> None:
    axes.set_title(title, loc="left", fontsize=9.5, color=INK)
    axes.set_xlabel(x_label, fontsize=8.5, color=QUIET)
    axes.set_ylabel(y_label, fontsize=8.5, color=QUIET)
    axes.tick_params(labelsize=8, colors=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)


def _overlay(axes: Axes, channel: BenchChannel, waves: list[tuple[int, Samples]]) -> None:
    interval_us = channel.judge.measured.interval_s / channel.judge.measured.averaged * 1e6
    for of, wave in waves:
        every = max(1, len(wave) // 1_500)
        times = np.arange(len(wave))[::every] * interval_us - BEFORE_S * 1e6
        axes.plot(times, wave[::every], color=BANDS[of % 2], linewidth=0.7, alpha=0.35)
    for number, band in enumerate(channel.expected.bands):
        if any(of == number for of, _ in waves):
            axes.plot([], [], color=BANDS[number % 2], label=hz_text(band.period_us))
    axes.axhline(0, color=QUIET, linewidth=0.6)
    if waves:
        axes.legend(fontsize=8, frameon=False)
    _dress(axes, f"{channel.name}: {len(waves)} pulses laid over each other", "µs from the onset", "mA")


def _spread(axes: Axes, channel: BenchChannel, field: str, factor: float, unit: str) -> None:
    """How a figure spreads; widths, which bands do not share, as how far off they are."""
    for number, band in enumerate(channel.expected.bands):
        values = channel.in_band(number)[field] * factor
        values = (values / band.width_us - 1) * 100 if field == "width_s" else values
        values = values[np.isfinite(values)]
        if len(values):
            middle = float(np.median(values))
            half = max(float(np.max(np.abs(values - middle))), 1e-3 * abs(middle), 0.1 if field == "width_s" else 1e-9)
            axes.hist(values, bins=40, range=(middle - half, middle + half), color=BANDS[number % 2], alpha=0.75)
    axes.yaxis.set_visible(False)
    name = {"level": "amplitude", "width_s": "width of the first phase, off by"}[field]
    _dress(axes, f"{name}, {unit}", "")
    axes.ticklabel_format(axis="x", useOffset=False)


def _timeline(axes: Axes, channel: BenchChannel) -> None:
    """Each pulse's amplitude over time, in its band's colour: ramps, stays, switches and what is missing show."""
    onsets, levels = channel.pulses["onset_s"], channel.pulses["level"] * channel.judge.ua / 1e3
    every = max(1, len(onsets) // 4_000)
    for number, band in enumerate(channel.expected.bands):
        chosen = np.flatnonzero(channel.train.bands == number)[::every]
        if len(chosen):
            axes.plot(
                onsets[chosen],
                levels[chosen],
                ".",
                color=BANDS[number % 2],
                markersize=2.5,
                label=hz_text(band.period_us),
            )
    for switch_s in channel.train.switches_s[:60]:
        axes.axvline(switch_s, color=PALE, linewidth=0.7, zorder=0)
    axes.set_ylim(0, 1.08 * axes.dataLim.y1)
    _dress(axes, "amplitude over time; lines: switches", "s", "mA")
