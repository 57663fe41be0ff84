"""`stimctl bench sweep`: a table and a CSV of what was asked, applied and measured at each step."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stimctl.cli import codes, main

LOAD = ("--ohm", "1000", "--seconds", "2s")


def sweep(quantity: str, *options: str, url: str = "sim://") -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["bench", "sweep", quantity, "--port", url, *LOAD, *options])


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_amplitude_in_even_steps(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    result = sweep("amplitude", "--from", "0.5mA", "--to", "2mA", "--steps", "3", "--csv", str(file))
    assert result.exit_code == codes.DONE, result.output
    found = rows(file)
    assert [row["asked_ua"] for row in found] == [row["applied_ua"] for row in found] == ["500", "1250", "2000"]
    for row in found:
        assert int(row["measured_ua"]) == pytest.approx(int(row["asked_ua"]), rel=0.01)
        assert int(row["ohm"]) == pytest.approx(1_000, rel=0.02)
    assert len(result.stdout.splitlines()) == 4  # the table alone; progress goes to standard error


@pytest.mark.parametrize(
    ("quantity", "steps", "column", "values"),
    [
        ("width", ("--at", "100us", "--at", "0.35ms"), "width_us", ["100", "350"]),
        ("frequency", ("--at", "2Hz", "--at", "33.3"), "period_us", ["500000", "30030"]),
        ("frequency", ("--from", "50", "--to", "100", "--steps", "2"), "period_us", ["20000", "10000"]),
    ],
)
def test_width_and_frequency(
    quantity: str, steps: tuple[str, ...], column: str, values: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "s.csv"
    assert sweep(quantity, *steps, "--csv", str(file)).exit_code == codes.DONE
    assert [row[column] for row in rows(file)] == values
    assert {row["end"] for row in rows(file)} == {"timer"}


def test_a_step_beyond_a_limit_is_refused_before_the_first() -> None:
    result = sweep("width", "--at", "200us", "--at", "700us", url="/dev/not-there")
    assert result.exit_code == codes.UNSAFE
    assert "700" in result.output


@pytest.mark.parametrize("options", [(), ("--from", "1mA"), ("--at", "1mA", "--from", "1mA", "--to", "2mA")])
def test_steps_that_are_not_said(options: tuple[str, ...]) -> None:
    assert sweep("amplitude", *options).exit_code == codes.USAGE


@pytest.mark.parametrize(
    ("quantity", "options", "sentence"),
    [
        ("amplitude", ("--at", "0.1mA"), "a step of 0.1 mA: must be"),
        ("width", ("--at", "50us"), "a step of 50 us: must be"),
        ("frequency", ("--at", "0.5Hz"), "a step of 0.5 Hz: must be"),
        ("width", ("--at", "600us", "--amplitude", "3mA"), "--amplitude 3 mA: must be 0.5 mA to 2 mA"),
        ("width", ("--at", "600us", "--seconds", "40min"), "--seconds and the ramps: must be 1 s to 1800 s"),
        ("amplitude", ("--at", "1mA", "--at", "2mA", "--seconds", "40min"), "--seconds and the ramps: must be 1 s"),
        ("frequency", ("--at", "150Hz", "--at", "70", "--at", "0.5"), "a step of 150 Hz and 0.5 Hz: must be 1 Hz to"),
        ("amplitude", ("--at", "4mA", "--at", "5mA", "--at", "2.5mA"), "a step of 4 mA, 5 mA and 2.5 mA: must be"),
    ],
)
def test_a_limit_is_told_by_the_step_or_option_that_breaks_it(
    quantity: str, options: tuple[str, ...], sentence: str
) -> None:
    refused = sweep(quantity, *options)
    assert refused.exit_code == codes.UNSAFE
    assert refused.stderr.startswith(f"Error: {sentence}")
    assert refused.stderr.count(sentence) == 1
    assert "_us is" not in refused.stderr
    assert "_ua is" not in refused.stderr


def test_of_many_steps_beyond_a_limit_it_says_how_many() -> None:
    refused = sweep("width", "--from", "601us", "--to", "700us", "--steps", "100")
    assert "607 us, 608 us and 92 more: must be 100 us to 600 us" in refused.stderr
    assert "608 us and 1 more: must" in sweep("width", "--from", "601us", "--to", "609us", "--steps", "9").stderr


@pytest.mark.parametrize(
    ("quantity", "option", "amount"),
    [
        *(("amplitude", "amplitude", each) for each in ("1.0mA", "9mA")),
        *(("width", "width", each) for each in ("200us", "1ms")),
        ("frequency", "frequency", "33"),
        ("frequency", "mode", "2"),
        ("width", "steps", "5"),
    ],
)
def test_an_option_that_would_say_nothing_is_refused(quantity: str, option: str, amount: str) -> None:
    refused = sweep(quantity, "--at", {"amplitude": "1mA", "width": "150us"}.get(quantity, "20"), f"--{option}", amount)
    assert refused.exit_code == codes.USAGE
    assert f"--{option}: " in refused.stderr


def test_a_rate_that_whole_microseconds_do_not_give_is_told_with_what_they_give() -> None:
    shown = sweep("frequency", "--at", "70", "--at", "33.3").stdout
    assert "70 Hz (given: 69.9986 Hz) " in shown
    assert " 33.3 Hz " in shown


def test_both_bands_of_a_step_are_told(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    shown = sweep("amplitude", "--at", "1mA", "--mode", "2/100", "--csv", str(file)).stdout
    assert " 2 Hz / 100 Hz  600 us / 200 us " in shown
    (row,) = rows(file)
    names = ("period_us", "width_us", "second_band_period_us", "second_band_width_us")
    assert [row[name] for name in names] == ["500000", "600", "10000", "200"]


def test_what_there_is_by_a_bad_end_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "s.csv"
    result = sweep("amplitude", "--at", "1mA", "--at", "2mA", "--csv", str(file), url="sim://?load=open")
    assert result.exit_code == codes.ENDED_EARLY
    assert [row["end"] for row in rows(file)] == ["contact"]
