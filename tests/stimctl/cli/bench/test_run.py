"""`stimctl bench run`: a load driven from amounts alone, on simulated devices."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stimctl.bench.readings import LoadReading
from stimctl.cli import codes, main
from stimctl.cli.bench.driving import LoadDriver, with_load
from stimctl.session.view import SessionReport

FIRST = ("--port", "sim://", "--ohm", "1000", "--amplitude", "1.5mA", "--mode", "2/100", "--seconds", "30")


def bench(*options: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["bench", "run", *options])


def steady(*options: str) -> dict[str, int]:
    result = bench(*options, "--json")
    assert result.exit_code == codes.DONE, result.output
    found: dict[str, int] = json.loads(result.stdout)["steady"][0]
    return found


def test_amounts_alone_are_enough() -> None:
    result = bench(*FIRST)
    assert result.exit_code == codes.DONE, result.output
    assert "a load has no needle; charge density and k are not computed" in result.stderr
    assert "SIMULATOR" in result.stdout
    assert result.stdout.partition("CHANNEL  ASKED")[2].splitlines()[1].split()[:6] == [
        "1",
        "1.50",
        "mA",
        "1.50",
        "mA",
        "1.49",
    ]


@pytest.mark.parametrize("ohm", [180, 1_000, 4_000])
def test_the_declared_load_is_what_is_measured(ohm: int) -> None:
    found = steady("--port", "sim://", "--ohm", str(ohm), "--amplitude", "1mA", "--seconds", "20")
    assert found["ohm"] == pytest.approx(ohm, rel=0.02)
    assert found["applied_ua"] == found["asked_ua"] == 1_000
    assert found["measured_ua"] == pytest.approx(1_000, rel=0.01)


@pytest.mark.parametrize(
    ("hertz", "width", "period_us", "width_us"), [("33.3", "150us", 30_030, 150), ("1", "0.6ms", 1_000_000, 600)]
)
def test_any_rate_and_width_within_the_limits(hertz: str, width: str, period_us: int, width_us: int) -> None:
    asked = ("--port", "sim://", "--ohm", "1k", "--amplitude", "0.5mA", "--seconds", "30")
    result = bench(*asked, "--frequency", hertz, "--width", width, "--channel", "2", "--json")
    document = json.loads(result.stdout)
    assert document["pulses"] == [{"period_us": period_us, "width_us": width_us}]
    assert document["steady"][0]["channel"] == 2
    (channel,) = document["session"]["session"]["channels"]
    assert channel["planned"] == channel["delivered"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--amplitude", "2.5mA"), codes.UNSAFE, "--amplitude 2.5 mA: must be 0.5 mA to 2 mA"),
        (("--frequency", "0.5"), codes.UNSAFE, "--frequency 0.5 Hz: must be 1 Hz to 100 Hz"),
        (("--seconds", "31min"), codes.UNSAFE, "--seconds 1860 s: must be"),
        (("--width", "50us"), codes.UNSAFE, "--width 50 us: must be 100 us to 600 us"),
        (("--seconds", "12"), codes.UNSAFE, "give more time, or --ramp-only where that is meant"),
        (("--frequency", "120"), codes.UNSAFE, "1-100 Hz"),
        (("--width", "700us"), codes.UNSAFE, "must be 100 us to 600 us"),
        (("--frequency", "50", "--mode", "2"), codes.USAGE, "give one of the two"),
        (("--ohm", "1,000"), codes.USAGE, "could be two numbers"),
        (("--amplitude", "1 V"), codes.USAGE, "no amplitude: a number and mA or uA"),
        (("--amplitude", "1_5"), codes.USAGE, "amplitude"),
        (("--seconds", "5"), codes.UNSAFE, "the ramps take"),
        (("--telemetry", "x.txt"), codes.INVALID, ".csv or .parquet"),
        (("--telemetry", "not/there/x.csv"), codes.INVALID, "there is no folder not/there; make it"),
        (("--channel", "5"), codes.USAGE, "1<=x<=4"),
    ],
)
def test_what_cannot_be_is_refused_before_a_port_is_opened(options: tuple[str, ...], code: int, said: str) -> None:
    result = bench("--port", "/dev/not-there", "--ohm", "1000", *options)
    assert result.exit_code == code, result.output
    assert said in result.output
    assert "not-there" not in result.output


def test_telemetry_holds_every_reading(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    assert bench(*FIRST, "--telemetry", str(file)).exit_code == codes.DONE
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert tuple(rows[0]) == LoadReading._fields
    assert 250 < len(rows) < 400  # ten a second for thirty seconds, and what came before and after
    assert max(int(row["applied_ua"]) for row in rows) == 1_500
    again = bench(*FIRST, "--telemetry", str(file))
    assert again.exit_code == codes.INVALID
    assert "exists already" in again.output


def test_parquet_holds_the_same(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    for name in ("t.csv", "t.parquet"):
        assert bench(*FIRST, "--telemetry", str(tmp_path / name)).exit_code == codes.DONE
    assert polars.read_parquet(tmp_path / "t.parquet").equals(polars.read_csv(tmp_path / "t.csv"))


def test_a_stimjim_in_the_url_is_found_and_tells_no_current() -> None:
    found = steady("--port", "sim://?device=stimjim", "--ohm", "1000", "--amplitude", "1mA", "--seconds", "20")
    assert (found["applied_ua"], found["measured_ua"], found["ohm"]) == (1_000, None, None)


def test_a_load_that_is_not_there_ends_it() -> None:
    result = bench("--port", "sim://?load=open", "--ohm", "1000")
    assert result.exit_code == codes.ENDED_EARLY, result.output
    assert "no contact" in result.output


@pytest.mark.parametrize(
    ("url", "made"),
    [
        ("sim://", "sim://?load=r500"),
        ("sim://?seed=2", "sim://?seed=2&load=r500"),
        ("sim://?load=open", "sim://?load=open"),
        ("/dev/ttyUSB0", "/dev/ttyUSB0"),
    ],
)
def test_only_a_simulator_is_given_its_load(url: str, made: str) -> None:
    assert with_load(url, 500) == made


def test_a_load_of_no_ohms_is_a_short() -> None:
    assert with_load("sim://", 0) == "sim://?load=short"


@pytest.mark.parametrize(
    ("command", "option", "said"),
    [
        (("run", "--seconds", "30"), "--telemetry", "zero output"),
        (("sweep", "amplitude", "--at", "1mA", "--seconds", "2s"), "--telemetry", "1.00 mA"),
        (("sweep", "amplitude", "--at", "1mA", "--seconds", "2s"), "--csv", "1.00 mA"),
    ],
)
def test_a_file_that_cannot_be_written_in_the_end_takes_no_summary_away(
    command: tuple[str, ...], option: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, driven = tmp_path / "t.csv", LoadDriver.drive

    def meanwhile(*given: Any) -> SessionReport:
        file.write_text("another's")
        return driven(*given)

    monkeypatch.setattr(LoadDriver, "drive", meanwhile)
    asked = ("bench", *command, "--port", "sim://", "--ohm", "1000", option, str(file))
    result = CliRunner(env={"COLUMNS": "200"}).invoke(main, asked)
    assert result.exit_code == codes.INVALID, result.output
    assert f"Error: {file}" in result.stderr
    assert said in result.stdout
    assert str(file) not in result.stdout
    assert file.read_text() == "another's"


def test_a_run_that_never_was_steady_does_not_say_so() -> None:
    """5001 ohm is held in the ramp."""
    result = bench("--port", "sim://", "--ohm", "5001", "--amplitude", "1mA", "--seconds", "30")
    assert result.exit_code == codes.ENDED_EARLY, result.output
    assert "steady" not in result.stdout
    assert "At the highest amplitude that was read" in result.stdout
