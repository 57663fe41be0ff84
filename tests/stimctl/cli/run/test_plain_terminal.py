"""Terminals that are not drawn on, wheels and pastes, and what a shell does to a session: nohup, Ctrl-Z, a hangup."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stimctl.cli import codes
from stimctl.cli.run.operator import LET_GO_S
from stimctl.ledger import Ledger
from stimctl.profile import examples_folder
from tests.stimctl.cli.terminal import PATIENCE_S, STIMCTL, Terminal, own_terminal

pytestmark = pytest.mark.realtime

SESSION = ("run", "low-back-pain", "--prescription", str(examples_folder() / "low-back-pain.toml"), "--port")
RUN = (*SESSION, "sim://?pace=real")
CANNOT_BE_DRAWN_ON = [
    *({"TERM": name} for name in ("dumb", "unknown", "", "vt52", "network")),
    {"TTY_INTERACTIVE": "0"},
]


def why_in_log(home: Path) -> str | None:
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        (session_id,) = ledger.session_ids()
        return ledger.summary(session_id).end_text


@pytest.mark.parametrize("environment", CANNOT_BE_DRAWN_ON, ids=str)
def test_a_terminal_that_cannot_be_drawn_on_has_plain_lines_with_gates_keys_and_progress(
    environment: dict[str, str],
) -> None:
    with Terminal(*RUN, environment=environment) as terminal:
        terminal.wait_for(r"SIMULATOR: ")
        terminal.wait_for(r">>> Outputs read zero: connect the leads, then press Enter")
        terminal.wait_for(r"STOP: s, space, q or Esc; \+ raise")
        terminal.press("\r")
        terminal.wait_for(r">>> Contacts are good: press Enter to start the ramp")
        terminal.watch(LET_GO_S)
        terminal.press("\r")
        terminal.wait_for(r"channel 1 \(keys\): .* of 1\.50 mA")
        terminal.press("-")
        terminal.wait_for(r"channel 1 \(keys\): .* of 1\.40 mA")
        terminal.press("h")
        terminal.wait_for(r">>> On hold, all outputs at zero")
        terminal.press("-")
        terminal.wait_for(r"of 1\.30 mA")
        terminal.press("s")
        terminal.wait_for(r"ended +stopped by the operator")
        assert terminal.ended() == codes.STOPPED
        assert "\x1b" not in terminal.shown


@pytest.mark.parametrize(("columns", "lines"), [(1, 1), (39, 40), (100, 9)])
def test_a_terminal_too_small_for_its_first_line_has_plain_lines(columns: int, lines: int) -> None:
    with Terminal(*RUN, columns=columns, lines=lines) as terminal:
        terminal.wait_for(r"STOP: s, space, q or Esc")
        terminal.press("s")
        assert terminal.ended() == codes.STOPPED
        assert "\x1b[?1049h" not in terminal.shown


def test_a_run_on_a_load_has_its_keys_and_progress_on_plain_lines_too() -> None:
    run = ("bench", "run", "--port", "sim://?pace=real", "--ohm", "1000")
    with Terminal(*run, environment={"TERM": "dumb"}) as terminal:
        terminal.wait_for(r"STOP: s, space, q or Esc; \+ raise")
        terminal.wait_for(r"0:00  left .*channel 1 \(keys\)")
        terminal.wait_for(r"0:05  left .*channel 1 \(keys\)")
        terminal.press("s")
        assert terminal.ended() == codes.STOPPED


def test_alarms_are_lines_too(tmp_path: Path) -> None:
    from tests.stimctl.cli.run.test_terminal import device

    link = tmp_path / "stimulator"
    with device(link) as process, Terminal(*SESSION, str(link), environment={"TERM": "dumb"}) as terminal:
        terminal.wait_for(r">>> Outputs read zero")
        terminal.press("\r")
        terminal.wait_for(r">>> Contacts are good")
        terminal.watch(LET_GO_S)
        terminal.press("\r")
        terminal.wait_for(r"channel 1 \(keys\)")
        process.kill()
        terminal.wait_for(r"HIGH ALARM: .*PULL THE LEADS|HIGH ALARM: .*pull the leads")
        assert terminal.ended() == codes.LINE


WHEEL_UP = {
    "arrows": "\x1b[A" * 3,
    "application arrows": "\x1bOA" * 3,
    "reports": "\x1b[<64;10;10M" * 3,
    "old reports": "\x1b[M`++" * 3,  # at the eleventh column of the eleventh line
    "a paste": "2\r+r=+\r",
}


@pytest.mark.parametrize("turned", WHEEL_UP.values(), ids=WHEEL_UP)
def test_neither_a_wheel_nor_a_paste_raises_or_starts_anything(turned: str, home: Path) -> None:
    with Terminal(*RUN) as terminal:
        terminal.wait_for(r"connect the leads")
        assert terminal.shown.index("\x1b[?1007l") < terminal.shown.index("connect the leads")
        terminal.press(turned)
        terminal.watch(0.5)
        terminal.press("\r")
        terminal.wait_for(r"Contacts are good")
        terminal.watch(LET_GO_S)
        terminal.press("\r")
        terminal.wait_for(r"0\.[1-9]\d mA")
        terminal.press(turned)
        terminal.watch(0.6)
        terminal.press("q")
        assert terminal.ended() == codes.STOPPED
        assert terminal.shown.rindex("\x1b[?1007r") < terminal.shown.rindex("ended")
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        (session_id,) = ledger.session_ids()
        assert not [entry for entry in ledger.entries(session_id) if entry.kind == "target"]


# --- without a terminal -------------------------------------------------------------------------------


@contextlib.contextmanager
def begun(*, ignoring: str = "", into: Path | None = None) -> "Iterator[subprocess.Popen[str]]":
    """A session that has begun, its progress on standard error, its document in the file `into`."""
    ignore = f"import signal; signal.signal(signal.{ignoring}, signal.SIG_IGN); " if ignoring else ""
    program = [sys.executable, "-c", f"{ignore}from stimctl.cli import main; main()", *RUN, "--json"]
    with tempfile.TemporaryFile() as nothing, into.open("w") if into else nothing as out:
        process = subprocess.Popen(
            program, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert process.stderr is not None
        try:
            while "ramping" not in (line := process.stderr.readline()):
                assert line
            yield process
        finally:
            process.kill()
            process.wait()
            process.stderr.close()


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("SIGHUP", codes.HUNG_UP, "the terminal was closed"),
        ("SIGTERM", codes.TERMINATED, "SIGTERM"),
        ("SIGINT", codes.INTERRUPTED, "Ctrl-C (SIGINT)"),
        ("SIGTSTP", codes.SUSPENDED, "Ctrl-Z (SIGTSTP)"),
        ("SIGQUIT", codes.QUIT, "Ctrl-\\ (SIGQUIT)"),
    ],
)
def test_each_signal_stops_and_the_document_is_whole(
    name: str, code: int, why: str, tmp_path: Path, home: Path
) -> None:
    out = tmp_path / "out.json"
    with begun(into=out) as process:
        process.send_signal(getattr(signal, name))
        assert process.wait(PATIENCE_S) == code
    session = json.loads(out.read_text())["session"]
    assert session["zero_confirmed_us"] is not None
    assert all(channel["delivered"] for channel in session["channels"])
    assert why_in_log(home) == why


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_that_is_ignored_stays_ignored(name: str) -> None:
    """So `nohup` asks for it, and a shell for what it runs in the background."""
    with begun(ignoring=name) as process:
        process.send_signal(getattr(signal, name))
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == codes.TERMINATED


def test_ctrl_z_at_a_terminal_whose_output_goes_through_a_pipe(home: Path) -> None:
    """The terminal sends the signal to both programs; the session ends before it would be suspended."""
    line = " ".join(f"'{word}'" for word in (*STIMCTL, *RUN))
    master, slave = os.openpty()
    process = subprocess.Popen(
        ["bash", "-c", f"set -o pipefail; {line} --unattended | cat"],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        preexec_fn=own_terminal,  # noqa: PLW1509 - no other thread runs here
    )  # fmt: skip
    os.close(slave)
    seen = b""
    while b"ramping" not in seen:
        seen += os.read(master, 4096)
    os.write(master, b"\x1a")
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
            if ledger.sessions()[0].end_reason is not None:
                break
        time.sleep(0.05)
    assert why_in_log(home) == "Ctrl-Z (SIGTSTP)"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    os.close(master)
