"""`stimctl bench capture`, with the simulated oscilloscope at the other end of a socket."""

from itertools import chain, count
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from firmware_sim.analog.recorder import Flow, FlowKind, PulseShape, Recorder
from stimctl.cli import codes, main
from stimlab.oscilloscope.front_end import FrontEnd
from stimlab.oscilloscope.rigol import RigolScpi
from stimlab.oscilloscope.server import ScopeServer

pytest.importorskip("pyvisa_py", reason="PyVISA-py is not installed")
pytestmark = pytest.mark.realtime


def capture(output: Path, *options: str, resource: str | None = None) -> Result:
    recorder = Recorder()
    recorder.add(1, Flow(1_000_000, 10_000, 100, PulseShape(1_000_000, 200, 0, 1_000_000, 200), FlowKind.TRAIN))
    times = chain([0], count(9_000_000, 500_000))
    scope = FrontEnd(recorder, lambda: next(times), 500.0)
    with ScopeServer(RigolScpi(scope)) as server:
        words = ["bench", "capture", "--scope", resource or server.resource, "-o", str(output), *options]
        return CliRunner().invoke(main, [*words, "--window", "1s", "--points", "100000"])


def test_a_file_is_written_that_accept_reads(tmp_path: Path) -> None:
    result = capture(tmp_path / "c.npz")
    assert result.exit_code == codes.DONE, result.output
    assert "waits for a trigger of 0.1 V" in result.stderr
    with np.load(tmp_path / "c.npz") as saved:
        assert saved["rate_hz"] == pytest.approx(100_000)
        assert saved["ch1"].max() == pytest.approx(0.5, abs=0.03)
    accept = ["bench", "accept", "--capture", str(tmp_path / "c.npz"), "--load", "500", "--profile", "bench-100hz"]
    assert CliRunner().invoke(main, accept).output.startswith("HOLDS in what was measured")


def test_a_reference_needs_no_trigger(tmp_path: Path) -> None:
    assert capture(tmp_path / "off.npz", "--reference", "--trigger", "5").exit_code == codes.DONE


@pytest.mark.parametrize(
    ("options", "resource", "code", "said"),
    [
        (("--trigger", "5", "--patience", "0.1s"), None, codes.LINE, "no trigger of 5 V came"),
        ((), "TCPIP::127.0.0.1::1::SOCKET", codes.LINE, "does not answer"),
        ((), "nonsense", codes.LINE, "check its name"),
    ],
)
def test_what_goes_wrong_is_said(
    options: tuple[str, ...], resource: str | None, code: int, said: str, tmp_path: Path
) -> None:
    result = capture(tmp_path / "c.npz", *options, resource=resource)
    assert result.exit_code == code, result.output
    assert said in result.output
    assert not (tmp_path / "c.npz").exists()


def test_a_capture_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "c.npz").write_bytes(b"kept")
    assert capture(tmp_path / "c.npz").exit_code == codes.INVALID
    assert (tmp_path / "c.npz").read_bytes() == b"kept"
