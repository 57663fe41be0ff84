"""`--device`, `--dialect`, `--isolator` on run and info: what is shown of a device that lacks what a native one has."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main

EXAMPLE = str(Path(__file__).parents[3] / "profiles" / "examples" / "bench-2-100hz.toml")
JIM = ["--port", "sim://?device=stimjim&load=r1k", "--device", "stimjim", "--dialect", "a"]
PAL = ["--port", "sim://?device=pulsepal&load=r1k", "--device", "pulsepal", "--isolator", "1"]


def run(*options: str) -> str:
    result = CliRunner().invoke(main, ["run", "bench-2-100hz", "--prescription", EXAMPLE, *options])
    assert result.exit_code == codes.DONE, result.output
    return result.output


def charge(output: str) -> list[str]:
    """The words of the last row of the doses."""
    return next(line for line in output.splitlines() if "all charge" in line).split()


def test_a_stimjims_figures_are_counted_and_measured_and_say_so() -> None:
    output = run(*JIM)
    assert "StimJim dialect A: no watchdog" in output.split("armed")[0]
    assert "measured and confirmed" in output
    assert "3,060 counted" in output
    assert charge(output)[-1] == "mC"
    assert "hand-over gaps" in output
    assert "estimated" not in output.lower()


def test_a_pulsepals_figures_are_counted_and_nothing_is_measured() -> None:
    output = run(*PAL)
    assert "PulsePal with an isolator of 1 mA/V: no measurement" in output
    assert "acknowledged by the device, NOT measured" in output
    assert "3,060 at most" in output
    assert charge(output)[-2:] == ["-", "unknown"]


def test_the_log_says_it_too() -> None:
    run(*PAL)
    listed = json.loads(CliRunner().invoke(main, ["log", "list", "--json"]).output)
    (session,) = listed if isinstance(listed, list) else listed["sessions"]
    shown = CliRunner().invoke(main, ["log", "show", session["session_id"]]).output
    assert "acknowledged, NOT measured" in shown
    assert "at most: the host's count of leases" in shown


def test_json_keeps_what_the_figures_rest_on() -> None:
    result = CliRunner().invoke(main, ["run", "bench-2-100hz", "--prescription", EXAMPLE, *PAL, "--json"])
    found = json.loads(result.stdout)["session"]
    assert all(channel["measured"] is None for channel in found["channels"])
    assert found["zero_measured"] is False
    assert found["kept"]["evidence"] == "at most"
    assert found["kept"]["handovers"]["max_us"] > 0


def test_info_says_what_is_missing() -> None:
    output = CliRunner().invoke(main, ["info", *JIM]).output
    assert "none: output is given in leases of 3 s at most" in output
    assert output.count("lacks") == 6
    found = json.loads(CliRunner().invoke(main, ["info", *PAL, "--json"]).output)
    assert len(found["lacks"]) == 7 + 5
    assert any("joystick" in lack for lack in found["lacks"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "sim://?device=pulsepal", "--device", "pulsepal"], "there is no default"),
        (["--port", "sim://?device=pulsepal", "--device", "auto"], "--isolator"),
        (["--port", "sim://", "--isolator", "1"], "belongs to a PulsePal"),
        (["--port", "sim://", "--device", "pulsepal", "--isolator", "50"], "between 0.201 and 10"),
    ],
)
def test_what_does_not_go_together_is_a_sentence(options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["info", *options])
    assert result.exit_code == codes.INVALID
    assert said in result.output + str(result.exception)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stimctl.toml").write_text(
        '[devices.shelf]\nport = "sim://?device=stimjim&dialect=b"\nkind = "stimjim"\n'
    )


def model(*options: str, **environment: str) -> str:
    result = CliRunner(env=environment).invoke(main, ["info", *options, "--json"])
    assert result.exit_code == codes.DONE, result.output
    return str(json.loads(result.stdout)["model"])


def test_a_name_stands_for_port_and_kind(shelf: None) -> None:
    assert model("--device", "shelf") == "StimJim dialect B"


def test_what_is_typed_counts_more_than_the_name_and_the_name_more_than_the_environment(shelf: None) -> None:
    assert model("--device", "shelf", "--port", "sim://?device=stimjim&dialect=c") == "StimJim dialect C"
    assert model("--device", "shelf", STIMCTL_PORT="sim://") == "StimJim dialect B"
    assert model(STIMCTL_PORT="sim://") == "stimctl simulator"
    assert model(STIMCTL_DEVICE="shelf") == "StimJim dialect B"


def test_without_a_port_it_says_what_there_is(shelf: None) -> None:
    result = CliRunner().invoke(main, ["info"])
    assert result.exit_code == codes.USAGE
    assert "--device shelf" in result.stderr
    assert "--port sim://" in result.stderr


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("sim://?device=stimjim", "StimJim dialect A"),
        ("sim://?device=stimjim&dialect=b", "StimJim dialect B"),
        ("sim://?device=pulsepal", "PulsePal with an isolator of 1 mA/V"),
        ("sim://?device=pulsepal&isolator=10", "PulsePal with an isolator of 10 mA/V"),
    ],
)
def test_a_simulators_url_says_what_it_is(url: str, found: str) -> None:
    assert found in CliRunner().invoke(main, ["info", "--port", url]).output
