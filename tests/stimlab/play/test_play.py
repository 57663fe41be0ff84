"""Playing: the same each time, measured in the load, judged against what is expected; and what cannot be played."""

from dataclasses import replace
from pathlib import Path

import pytest

from firmware_sim.analog.recorder import Recorder
from firmware_sim.faults import Fault
from stimctl.errors import Misuse
from stimctl.ledger import Ledger
from stimctl.session.closing import Closing
from stimctl.session.states import End
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION
from stimlab.play.play import AFTERMATH_US, play
from stimlab.scenario.reader import Expectation, OperatorAction, Scenario, shipped

S = 1_000_000
CUT = Fault("line.one_way", at_us=S, after="RUNNING")
STOP = OperatorAction(2 * S, "stop", after="RUNNING")


def test_the_same_scenario_is_the_same_session_byte_for_byte() -> None:
    scenario = Scenario("bad-line", faults=(Fault("line.loss", options={"permille": 150}), Fault("line.flip")))
    once, again = play(scenario), play(scenario)
    assert once.traffic == again.traffic
    assert once.journal == again.journal
    assert once.entries == again.entries
    assert once.report == again.report
    assert play(replace(scenario, seed=2)).traffic != once.traffic


def test_a_session_in_a_ledger_is_the_session_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    scenario = Scenario("kept", actions=(STOP,))
    kept, remembered = play(scenario, ledger=path), play(scenario)
    assert kept.traffic == remembered.traffic
    assert [entry.kind for entry in kept.entries] == [entry.kind for entry in remembered.entries]
    with Ledger(path) as ledger:
        assert ledger.verify().ok
        assert ledger.unfinished() == []
        (session_id,) = ledger.session_ids()
        assert len(list(ledger.entries(session_id))) == len(kept.entries)


def test_a_ledger_that_cannot_be_had_is_a_refusal(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_text("this is no ledger", "utf-8")
    played = play(
        Scenario("no-ledger", expect=Expectation(refused="the file is no ledger", pulses="none")), ledger=path
    )
    assert played.unmet == ()
    assert played.report is None


def test_times_are_measured_in_the_load() -> None:
    """The device hears the stop 30 ms later: one that took the host's word for it would say 0."""
    late = Fault("line.delay", options={"delay_us": 30_000, "direction": "to_device"})
    played = play(Scenario("late", actions=(STOP,), faults=(late,)))
    assert played.report is not None
    assert played.stopping_us is not None
    assert 20_000 < played.control_us["stop_to_zero"] <= 31_000
    assert played.control_us["stop_to_zero"] == played.recorder.end_us() - played.stopping_us
    assert played.control_us["stop_confirmed"] == played.report.zero_confirmed_us
    assert "fault_to_zero" not in played.control_us, "its operator stopped it, no fault did"


def test_the_world_goes_on_after_the_host() -> None:
    """The host has ended at a line that is gone; the current that flows until the watchdog acts is in the record."""
    played = play(Scenario("gone", faults=(Fault("line.unplug", at_us=S, after="RUNNING"),)))
    assert played.stopping_us is not None
    assert played.recorder.end_us() > played.stopping_us + 500_000
    assert played.recorder.end_us() < played.stopping_us + AFTERMATH_US
    assert any(entry.get("reason") == "WATCHDOG" for entry in played.journal)


def test_all_is_gathered() -> None:
    played = play(Scenario("all", actions=(STOP,), faults=(CUT,)))
    assert isinstance(played.recorder, Recorder)
    assert played.recorder.pulses(1) > 100
    assert played.fired_us[0] > S
    assert played.fired[0] > 1
    assert {direction for _, direction, _ in played.traffic} == {"host", "device"}
    assert [entry.kind for entry in played.entries][-1] == "closed"
    assert played.events
    assert played.device is not None
    assert played.prescription is not None


# --- the operator -------------------------------------------------------------------------------------


def test_an_operator_acts_at_times_and_in_states() -> None:
    actions = (
        OperatorAction(8 * S, "lower", 1),
        OperatorAction(9 * S, "set", 1, 700),
        OperatorAction(10 * S, "raise", 1),
        OperatorAction(S // 2, "note", after="RUNNING"),
        OperatorAction(11 * S, "hold"),
        OperatorAction(S, "proceed", after="HELD"),
        OperatorAction(S, "proceed", after="RECHECKED"),
        OperatorAction(2 * S, "stop", after="HELD"),
    )
    played = play(Scenario("busy", actions=actions))
    targets = [entry.body["target_ua"] for entry in played.entries if entry.kind == "target"]
    assert targets == [900, 700, 800]
    kinds = [entry.kind for entry in played.entries]
    assert kinds.count("note") == 1
    assert kinds.count("started") == 1
    assert played.report is not None
    assert played.report.end is End.OPERATOR
    held_us = next(entry.at_us for entry in played.entries if entry.kind == "held")
    assert played.stopping_us == held_us + 2 * S


# --- the host -----------------------------------------------------------------------------------------


def test_a_host_that_stalls_does_nothing_meanwhile() -> None:
    played = play(Scenario("stall", faults=(Fault("host.stall", S, 300_000, "RUNNING"),)))
    began_us = played.fired_us[0]
    assert not [at_us for at_us, _, _ in played.traffic if began_us < at_us < began_us + 300_000]


def test_a_clock_that_jumps_is_the_hosts_and_not_the_worlds() -> None:
    """Log and report are by the host's clock, control times by the world's."""
    played = play(Scenario("jump", faults=(Fault("host.clock_jump", S, None, "RUNNING", options={"by_us": 5 * S}),)))
    closed = next(entry for entry in played.entries if entry.kind == "closed")
    assert played.stopping_us is not None
    assert closed.at_us > played.stopping_us + 4 * S
    assert played.control_us["fault_to_stop"] < S


def test_when_it_began_to_stop_is_the_worlds_time_where_no_stop_could_be_sent() -> None:
    """The host's clock is 300 ms ahead, too little to end anything, when the cable is pulled."""
    ahead = Fault("host.clock_jump", S, None, "RUNNING", options={"by_us": 300_000})
    played = play(Scenario("ahead", faults=(ahead, Fault("line.unplug", at_us=2 * S, after="RUNNING"))))
    assert played.report is not None
    assert played.report.end is End.LINE_LOST
    assert played.stopping_us is not None
    assert 0 <= played.stopping_us - played.fired_us[1] <= 2_000


def test_a_second_drivers_bytes_are_in_the_traffic() -> None:
    played = play(Scenario("two", faults=(Fault("host.second_driver", S, None, "RUNNING", options={"says": "hello"}),)))
    assert (played.fired_us[0], "host", m.encode(1, m.Hello(PROTOCOL_VERSION))) in played.traffic


@pytest.mark.parametrize("kind", ["host.disk_full", "host.read_only_log"])
def test_a_log_that_fails_is_a_real_one(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    actions = (OperatorAction(2 * S, "note", after="RUNNING"),)
    played = play(Scenario("log", actions=actions, faults=(Fault(kind, S, None, "RUNNING"),)), ledger=path)
    assert played.report is not None
    assert played.report.end is End.LOG
    with Ledger(path, read_only=True) as ledger:
        assert ledger.verify().ok
        assert [entry.kind for entry in ledger.entries()][-1] != "closed"


# --- judging ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        (Expectation(frozenset({End.TIMER})), "ended with OPERATOR (stopped by the operator), not with TIMER"),
        (Expectation(zero_confirmed=False), "zero was confirmed"),
        (Expectation(alarms=("PULL",)), "no alarm says 'PULL'; there were none"),
        (Expectation(within_us={"stop_confirmed": 1_000}), "stop_confirmed took 20 ms, over 1 ms"),
        (Expectation(within_us={"fault_to_zero": 1}), "fault_to_zero was not measured"),
        (Expectation(refused="no"), "not refused with 'no', but stopped by the operator"),
        (Expectation(refused="stopped"), "it was refused, but current had flowed already"),
        (Expectation(pulses="none"), "current flowed, and none was to"),
    ],
)
def test_what_is_not_met_is_said(expect: Expectation, said: str) -> None:
    unmet = play(Scenario("plain", actions=(STOP,), expect=expect)).unmet
    assert len(unmet) == 1
    assert said in unmet[0]


def test_a_stop_before_anything_flows_is_no_pulse() -> None:
    unmet = play(Scenario("early", actions=(OperatorAction(0, "stop"),), expect=Expectation(pulses="some"))).unmet
    assert unmet == ("no current flowed, and some was to",)


def test_a_refusal_that_nobody_expected_is_said() -> None:
    (unmet,) = play(Scenario("much", answers={"ceiling_ma": 3.0})).unmet
    assert unmet.startswith("refused, which was not expected: ceiling_ma is 3.0")


def test_a_host_that_breaks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(Closing, "stop", broken)
    played = play(Scenario("broken", actions=(STOP,)))
    assert played.error is not None
    assert played.report is None
    assert played.unmet == ("the host broke: RuntimeError: unforeseen",)
    assert played.outcome == "broke: RuntimeError: unforeseen"


def test_a_fault_that_did_nothing_is_told_apart() -> None:
    played = play(Scenario("idle", actions=(STOP,), faults=(Fault("line.loss", at_us=900 * S),)))
    assert played.unmet == ()
    assert played.idle == ("fault 1 (line.loss) never did anything",)


# --- what cannot be played ----------------------------------------------------------------------------


def test_a_process_is_needed_to_kill_one() -> None:
    with pytest.raises(Misuse, match=r"host-killed: host\.killed needs a process: play it over pty or tcp"):
        play(shipped()["host-killed"])
    with pytest.raises(Misuse, match="over: 'serial' is not one of sim, pty, tcp"):
        play(Scenario("plain"), over="serial")


def test_a_stall_has_an_end() -> None:
    with pytest.raises(Misuse, match=r"stall: host\.stall needs for_s"):
        play(Scenario("stall", faults=(Fault("host.stall"),)))
