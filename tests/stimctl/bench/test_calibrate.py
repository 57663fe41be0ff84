"""Commanded against measured: the line by hand and by property, files that are wrong, and the command to its record."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from stimctl.bench.calibrate import CalibrationData, fit, fits, points_of_plan, student_t
from stimctl.bench.plan.results import FORMAT
from stimctl.calibration import CalibrationPoint
from stimctl.cli import codes, main
from stimctl.errors import InputInvalid

SAID = ("--date", "2026-03-31", "--due", "2027-03-31", "--operator", "A. Smith", "--instrument", "DS1104Z, 1")
CERTIFIED = (*SAID, "--certificate", "K-1234")


def points(pairs: list[tuple[float, float]]) -> list[CalibrationPoint]:
    return [CalibrationPoint(channel=1, commanded_ua=x, measured_ua=y) for x, y in pairs]


def test_a_line_by_hand() -> None:
    """x 1, 2, 3, 4 and y 2, 4, 5, 8 (times 100): Sxx 5, Sxy 9.5, so 1.9 and 0; s^2 0.35."""
    found = fit(1, points([(100, 200), (200, 400), (300, 500), (400, 800)]))
    assert found.gain == pytest.approx(1.9)
    assert found.offset_ua == pytest.approx(0, abs=1e-9)
    assert found.residual_ua == pytest.approx(100 * 0.35**0.5)
    assert found.gain_off == pytest.approx(4.303 * (0.35 / 5) ** 0.5)
    assert found.offset_off_ua == pytest.approx(100 * 4.303 * (0.35 * (1 / 4 + 2.5**2 / 5)) ** 0.5)
    assert found.band_ua == pytest.approx(100 * 4.303 * (0.35 * (1 / 4 + 1.5**2 / 5)) ** 0.5)


@given(st.floats(0.5, 1.5), st.floats(-50, 50), st.integers(0, 2**32 - 1))
def test_a_line_is_found_within_its_limits(gain: float, offset: float, seed: int) -> None:
    x = np.linspace(500, 2_000, 8)
    y = gain * x + offset + np.random.default_rng(seed).normal(0, 1e-6, len(x))
    found = fit(1, points(list(zip(x, y, strict=True))))
    assert found.gain == pytest.approx(gain, abs=1e-6)
    assert found.offset_ua == pytest.approx(offset, abs=1e-3)


def test_limits_of_95_per_cent_hold_95_times_in_a_hundred() -> None:
    rng, x, inside = np.random.default_rng(1), np.linspace(500, 2_000, 5), 0
    for _ in range(2_000):
        found = fit(1, points(list(zip(x, 1.02 * x + rng.normal(0, 5, len(x)), strict=True))))
        inside += abs(found.gain - 1.02) <= found.gain_off
    assert inside / 2_000 == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(("freedom", "value"), [(1, 12.706), (30, 2.042), (31, 2.040), (60, 2.000), (1_000, 1.962)])
def test_students_t(freedom: int, value: float) -> None:
    assert student_t(freedom) == pytest.approx(value, rel=0.002)


def test_the_points_of_a_plan_are_those_that_came_to_their_end(tmp_path: Path) -> None:
    head = {"format": FORMAT, "device": {"model": "M", "serial": "1"}, "simulated": False}
    row = {"name": "amplitude, median", "where": "ch2, 100 Hz", "uncertainty": 9.0}

    def record(key: str, kind: str, end: str, value: float | None) -> dict[str, object]:
        return {
            **{"title": "t", "channels": [2], "verdict": "holds", "capture": None, "reference": None},
            "point": key,
            "kind": kind,
            "end": end,
            "asked_ua": 500,
            "ohm": 1_000,
            "rows": [{**row, "value": value}],
        }

    lines = [
        head, record("1", "amplitude", "timer", 505.0), record("2", "amplitude", "short circuit", 300.0),
        record("3", "width", "timer", 499.0), record("4", "loads", "timer", None),
    ]  # fmt: skip
    (tmp_path / "results.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    data = points_of_plan(tmp_path)
    assert data.points == (CalibrationPoint(channel=2, commanded_ua=500, measured_ua=505, ohm=1_000, uncertainty_ua=9),)
    assert data.device == head["device"]
    (tmp_path / "results.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in (lines[0], lines[2])))
    with pytest.raises(InputInvalid, match="no step of kind amplitude or loads came to its end"):
        points_of_plan(tmp_path)


def test_a_line_that_no_device_has_is_none() -> None:
    wrong = tuple(points([(500, 1_100), (1_000, 2_200), (2_000, 4_400)]))
    with pytest.raises(InputInvalid, match=r"channel 1 is '2\.2': its gain has to lie from 0\.5 to 2"):
        fits(CalibrationData(wrong, Path("typed.csv"), None, simulated=False))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def calibrate(text: str, *options: str) -> Result:
    Path("typed.csv").write_text(text)
    return CliRunner().invoke(main, ["bench", "calibrate", "--csv", "typed.csv", "--port", "sim://", *options])


GOOD = "channel,asked_ma,measured_ma,ohm\n1,0.5,0.51,500\n1,1.0,1.01,1000\n1,2.0,2.02,1000\n2,0.5,1,\n"


def test_a_typed_file_becomes_a_record_that_info_shows() -> None:
    result = calibrate(GOOD.rsplit("2,0.5", 1)[0], *CERTIFIED)
    assert result.exit_code == codes.DONE, result.output
    assert "nothing that is commanded changes" in result.output
    shown = CliRunner().invoke(main, ["info", "--port", "sim://", "--json"])
    told = json.loads(shown.stdout)["calibration"]
    assert told["certificate"] == "K-1234"
    assert told["channels"][0]["gain"] == pytest.approx(1.007, abs=0.002)
    assert told["channels"][0]["loads_ohm"] == [500, 1_000]
    words = CliRunner().invoke(main, ["info", "--port", "sim://"]).output
    assert "2026-03-31 by A. Smith, DS1104Z, 1, certificate K-1234" in words
    (path,) = Path("data/calibrations").rglob("*.json")
    path.write_text("{}")
    damaged = CliRunner().invoke(main, ["info", "--port", "sim://"])
    assert damaged.exit_code == codes.DONE
    assert f"cannot be read: {path.absolute()}" in damaged.output


@pytest.mark.parametrize(
    ("text", "options", "code", "words"),
    [
        (GOOD, CERTIFIED, codes.INVALID, "channel 2: needs 3 different amplitudes"),
        (GOOD.replace("0.51", "0,51"), CERTIFIED, codes.INVALID, "line 2"),
        (GOOD.replace("0.51", "much"), CERTIFIED, codes.INVALID, "line 2: measured_ma is 'much': must be a number"),
        (GOOD.replace("1,0.5", "7,0.5"), CERTIFIED, codes.INVALID, "line 2: row: channel is 1 to 4"),
        (GOOD.replace("asked_ma", "asked"), CERTIFIED, codes.INVALID, "must be channel, asked_ma or asked_ua"),
        ("step,channel,asked_ua,applied_ua,measured_ua\n", CERTIFIED, codes.INVALID, "is a sweep's own table"),
        (
            GOOD.replace("0.51", "510"),
            CERTIFIED,
            codes.INVALID,
            "line 2: measured_ma is '510': is 1.02e+03 times what was asked: is it in mA",
        ),
        (GOOD.replace("1,0.5,", "1,500,"), CERTIFIED, codes.INVALID, "line 2: row: channel is 1 to 4, what was asked"),
        (
            GOOD.rsplit("2,0.5", 1)[0],
            (*CERTIFIED, "--date", "2999-03-31", "--due", "2999-04-01"),
            codes.INVALID,
            "--date 2999-03-31 is still to come",
        ),
        (GOOD, SAID, codes.USAGE, "--certificate"),
        (GOOD.rsplit("2,0.5", 1)[0], (*CERTIFIED, "--due", "2026-01-01"), codes.INVALID, "is not after"),
        (GOOD.rsplit("2,0.5", 1)[0], (*CERTIFIED, "--operator", ""), codes.INVALID, "operator must be 1 to 80"),
    ],
)
def test_what_cannot_be_is_said(text: str, options: tuple[str, ...], code: int, words: str, folder: Path) -> None:
    result = calibrate(text, *options)
    assert result.exit_code == code, result.output
    assert words in result.output
    assert not (folder / "data" / "calibrations").exists()
