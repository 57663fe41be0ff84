"""The loop closed: what a simulated device puts into its load, recorded and judged. A device that lies is named."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stimctl.cli import codes, main
from stimctl.wire.codec import LoadProgram, LoadSegment
from stimlab.conformance.programs import WireProgram
from tests.stimctl.bench.lying import AMPLITUDE_UA, LYING, recorded

# The bands of bench-2-100hz on two channels, at the steepest ramp there is.
PROGRAM = WireProgram(
    LoadProgram(segment_count=2, channel_mask=0b11, ramp_slope_ua_per_s=380, ramp_down_us=0),
    (LoadSegment(0, 500_000, 600, 0, 600, 3_000_000), LoadSegment(1, 10_000, 200, 0, 200, 3_000_000)),
)


def judged(path: Path, *options: str) -> Result:
    arguments = ["bench", "accept", "--capture", str(path), "--load", "1000", "--profile", "bench-2-100hz"]
    arguments += ["--amplitude-ma", str(AMPLITUDE_UA / 1_000), *options]
    return CliRunner().invoke(main, [*arguments, "--json"])


def test_the_simulator_holds_in_all(tmp_path: Path) -> None:
    record = recorded(tmp_path / "load", PROGRAM, 20)
    result = judged(record.path, "--stop-at", str(record.stop_at_s))
    assert result.exit_code == codes.DONE, result.output
    assert result.stderr.startswith("HOLDS: all ")
    assert "SIMULATED" in result.stderr
    told = json.loads(result.stdout)
    assert told["simulated"] is True
    rows = {(row["where"], row["name"]): row for row in told["captures"][0]["rows"]}
    assert rows["ch1, 2 Hz", "amplitude, median"]["value"] == pytest.approx(AMPLITUDE_UA, rel=0.03)
    assert rows["ch2, 100 Hz", "width, mean"]["value"] == pytest.approx(200, abs=0.1)
    assert rows["ch1 and ch2", "dead time, shortest"]["value"] == pytest.approx(1_300, abs=1)


@pytest.mark.parametrize("name", LYING)
def test_a_device_that_lies_is_named(name: str, tmp_path: Path) -> None:
    make, figure = LYING[name]
    record = recorded(tmp_path / "load", PROGRAM, 20, make)
    result = judged(record.path, "--stop-at", str(record.stop_at_s))
    assert result.exit_code == codes.UNMET, result.output
    told = json.loads(result.stdout)
    failed = {row["name"] for row in told["captures"][0]["rows"] if row["verdict"] == "fails"}
    assert figure in failed, result.output
    if name == "simultaneous channels":
        assert failed == {figure}


@pytest.mark.parametrize("amplitude", ["0.5", "2"])
@pytest.mark.parametrize(("mode", "profile"), [("100", "bench-100hz"), ("2", "bench-2hz"), ("2/100", "bench-2-100hz")])
@pytest.mark.parametrize("device", ["native", "stimjim"])
def test_a_whole_run_holds_with_the_check_before_it(
    device: str, mode: str, profile: str, amplitude: str, tmp_path: Path
) -> None:
    """The impedance check's pulses are of another shape than the run's, and there is a pause behind them."""
    record = tmp_path / "load.npz"
    arguments = ["bench", "run", "--port", f"sim://?device={device}&record={record}"]
    arguments += ["--ohm", "500", "--amplitude", f"{amplitude}mA", "--mode", mode, "--seconds", "40"]
    arguments += [] if device == "native" else ["--device", device]
    ran = CliRunner(env={"STIMCTL_DATA": str(tmp_path)}).invoke(main, arguments)
    assert ran.exit_code == codes.DONE, ran.output
    arguments = ["bench", "accept", "--capture", str(record), "--load", "500", "--profile", profile]
    result = CliRunner().invoke(main, [*arguments, "--amplitude-ma", amplitude])
    assert result.exit_code == codes.DONE, result.output
    assert result.output.startswith("HOLDS: all ")
    assert "the first 10 pulses are an impedance check's" in result.output
