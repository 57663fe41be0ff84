"""The public session: begun once, stopped from anywhere, closed in order, and nothing that broke it is lost."""

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from stimctl.api import Session, run
from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger
from stimctl.port import open_port
from stimctl.remote_stop import StopStatus, stop_all
from stimctl.session.commands import AddNote, AskStop, LogFailed, Proceed
from stimctl.session.engine import Engine
from stimctl.session.states import End, State
from stimctl.stimulators.discovery import DeviceChoice
from tests.stimctl.session.world import prescription

SIM = "sim://?seed=1"
REAL = "sim://?seed=1&pace=real"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def place(tmp_path: Path, endpoints: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's stop endpoints are, and no other test's."""
    folder = Path(os.environ["STIMCTL_RUN"]) / secrets.token_hex(4)
    monkeypatch.setenv("STIMCTL_RUN", str(folder))
    return folder


# --- begun once ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", ["start", "run"])
@pytest.mark.parametrize("first", ["start", "run"])
def test_a_session_runs_once(ledger: Ledger, first: str, again: str) -> None:
    """Two loops on one port would each take half of what the device says."""
    with Session(SIM, prescription(), ledger) as session:
        getattr(session, first)()
        with pytest.raises(Misuse, match="begun already"):
            getattr(session, again)()


def test_outside_a_with_there_is_nothing_to_run(ledger: Ledger) -> None:
    session = Session(SIM, prescription(), ledger)
    for wrong in (session.run, session.start, session.view, session.check_in, session.wait):
        with pytest.raises(Misuse):
            wrong()


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ((float("nan"), AskStop()), "nan is not a whole number"),
        ((5e6, AskStop()), "5000000.0 is not a whole number"),
        (("5", AskStop()), "'5' is not a whole number"),
        ((True, AskStop()), "True is not a whole number"),
        ((-1, AskStop()), "-1 us is before the start"),
        ((5_000_000, AskStop), "is not a command"),
        ((5_000_000, "stop"), "'stop' is not a command"),
        ((5_000_000, LogFailed(LogFault("none"))), "is not a command"),
        ((5_000_000,), "is not a pair"),
    ],
)
def test_what_could_not_be_carried_out_is_refused_before_anything_begins(
    action: Any, message: str, ledger: Ledger
) -> None:
    """A time that is no number kept even the stop after it from ever coming."""
    with Session(SIM, prescription(seconds=2), ledger) as session:
        with pytest.raises(Misuse, match=message):
            session.run([action, (1_000_000, AskStop())])
        assert session.run().end is End.TIMER


def test_a_stop_that_comes_while_the_port_opens_is_obeyed(ledger: Ledger) -> None:
    session = Session(SIM, prescription(), ledger)
    session.stop(End.SIGNAL)
    with session:
        assert session.run().end is End.SIGNAL
    session.stop()
    session.check_in()


class Slow(list[Any]):
    """The early orders, kept by a thread that stands still just as it has seen that there is no runner yet."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def append(self, order: Any) -> None:
        self.reached.set()
        self.go_on.wait(10)
        super().append(order)


def test_a_stop_that_races_the_opening_is_kept_or_posted(ledger: Ledger) -> None:
    session = Session(SIM, prescription(), ledger)
    session._early = early = Slow()
    stopper = threading.Thread(target=session.stop, args=(End.SIGNAL,))

    def opener(url: str, **options: Any) -> Any:
        stopper.start()
        assert early.reached.wait(10)
        # By then the session has a runner, and has posted what was early, where nothing holds it up.
        threading.Timer(0.2, early.go_on.set).start()
        return open_port(url, **options)

    session._opener = opener
    with session:
        stopper.join(10)
        assert session.run().end is End.SIGNAL


@pytest.mark.parametrize("turn", range(20))
def test_stops_at_any_moment_of_the_opening_all_arrive(ledger: Ledger, turn: int) -> None:
    session = Session(SIM, prescription(), ledger)
    begin = threading.Barrier(5)
    posted: list[Any] = []

    def stop() -> None:
        begin.wait(10)
        threading.Event().wait(turn * 0.000_5)
        session.stop(End.SIGNAL)

    stoppers = [threading.Thread(target=stop) for _ in range(4)]
    for each in stoppers:
        each.start()
    begin.wait(10)
    with session:
        for each in stoppers:
            each.join(10)
        assert session._runner is not None
        posted.extend(session._runner._posted)
        assert session.run().end is End.SIGNAL
    assert len(posted) == 4


def test_a_signal_that_stops_in_the_middle_of_the_opening_does_not_lock_itself_out(ledger: Ledger) -> None:
    session = Session(SIM, prescription(), ledger)
    with session._opening:  # where the handler runs, in the same thread
        session.stop(End.SIGNAL)
    with session:
        assert session.run().end is End.SIGNAL


# --- what an operator writes --------------------------------------------------------------------------


def test_an_operator_writes_notes_and_outcomes_and_nothing_else(ledger: Ledger) -> None:
    with Session(SIM, prescription(), ledger) as session:
        for kind in ("closed", "opened", "armed", "counters", "recovered", "Note", ""):
            with pytest.raises(Misuse, match="note, outcome"):
                session.note(kind, {"end_reason": "timer"})
        with pytest.raises(Misuse, match="only texts, numbers, lists and tables"):
            session.note("note", {"when": Path()})
        session.run([(1_000_000, AddNote("note", {"text": "well"}))])
    (note,) = [entry.body for entry in ledger.entries(session.session_id) if entry.kind == "note"]
    assert note == {"text": "well"}


# --- what breaks it -----------------------------------------------------------------------------------


def broken(_engine: Engine, _now_us: int) -> None:
    raise ZeroDivisionError("a bug")


@pytest.fixture
def broken_session(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Session:
    """One whose loop breaks in its first turn."""
    monkeypatch.setattr(Engine, "_proceed", broken)
    session = Session(SIM, prescription(), ledger)
    session._early.append(Proceed())
    return session


def test_what_broke_the_loop_comes_out_on_leaving(broken_session: Session) -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"), broken_session as session:
        session.start()


def test_what_broke_the_loop_is_noted_on_what_else_went_wrong(broken_session: Session) -> None:
    with pytest.raises(KeyError) as caught, broken_session as session:  # noqa: PT012 - the `with` is tested
        session.start()
        session._loop_ended.wait(10)
        raise KeyError("else")
    assert "a bug" in "".join(caught.value.__notes__)


def test_what_wait_has_told_is_not_told_twice(broken_session: Session) -> None:
    with broken_session as session:
        session.start()
        with pytest.raises(ZeroDivisionError):
            session.wait(10)


@pytest.mark.realtime
@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals come to the main thread")
def test_no_port_is_closed_under_a_loop_however_often_ctrl_c_comes(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One Ctrl-C while the loop still brings the session to its end; it is delivered once all is closed."""
    session = Session("sim://?seed=1&pace=0.1", prescription(), ledger)
    closed_after_the_loop: list[bool] = []

    def closing(stack: ExitStack) -> None:
        closed_after_the_loop.append(session._loop_ended.is_set())
        stack.__exit__(None, None, None)

    monkeypatch.setattr("stimctl.api.ExitStack.close", closing)

    def interrupt() -> None:
        while session.view().state not in (State.STOPPING, State.ENDED):
            pass
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the end of the `with` is what is tested
        with session:
            session.start()
            thread = threading.Thread(target=interrupt)
            thread.start()
        pytest.fail("the interrupt was swallowed")
    thread.join()
    assert closed_after_the_loop == [True]
    assert ledger.unfinished() == []


# --- from another terminal ----------------------------------------------------------------------------


@pytest.mark.realtime
def test_every_session_can_be_stopped_from_another_terminal(ledger: Ledger, place: Path) -> None:
    with Session(REAL, prescription(), ledger) as session:
        session.start()
        while session.view().state is not State.RAMPING:
            assert session.wait(0.01) is None
        (found,) = stop_all()
        report = session.wait(10)
    assert report is not None
    assert report.end is End.ELSEWHERE
    assert (found.session_id, found.outcome, found.after_us) == (
        session.session_id,
        StopStatus.ZERO,
        report.zero_confirmed_us,
    )
    assert found.about is not None
    assert (found.about["url"], found.about["simulator"]) == (REAL, True)
    assert stop_all() == []


@pytest.mark.realtime
def test_a_session_in_the_callers_own_thread_too(ledger: Ledger, place: Path) -> None:
    reports: list[Any] = []

    def ask() -> None:
        while session.view().state is not State.RAMPING:
            time.sleep(0.01)
        reports.extend(stop_all())

    asker = threading.Thread(target=ask)
    with Session(REAL, prescription(), ledger) as session:
        asker.start()
        end = session.run().end
    asker.join()
    assert end is End.ELSEWHERE
    assert [report.outcome for report in reports] == [StopStatus.ZERO], "it had its answer before the endpoint went"


@pytest.mark.realtime
def test_a_zero_that_was_only_acknowledged_is_not_called_confirmed(ledger: Ledger, place: Path) -> None:
    url, choice = "sim://?device=pulsepal&pace=real", DeviceChoice("pulsepal", isolator="1")
    with Session(url, prescription(profile="bench-100hz"), ledger, choice=choice) as session:
        session.start()
        while session.view().state is not State.RAMPING:
            assert session.wait(0.01) is None
        (found,) = stop_all()
    assert found.outcome is StopStatus.NOT_CONFIRMED
    assert "acknowledged the stop" in found.detail


def test_a_session_that_has_not_begun_promises_no_zero(ledger: Ledger, place: Path) -> None:
    with Session(SIM, prescription(), ledger) as session:
        (found,) = stop_all()
        assert found.outcome is StopStatus.NOT_CONFIRMED
        assert session.run().end is End.ELSEWHERE


def test_what_cannot_be_entered_leaves_nothing_open(ledger: Ledger, place: Path) -> None:
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    session = Session(SIM, prescription(), ledger)
    with pytest.raises(Misuse, match="chmod 700"):
        session.__enter__()
    assert not ledger.is_running(session.session_id)
    place.rmdir()


# --- the operator's front end -------------------------------------------------------------------------


@pytest.mark.realtime
def test_a_silent_front_end_ends_a_simulation_that_keeps_a_persons_time(ledger: Ledger) -> None:
    """Without `check_in` for a second, as on hardware."""
    with Session(REAL, prescription(), ledger, front_end=True) as session:
        session.start()
        report = session.wait(20)
    assert report is not None
    assert report.end is End.FRONT_END


def test_on_a_clock_that_races_no_front_end_could_check_in(ledger: Ledger) -> None:
    assert run(SIM, prescription(), ledger, front_end=True).end is End.TIMER


@pytest.mark.parametrize(
    ("pace", "real"), [("real", True), ("1", True), ("0.5", True), ("1.1", False), ("60", False), ("max", False)]
)
def test_which_clock_a_person_can_follow(pace: str, real: bool) -> None:
    port = open_port(f"sim://?pace={pace}")
    assert port.realtime is real
    port.close()


@pytest.mark.skipif(os.name != "posix", reason="only POSIX lets a file be removed while it is held")
def test_a_session_whose_lock_is_taken_away_ends_at_zero_with_its_dose(ledger: Ledger) -> None:
    def take_away(*_: object) -> None:
        for lock in ledger.path.with_suffix(".live").glob("*.lock"):
            lock.unlink()

    with Session(SIM, prescription(), ledger, on_reading=take_away) as session:
        report = session.run()
    assert report.end is End.LOG
    closed = [entry.body for entry in ledger.entries(session.session_id)][-1]
    assert closed["end_text"].endswith("was removed while it was in use")
    assert closed["delivered"]
    assert closed["zero_measured"]
