"""`stimctl scenario`: listed, shown, checked, run; and its exit codes."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stimctl.cli import codes, main
from stimlab.scenario.reader import FOLDER
from tests.stimctl.cli.terminal import STIMCTL


def scenario(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["scenario", *map(str, arguments)], env={"COLUMNS": "160"})


def test_it_is_found_and_says_what_it_does() -> None:
    shown = CliRunner().invoke(main, ["--help"])
    assert "Play sessions in which something goes wrong, on the simulator." in shown.output
    assert "stimctl scenario run --all" in scenario("--help").output
    assert f"{codes.UNMET}  {codes.MEANINGS[codes.UNMET]}"[:40] in scenario("run", "--help").output


def test_list() -> None:
    lines = scenario("list").output.splitlines()
    assert lines[0].split() == ["NAME", "HAZARDS", "WHAT", "HAPPENS"]
    assert len(lines) == 1 + len(list(FOLDER.glob("*.toml")))
    assert any(line.split()[:2] == ["line-loss-mild", "H05"] for line in lines)


def test_show_is_the_file() -> None:
    assert scenario("show", "line-loss-mild").output == (FOLDER / "line-loss-mild.toml").read_text("utf-8")


def test_check(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('name = "fine"\n')
    bad.write_text('name = "wrong"\nsed = 3\n[[fault]]\nkind = "line.lost"\n')
    told = scenario("check", good)
    assert (told.exit_code, told.output) == (codes.DONE, f"{good}: good (fine)\n")
    told = scenario("check", good, bad)
    assert told.exit_code == codes.INVALID
    assert f"{good}: good (fine)" in told.output
    assert f"{bad}:\n  line 2: sed is 3: is not a field here; did you mean seed?" in told.output


def test_run() -> None:
    told = scenario("run", "load-short", "refused-ceiling")
    assert told.exit_code == codes.DONE
    assert "load-short" in told.output
    assert "SHORT: short circuit" in told.output
    assert "fault to zero" in told.output
    assert "(limit 31)" in told.output
    assert told.output.count("as expected") == 3
    assert "2 played, 0 not as expected" in told.output


def test_run_of_a_file_whose_expectation_is_not_met(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\n[[fault]]\nkind = "line.loss"\nat_s = 999\n[expect]\nends = ["CLOCK"]\n')
    told = scenario("run", file)
    assert told.exit_code == codes.UNMET
    assert "mine: ended with TIMER (timer), not with CLOCK" in told.stderr
    assert "mine: fault 1 (line.loss) never did anything" in told.stderr
    assert "not as expected" in told.output


def test_another_seed_is_another_session() -> None:
    told = [scenario("run", "stop-on-a-lossy-line", "--seed", seed).output for seed in (1, 1, 3)]
    assert told[0] == told[1] != told[2]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run"], codes.USAGE, "name scenarios or files, or say --all"),
        (["run", "--all", "load-short"], codes.USAGE, "name scenarios or files, or say --all"),
        (["run", "lod-short"], codes.INVALID, "no scenario and no file 'lod-short'; did you mean load-short"),
        (["show", "xyzzy"], codes.INVALID, "`stimctl scenario list` shows them"),
        (["run", "host-killed", "--over", "sim"], codes.INVALID, "needs a process: play it over pty or tcp"),
        (["run", "load-short", "--seed", "-1"], codes.USAGE, "--seed"),
        (["run", "device-watchdog-dead", "--device", "firmware"], codes.INVALID, "in an image of its own only"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], code: int, said: str) -> None:
    told = scenario(*arguments)
    assert told.exit_code == code
    assert said in told.output


def _drives(process_id: str) -> bool:
    """Whether it has opened the pseudo-terminal. Threads of its own a host may have none: numpy's are a setting."""
    with suppress(OSError):  # it has ended meanwhile, or a file of it was closed
        return any(str(each.readlink()).startswith("/dev/pts/") for each in Path(f"/proc/{process_id}/fd").iterdir())
    return False


@pytest.mark.realtime
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads which processes there are from /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_none_of_its_processes_behind(number: signal.Signals) -> None:
    words = ("scenario", "run", "host-killed", "--over", "pty")
    pipe = subprocess.PIPE  # no terminal that it could have from here
    with subprocess.Popen([*STIMCTL, *words], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not any(_drives(each) for each in children.read_text().split()[1:]):  # the host
            assert process.poll() is None
            time.sleep(0.01)  # not at the cost of those who are waited for
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == codes.SIGNAL_BASE + number
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
