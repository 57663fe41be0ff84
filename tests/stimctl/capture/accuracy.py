"""How far off the measurements are: captures with known truth over a grid of rates and noise, as docs/accuracy.md.

python -m tests.stimctl.capture.accuracy [--write | --check]
"""

import re
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stimctl.capture import Declared
from stimctl.capture.pulses import measure_samples
from stimctl.capture.train import train_of
from stimctl.capture.uncertainty import Figure, Instrument, Judge
from tests.stimctl.capture.synthesis import Bench, Truth, capture, steady

PAGE = Path(__file__).parents[3] / "docs" / "accuracy.md"
RATES_HZ = (50e3, 100e3, 1e6, 10e6, 50e6)
NOISES = (0.0, 0.02, 0.05, 0.1, 0.2)
PULSES = {
    "100 Hz, 200/200 us": (Truth(rise_us=2), 0.0100037),
    "2 Hz, 600/600 us": (Truth(width_us=600, second_width_us=600, rise_us=2), 0.5000013),
    "100 Hz, 100/600 us": (Truth(width_us=100, second_width_us=600, second_level_v=0.5 / 6, rise_us=2), 0.0100037),
}
OHM = 500.0
AGREES = 0.25  # of a figure: other versions of NumPy and other processors round otherwise
HEAD = """# How accurate the bench is

Made by `make accuracy`: each line is a capture that was drawn with known truth (0.5 V first phase, edges of 2 us
between 10 and 90 %, 8 bits over 1 V to each side, hum of 10 mV, offset of 20 mV), measured as any other. *Off* is the
measured value less the true one, in per cent; *U* is what the measurement itself says that it may be off by (k = 2),
without the oscilloscope's gain and the load, which a capture cannot show. Noise is its standard deviation as a part
of the first phase. What cannot be measured has its reason instead of a figure.

"""


class Line(NamedTuple):
    """One capture: its cells as text, and whether all errors lie inside of what was said of them."""

    cells: tuple[str, ...]
    off: int  # figures further off than they say
    figures: int


def lines() -> Iterator[Line]:
    """The grid."""
    for (name, (truth, period_s)), rate_hz, noise in product(PULSES.items(), RATES_HZ, NOISES):
        yield _line(name, truth, period_s, rate_hz, noise)


def _line(name: str, truth: Truth, period_s: float, rate_hz: float, noise: float) -> Line:
    slow = period_s > 0.1
    seconds = min(6.0 if slow else 1.0, 4e6 / rate_hz) if not slow else min(6.0, max(1.1, 8e6 / rate_hz))
    count = max(1, int((seconds - 0.02) / period_s))
    bench = Bench(
        rate_hz, noise * truth.level_v, 0.02, hum_v=0.01, hum_hz=50.03, bits=8, seed=round(rate_hz) + round(noise * 1e3)
    )
    samples = capture(steady(period_s, count, 0.0100127), truth, bench, seconds).astype(np.float32)
    measured = measure_samples(samples, 1 / rate_hz)
    judge = Judge(measured, Declared(OHM), Instrument(0.0, 0.0, 0.0))
    pulses = measured.pulses
    found = f"{len(pulses)} of {count}"
    if not len(pulses):
        return Line((name, _rate(rate_hz), f"{noise:.0%}", found, *["nothing stands clear of the noise"] * 5), 0, 0)
    level = judge.level(pulses["level"], pulses["width_s"])
    width = judge.width(pulses["width_s"])
    second = judge.width(pulses["second_width_s"], pulses["second_level"])
    charge = judge.charge(pulses["charge"], level, width)
    train = train_of(pulses, (period_s,))
    rate = judge.rate(
        train.periods_s[0] if train.periods_s else float("nan"), max(run.jitter_s for run in train.runs), len(pulses)
    )
    wanted = truth.level_v / OHM * 1e6, truth.width_us, truth.second_width_us, truth.charge / OHM * 1e9, 1 / period_s
    figures = (level, width, second, charge, rate)
    cells = [_cell(figure, true) for figure, true in zip(figures, wanted, strict=True)]
    known = [(figure, true) for figure, true in zip(figures, wanted, strict=True) if figure.known]
    off = sum(abs(figure.value - true) > figure.uncertainty for figure, true in known)
    return Line((name, _rate(rate_hz), f"{noise:.0%}", found, *cells), off, len(known))


def _rate(rate_hz: float) -> str:
    return f"{rate_hz / 1e6:g} MS/s" if rate_hz >= 1e6 else f"{rate_hz / 1e3:g} kS/s"


def _cell(figure: Figure, true: float) -> str:
    if not figure.known:
        return f"not measurable: {figure.reason}"
    return f"{100 * (figure.value / true - 1):+.2f} (U {100 * figure.uncertainty / true:.2f})"


def page(made: list[Line]) -> str:
    """The page."""
    figures, off = sum(line.figures for line in made), sum(line.off for line in made)
    reason = (
        f"{off} of {figures} figures ({off / figures:.1%}) are further off than their U; k = 2 lets one in twenty be.\n"
    )
    heads = "pulse", "rate", "noise", "found", "amplitude, %", "width, %", "second width, %", "charge, %", "rate, %"
    rows = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    rows += ["| " + " | ".join(line.cells) + " |" for line in made]
    return HEAD + reason + "\n" + "\n".join(rows) + "\n"


def agrees(one: str, two: str) -> bool:
    """Whether two pages say the same, but for how a machine rounds."""
    number = r"[-+]?\d+\.\d+"
    if re.sub(number, "#", one) != re.sub(number, "#", two):
        return False
    pairs = zip(re.findall(number, one), re.findall(number, two), strict=True)
    return all(abs(float(a) - float(b)) <= max(0.03, AGREES * abs(float(a))) for a, b in pairs)


def main(arguments: list[str]) -> int:
    """Print, write or check the page."""
    text = page(list(lines()))
    if "--write" in arguments:
        PAGE.write_text(text, "utf-8")
    elif "--check" in arguments:
        if not agrees(PAGE.read_text("utf-8"), text):
            print(f"{PAGE} is not what is measured: write it again with --write")
            return 1
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
