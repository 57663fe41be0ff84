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
