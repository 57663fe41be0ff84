"""The report of one subject's sessions: what is totalled, and what is not."""

from typing import Any

import pytest

from stimctl.course.courses import begin
from stimctl.course.plan import plan_of
from stimctl.entries import AdverseEvent, CourseBegun
from stimctl.errors import Misuse
from stimctl.ledger import Ledger
from stimctl.ledger.subject import courses_of
from stimctl.log_report.blocks import DataTable, LogReport, Passage, Plot
from stimctl.log_report.case import by_plan, cases_of, head_of
from stimctl.log_report.course_report import course_report
from stimctl.log_report.words import ReportWords
from stimctl.profile import load
from tests.stimctl.log_report.sessions import closed, opened, put_session

KEPT = {"evidence": "estimated", "source": "time", "channels": {"1": {"estimated": [3, 0]}}}


def reported(ledger: Ledger, language: str = "en") -> LogReport:
    cases, courses = cases_of(ledger, "P-17"), tuple(courses_of(ledger, "P-17"))
    plans = by_plan(ledger, "P-17", cases)
    return course_report(ReportWords(language), "P-17", cases, plans, courses, (), head_of(ledger), "now", "stimctl")


def blocks(report: LogReport, title: str) -> Any:
    return next(each for each in report.sections if each.title == title).blocks


def rows(report: LogReport, title: str) -> list[tuple[str, ...]]:
    return [row for block in blocks(report, title) if isinstance(block, DataTable) for row in block.rows]


def test_only_what_a_device_confirmed_is_in_its_total(ledger: Ledger) -> None:
    put_session(ledger, number=1)
    put_session(ledger, number=2)
    put_session(ledger, number=3, end=closed(kept=KEPT))
    put_session(ledger, number=4, cut=True)
    put_session(ledger, number=5, end=closed(delivered=None))
    put_session(ledger, number=6, end=closed(armed=False, delivered=None, band_us=None))
    assert rows(reported(ledger), "Totals") == [
        ("device", "confirmed", "2", "4:00", "824.000 µC\ncounted"),
        ("device", "commanded", "1", "2:00", "412.000 µC\nestimated"),
        ("device", "UNCERTAIN", "2", "", ""),
        ("device", "nothing given", "1", "", ""),
    ]


def test_an_uncertain_session_has_no_charge_in_its_row(ledger: Ledger) -> None:
    put_session(ledger, number=2, end=closed(delivered=None))
    put_session(ledger, cut=True, pain=(6, 4))
    asked_in_vain, row = rows(reported(ledger), "Sessions")
    assert asked_in_vain[2:5] == ("device\nUNCERTAIN", "", "unknown")
    assert row[2:] == ("device\nUNCERTAIN", "", "unknown", "1.50 mA", "6, –", "", "yes")


def test_one_device_session_is_totalled_once(ledger: Ledger) -> None:
    put_session(ledger, number=4, cut=True)
    put_session(ledger, number=4)
    put_session(ledger, number=4)
    report = reported(ledger)
    assert rows(report, "Totals") == [
        ("device", "confirmed", "1", "2:00", "412.000 µC\ncounted"),
        ("device", "counted once already", "2", "", ""),
    ]
    listed = rows(report, "Sessions")
    assert all("same device session as no. 2" in listed[row][2] for row in (0, 2))
    assert "same" not in listed[1][2]


def test_simulated_sessions_are_never_summed_with_others(ledger: Ledger) -> None:
    put_session(ledger, number=1)
    put_session(ledger, number=2, begin=opened(simulator=True))
    rehearsed = {**opened(simulator=True), "prescription": {**opened()["prescription"], "rehearsal": True}}
    put_session(ledger, number=3, begin=rehearsed)
    report = reported(ledger)
    assert [row[:3] for row in rows(report, "Totals")] == [
        ("device", "confirmed", "1"),
        ("rehearsal", "confirmed", "1"),
        ("simulated", "confirmed", "1"),
    ]
    assert report.marks == ("REHEARSAL", "SIMULATED")


def test_another_subject_is_not_in_it(ledger: Ledger) -> None:
    put_session(ledger, number=1)
    put_session(ledger, number=2, begin=opened(pseudonym="P-18"))
    assert len(rows(reported(ledger), "Sessions")) == 1
    with pytest.raises(Misuse, match="no session of 'P-99'"):
        cases_of(ledger, "P-99")


def test_trends_are_of_scores_amplitude_and_charge(ledger: Ledger) -> None:
    for number, pain in enumerate([(7, 5), (6, 3)], 1):
        put_session(ledger, number=number, pain=pain)
    put_session(ledger, number=3, cut=True)
    (plot,) = blocks(reported(ledger), "Trends")
    assert isinstance(plot, Plot)
    drawn = plot.draw()
    assert drawn.startswith("<svg")
    assert drawn.count("<!-- ? -->") == 1, "the uncertain session"


def test_without_figures_nothing_is_plotted(ledger: Ledger) -> None:
    ledger.append("20260302-093000-x3baw", "opened", 0, opened())
    (said,) = blocks(reported(ledger), "Trends")
    assert isinstance(said, Passage)


def test_adverse_events_have_the_number_of_their_session(ledger: Ledger) -> None:
    put_session(ledger, number=1)
    ledger.add(put_session(ledger, number=2), AdverseEvent(text="fainted", severity="mild"))
    report = reported(ledger)
    ((number, _when, *what),) = rows(report, "Adverse events")
    assert (number, what) == ("2", ["mild", "fainted", ""])
    assert [row[7] for row in rows(report, "Sessions")] == ["", "1"]


def test_what_was_written_of_the_course_and_what_corrects_it_is_in_it(ledger: Ledger) -> None:
    number = ledger.add(put_session(ledger), AdverseEvent(text="fainted", severity="mild"))
    assert "course" not in str(blocks(reported(ledger), "Adverse events"))
    correction = ledger.correct(number, "felt faint", "AO")
    for pseudonym in ("P-17", "P-18"):
        course = f"course-{pseudonym}"
        ledger.append(course, "course", 0, {"pseudonym": pseudonym, "profile": {"id": "p"}, "plan": {}})
        ledger.append(course, "adverse", 0, {"text": f"bruise of {pseudonym}"})
        ledger.append(course, "note", 0, {"text": f"{pseudonym} sleeps"})
    report = reported(ledger)
    assert [(row[0], row[3]) for row in rows(report, "Adverse events")] == [
        ("1", f"fainted [entry {number}, corrected]"),
        ("1", f"correction of entry {number}: felt faint"),
        ("Course", "bruise of P-17"),
    ]
    assert [(row[0], row[2]) for row in rows(report, "Notes")] == [("Course", "P-17 sleeps")]
    assert correction > number


def test_it_is_told_in_chinese(ledger: Ledger) -> None:
    put_session(ledger)
    report = reported(ledger, "zh")
    assert (report.language, report.title) == ("zh", "电针刺激记录（疗程）")
    assert rows(report, "合计") == [("设备", "已确认", "1", "2:00", "412.000 µC\n计数")]


def begun(ledger: Ledger, profile: str) -> str:
    of = load(profile)
    ref = {"id": of.id, "version": of.version, "title": of.title, "sha256": of.sha256}
    return begin(
        ledger, CourseBegun(pseudonym="P-17", profile=ref, plan=plan_of(of).record(), follow_up=[], simulated=False)
    )


def test_two_plans_of_one_subject_are_never_mixed(ledger: Ledger) -> None:
    back, knee = begun(ledger, "low-back-pain"), begun(ledger, "knee-osteoarthritis")
    put_session(ledger, number=1, begin=opened(course=back), pain=(6, 4))
    put_session(ledger, number=2, begin=opened(course=knee))
    put_session(ledger, number=3, begin=opened(course=back))
    put_session(ledger, number=4)
    report = reported(ledger)
    of_back, of_knee = f"low-back-pain, {back}", f"knee-osteoarthritis, {knee}"
    assert [row[0] for row in rows(report, f"Sessions: {of_back}")] == ["1", "3"]
    assert [row[0] for row in rows(report, f"Sessions: {of_knee}")] == ["2"]
    assert [row[0] for row in rows(report, "Sessions: of no plan")] == ["4"]
    assert rows(report, f"Totals: {of_back}") == [("device", "confirmed", "2", "4:00", "824.000 µC\ncounted")]
    assert rows(report, f"Totals: {of_knee}") == [("device", "confirmed", "1", "2:00", "412.000 µC\ncounted")]
    (plan,) = blocks(report, f"Plan: {of_knee}")
    assert ("sessions a week", "unspecified") in plan.rows


def test_a_session_that_was_taken_out_of_a_plan_is_of_none(ledger: Ledger) -> None:
    back = begun(ledger, "low-back-pain")
    out, into = put_session(ledger, number=1, begin=opened(course=back)), put_session(ledger, number=2)
    ledger.append(back, "course_changed", 0, {"why": "a slip", "counts": {out: False, into: True}})
    report = reported(ledger)
    assert [row[0] for row in rows(report, f"Sessions: low-back-pain, {back}")] == ["2"]
    assert [row[0] for row in rows(report, "Sessions: of no plan")] == ["1"]


def test_one_plan_stands_with_its_source_and_how_many_are_done(ledger: Ledger) -> None:
    put_session(ledger, begin=opened(course=begun(ledger, "low-back-pain")))
    (plan,) = blocks(reported(ledger), "Plan")
    facts = dict(plan.rows)
    assert facts["sessions done"] == "1 of 10–12"
    assert facts["sessions a week"].startswith("2 [source]: “2x/week for 4-6 weeks")
    (plan,) = blocks(reported(ledger, "zh"), "计划")
    assert dict(plan.rows)["已完成次数"] == "1／10–12"
