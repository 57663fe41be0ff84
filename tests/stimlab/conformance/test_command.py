"""`stimctl conformance`: what it says, writes and leaves with."""

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stimctl.cli import codes, main
from stimlab.conformance import command
from stimlab.conformance.result import SuiteResult
from tests.stimctl.cli.terminal import STIMCTL
from tests.stimctl.session.processes import simulator


def invoked(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["conformance", *arguments])


def test_it_says_that_the_simulator_conforms_and_writes_the_files(tmp_path: Path) -> None:
    files = {name: tmp_path / f"r.{name}" for name in ("junit", "html")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    chosen = ("--port", "sim://?seed=3", "--only", "R-16", "--only", "R-46", "--no-full-range")
    result = invoked(*chosen, *options)
    assert result.exit_code == codes.NOT_EXAMINED
    verdict, _, device = result.stdout.splitlines()[:3]
    assert re.fullmatch(r"CONFORMS in what was examined; \d+ not examined, \d+ points left to a scope", verdict)
    assert device.startswith("SIMULATOR: stimctl simulator SIM-00000003, firmware")
    assert "not examined: not chosen" in result.stdout
    assert "passed  stop_in_every_state" in result.stderr
    assert "<testsuites" in files["junit"].read_text()
    assert files["html"].read_text().startswith("<!DOCTYPE html>")


def test_a_report_that_cannot_be_written_takes_no_verdict_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, page = ("--port", "sim://", "--only", "R-04", "--no-full-range"), tmp_path / "r.html"
    missing = invoked(*chosen, "--html", str(tmp_path / "none" / "r.html"))
    assert missing.exit_code == codes.INVALID
    assert "there is no folder" in missing.output
    assert "passed" not in missing.output, "it is said before anything is driven"
    ran = command._run

    def meanwhile(*given: Any, **more: Any) -> SuiteResult:
        page.mkdir()
        return ran(*given, **more)

    monkeypatch.setattr(command, "_run", meanwhile)
    result = invoked(*chosen, "--html", str(page), "--junit", str(tmp_path / "r.xml"))
    assert result.exit_code == codes.INVALID
    assert result.stdout.startswith("CONFORMS in what was examined")
    assert "r.html is no plain file" in result.stderr
    assert (tmp_path / "r.xml").exists()


def test_as_json_the_words_go_to_the_other_stream() -> None:
    result = invoked("--port", "sim://?seed=3", "--only", "R-02", "--no-full-range", "--json")
    assert result.exit_code == codes.NOT_EXAMINED
    assert json.loads(result.stdout)["conforms"] is True
    assert "CONFORMS in what was examined" in result.stderr


def test_the_list_names_requirements_and_needs() -> None:
    result = invoked("--list", "-k", "framing")
    assert result.exit_code == codes.DONE
    lines = result.output.splitlines()
    assert lines[0].split() == ["REQUIREMENTS", "CHECK", "NEEDS", "WHAT"]
    assert any("silent_after_power_on" in line and " power " in line for line in lines)
    assert not any("handshake" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "R-99"), "docs/protocol.md has the requirements R-01 to R-90"),
        (("--only", "R-11"), "nothing checks it: binds the host"),
        (("-k", "no such words"), "no check fits"),
    ],
)
def test_what_there_is_no_check_for_is_said(arguments: tuple[str, ...], said: str) -> None:
    result = invoked("--port", "sim://", *arguments)
    assert result.exit_code == codes.INVALID
    assert said in result.output


def test_a_port_is_needed() -> None:
    without = invoked()
    assert without.exit_code == codes.USAGE
    assert "--port sim://  (the simulated stimulator)" in without.output


def test_a_url_without_a_sense_is_refused_before_a_capture_is_read() -> None:
    result = invoked("--port", "socket://host", "--dummy-load", "--scope", "no.csv")
    assert result.exit_code == codes.INVALID
    assert "socket://host" in result.output
    assert "no.csv" not in result.output


def test_hardware_is_not_driven_before_somebody_confirms_the_load() -> None:
    result = invoked("--port", "/dev/null")
    assert result.exit_code == codes.INVALID
    assert "say --dummy-load" in result.output


def test_no_more_than_a_little_current() -> None:
    assert invoked("--port", "sim://", "--amplitude-ua", "301").exit_code == codes.USAGE


def test_a_port_where_nobody_is() -> None:
    result = invoked("--port", "socket://127.0.0.1:9", "--dummy-load")
    assert result.exit_code == codes.LINE


def test_a_device_that_speaks_another_protocol() -> None:
    result = invoked("--port", "sim://?device=stimjim")
    assert result.exit_code in {codes.LINE, codes.DEVICE}
    assert not result.stdout.startswith("CONFORMS")


@pytest.mark.realtime
@pytest.mark.parametrize("line", [("--pty",), ("--tcp", "0")], ids=["pty", "tcp"])
def test_the_same_checks_over_a_real_line(line: tuple[str, ...], tmp_path: Path) -> None:
    only = [text for number in ("R-02", "R-05", "R-14", "R-31") for text in ("--only", number)]
    with simulator(tmp_path, *line) as device:
        result = invoked("--port", device.url, "--dummy-load", *only, "--no-full-range", "--json")
    assert result.exit_code == codes.NOT_EXAMINED, result.output
    said = json.loads(result.stdout)
    skipped = {each["name"]: each["reason"] for each in said["checks"] if each["verdict"] == "skipped"}
    skipped = {
        name: reason for name, reason in skipped.items() if reason not in {"not chosen", "`--full-range` tries it"}
    }
    assert skipped == {"silent_after_power_on": "cannot switch its power here; `--ask` asks you to"}
    assert said["port"] == device.url


def test_the_full_range_is_the_default_for_a_simulator_and_can_be_chosen_by_word() -> None:
    result = invoked("--port", "sim://", "-k", "stop at 700 ua on channel 2", "--json")
    assert result.exit_code == codes.NOT_EXAMINED, result.output
    said = json.loads(result.stdout)
    run = [each for each in said["checks"] if each["verdict"] == "passed"]
    assert len(run) == 15
    assert all(each["cell"]["action"] == "Stop" for each in run)
    assert len(said["to_measure"]) > 40


def test_a_device_that_does_not_conform_ends_with_the_code_of_what_did_not_come_out(tmp_path: Path) -> None:
    silent = tmp_path / "silent.toml"
    silent.write_text('[[fault]]\nkind = "device.silent_telemetry"\n')
    result = invoked("--port", f"sim://?scenario={silent}", "--only", "R-16", "--no-full-range")
    assert result.exit_code == codes.UNMET, result.output


@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_with_the_last_stop_and_what_was_examined(number: signal.Signals, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    words = ("conformance", "--port", "sim://?pace=real", "--no-full-range", "--junit", str(report))
    with subprocess.Popen(
        [*STIMCTL, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        assert "passed" in process.stderr.readline()
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == codes.SIGNAL_BASE + number
    assert re.match(r"BROKEN OFF, no verdict; \d\d+ not examined", said)
    assert "BROKEN OFF: interrupted" in said
    assert "<testsuites" in report.read_text()
