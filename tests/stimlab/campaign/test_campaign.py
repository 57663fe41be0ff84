"""Campaigns: the same from the same seed however they are spread, judged by every rule; what is planted is found."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from click.testing import CliRunner, Result

from firmware_sim.faults import Fault
from firmware_sim.native import gate
from stimctl.cli import main
from stimctl.cli.codes import INTERRUPTED, INVALID, SIGNAL_BASE, UNMET, USAGE
from stimctl.dose import CommandedDose
from stimctl.errors import Misuse
from stimctl.ledger import Ledger
from stimctl.profile.toml_text import parse
from stimctl.session.closing import Closing
from stimctl.session.engine import Engine
from stimlab.campaign import campaign, executors
from stimlab.campaign.campaign import by_kind, chunks, digest, play_chunk
from stimlab.campaign.random_scenario import KINDS, random_scenario
from stimlab.control_times import ControlTime
from stimlab.play import port
from stimlab.scenario.model import Scenario
from stimlab.scenario.reader import dump, load_scenario, prescribed, scenario_from, shipped

SEED = 5
S = 1_000_000


def run(*arguments: str) -> Result:
    """`stimctl soak`, in this process."""
    return CliRunner().invoke(main, ["soak", *arguments])


# --- chance ------------------------------------------------------------------------------------------


def test_the_same_numbers_give_the_same_scenario_and_others_another() -> None:
    assert random_scenario(1, 7) == random_scenario(1, 7)
    assert len({dump(random_scenario(seed, index)) for seed in (1, 2) for index in range(20)}) == 40


def test_sessions_last_two_minutes_on_average_and_one_in_twenty_over_twenty() -> None:
    seconds = [random_scenario(SEED, index).answers["seconds"] for index in range(2_000)]
    assert mean(seconds) == pytest.approx(120, rel=0.2)
    assert sum(each > 1_200 for each in seconds) / len(seconds) == pytest.approx(0.05, abs=0.015)


def test_every_scenario_is_legal_and_is_its_file() -> None:
    drawn = [random_scenario(SEED, index) for index in range(60)]
    drawn += [random_scenario(SEED, index, kind) for index, kind in enumerate(KINDS)]
    for scenario in drawn:
        assert prescribed(scenario).stimulation_us > 0
        assert scenario_from(parse(dump(scenario).encode(), "drawn").values) == scenario


def test_chance_reaches_every_kind_mode_action_and_number_of_channels() -> None:
    drawn = [random_scenario(SEED, index) for index in range(400)]
    assert {fault.kind for scenario in drawn for fault in scenario.faults} == set(KINDS)
    assert {len(scenario.answers["channels"]) for scenario in drawn} == {1, 2, 3}
    assert len({scenario.answers["profile"] for scenario in drawn}) == 4
    assert {action.do for scenario in drawn for action in scenario.actions} >= {"raise", "lower", "set", "hold", "stop"}


# --- the same however it is spread -------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_one() -> str:
    """The digest of twelve sessions, played one after the other here."""
    return digest(play_chunk(SEED, "line.loss", range(12)).results)


def work() -> executors.Work:
    return partial(play_chunk, SEED, "line.loss")


def together(done: Iterator[campaign.FinishedSession]) -> str:
    return digest(result for part in done for result in part.results)


def test_in_two_processes_the_results_are_the_same(in_one: str) -> None:
    assert together(executors.local(work(), [range(6, 12), range(6)], 2)) == in_one
    assert together(executors.here(work(), chunks(12))) == in_one


@pytest.mark.realtime
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_on_a_dask_cluster_of_two_processes_the_results_are_the_same(
    in_one: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import LocalCluster

    for library in ("OMP", "MKL", "OPENBLAS"):  # Dask sets these, for all tests after this one
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:  # type: ignore[no-untyped-call]
        address = str(cluster.scheduler_address)
        outcome = run("--sessions", "12", "--seed", str(SEED), "--fault", "line.loss", "--scheduler", address)
        assert outcome.exit_code == 0, outcome.output
        assert f"digest {in_one}" in outcome.output


def test_a_worker_with_other_code_is_refused() -> None:
    executors._check_workers({"tcp://one": executors.source_sha256()}, "tcp://s")
    with pytest.raises(Misuse, match=r"another version of stimctl is installed on tcp://two"):
        executors._check_workers({"tcp://one": executors.source_sha256(), "tcp://two": "0"}, "tcp://s")
    with pytest.raises(Misuse, match="no workers"):
        executors._check_workers({}, "tcp://s")


def test_without_dask_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    outcome = run("--sessions", "1", "--scheduler", "tcp://127.0.0.1:1")
    assert outcome.exit_code == INVALID
    assert "pip install 'stimctl[dask]'" in outcome.output


def test_a_folder_that_cannot_be_is_told_before_the_campaign(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = run("--sessions", "1", "--save", str(tmp_path / "file" / "below"))
    assert outcome.exit_code == INVALID
    assert outcome.output == f"Error: {tmp_path}/file/below cannot be written: Not a directory\n"


# --- what is planted is found ------------------------------------------------------------------------


def test_a_device_whose_watchdog_is_late_is_found_saved_and_fails_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--sessions", "6", "--seed", "3", "--jobs", "1", "--fault", "line.unplug")
    assert run(*arguments).exit_code == 0
    with monkeypatch.context() as planted:
        planted.setattr(gate, "WATCHDOG_US", 1_500_000)
        outcome = run(*arguments, "--save", str(tmp_path / "failures"), "--json")
        assert outcome.exit_code == UNMET
        (saved, *_) = sorted((tmp_path / "failures").glob("*.toml"))
        assert saved.stem == load_scenario(saved).name
        assert f"stimctl soak --again {saved}" in outcome.output
        again = run("--again", str(saved))
        assert again.exit_code == UNMET
        assert "watchdog" in again.output
    assert run("--again", str(saved)).exit_code == 0, "the device was mended"
    written = json.loads(outcome.stdout)
    assert written["sessions"] == len(written["results"]) == 6
    assert written["violations"] > 0
    assert {each["rule"] for result in written["results"] for each in result["violations"]} == {"watchdog"}


def test_a_driver_that_forgets_what_was_lowered_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CommandedDose, "target_set", lambda *_: None)
    outcome = run("--sessions", "8", "--seed", "1", "--jobs", "1", "--fault", "load.resistor")
    assert outcome.exit_code == UNMET
    assert "exact" in outcome.output


def test_a_ledger_whose_chain_is_broken_is_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    (result, *_) = play_chunk(SEED, None, [3]).results
    with Ledger(path) as ledger:
        ledger.append("one", "note", 1, {"text": "as it was"})
        assert campaign.with_chain(result, ledger) is result
    path.write_bytes(path.read_bytes().replace(b"as it was", b"as it is."))
    with Ledger(path) as ledger:
        (violation,) = campaign.with_chain(result, ledger).violations
    assert violation.rule == "ledger"


def test_a_session_that_breaks_the_lab_is_a_violation_and_ends_no_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_options: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(campaign, "play", broken)
    outcome = run("--sessions", "2", "--jobs", "1")
    assert outcome.exit_code == UNMET
    assert "BROKE 1" in outcome.output
    assert "nobody foresaw this" in outcome.output


def test_a_session_that_never_ends_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Closing, "watch_time", lambda *_: None)
    monkeypatch.setattr(Closing, "on_zero", lambda *_: None)
    result = campaign.judged(Scenario(name="endless", answers={"seconds": 1}))
    assert result.outcome == campaign.BROKE
    assert "ends" in {violation.rule for violation in result.violations}


def test_a_session_that_spins_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "_next_deadline_us", lambda *_: 0)
    monkeypatch.setattr(port, "MOST_WAITS", 2_000)
    result = campaign.judged(Scenario(name="spinning", answers={"seconds": 1}))
    assert result.outcome == campaign.BROKE


# --- the command -------------------------------------------------------------------------------------


def test_results_are_told_by_kind_of_fault() -> None:
    outcome = run("--sessions", "4", "--seed", "2", "--jobs", "1")
    assert outcome.exit_code == 0, outcome.output
    assert "CONTROL" in outcome.output
    assert max(len(line) for line in outcome.output.splitlines()) <= 100
    assert "4 sessions" in outcome.output
    assert "no violations" in outcome.output
    assert "\r" not in outcome.output, "no progress bar where there is no terminal"


def judged_to(name: str, **changes: Any) -> campaign.SessionResult:
    """A result that somebody made up."""
    return campaign.SessionResult(0, name, (), (), "TIMER", 0, 0, "", **changes)


def test_sessions_without_a_fault_are_told_by_their_load_and_a_controls_time_by_its_share() -> None:
    slow, quick = ControlTime("watchdog", 990_000, 1_001_900), ControlTime("over current", 20, 1_000)
    results = [
        judged_to("a", load="nominal"),
        judged_to("b", load="bridged", controls=(quick,)),
        replace(judged_to("c", controls=(quick, slow)), kinds=("line.unplug",), acted=("line.unplug",)),
        replace(judged_to("d", load="open", controls=(slow,)), kinds=("line.loss",)),
        replace(judged_to("e", controls=(slow,)), kinds=("line.loss", "load.open")),
    ]
    rows = {row.kind: row for row in by_kind(results)}
    assert list(rows) == ["(none), bridged", "(none), nominal", "line.loss", "line.unplug", "load.open"]
    assert (rows["(none), bridged"].slowest, rows["(none), nominal"].slowest) == (quick, None)
    assert rows["line.unplug"].slowest == slow
    assert rows["line.loss"].slowest is None, "its load, or another fault, may have been what was controlled"
    assert rows["line.loss"].sessions == 2


@pytest.mark.parametrize(
    ("fault", "control", "least_us", "most_us"),
    [
        (Fault("load.open", at_us=S, after="RUNNING"), "contact", 20_400, 21_900),
        (Fault("device.dac_stuck", at_us=S, after="RUNNING", channel=1), "over current", 20, 20),
        (Fault("line.one_way", at_us=S, after="RUNNING", options={"direction": "to_device"}), "watchdog", S - 10_000,
         S + 1_900),
    ],
)  # fmt: skip
def test_a_controls_time_is_from_what_it_answers_and_within_its_limit(
    fault: Fault, control: str, least_us: int, most_us: int
) -> None:
    result = campaign.judged(Scenario(name="one", answers={"seconds": 20}, faults=(fault,)))
    [found] = result.controls
    assert found.control == control
    assert least_us <= found.took_us <= most_us
    assert found.took_us <= found.limit_us
    assert not result.violations


def test_of_firmware_that_stands_still_with_a_current_on_the_hosts_alarm_is_timed() -> None:
    [found] = campaign.judged(shipped()["device-frozen"]).controls
    assert (found.control, found.limit_us) == ("host's alarm", 800_000)
    assert 300_000 < found.took_us <= 600_000


def test_a_fault_that_may_lawfully_go_on_has_no_time() -> None:
    """A clip that is off for 5 ms, and a session that goes on to its end."""
    fault = Fault("load.open", at_us=S, for_us=5_000, after="RUNNING")
    result = campaign.judged(Scenario(name="one", answers={"seconds": 20}, faults=(fault,)))
    assert (result.acted, result.outcome, result.controls) == (("load.open",), "TIMER", ())


def test_what_makes_no_sense_is_said() -> None:
    assert run("--jobs", "2", "--scheduler", "tcp://x:1").exit_code == USAGE
    outcome = run("--fault", "line.lost")
    assert outcome.exit_code == INVALID
    assert "line.loss" in outcome.output


def test_ctrl_c_tells_what_came_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(work: executors.Work, parts: list[range]) -> Iterator[campaign.FinishedSession]:
        yield work(parts[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(executors, "here", interrupted)
    outcome = run("--sessions", "20", "--jobs", "1", "--fault", "host.clock_jump")
    assert outcome.exit_code == INTERRUPTED
    assert "Interrupted after 10 of 20 sessions." in outcome.output


@pytest.mark.realtime
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_processes(number: signal.Signals) -> None:
    process = at_work()
    if number == signal.SIGHUP:  # multiprocessing's own helpers end by it with a traceback, on a terminal that is gone
        process.send_signal(number)
    else:
        os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == SIGNAL_BASE + number, output
    assert "Interrupted after" in output
    assert "Traceback" not in output
    await_none(process.pid)


@pytest.mark.realtime
@pytest.mark.slow
def test_the_workers_of_a_campaign_that_was_killed_end_too() -> None:
    with at_work() as process:
        process.kill()
    await_none(process.pid)


def at_work() -> subprocess.Popen[str]:
    """A campaign with two workers, all of them there."""
    command = [sys.executable, "-c", "from stimctl.cli import main; main()", "soak", "--sessions", "100000", "--jobs"]
    process = subprocess.Popen(
        [*command, "2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0, text=True
    )
    until_s = time.monotonic() + 30
    while len(group(process.pid)) < 4 and time.monotonic() < until_s:
        pause()
    assert len(group(process.pid)) >= 4, "all its processes are there before they are ended"
    return process


def await_none(leader: int) -> None:
    until_s = time.monotonic() + 30
    while group(leader) and time.monotonic() < until_s:
        pause()
    assert group(leader) == []


def group(leader: int) -> list[int]:
    """The processes of a group that live, as Linux lists them: `PID (NAME) STATE PARENT GROUP`."""
    rows = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            rows.append((int(stat.parent.name), stat.read_text("utf-8", "replace").rpartition(")")[2].split()))
    return [pid for pid, (state, _parent, of, *_) in rows if int(of) == leader and state != "Z"]


def pause() -> None:
    time.sleep(0.05)
