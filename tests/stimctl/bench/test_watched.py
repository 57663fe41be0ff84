"""A session watched through its log: what it logs is shown, and what it does not measure stays empty."""

import time
from dataclasses import replace
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from xml.etree import ElementTree as Xml

import pytest
from click.testing import CliRunner

from stimctl.api import Session
from stimctl.bench.dummy_load import LoadRun, prescription_for
from stimctl.bench.watched import WatchedSession, running_at, watch_page
from stimctl.cli import codes, main
from stimctl.errors import Misuse
from stimctl.ledger import Ledger
from stimctl.prescription import Subject
from stimctl.session.states import End
from stimctl.units import US_PER_S
from stimctl.waveform import Mode
from tests.stimctl.stimulators.test_killed_host import STIMCTL

RUN = LoadRun(ohm=1_000, amplitude_ua=800, mode=Mode.DENSE_DISPERSE, stimulation_us=31_000_000)


def test_what_was_logged_is_shown(tmp_path: Path) -> None:
    url = "sim://?load=r1k"
    with Ledger(tmp_path / "log.sqlite") as ledger, Ledger(tmp_path / "log.sqlite", read_only=True) as reader:
        with pytest.raises(Misuse, match="no session runs"):
            running_at(reader, url)
        with Session(url, prescription_for(RUN, Subject.SIMULATOR), ledger) as session:
            session.run()
        opened = next(reader.entries(session.session_id))
        watched = WatchedSession(session.session_id, opened.body, opened.at_us)
        assert watched.take(reader.entries(watched.session_id)) == 3
        assert watched.take(reader.entries(watched.session_id)) == 0
    assert watched.ended == End.TIMER
    assert [round(sample.t_s) for sample in watched.samples] == [10, 20, 30]
    assert watched.samples[0].applied_ua == 800
    assert all(sample.ohm is not None and abs(sample.ohm - 1_000) < 50 for sample in watched.samples)
    first = watched.pulses[0]
    assert first.corners[1:4] == ((0, 1), (600, 1), (600, 0))
    area = sum((b[0] - a[0]) * a[1] for a, b in zip(first.corners, first.corners[1:], strict=False))
    assert area == pytest.approx(0)
    page = watch_page(watched, "2026-01-01", "stimctl")
    assert "SIMULATED" in page
    for part in page.split("<svg")[1:]:
        Xml.fromstring("<svg" + part.split("</svg>")[0] + "</svg>")


def test_what_was_not_measured_is_empty() -> None:
    from types import SimpleNamespace

    reading = {"applied_ua": 800, "measured_ua": 0, "ohm": 0}
    watched = WatchedSession("x", {}, began_us=5_130_000_000)
    entry = SimpleNamespace(number=1, kind="sample", at_us=5_140_500_000, body={"channels": {"1": reading}})
    watched.take([entry])  # type: ignore[list-item]
    assert watched.samples[0].measured_ua is None
    assert watched.samples[0].t_s == 10.5


@pytest.mark.realtime
def test_the_command_ends_with_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path))
    page = tmp_path / "w.html"
    url = "sim://?load=r1k&pace=60"
    with Ledger() as ledger, Session(url, prescription_for(RUN, Subject.SIMULATOR), ledger) as session:
        session.start()
        while not [entry for entry in ledger.entries() if entry.kind == "opened"]:
            session.wait(0.01)
        with pytest.raises(Misuse, match=r"sessions run at sim://\?load=r1k"):
            running_at(ledger, "sim://")
        result = CliRunner().invoke(main, ["bench", "watch", "--port", url, "--html", str(page)])
        session.wait(5)
    assert result.exit_code == codes.DONE, result.output
    assert "channel 1: 0.80 mA applied" in result.output
    assert "it ended: timer" in result.output
    assert page.exists()
    again = CliRunner().invoke(main, ["bench", "watch", "--port", url, "--html", str(page)])
    assert again.exit_code == codes.INVALID


@pytest.mark.realtime
def test_a_program_that_was_killed_has_not_gone_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path))
    url = "sim://?load=r1k&pace=1"
    run = [*STIMCTL, "bench", "run", "--port", url, "--ohm", "1000", "--amplitude", "1mA", "--seconds", "600"]
    with Popen(run, stdin=DEVNULL, stdout=DEVNULL) as running:
        while not (tmp_path / "ledger.sqlite").exists() or not _runs():
            time.sleep(0.1)
        with Popen([*STIMCTL, "bench", "watch", "--port", url], stdout=PIPE, text=True) as watching:
            assert watching.stdout is not None
            assert "SIMULATOR" in watching.stdout.readline()
            running.kill()
            told = watching.stdout.read()
    assert "the program that ran it is gone and wrote no end" in told
    assert "goes on" not in told


def _runs() -> bool:
    with Ledger(read_only=True) as ledger:
        return any(ledger.is_running(entry.session_id) for entry in ledger.entries() if entry.kind == "opened")


@pytest.mark.realtime
def test_at_a_terminal_the_current_is_plotted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("plotext", reason="plotext is not installed")
    terminal = pytest.importorskip("tests.stimctl.cli.terminal", reason="a terminal of one's own is a POSIX thing")
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path))
    url = "sim://?load=r1k&pace=8"
    # It goes on until the plot was seen: a command that is slow to start finds it running.
    long = replace(RUN, stimulation_us=20 * 60 * US_PER_S)
    with Ledger() as ledger, Session(url, prescription_for(long, Subject.SIMULATOR), ledger) as session:
        session.start()
        while not [entry for entry in ledger.entries() if entry.kind == "opened"]:
            session.wait(0.01)
        with terminal.Terminal("bench", "watch", "--port", url) as shown:
            shown.wait_for("line: applied, dots: measured")
            session.stop()
            shown.wait_for(f"it ended: {End.OPERATOR}")
            assert shown.ended() == codes.DONE
