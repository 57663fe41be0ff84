"""Rendering beside a memory fill of the same buffer, and a plan beside counting its pulses one by one.

Run with `python -m pytest benchmarks/test_render.py -s`. Figures are printed, none is asserted on: what is asserted
is that both sides did the work.
"""

from collections.abc import Iterator
from itertools import cycle

import numpy as np
import pytest

from benchmarks.interleave import Ratio, ratio
from benchmarks.results import report
from stimctl.dose import planned
from stimctl.waveform import Mode, Program, pulses, render_into, segments_for

RATE_HZ = 100_000
CHUNK = 1 << 22


def shown(what: str, measured: Ratio, target: str = "at most 1.25 (0.8 of its speed)") -> None:
    report(what, measured, target=target)


def chunk_starts() -> Iterator[int]:
    """The chunks of half an hour, round and round."""
    return cycle(range(0, 30 * 60 * RATE_HZ - CHUNK, CHUNK))


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64], ids=["int16", "float32", "float64"])
@pytest.mark.parametrize("mode", list(Mode))
def test_steady_train_beside_a_memory_fill(mode: Mode, dtype: type[np.generic]) -> None:
    program = Program(segments_for(mode), (1, 2, 3))
    filled, rendered = np.empty(CHUNK, dtype), np.empty(CHUNK, dtype)
    starts = chunk_starts()

    def render() -> None:
        render_into(rendered, program, 2, 2_000, start_sample=next(starts), rate_hz=RATE_HZ)

    # Non-zero: a fill with zeros can be done by mapping empty pages.
    measured = ratio(render, lambda: filled.fill(7), blocks=61, per_block=5)
    shown(f"render {mode} {np.dtype(dtype).name}, steady, chunks of {CHUNK:,} samples, beside a fill", measured)
    assert filled[-1] == 7
    assert rendered.max() == 2_000


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64], ids=["int16", "float32", "float64"])
@pytest.mark.parametrize("rising", [False, True])
def test_ramped_train_beside_a_memory_fill(dtype: type[np.generic], *, rising: bool) -> None:
    program = Program(segments_for(Mode.DENSE_DISPERSE), (1,))
    # The rise of 10 s lies in the session's first chunk; in the others the train has to be followed from its start.
    starts = cycle([0]) if rising else chunk_starts()
    filled, rendered = np.empty(CHUNK, dtype), np.empty(CHUNK, dtype)

    def render() -> None:
        render_into(rendered, program, 1, 2_000, start_sample=next(starts), rate_hz=RATE_HZ, ramped=True)

    what = "with ramps, the first chunk again and again" if rising else "with ramps"
    shown(
        f"render 2/100 Hz {np.dtype(dtype).name}, {what}, beside a fill",
        ratio(render, lambda: filled.fill(7), blocks=61, per_block=5),
        target="none",
    )
    assert rendered.max() == 2_000


def test_plan_beside_counting_every_pulse() -> None:
    program = Program(segments_for(Mode.DENSE_DISPERSE), (1,))

    def count() -> int:
        return sum(1 for _ in pulses(program, 1, 2_000))

    measured = ratio(lambda: planned(program, {1: 2_000}), count, blocks=5, per_block=1)
    shown("plan of 30 min of 2/100 Hz beside counting its pulses", measured, target="none")
    assert planned(program, {1: 2_000})[1].total_pulses == count()
