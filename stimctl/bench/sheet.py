"""The list of figures that the FDA asks for of related stimulators, one column a load.

Maximum voltage and current, pulse duration, frequency, net charge a pulse, phase charge, and, over a declared needle's
area, rms current density and power density. On loads over the tolerances' range the trips act: there the time from the
first pulse to the last is the figure.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stimctl.bench.acceptance import Acceptance, Taken
from stimctl.bench.channel import CLIPPED, BenchChannel
from stimctl.capture.uncertainty import COVERAGE, Figure, unknown
from stimctl.units import hz_text


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One figure over each load."""

    name: str
    unit: str
    figures: tuple[Figure, ...]


def sheet(acceptance: Acceptance, area_cm2: float | None = None) -> tuple[tuple[float, ...], tuple[SheetRow, ...]]:
    """The loads in ohm, and a line a figure. `area_cm2` is the needle's surface in the tissue."""
    columns = [dict(_of(taken, area_cm2)) for taken in acceptance.taken]
    names = list(dict.fromkeys(name for column in columns for name in column))
    loads = tuple(taken.source.declared.load_ohm for taken in acceptance.taken)
    lines = []
    for name, unit in names:
        none = unknown(unit, "not in this capture")
        lines.append(SheetRow(name, unit, tuple(column.get((name, unit), none) for column in columns)))
    return loads, tuple(lines)


def _of(taken: Taken, area_cm2: float | None) -> Iterator[tuple[tuple[str, str], Figure]]:
    load_ohm = taken.source.declared.load_ohm
    for channel in taken.channels:
        prefix = f"{channel.name}: " if len(taken.channels) > 1 else ""
        if not len(channel.pulses):
            continue
        current = _highest(channel)
        volt = current.value * load_ohm / 1e6, current.uncertainty * load_ohm / 1e6
        yield (f"{prefix}maximum current", "mA"), _times(current, 1e-3, "mA")
        yield (f"{prefix}maximum voltage", "V"), Figure(*volt, "V", current.reason)
        for number, band in enumerate(channel.expected.bands):
            pulses = channel.in_band(number)
            if len(pulses):
                yield from _of_band(f"{prefix}{hz_text(band.period_us)}: ", channel, number)
        net = next(row for row in taken.rows if row.name == "net charge a pulse" and row.where == channel.name)
        yield (f"{prefix}net charge a pulse", "nC"), net.figure
        yield from _densities(prefix, channel, load_ohm, area_cm2)
        onsets = channel.pulses["onset_s"]
        yield (f"{prefix}from the first pulse to the last", "s"), channel.judge.time(float(onsets[-1] - onsets[0]))


def _of_band(prefix: str, channel: BenchChannel, number: int) -> Iterator[tuple[tuple[str, str], Figure]]:
    pulses = channel.in_band(number)
    judge = channel.judge_of(pulses)
    width = judge.width(pulses["width_s"])
    yield (f"{prefix}pulse duration, first phase", "us"), width
    yield (f"{prefix}pulse duration, second phase", "us"), judge.width(pulses["second_width_s"], pulses["second_level"])
    yield (f"{prefix}frequency", "Hz"), channel.rate(number)
    yield (f"{prefix}phase charge", "nC"), channel.charges(pulses)[0]


def _highest(channel: BenchChannel) -> Figure:
    """The pulse that is highest, by the plateau of its first phase."""
    pulses = channel.pulses
    typical = channel.judge.level(pulses["level"], pulses["width_s"], single=True)
    if pulses["clipped"].any():
        return unknown("uA", CLIPPED)
    if not typical.known:
        return typical
    noise = COVERAGE * channel.judge.measured.noise * channel.judge.ua
    value = float(np.nanmax(pulses["level"])) * channel.judge.ua
    scale = COVERAGE * channel.judge.instrument.scale * value
    return Figure(value, float(np.hypot(noise, scale)), "uA")


def _densities(
    prefix: str, channel: BenchChannel, load_ohm: float, area_cm2: float | None
) -> Iterator[tuple[tuple[str, str], Figure]]:
    names = (f"{prefix}rms current density", "mA/cm2"), (f"{prefix}power density", "mW/cm2")
    rms = channel.rms()
    if area_cm2 is None:
        for name in names:
            yield name, unknown(name[1], "no needle was declared (--needle)")
        return
    yield names[0], _times(rms, 1e-3 / area_cm2, "mA/cm2")
    power = rms.value**2 * load_ohm * 1e-9 / area_cm2
    part = 2 * rms.uncertainty / rms.value if rms.value else 0.0
    yield names[1], Figure(power, power * part, "mW/cm2", rms.reason)


def _times(figure: Figure, factor: float, unit: str) -> Figure:
    return Figure(figure.value * factor, figure.uncertainty * factor, unit, figure.reason)
