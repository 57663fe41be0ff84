"""`stimctl run` on a real terminal, with keys, signals, a closed window, and a line that is pulled."""

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stimctl.cli import codes
from stimctl.cli.run.operator import LET_GO_S
from stimctl.ledger import Ledger
from stimctl.profile import examples_folder
from tests.stimctl.cli.terminal import PATIENCE_S, STIMCTL, Terminal

pytestmark = pytest.mark.realtime

BENCH = str(examples_folder() / "bench-2-100hz.toml")
BACK = str(examples_folder() / "low-back-pain.toml")
SIM = "sim://?pace=real"


@contextlib.contextmanager
def device(link: Path) -> Iterator["subprocess.Popen[str]"]:
    """The simulated stimulator as a process of its own, behind a pty."""
    process = subprocess.Popen([*STIMCTL, "sim", "--pty", "--link", str(link)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == str(link)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def running(terminal: Terminal) -> None:
    """Take a session through both gates into its ramp."""
    terminal.wait_for(r"connect the leads, then press Enter")
    terminal.press("\r")
    terminal.wait_for(r"press Enter to start the ramp")
    terminal.watch(LET_GO_S)
    terminal.press("\r")
    terminal.wait_for(r"\nramping")
    terminal.wait_for(r"0\.[1-9]\d mA")


def end_in_log(home: Path) -> str | None:
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        assert ledger.verify().ok
        (head,) = ledger.sessions()
    assert head.state == "closed"
    return head.end_reason


def why_in_log(home: Path) -> str | None:
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        (session_id,) = ledger.session_ids()
        return ledger.summary(session_id).end_text


def test_a_session_by_keys(home: Path, tmp_path: Path) -> None:
    link = tmp_path / "stimulator"
    with device(link), Terminal("run", "low-back-pain", "--port", str(link), "--prescription", BACK) as terminal:
        terminal.wait_for(r"SIMULATOR .*Chronic low back pain \(low-back-pain 1\.1\.0\) .*STOP: s, space, q or Esc")
        running(terminal)
        terminal.wait_for(r"0\.[5-9]\d mA")  # longer than a front end may be silent
        for _ in range(30):  # a key held down: one step
            terminal.press("+")
            terminal.watch(0.05)
        terminal.wait_for(r"a key held down counts once")
        terminal.watch(LET_GO_S)
        assert "1.60 mA" in terminal.text
        assert "1.70 mA" not in terminal.text
        terminal.press("+")
        terminal.wait_for(r"1\.70 mA")
        terminal.press("x2")
        terminal.wait_for(r"channel 2 is not in the prescription")
        terminal.press("h")
        terminal.wait_for(r"On hold, all outputs at zero")
        terminal.wait_for(r"\nheld .*\n.*hold ends in 9:5\d")
        terminal.press("r")
        terminal.wait_for(r"press Enter to ramp up again, from zero")
        terminal.press("r")
        terminal.wait_for(r"a key held down counts once")
        terminal.watch(LET_GO_S)
        terminal.press("r")
        terminal.wait_for(r"\nramping")
        terminal.press("s")
        terminal.wait_for(r"ended +stopped by the operator")
        terminal.wait_for(r"measured and confirmed \d+ ms after the stop")
        terminal.wait_for(r"exactly what was commanded: yes")
        assert terminal.ended() == codes.STOPPED
    assert end_in_log(home) == "stopped by the operator"


def test_the_terminal_is_given_back_as_it_was() -> None:
    with Terminal("run", "bench-2-100hz", "--port", SIM, "--prescription", BENCH) as terminal:
        terminal.wait_for(r"connect the leads")
        assert terminal.mode() != terminal.mode_before
        terminal.press("q")
        terminal.wait_for("to see it")
        terminal.process.wait(PATIENCE_S)
        assert terminal.mode() == terminal.mode_before


@pytest.mark.parametrize("key", [" ", "\x1b", "\x1a", "\x1c"])
def test_every_stop_key_stops(key: str, home: Path) -> None:
    with Terminal("run", "bench-2-100hz", "--port", SIM, "--prescription", BENCH) as terminal:
        terminal.wait_for(r"connect the leads")
        terminal.press(key)
        assert terminal.ended() == codes.STOPPED
    assert end_in_log(home) == "stopped by the operator"


def test_ctrl_c_in_the_ramp(home: Path) -> None:
    with Terminal("run", "bench-2-100hz", "--port", SIM, "--prescription", BENCH) as terminal:
        running(terminal)
        terminal.press("\x03")
        terminal.wait_for(r"ended +stopped by a signal: Ctrl-C")
        assert terminal.ended() == 130
        assert "Traceback" not in terminal.text
    assert end_in_log(home) == "stopped by a signal"


def test_sigterm_in_the_ramp(home: Path) -> None:
    with Terminal("run", "bench-2-100hz", "--port", SIM, "--prescription", BENCH) as terminal:
        running(terminal)
        terminal.signal(signal.SIGTERM)
        terminal.wait_for(r"ended +stopped by a signal: SIGTERM")
        terminal.wait_for(r"measured and confirmed")
        assert terminal.ended() == 143
    assert end_in_log(home) == "stopped by a signal"
    assert why_in_log(home) == "SIGTERM"


def test_a_closed_terminal_in_the_ramp(home: Path) -> None:
    with Terminal("run", "bench-2-100hz", "--port", SIM, "--prescription", BENCH) as terminal:
        running(terminal)
        terminal.hang_up()
        assert terminal.ended() == codes.HUNG_UP
    assert end_in_log(home) == "stopped by a signal"
    assert why_in_log(home) == "the terminal was closed"


def test_a_pipe_that_nobody_reads_any_more(home: Path) -> None:
    arguments = (*STIMCTL, "run", "bench-2-100hz", "--port", SIM, "--prescription", BENCH)
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(PATIENCE_S) == codes.HUNG_UP
    assert end_in_log(home) == "stopped by a signal"


def test_stop_from_another_terminal(home: Path) -> None:
    with Terminal("run", "bench-2-100hz", "--port", SIM, "--prescription", BENCH) as terminal:
        running(terminal)
        done = subprocess.run([*STIMCTL, "stop", "--json"], capture_output=True, text=True, check=True)
        (outcome,) = json.loads(done.stdout)
        assert outcome["outcome"] == "zero confirmed"
        assert outcome["about"]["profile"] == "bench-2-100hz"
        terminal.wait_for(r"ended +stopped from another terminal")
        assert terminal.ended() == codes.STOPPED
    assert end_in_log(home) == "stopped from another terminal"


def test_unattended_runs_to_its_timer_without_a_key(home: Path) -> None:
    arguments = ("bench-2-100hz", "--port", "sim://?pace=60", "--prescription", BENCH, "--unattended")
    with Terminal("run", *arguments) as terminal:
        terminal.wait_for(r"\nrunning")
        terminal.wait_for(r"ended +timer")
        assert terminal.ended() == codes.DONE
    assert end_in_log(home) == "timer"


def test_a_line_that_is_pulled(home: Path, tmp_path: Path) -> None:
    link = tmp_path / "stimulator"
    arguments = ("run", "bench-2-100hz", "--port", str(link), "--prescription", BENCH)
    with device(link) as process, Terminal(*arguments) as terminal:
        running(terminal)
        process.kill()
        terminal.wait_for(r"ended +line lost: .*check the cable")
        terminal.wait_for(r"NOT CONFIRMED: pull the leads")
        assert terminal.ended() == codes.LINE
        assert "Traceback" not in terminal.text
    assert end_in_log(home) == "line lost"


def test_a_terminal_that_takes_nothing_any_more_is_no_operator(home: Path, tmp_path: Path) -> None:
    link = tmp_path / "stimulator"
    arguments = ("run", "bench-2-100hz", "--port", str(link), "--prescription", BENCH)
    with device(link), Terminal(*arguments) as terminal:
        running(terminal)
        # Nothing is read from the terminal here, so that the screen's writes soon wait.
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
                if ledger.sessions()[0].end_reason is not None:
                    break
        assert terminal.ended() == codes.ENDED_EARLY
    assert end_in_log(home) == "front end silent"


def test_a_killed_session_is_closed_and_its_dose_fetched_at_the_next_start(home: Path, tmp_path: Path) -> None:
    link = tmp_path / "stimulator"
    arguments = ("run", "bench-2-100hz", "--port", str(link), "--prescription", BENCH)
    with device(link):
        with Terminal(*arguments) as terminal:
            running(terminal)
            terminal.signal(signal.SIGKILL)
            terminal.process.wait(PATIENCE_S)
        with Terminal(*arguments) as terminal:
            terminal.wait_for(r"Session \S+ had been cut short; the log says so now")
            terminal.wait_for(r"dose of an earlier session")
            terminal.press("q")
            assert terminal.ended() == codes.STOPPED
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        first, _second = ledger.session_ids()
        assert ledger.summary(first).head.end_reason == "interrupted"
        assert any(entry.kind == "recovered" for entry in ledger.entries(first))


def person(folder: Path) -> str:
    file = folder / "person.toml"
    file.write_text(Path(BACK).read_text().replace('subject = "simulator"', 'subject = "person"'))
    return str(file)


def test_a_hard_stop_of_the_screening_has_no_override(home: Path, tmp_path: Path) -> None:
    arguments = ("run", "low-back-pain", "--rehearse", "--prescription", person(tmp_path))
    with Terminal(*arguments) as terminal:
        terminal.wait_for(r"Is all of this so.*: ")
        terminal.press("y\n")
        number = terminal.wait_for(r"\d+  Does the person have a pacemaker").split()[0]
        terminal.wait_for(r"Is any of this so.*: ")
        for slip in ("\n", "n\n", "no\n"):  # only the whole word says that nothing of it is so
            terminal.press(slip)
            terminal.wait_for(r"there is no default")
        terminal.press(f"{number}\n")
        terminal.wait_for(r"This forbids the session: Does the person have a pacemaker")
        terminal.wait_for(r"Was it meant so.*: ")
        terminal.press("n\n")  # a slip of the key is asked again, from nothing
        terminal.wait_for(r"Is any of this so\? \(none, or the numbers of those that are\): ")
        terminal.press(f"{number}\n")
        terminal.wait_for(r"Was it meant so.*: ")
        terminal.press("y\n")
        terminal.wait_for(r"screening.implant is 'yes': must be answered no; a yes is a hard stop")
        assert terminal.ended() == codes.UNSAFE
    assert not home.exists()


@pytest.mark.parametrize("asked", [False, True])
def test_a_person_on_a_simulation_is_refused_before_the_screening(asked: bool, home: Path, tmp_path: Path) -> None:
    arguments = () if asked else ("--prescription", person(tmp_path))
    with Terminal("run", "low-back-pain", "--port", SIM, *arguments) as terminal:
        if asked:
            terminal.wait_for("Subject.*: ")
            terminal.press("person\n")
        terminal.wait_for("is a simulation: no person can be connected to it")
        assert terminal.ended() == codes.DEVICE
        assert "of this so" not in terminal.text
    assert not home.exists()


def test_a_person_is_never_put_on_a_simulator_whatever_its_port_is_called(home: Path, tmp_path: Path) -> None:
    link = tmp_path / "stimulator"
    arguments = ("run", "low-back-pain", "--port", str(link), "--prescription", person(tmp_path))
    with device(link), Terminal(*arguments) as terminal:
        terminal.wait_for(r"subject is person, but stimctl simulator says that it is a SIMULATOR")
        assert terminal.ended() == codes.DEVICE
        assert "of this so" not in terminal.text
    assert not home.exists()
