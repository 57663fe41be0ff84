"""A simulated stimulator, its load, a simulated oscilloscope and PyVISA: what is read is what flowed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from firmware_sim.analog.recorder import Flow, FlowKind, PulseShape, Recorder
from stimctl.api import Session
from stimctl.bench.dummy_load import LoadRun, prescription_for
from stimctl.cli import main
from stimctl.errors import LineLost, TimedOut, WrongDevice
from stimctl.ledger import Ledger
from stimctl.prescription import Subject
from stimctl.session.states import End
from stimctl.waveform import Mode
from stimlab.oscilloscope.bench_port import SharedLoad
from stimlab.oscilloscope.front_end import ScopeInput
from stimlab.oscilloscope.rigol import RigolScpi
from stimlab.oscilloscope.server import ScopeServer
from stimlab.oscilloscope.siglent import SiglentScpi

pytest.importorskip("pyvisa", reason="PyVISA is not installed")
pytest.importorskip("pyvisa_py", reason="PyVISA-py is not installed")
from stimctl.bench.oscilloscope import Oscilloscope, ScopeSettings, save

pytestmark = pytest.mark.realtime
MAKERS = pytest.mark.parametrize("maker", [RigolScpi, SiglentScpi])
OHM, AMPLITUDE_UA = 1_000, 1_000


@contextmanager
def instrument(maker: Any, scope: ScopeInput) -> Iterator[Oscilloscope]:
    with ScopeServer(maker(scope)) as server, Oscilloscope(server.resource) as oscilloscope:
        yield oscilloscope


def pulses_at(first_us: int, now_us: int) -> ScopeInput:
    """Pulses of 1 mA, 0.2 ms a phase, at 100 Hz from `first_us` on, seen at `now_us` over 1 kohm."""
    recorder = Recorder()
    recorder.add(1, Flow(first_us, 10_000, 500, PulseShape(1_000_000, 200, 0, 1_000_000, 200), FlowKind.TRAIN))
    times = iter([0])
    return ScopeInput(recorder, lambda: next(times, now_us), float(OHM))


@MAKERS
def test_one_pulse_is_taken_at_its_trigger(maker: Any) -> None:
    asked = ScopeSettings(volts_per_division=0.5, seconds=0.012, points=120_000, trigger_v=0.3)
    with instrument(maker, pulses_at(2_000_000, 9_000_000)) as oscilloscope:
        oscilloscope.arm(asked)
        taken = oscilloscope.read(asked, 5)
    assert taken.rate_hz == pytest.approx(1e7, rel=1e-3)
    assert len(taken.volts) == 120_000
    high, low = np.flatnonzero(taken.volts > 0.5), np.flatnonzero(taken.volts < -0.5)
    # 10 MS/s: 2,000 samples a phase, the first of them at a tenth of the window, a second pulse 10 ms later.
    assert high[0] == pytest.approx(12_000, abs=110)
    assert np.count_nonzero(high < 20_000) == np.count_nonzero(low < 20_000) == 2_000
    assert np.median(taken.volts[high]) == pytest.approx(1.0, abs=0.02)
    assert np.median(taken.volts[low]) == pytest.approx(-1.0, abs=0.02)


@MAKERS
def test_eight_bits_noise_and_the_edge_of_the_screen(maker: Any) -> None:
    asked = ScopeSettings(volts_per_division=0.1, points=12_000, trigger_v=0.3)
    with instrument(maker, pulses_at(2_000_000, 9_000_000)) as oscilloscope:
        oscilloscope.arm(asked)
        volts = oscilloscope.read(asked, 5).volts
    assert volts.max() == pytest.approx(127 * 0.1 / 25)  # 1 V does not fit: it is cut off
    steps = np.unique(np.round(volts / (0.1 / 25), 6))
    assert np.allclose(steps, np.rint(steps))
    assert 0.0005 < volts[:500].std() < 0.004  # its noise, before the first pulse


@MAKERS
def test_no_trigger_is_said_and_a_forced_capture_is_quiet(maker: Any) -> None:
    asked = ScopeSettings(trigger_v=2.0)
    with instrument(maker, pulses_at(9_500_000, 9_000_000)) as oscilloscope:
        oscilloscope.arm(asked)
        with pytest.raises(TimedOut, match="no trigger of 2 V"):
            oscilloscope.read(asked, 0.2)


def test_nobody_at_the_name_and_another_maker() -> None:
    with pytest.raises(LineLost, match="does not answer"), Oscilloscope("TCPIP::127.0.0.1::1::SOCKET"):
        pass

    class Other:
        def answer(self, line: str) -> bytes | None:
            return b"ACME,9000,1,1"

    with ScopeServer(Other()) as server, pytest.raises(WrongDevice, match="ACME"), Oscilloscope(server.resource):
        pass


@MAKERS
def test_a_session_is_captured_and_accepted(maker: Any, tmp_path: Path) -> None:
    """The whole loop: a run on a load, seen by the oscilloscope, judged by `bench accept`."""
    shared = SharedLoad(OHM)
    run = LoadRun(ohm=OHM, amplitude_ua=AMPLITUDE_UA, mode=Mode.HIGH, plateau_us=4_000_000, ramp_only=True)
    asked = ScopeSettings(volts_per_division=0.5, seconds=1.2, points=1_200_000, trigger_v=0.99)
    with instrument(maker, shared.scope) as oscilloscope, Ledger(tmp_path / "log.sqlite") as ledger:
        oscilloscope.arm(asked)
        rx = prescription_for(run, Subject.SIMULATOR)
        with Session("sim://", rx, ledger, opener=shared.open) as session:
            assert session.run().end is End.TIMER
        taken = oscilloscope.read(asked, 5)
    save(tmp_path / "c.npz", {1: taken})
    words = ["bench", "accept", "--capture", str(tmp_path / "c.npz"), "--profile", "bench-100hz"]
    result = CliRunner().invoke(main, [*words, "--load", str(OHM), "--amplitude-ma", "1"])
    assert result.output.startswith("HOLDS in what was measured"), result.output
