"""The summary of a session that went nowhere: what is not known is not claimed."""

import json
from pathlib import Path

from stimctl.cli import codes
from stimctl.cli.log.wording import happened
from stimctl.cli.run.document import run_document
from stimctl.cli.run.summary import SavedFiles, summary_text
from stimctl.ledger import Entry, Ledger
from stimctl.ledger.recovery import close_unfinished
from stimctl.session.states import End
from stimctl.stimulators.interlocks import contact_problems
from stimctl.wire.codec import Impedance
from stimctl.wire.codes import ohm_text
from tests.stimctl.cli.run.test_command import BACK, run, short
from tests.stimctl.session.world import S, prescription


def test_silence_is_neither_a_simulator_nor_hardware() -> None:
    shown = run(
        "low-back-pain",
        "--port",
        "sim://?device=stimjim",
        "--device",
        "native",
        "--prescription",
        BACK,
        code=codes.LINE,
    ).output
    assert "this was     not known: no device was identified" in shown
    assert "if it is a StimJim or a PulsePal, name it with --device" in shown
    assert "stimulation  0:00, never armed; nothing was delivered" in shown
    assert "could not be" not in shown
    assert "SIMULATOR" not in shown
    assert "log show" not in shown
    arguments = ("--port", "sim://?device=stimjim", "--device", "native", "--prescription", BACK, "--json")
    document = json.loads(run("low-back-pain", *arguments, code=codes.LINE).stdout)
    assert (document["watermark"], document["session"]["armed"]) == ("UNKNOWN DEVICE", False)


def test_a_subject_that_does_not_fit_was_never_armed(home: Path, tmp_path: Path) -> None:
    file = short(tmp_path, subject='subject = "dummy_load"\ndeclared_ohm = 600')
    shown = run("bench-2-100hz", "--port", "sim://", "--prescription", file, code=codes.DEVICE).output
    assert "stimulation  0:00, never armed; nothing was delivered" in shown
    assert "could not be" not in shown
    assert "StimJim" not in shown
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        (session_id,) = ledger.session_ids()
        assert ledger.summary(session_id).armed is False


def test_an_earlier_session_stands_in_the_summary(home: Path, tmp_path: Path) -> None:
    from stimctl.session.view import EARLIER_DOSE, SessionReport

    with Ledger(home / "ledger.sqlite") as ledger:
        ledger.append("s-1", "opened", 0, {"subject": "simulator", "simulator": True})
    shown = run("bench-2-100hz", "--port", "sim://", "--prescription", short(tmp_path)).output
    assert "earlier      session s-1 had been cut short" in shown
    report = SessionReport(
        session_id="x", end=End.TIMER, end_text="", simulator=True, planned={}, commanded={}, delivered={},
        measured={}, agreement={}, zero_confirmed_us=S, band_us=(0, 0), held_us=0, alarms=(),
    )  # fmt: skip
    kept = SavedFiles(home, recovered=(f"{EARLIER_DOSE}: s-1",))
    assert f"earlier      {EARLIER_DOSE}: s-1" in summary_text(prescription(), report, kept)
    with Ledger(home / "ledger.sqlite") as ledger:
        document = run_document(ledger, prescription(), report, kept)
    assert document["run"]["recovered"] == (f"{EARLIER_DOSE}: s-1",)


def test_an_open_contact_is_no_number() -> None:
    assert ohm_text(65_535) == "over 65 kohm (open)"
    assert ohm_text(751) == "751 ohm"
    result = Impedance(1, 65_535, 10, 100, 0, 0, 0)
    assert contact_problems(result, prescription(), None) == [
        "channel 1: no contact: over 65 kohm (open), more than 5000 ohm"
    ]


def test_a_recovered_dose_is_told_in_words(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        channels = {"channels": [{"channel": 1}], "program": {"segments": [{"period_us": 500_000}]}}
        ledger.append("s-1", "opened", 0, {"simulator": True, "prescription": channels})
        close_unfinished(ledger)
        none = {"pulses_0": 0, "pulses_1": 0, "charge_0_pc": 0, "charge_1_pc": 0}
        counters = [{**none, "channel": 1, "pulses_0": 1_200, "charge_0_pc": 1_200_000_000}, {**none, "channel": 2}]
        ledger.append("s-1", "recovered", 0, {"record": {"end_reason": 3}, "counters": counters, "measured": []})
        summary = ledger.summary("s-1")
    told = [happened(entry, summary) for entry in summary.remarks]
    assert told == [
        ("ended", "interrupted: the program that ran it ended without closing it"),
        ("recovered", "channel 1: 1,200 pulses at 2 Hz, 1.200 mC; the device had ended it: watchdog"),
    ]
    from stimctl.cli.log.page import page

    shown = page(summary)
    assert "zero after stop       not known: the program ended before it could ask" in shown
    assert "\n2 " not in shown
    odd = Entry(9, "s-1", "stop", 0, "", {"after_us": 20_000}, "", "")
    assert happened(odd, summary) == ("stop", "after 20 ms")


def test_the_page_tells_the_whole_course(home: Path, tmp_path: Path) -> None:
    run("bench-2-100hz", "--port", "sim://", "--prescription", short(tmp_path))
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        (session_id,) = ledger.session_ids()
        summary = ledger.summary(session_id)
    told = [" ".join(happened(entry, summary)) for entry in summary.remarks]
    assert told[1].startswith("stop tried before any lead was on: zero measured")
    assert [line.split()[0] for line in told[2:]] == ["armed", "impedance", "armed", "started", "stop", "ended"]
    assert told[-1] == "ended timer"


def test_what_was_reached_stands_beside_what_was_asked(home: Path, tmp_path: Path) -> None:
    file = short(tmp_path, seconds="seconds = 5", amplitude_ma="amplitude_ma = 2.0")
    shown = run("bench-2-100hz", "--port", "sim://", "--prescription", file).output
    assert "channel 1    0.73 mA reached, 2.00 mA asked for: NOT REACHED" in shown
    assert "channel 1: 0.73 mA will be reached, not 2.00 mA" in shown
    assert "NOT REACHED" not in run("low-back-pain", "--port", "sim://", "--prescription", BACK).output
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        closed = [entry.body for entry in ledger.entries() if entry.kind == "closed"]
    assert [(each["targets_ua"], each["reached_ua"]) for each in closed] == [
        ({"1": 2_000}, {"1": 732}),
        ({"1": 1_500}, {"1": 1_500}),
    ]
