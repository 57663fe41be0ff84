"""The circuit in C is the Python load: the same voltages and currents at the ends of phases and in them."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.analog.load import LOADS, load_named
from firmware_sim.analog.needle_pair import NeedlePair
from firmware_sim.chip.host_build import Library

MORE = """
void circuit_drive(int channel, double at_us, int drive, double drive_ua);
double circuit_current_ua(int channel, double at_us);
double circuit_volt(int channel, double at_us);
"""
RAIL_VOLT = 12.0
OPEN_CIRCUIT, DRIVEN = 0, 1


@pytest.fixture(scope="module")
def circuit(host_library: Path) -> Any:
    library = Library(host_library)
    library.ffi.cdef(MORE)
    return library.call


pairs = st.sampled_from(sorted(LOADS)).map(lambda name: load_named(name).pair(1, 0)) | st.builds(
    NeedlePair, st.floats(10, 20_000), st.floats(0.5, 10), st.floats(1_000, 100_000)
)


@given(pairs, st.integers(1, 2_560), st.integers(100, 600), st.integers(0, 100), st.integers(1, 2))
def test_pulse_after_pulse(circuit: Any, pair: NeedlePair, ua: int, width_us: int, gap_us: int, stretch: int) -> None:
    connect(circuit, pair)
    volt, at_us = 0.0, now_us(circuit)
    for _ in range(3):
        for sign, us in ((1, width_us), (-1, width_us * stretch)):
            phase = pair.drive(sign * ua / (stretch if sign < 0 else 1), us, volt, RAIL_VOLT)
            circuit.circuit_drive(1, at_us, DRIVEN, sign * ua / (stretch if sign < 0 else 1))
            half_us = us // 2
            half = pair.drive(sign * ua / (stretch if sign < 0 else 1), half_us, volt, RAIL_VOLT)
            middle_ua = half.mean_ua if half.curve is None else half.curve.at(half_us)
            assert circuit.circuit_current_ua(1, at_us + half_us) == pytest.approx(middle_ua, rel=1e-6, abs=1e-6)
            at_us += us
            assert circuit.circuit_volt(1, at_us) == pytest.approx(phase.end_volt, rel=1e-6, abs=1e-6)
            circuit.circuit_drive(1, at_us, OPEN_CIRCUIT, 0)
            volt = pair.rested(phase.cap_volt, gap_us)
            at_us += gap_us
    end_of_test[0] = at_us


end_of_test = [0.0]


def now_us(circuit: Any) -> float:
    """A time at which the interfaces have long been empty."""
    end_of_test[0] += 1e9
    circuit.circuit_drive(1, end_of_test[0], OPEN_CIRCUIT, 0)
    return end_of_test[0]


def connect(circuit: Any, pair: NeedlePair) -> None:
    circuit.host_connect(1, pair.series_ohm, pair.cdl_uf, pair.rct_ohm, pair.leaks_to, pair.leak_permille, 0)
