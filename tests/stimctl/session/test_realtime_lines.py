"""The same session over a pseudo-terminal and over TCP, in real time: nothing above the port is another code."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from firmware_sim.analog.record_file import integrate
from stimctl import limits
from stimctl.api import Session, run
from stimctl.ledger import Ledger
from stimctl.session.states import End, State
from stimctl.session.view import SessionReport
from tests.stimctl.session.processes import simulator
from tests.stimctl.session.world import Tape, exact, prescription

pytestmark = pytest.mark.realtime
LINES = {"pty": ("--pty",), "tcp": ("--tcp", "0")}
SECONDS = 3


def run_on(url: str, folder: Path, tape: Tape | None = None, seconds: float = SECONDS) -> SessionReport:
    with Ledger(folder / "ledger.sqlite") as ledger:
        return run(url, prescription(seconds=seconds), ledger, traffic=tape)


@pytest.fixture
def virtual(tmp_path: Path) -> SessionReport:
    """The same session in virtual time, to compare with."""
    return run_on("sim://?seed=1", tmp_path / "virtual")


@pytest.mark.parametrize("line", LINES)
def test_a_session_in_real_time_is_the_one_in_virtual_time(line: str, virtual: SessionReport, tmp_path: Path) -> None:
    with simulator(tmp_path / "device", *LINES[line]) as device:
        report = run_on(device.url, tmp_path)
        ended = device.waits_for(state="ENDED")
        device.end()
    assert report.end is End.TIMER
    assert ended["reason"] == "TIMER"
    assert exact(report)
    assert report.agreement == virtual.agreement
    assert report.planned == virtual.planned
    assert report.delivered == virtual.delivered
    assert report.band_us == virtual.band_us
    assert report.zero_confirmed_us is not None
    assert report.zero_confirmed_us <= limits.STOP_CONFIRM_US
    assert report.delivered is not None
    found = integrate(tmp_path / "device" / "record")
    assert found.pulses == sum(report.delivered["1"]["pulses"]) + 10, "and those of the impedance check"


def test_the_host_says_the_same_words_on_every_line(tmp_path: Path) -> None:
    """Numbers and nonces apart, which differ from connection to connection, and the beat of keepalive and stop."""
    words = {}
    for line, options in LINES.items():
        tape = Tape()
        with simulator(tmp_path / line, *options) as device:
            run_on(device.url, tmp_path / line, tape, seconds=1)
        words[line] = spoken(tape)
    tape = Tape()
    run_on("sim://?seed=1", tmp_path / "sim", tape, seconds=1)
    assert words["pty"] == words["tcp"] == spoken(tape)


def spoken(tape: Tape) -> list[tuple[str, tuple[object, ...]]]:
    said: list[tuple[str, tuple[object, ...]]] = []
    for told in tape.messages():
        name = type(told.message).__name__
        fields = tuple(getattr(told.message, field) for field in told.message._fields if field != "nonce")
        if told.sender == "host" and name not in ("KeepAlive", "Stop") and (name, fields) not in said[-1:]:
            said.append((name, fields))
    return said


def test_two_sessions_side_by_side_in_one_ledger(tmp_path: Path) -> None:
    with simulator(tmp_path / "one", "--pty", "--seed=1") as one, simulator(tmp_path / "two", "--tcp=0") as two:
        with ThreadPoolExecutor(2) as pool:
            reports = list(pool.map(lambda device: run_on(device.url, tmp_path), (one, two)))
        assert [report.end for report in reports] == [End.TIMER, End.TIMER]
        assert all(exact(report) for report in reports)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.verify().ok
        assert {head.session_id for head in ledger.sessions()} == {report.session_id for report in reports}


@pytest.mark.parametrize("line", LINES)
def test_a_cable_that_is_pulled_is_a_lost_line(line: str, tmp_path: Path) -> None:
    """The simulator's process dies, and its end of the line with it."""
    with (
        simulator(tmp_path / "device", *LINES[line]) as device,
        Ledger(tmp_path / "ledger.sqlite") as ledger,
        Session(device.url, prescription(seconds=30), ledger) as session,
    ):
        session.start()
        device.waits_for(state="RAMPING")
        while session.view().state is not State.RAMPING:
            assert session.wait(0.01) is None
        device.process.kill()
        report = session.wait(10)
        assert report is not None
        assert report.end is End.LINE_LOST
        assert report.delivered is None
        (closed,) = [entry.body for entry in ledger.entries(session.session_id) if entry.kind == "closed"]
        assert closed["end_reason"] == End.LINE_LOST
