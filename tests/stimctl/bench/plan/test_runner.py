"""A plan from its beginning to its report: broken off by a signal it goes on where it was."""

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("pyvisa_py", reason="PyVISA-py is not installed")
from stimctl.bench.plan import driving, judging, runner
from stimctl.bench.plan.driving import _Drive
from stimctl.cli import codes, main
from stimctl.errors import TimedOut
from stimctl.remote_stop import StopStatus, stop_all
from stimctl.session.states import End
from stimlab.oscilloscope.bench_port import SharedLoad
from tests.stimctl.ledger.test_store import tamper

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(
        not entry_points(group="stimctl.simulated_benches"), reason="stimctl was installed before it had this group"
    ),
]
PLAN = (
    'format = 1\ntitle = "Two amplitudes"\n[[steps]]\nkind = "amplitude"\namplitudes_ma = [0.5, 0.6]\nseconds = 0.5\n'
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    Path("plan.toml").write_text(PLAN)
    return tmp_path


def plan(*options: str) -> Result:
    return CliRunner().invoke(main, ["bench", "plan", "plan.toml", "--port", "sim://", *options])


def test_broken_off_it_goes_on_and_a_changed_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, connected = SharedLoad.open, []

    def breaks(bench: SharedLoad, url: str, **more: Any) -> Any:
        connected.append(url)
        if len(connected) == 5:  # who answers, a session, its capture's rest, and then a session that is broken off
            raise KeyboardInterrupt
        return whole(bench, url, **more)

    monkeypatch.setattr(SharedLoad, "open", breaks)
    first = plan()
    assert first.exit_code == codes.INTERRUPTED, first.output
    told = json.loads(Path("plan/report.json").read_text())
    assert len(told["points"]) == 1
    assert told["verdict"].startswith("NOT FINISHED, 1 of 2 points are open")
    monkeypatch.setattr(SharedLoad, "open", whole)
    second = plan("--json")
    assert second.exit_code == codes.DONE, second.output
    assert "1 of 2 points are done already" in second.stderr
    told = json.loads(second.stdout)
    assert [point["asked_ua"] for point in told["points"]] == [500, 600]
    assert told["verdict"].startswith("HOLDS: all")
    assert told["simulated"] is True
    page = Path("plan/report.html").read_text("utf-8")
    assert "SIMULATED" in page
    assert page.count("<svg") == 2
    assert Path("plan/report.pdf").read_bytes().startswith(b"%PDF")
    for point in told["points"]:
        assert (Path("plan") / point["capture"]["file"]).exists()
    assert "2 of 2 points are done already; nothing is driven." in plan().stderr
    Path("plan.toml").write_text(PLAN.replace("0.6", "0.7"))
    refused = plan()
    assert refused.exit_code == codes.INVALID
    assert "the plan's file has changed since it was begun" in refused.output


@pytest.mark.parametrize(
    ("stopped", "code"),
    [
        (lambda _drive: signal.raise_signal(signal.SIGTERM), codes.TERMINATED),
        (lambda drive: drive.session._stop_from_elsewhere(""), codes.STOPPED),
    ],
    ids=["signal", "elsewhere"],
)
def test_a_stop_that_comes_as_a_session_ends_ends_the_plan(
    stopped: Callable[[_Drive], None], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = _Drive.quiet_us

    def late(drive: _Drive) -> int | None:
        stopped(drive)
        return ended(drive)

    monkeypatch.setattr(_Drive, "quiet_us", late)
    result = plan()
    assert result.exit_code == code, result.output
    assert json.loads(Path("plan/report.json").read_text())["points"] == []


def test_behind_a_zero_that_was_not_confirmed_no_point_is_driven(monkeypatch: pytest.MonkeyPatch) -> None:
    ran, driven = _Drive.run, []

    def unproven(drive: _Drive, **more: Any) -> Any:
        driven.append(drive)
        return replace(ran(drive, **more), zero_confirmed_us=None)

    monkeypatch.setattr(_Drive, "run", unproven)
    found = plan()
    assert found.exit_code == codes.DEVICE, found.output
    assert "zero was not confirmed: PULL THE LEADS" in found.stderr
    assert "at zero" not in found.stderr
    assert len(driven) == 1
    assert json.loads(Path("plan/report.json").read_text())["points"] == []


STUCK = """
[[fault]]
kind = "device.stuck_on"
after = "RUNNING"
at_s = 0.9
value_ua = 500
"""


def test_that_zero_was_not_confirmed_is_told_also_where_no_report_can_be_written() -> None:
    Path("plan.toml").write_text('format = 1\ntitle = "A stop"\n[[steps]]\nkind = "stop"\ntimes = 2\n')
    Path("stuck.toml").write_text(STUCK)
    Path("plan/report.json").mkdir(parents=True)
    found = CliRunner().invoke(main, ["bench", "plan", "plan.toml", "--port", "sim://?scenario=stuck.toml"])
    assert found.exit_code == codes.DEVICE, found.output
    assert "report.json is no plain file" in found.stderr
    assert "Broken off, and zero was not confirmed: PULL THE LEADS" in found.stderr


def test_that_zero_was_not_confirmed_is_told_also_where_no_capture_can_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("plan.toml").write_text('format = 1\ntitle = "A stop"\n[[steps]]\nkind = "stop"\ntimes = 2\n')
    Path("stuck.toml").write_text(STUCK)
    monkeypatch.setattr(driving.PointDriver, "_read", lambda *_: (_ for _ in ()).throw(TimedOut("a silent scope")))
    found = CliRunner().invoke(main, ["bench", "plan", "plan.toml", "--port", "sim://?scenario=stuck.toml"])
    assert found.exit_code == codes.LINE, found.output
    assert "no zero output confirmed 100 ms after the stop; PULL THE LEADS" in found.stderr


def test_after_a_fault_of_the_device_it_is_to_be_examined_first(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = _Drive.run
    monkeypatch.setattr(_Drive, "run", lambda drive, **more: replace(ran(drive, **more), end=End.OVER_CURRENT))
    found = plan()
    assert "Examine the device first: it ended by a fault of its own. Then the same command goes on" in found.stderr
    assert len(json.loads(Path("plan/report.json").read_text())["points"]) == 1, "it is a result, and the last one"


def test_a_stop_between_two_points_finds_the_plan_and_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    judged, told = judging.judged, []

    def stopped_meanwhile(*arguments: Any, **more: Any) -> Any:
        told.append(stop_all(5.0))
        return judged(*arguments, **more)

    monkeypatch.setattr(runner, "judged", stopped_meanwhile)
    found = plan()
    assert [(len(reports), reports[0].outcome) for reports in told] == [(1, StopStatus.ZERO)], "and once"
    assert "drives no further point" in told[0][0].sentence()
    assert found.exit_code == codes.STOPPED, found.output
    assert "Stopped between two points, at zero" in found.stderr
    assert len(json.loads(Path("plan/report.json").read_text())["points"]) == 1
    monkeypatch.setattr(runner, "judged", judged)
    assert plan().exit_code == codes.DONE


def test_another_device_in_the_middle_of_a_plan_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = driving.who_answers
    monkeypatch.setattr(driving, "who_answers", lambda *given: replace(asked(*given), serial="SIM-2"))
    result = plan()
    assert result.exit_code == codes.DEVICE, result.output
    assert "whose serial is 'SIM-2'; at the port is 'SIM-00000001'" in result.output
    assert json.loads(Path("plan/report.json").read_text())["points"] == []


def test_a_reference_that_was_cut_short_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_off(path: Path, _waves: Any) -> None:
        path.write_bytes(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "save", broken_off)
    with pytest.raises(KeyboardInterrupt):
        runner._saved(tmp_path / "reference-1V-1.npz", {})
    assert not (tmp_path / "reference-1V-1.npz").exists()


def test_on_a_log_that_does_not_verify_nothing_is_driven(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ("--port", "sim://", "--ohm", "1000", "--amplitude", "0.5mA", "--seconds", "20")
    assert CliRunner().invoke(main, ["bench", "run", *run]).exit_code == codes.DONE
    ledger = Path("data/ledger.sqlite")
    tamper(ledger, "UPDATE entries SET body = replace(body, '500', '501') WHERE kind = 'opened'")
    before = ledger.read_bytes()
    ran, driven = _Drive.run, []

    def seen(drive: _Drive, **more: Any) -> Any:
        driven.append(drive)
        return ran(drive, **more)

    monkeypatch.setattr(_Drive, "run", seen)
    refused = plan()
    assert refused.exit_code == codes.LOG, refused.output
    assert "does not verify" in refused.output or "not what was hashed" in refused.output
    assert driven == []
    assert ledger.read_bytes() == before


def test_what_cannot_be_is_said_before_anything_moves() -> None:
    assert CliRunner().invoke(main, ["bench", "plan", "--example"]).output.startswith("# A plan for")
    listed = CliRunner().invoke(main, ["bench", "plan", "plan.toml", "--check"])
    assert "01-amplitude-02  amplitude: 0.60 mA" in listed.output
    for options, words in (
        (("--scope", "TCPIP::1::INSTR"), "brings an oscilloscope"),
        (("--tolerances", "plan.toml"), "plan.toml"),
    ):
        result = plan(*options)
        assert result.exit_code == codes.INVALID, result.output
        assert words in result.output
    real = CliRunner().invoke(main, ["bench", "plan", "plan.toml", "--port", "/dev/null"])
    assert "Missing option '--scope'" in real.output
    nobody = CliRunner().invoke(main, ["bench", "plan", "plan.toml", "--port", "/dev/null", "--scope", "X"])
    assert "name a --relay command" in nobody.output
    assert not Path("plan").exists()
