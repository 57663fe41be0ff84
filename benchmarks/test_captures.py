"""Measuring all pulses beside a plain maximum of the same samples, and reading CSV beside the library alone.

Run with `python -m pytest benchmarks/test_captures.py -s`. Figures are printed, none is asserted on: what is asserted
is that both sides did the work.
"""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.interleave import ratio
from benchmarks.results import report
from stimctl.capture import open_capture
from stimctl.capture.pulses import measure_samples
from stimctl.waveform import Mode, Program, render_into, segments_for

SAMPLES = 20_000_000
ROWS = 4_000_000


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("rate_hz", [100_000, 1_000_000])
@pytest.mark.parametrize("mode", list(Mode))
def test_all_pulses_beside_a_maximum(mode: Mode, rate_hz: int, dtype: type[np.floating]) -> None:
    samples = np.empty(SAMPLES, dtype)
    render_into(samples, Program(segments_for(mode), (1,)), 1, 2_000, start_sample=0, rate_hz=rate_hz)
    seen = measure_samples(samples, 1 / rate_hz, mean=False)
    assert len(seen.pulses) > SAMPLES / rate_hz
    measured = ratio(lambda: measure_samples(samples, 1 / rate_hz, mean=False), samples.max, blocks=15, per_block=1)
    what = f"{len(seen.pulses):,} pulses, {mode} at {rate_hz // 1_000} kS/s, {np.dtype(dtype).name}"
    report(f"measure all of {what}, beside a maximum", measured, target="at most 4 (0.25 of its speed)")


def test_csv_beside_its_library(tmp_path: Path) -> None:
    import polars as pl

    path = tmp_path / "capture.csv"
    rows = "".join(f"{n},{n % 97 * 1e-3:.4e},\n" for n in range(ROWS))
    path.write_text("X,CH1,Start,Increment,\nSequence,Volt,-1.0e-03,1.0e-05\n" + rows)

    def library() -> int:
        return len(pl.read_csv(path, skip_rows=2, has_header=False))

    def ours() -> int:
        return sum(len(block.values[0]) for block in open_capture(path).blocks((0,)))

    assert library() == ours() == ROWS
    report(f"read {ROWS:,} rows of CSV, each checked, beside polars alone", ratio(ours, library, blocks=9, per_block=1),
           target="at most 1.25 (0.8 of its speed)")  # fmt: skip
