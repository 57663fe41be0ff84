"""Captures of an oscilloscope in the certificate: points that are measured, that fail, and that stay open."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stimctl.cli import codes, main
from stimctl.wire.codec import LoadProgram, LoadSegment
from stimlab.conformance.programs import PLAIN, WireProgram
from stimlab.conformance.requirements import TO_MEASURE
from tests.stimctl.bench.lying import AMPLITUDE_UA, LYING, recorded

ALONE = WireProgram(PLAIN.header._replace(ramp_slope_ua_per_s=380), PLAIN.segments)
BOTH = WireProgram(
    LoadProgram(segment_count=1, channel_mask=0b11, ramp_slope_ua_per_s=380, ramp_down_us=0),
    (LoadSegment(0, 10_000, 200, 0, 200, 0),),
)


def conformance(*options: str) -> Result:
    return CliRunner().invoke(
        main, ["conformance", "--port", "sim://?seed=3", "--only", "R-16", "--no-full-range", *options]
    )


def test_each_point_has_a_name_of_its_own() -> None:
    assert len({point.name for point in TO_MEASURE}) == len(TO_MEASURE)


def test_points_are_measured_and_the_certificate_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.stimctl.bench.lying.AMPLITUDE_UA", 700)
    alone, both = recorded(tmp_path / "a", ALONE, 4), recorded(tmp_path / "b", BOTH, 4)
    page = tmp_path / "p.html"
    options = ("--scope", f"pulse-only-700ua-ch1={alone.path}", "--scope", f"pair-ch1-ch2={both.path}")
    zero = ("--scope", f"zero-ch1={alone.path}", "--scope-stop-at", str(alone.stop_at_s))
    result = conformance(*options, *zero, "--html", str(page))
    assert result.exit_code == codes.NOT_EXAMINED, result.output
    assert f"{len(TO_MEASURE) - 3} points left to a scope" in result.stdout.splitlines()[0]
    points = {point["name"]: point for point in json.loads(conformance(*options, *zero, "--json").stdout)["to_measure"]}
    assert {points[name]["verdict"] for name in ("pulse-only-700ua-ch1", "pair-ch1-ch2", "zero-ch1")} == {"passed"}
    assert points["gate"]["verdict"] == "open"
    assert page.read_text("utf-8").count("<td>open</td>") == len(TO_MEASURE) - 3


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("readback", "pulse-only-700ua-ch1"),
        ("integrator", "pulse-only-700ua-ch1"),
        ("fake zero", "zero-ch1"),
        ("simultaneous channels", "pair-ch1-ch2"),
    ],
)
def test_a_device_that_lies_does_not_conform(
    name: str, point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.stimctl.bench.lying.AMPLITUDE_UA", 700)
    record = recorded(tmp_path / "a", BOTH if point.startswith("pair") else ALONE, 4, LYING[name][0])
    result = conformance("--scope", f"{point}={record.path}", "--scope-stop-at", str(record.stop_at_s))
    assert result.exit_code == codes.UNMET, result.output
    assert result.stdout.startswith("DOES NOT CONFORM: 1 failed on the scope")
    assert f"scope, {point}: failed" in result.output


def test_a_wrong_point_is_told_before_anything_is_driven(tmp_path: Path) -> None:
    assert AMPLITUDE_UA == 800
    result = conformance("--scope", "pulse-1=x.csv")
    assert result.exit_code == codes.INVALID
    assert "no point is named 'pulse-1'; there are pulse-only-200ua-ch1" in result.output
    assert "has to be POINT=FILE" in conformance("--scope", str(tmp_path / "none")).output
