"""What stands between pulses is judged by how far noise alone may lift it."""

from dataclasses import replace

import numpy as np
import pytest

from stimctl.bench.channel import BenchChannel
from stimctl.bench.expected import expected_of
from stimctl.bench.tolerances import load_tolerances
from stimctl.bench.verdict import Verdict
from stimctl.capture import Declared
from stimctl.capture.between import NoPulse
from stimctl.capture.pulses import measure_samples
from stimctl.capture.uncertainty import Instrument, Judge


@pytest.mark.parametrize(
    ("height_v", "noise_v", "verdict"),
    [
        (0.005, 0.0001, Verdict.HOLDS),  # 10 uA of at most 20, known to 1 uA
        (0.012, 0.0001, Verdict.FAILS),  # 24 uA
        (0.012, 0.001, Verdict.UNDECIDED),  # of 100,000 samples noise of 2 uA lifts one by 10 uA
        (0.005, 0.004, Verdict.UNDECIDED),
        (0.05, 0.004, Verdict.FAILS),
    ],
)
def test_what_stands_between_pulses_beside_noise(height_v: float, noise_v: float, verdict: Verdict) -> None:
    quiet = measure_samples(np.zeros(100_000, np.float32), 1e-5)
    measured = replace(quiet, noise=noise_v, step=0.0, ignored=1, highest=NoPulse(False, height_v, 0.25), start_s=-0.5)
    judge = Judge(measured, Declared(500, "V", 1.0), Instrument(0.0, 0.0, 0.0))
    channel = BenchChannel.of("CH1", judge, expected_of("bench-100hz", None, None), load_tolerances()[0], None)
    row = next(row for row in channel.rows() if "between pulses" in row.name)
    assert row.verdict is verdict
    assert (row.figure.value, row.high) == (pytest.approx(height_v * 2_000), 20)
    assert row.note == "at -0.250000 s; 1 in all"
