"""The report of one session: what it holds, and what it does not make up."""

from typing import Any

import pytest

from stimctl.cli.log.page import page
from stimctl.entries import AdverseEvent, DoseRecovered, NoteTaken
from stimctl.ledger import Ledger
from stimctl.ledger.delivery import DeliveryState, delivery_of_session
from stimctl.ledger.export import csv_of_channels
from stimctl.ledger.fhir import bundle
from stimctl.log_report.blocks import DataTable, FactList, LogReport, Passage, Plot, SignatureLines
from stimctl.log_report.case import case_of, head_of
from stimctl.log_report.session_report import session_report
from stimctl.log_report.words import ReportWords
from stimctl.profile import load
from stimctl.screening import QUESTIONS
from stimctl.sync.summaries import session_row
from tests.stimctl.log_report.sessions import MINUTE_US, closed, opened, put_session


def reported(ledger: Ledger, session_id: str, language: str = "en", profile: str | None = None) -> LogReport:
    words, case = ReportWords(language), case_of(ledger, session_id)
    return session_report(words, case, head_of(ledger), load(profile) if profile else None, "now", "stimctl")


def section(report: LogReport, title: str) -> Any:
    return next(each for each in report.sections if each.title == title).blocks


def facts(report: LogReport, title: str) -> dict[str, str]:
    return dict(row for block in section(report, title) if isinstance(block, FactList) for row in block.rows)


def rows(report: LogReport, title: str) -> list[tuple[str, ...]]:
    return [row for block in section(report, title) if isinstance(block, DataTable) for row in block.rows]


def test_dose_figures_stand_with_how_they_are_known(ledger: Ledger) -> None:
    first, second = rows(reported(ledger, put_session(ledger)), "Dose, first phases")
    assert first == (
        "1",
        "2 Hz",
        "12 pulses\n14.400 µC\nplanned",
        "10 pulses\n12.000 µC\ncommanded",
        "10 pulses\n12.000 µC\ncounted",
        "12.100 µC\nmeasured",
    )
    assert second[4] == "1,000 pulses\n400.000 µC\ncounted"


def test_a_device_without_a_calibration_on_record_says_so_in_the_reports_language(ledger: Ledger) -> None:
    one = put_session(ledger, begin=opened(calibration="none"))
    assert facts(reported(ledger, one), "Device")["calibration"] == "none"
    assert facts(reported(ledger, one, language="zh"), "设备")["校准记录"] == "无"


def test_an_estimate_is_no_count_and_has_its_bounds(ledger: Ledger) -> None:
    basis = {"counted": [4, 1000], "estimated": [6, 0], "least": [2, 0]}
    kept = {"evidence": "estimated", "source": "time", "channels": {"1": basis}}
    report = reported(ledger, put_session(ledger, end=closed(kept=kept, measured=None)))
    assert rows(report, "Dose, first phases")[0][4] == "10 pulses\n12.000 µC\nestimated\n6 to 10 pulses"
    assert facts(report, "Delivery")["delivery"] == "commanded"


def test_what_nobody_knows_has_no_figure(ledger: Ledger) -> None:
    report = reported(ledger, put_session(ledger, cut=True))
    for _, _, planned, *unknown in rows(report, "Dose, first phases"):
        assert planned.endswith("planned")
        assert unknown == ["unknown", "unknown", "unknown"]
    assert facts(report, "Delivery")["stimulated"] == "not known"
    in_vain = reported(ledger, put_session(ledger, end=closed(delivered=None)))
    assert facts(in_vain, "Delivery")["stimulated"] == "2:00, commanded"
    assert [row[4] for row in rows(in_vain, "Prescription") if row[0].endswith("Hz")] == ["", ""]
    said = section(report, "Delivery")[0]
    assert said.loud
    assert said.text.startswith("UNCERTAIN: what was given is not known")


def test_a_dose_that_was_fetched_for_another_ledgers_session(ledger: Ledger) -> None:
    counts = {"channel": 1, "pulses_0": 10, "pulses_1": 1000, "charge_0_pc": 12_000_000, "charge_1_pc": 400_000_000}
    record = {"session": 9, "boot_id": 3, "nonce": 7, "segment_0_us": MINUTE_US, "segment_1_us": MINUTE_US}
    fetched = DoseRecovered(device=opened()["device"], simulator=False, record=record, counters=[counts], measured=[])
    ledger.append("20260302-093000-x3baw", fetched.kind, 0, fetched.body())
    report = reported(ledger, "20260302-093000-x3baw")
    assert facts(report, "Session")["started"] == "not known"
    assert rows(report, "Dose, first phases")[0][2:5] == ("unknown", "unknown", "10 pulses\n12.000 µC\ncounted")
    assert facts(report, "Delivery")["delivery"] == "confirmed"


def test_energy_that_was_not_measured_is_said_not_to_be(ledger: Ledger) -> None:
    basis = {"counted": [10, 1000], "estimated": [0, 0], "measured": [10, 1000]}
    end = closed(kept={"evidence": "counted", "channels": {"1": basis}})
    end["measured"]["1"] |= {"energy_nj": 0, "compliance_hits": 0}  # as an older ledger has it
    report = reported(ledger, put_session(ledger, begin=opened(by_lease=True), end=end))
    (row,) = rows(report, "Measured by the device")
    assert row == ("1", "not measured", "not measured", "-0.070 µC", "not measured", "not measured")
    assert facts(report, "Delivery")["device's session no."].startswith("none")


@pytest.mark.parametrize(
    ("begin", "marks"),
    [
        ({}, ()),
        ({"simulator": True}, ("SIMULATED",)),
        ({"simulator": True, "prescription": {"rehearsal": True}}, ("REHEARSAL", "SIMULATED")),
        ({"simulator": None}, ("DEVICE UNKNOWN",)),
    ],
)
def test_what_was_not_real_says_so(ledger: Ledger, begin: dict[str, Any], marks: tuple[str, ...]) -> None:
    report = reported(ledger, put_session(ledger, begin={**opened(), **begin}))
    assert report.marks == marks
    assert bool(report.said) == bool(marks)


def test_profile_and_source_are_told_only_of_the_very_file(ledger: Ledger) -> None:
    one = put_session(ledger)
    found = facts(reported(ledger, one, profile="low-back-pain"), "Profile")
    assert found["version"] == "1.1.0"
    assert found["source"].startswith("Acupuncture for Pain Management")
    assert "not on this computer" in facts(reported(ledger, one), "Profile")["source"]


def test_needles_and_density(ledger: Ledger) -> None:
    channels, bands = (block for block in section(reported(ledger, put_session(ledger)), "Prescription")[1:])
    assert channels.rows == (("1", "BL-23 left – BL-25 left", "0.3 × 30 mm", "1.50 mA", "1.50 mA", "4.24", "", ""),)
    assert bands.rows[0] == ("2 Hz", "600 µs", "", "", "1:00")


def test_alarms_have_their_reasons_in_the_language(ledger: Ledger) -> None:
    one = put_session(ledger)
    host = {"source": "host", "priority": "HIGH", "text": "line <lost>\x07", "action": "pull the leads"}
    ledger.append(one, "alarm", 60_000_000, host)
    ledger.append(one, "alarm", 60_000_000, {"source": "device", "reason": "lead_off", "channel": 2, "value": 65535})
    assert rows(reported(ledger, one), "Alarms") == [
        ("1:00", "high", "line <lost>?", "pull the leads"),
        ("1:00", "device", "lead off, channel 2, value 65,535", ""),
    ]
    assert rows(reported(ledger, one, "zh"), "报警")[1][2] == "导线脱落，通道 2，值 65,535"
    passage, _ = section(reported(ledger, one, "zh"), "报警")
    assert "英文" in passage.text, "the computer's words are the ones that the operator read"
    device_alone = put_session(ledger)
    ledger.append(device_alone, "alarm", 1, {"source": "device", "reason": "lead_off", "channel": 2, "value": 1})
    (_,) = section(reported(ledger, device_alone, "zh"), "报警")


def test_what_people_wrote_and_scored(ledger: Ledger) -> None:
    one = put_session(ledger, pain=(7, 4.5))
    ledger.add(one, AdverseEvent(text="fainted", severity="mild", author="AO"))
    ledger.add(one, NoteTaken(text="needle 2 was bent", author="AO"))
    report = reported(ledger, one)
    assert rows(report, "Scores, 0 to 10") == [("pain", "7", "4.5")]
    assert rows(report, "Adverse events")[0][1:] == ("mild", "fainted", "AO")
    assert rows(report, "Notes")[0][1:] == ("needle 2 was bent", "AO")


def test_screening_is_told_in_the_order_in_which_it_was_asked(ledger: Ledger) -> None:
    one = put_session(ledger)
    answers = {question.id: question.wanted for question in QUESTIONS} | {"older": True}
    ledger.append(one, "screening", 1, {"pseudonym": "P-17", "answers": answers})
    found = rows(reported(ledger, one), "Screening")
    assert found[:-1] == [(question.text, "yes" if question.wanted else "no") for question in QUESTIONS]
    assert found[-1] == ("older", "yes")
    assert rows(reported(ledger, one, "zh"), "筛查")[0] == ("此人是否就是该化名所指的人？", "是")


def test_what_is_not_there_is_said_not_to_be(ledger: Ledger) -> None:
    report = reported(ledger, put_session(ledger))
    for title in ("Alarms", "Adverse events", "Scores, 0 to 10", "Notes", "Screening"):
        (said,) = section(report, title)
        assert isinstance(said, Passage)
        assert said.text.startswith("The log holds no")


def test_plots_are_of_what_was_read(ledger: Ledger) -> None:
    (plot,) = section(reported(ledger, put_session(ledger)), "Course of the session")
    assert isinstance(plot, Plot)
    assert plot.draw().startswith("<svg")
    assert all(f"{letter}:" in plot.caption for letter in "ABCD")
    one = put_session(ledger, begin=opened(by_lease=True))
    (plot,) = section(reported(ledger, one), "Course of the session")
    assert "The log holds no readings of: impedance." in plot.caption
    assert "B:" not in plot.caption
    ledger.append("20260302-093000-x3baw", "opened", 0, opened())
    (said,) = section(reported(ledger, "20260302-093000-x3baw"), "Course of the session")
    assert said == Passage("The log holds no readings of this session: there is nothing to plot.")


def test_head_anchor_and_lines_to_sign(ledger: Ledger) -> None:
    report = reported(ledger, put_session(ledger))
    head, proof = ledger.head(), facts(report, "Proof")
    assert proof["head of the log"] == proof["anchor"] == f"entry {head.number}: {head.hash.hex()}"
    assert proof["verifies"] == "yes: each entry is as it was written"
    assert section(report, "Signatures")[0] == SignatureLines(
        ("role", "name", "signature", "date"), ("operator", "clinician")
    )


@pytest.mark.parametrize("junk", [None, "x", [], {}, 7, [None], {"a": 1.5}])
def test_nothing_that_an_entry_holds_keeps_the_report_from_being_made(ledger: Ledger, junk: object) -> None:
    one = put_session(ledger, cut=True, begin={**opened(), "prescription": junk, "profile": junk, "operator": junk})
    bodies = {
        "alarm": ("priority", "text", "action", "reason", "channel"),
        "impedance": ("ohm", "channel", "amplitude_ua"),
        "self_test": ("failures", "zero_ua"),
        "screening": ("answers",),
        "outcome": ("when", "pain"),
        "target": ("channel", "target_ua", "refused"),
        "stop": ("after_us", "tried"),
        "started": ("targets_ua",),
        "signed": ("number", "public_key", "signer"),
        "note": ("text", "author"),
    }
    for kind, names in bodies.items():
        ledger.append(one, kind, 3, dict.fromkeys(names, junk))
    assert reported(ledger, one).sections


@pytest.mark.parametrize(
    "odd",
    [
        {"kept": {"evidence": "of a later version"}},
        {"kept": {"evidence": "counted", "channels": {"1": {"estimated": 3}}}},
        {"kept": {"evidence": "counted", "channels": {"1": 3}}},
        {"spreads": {"1": {"applied_ua": 5, "ohm": "x"}}},
        {"delivered": {"1": {"charge_pc": 5}}, "commanded": {"1": {"charge_pc": True}}},
    ],
)
def test_figures_of_an_odd_shape_keep_nothing_from_being_told(ledger: Ledger, odd: dict[str, Any]) -> None:
    one = put_session(ledger, end=closed(**odd))
    ledger.append(one, "correction", 9, {"number": [1], "text": "x"})
    ledger.append(one, "impedance", 9, {"channel": "\u00b2", "ohm": 5})
    ledger.append(one, "outcome", 9, {"when": {}, "pain": 3})
    summary = ledger.summary(one)
    if "of a later version" in str(odd) or "delivered" in odd:
        assert delivery_of_session(summary) is DeliveryState.UNCERTAIN
    assert reported(ledger, one).sections
    assert page(summary)
    assert bundle([summary])["entry"]
    assert csv_of_channels(summary)
    assert session_row("PC-1", summary, list(ledger.entries(one)))
