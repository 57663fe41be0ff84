"""Courses as entries of the ledger: begun, corrected, ended; and which sessions belong to one."""

import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from stimctl.cli.course.page import page
from stimctl.course.courses import Course, add, courses, find, going_on
from stimctl.course.due import due
from stimctl.course.plan import by_person
from stimctl.course.visits import check_session, days, doubts_of_days, last_session_id, visits
from stimctl.entries import CourseChanged, CourseEnded, NoteTaken
from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger
from stimctl.profile import Range

Begun = Callable[..., Course]
Write = Callable[..., str]


def again(ledger: Ledger, course: Course) -> Course:
    return find(courses(ledger), course.course_id)


def test_a_course_is_read_as_it_was_begun(ledger: Ledger, begun: Begun) -> None:
    course = begun()
    assert (course.pseudonym, course.profile_id, course.simulated, course.ended) == (
        "P-17",
        "low-back-pain",
        False,
        None,
    )
    assert course.plan.course_sessions.range == Range(low=10, high=12)
    assert ledger.sessions() == [], "a course is no session"
    assert ledger.verify().ok


def test_a_correction_is_an_entry_and_what_was_written_stays(ledger: Ledger, begun: Begun) -> None:
    course = begun()
    before = list(ledger.entries())
    once = {"sessions_per_week": by_person("sessions_per_week", Range(low=1, high=1), "Dr. O.").record()}
    add(ledger, course, CourseChanged(why="travels far", plan=once))
    found = again(ledger, course)
    assert found.plan.sessions_per_week.range == Range(low=1, high=1)
    assert found.plan.course_weeks == course.plan.course_weeks
    assert list(ledger.entries())[:-1] == before
    assert [entry.body["why"] for entry in found.remarks] == ["travels far"]


def test_an_ended_course_takes_notes_and_nothing_else(ledger: Ledger, begun: Begun) -> None:
    course = begun()
    with pytest.raises(Misuse, match="follows low-back-pain already"):
        begun()
    add(ledger, course, CourseEnded(why="done"))
    found = again(ledger, course)
    assert found.ended == "done"
    with pytest.raises(Misuse, match="has ended"):
        add(ledger, found, CourseEnded(why="again"))
    add(ledger, found, NoteTaken(text="still well"))
    assert going_on(courses(ledger), "P-17", "low-back-pain", simulated=False) is None
    second = begun()
    assert find(courses(ledger), "P-17") == second, "the one that goes on"


def test_names_that_mean_no_course_or_several(ledger: Ledger, begun: Begun) -> None:
    with pytest.raises(Misuse, match="holds no course yet"):
        find([], "P-17")
    begun(), begun("P-18")
    with pytest.raises(Misuse, match="'P-1' means no courses; there are courses of P-17, P-18"):
        find(courses(ledger), "P-1")


def test_which_sessions_belong_to_a_course(ledger: Ledger, begun: Begun, session: Write) -> None:
    course = begun()
    first = session(course.course_id, "2026-03-02", (7, 5))
    session(course.course_id, "2026-03-03", started=False)  # no output
    session(course.course_id, "2026-03-03", simulator=True)
    session(None, "2026-03-03")
    session(course.course_id, "2026-03-03", pseudonym="P-18")
    last = session(course.course_id, "2026-03-05", (6, 4))
    assert [visit.session_id for visit in visits(ledger, course)] == [first, last]
    assert [f"{day}" for day in days(ledger, course)] == ["2026-03-02", "2026-03-05"]
    assert last_session_id(ledger, course, rehearsal=False) == last


def test_a_person_puts_sessions_in_and_out(ledger: Ledger, begun: Begun, session: Write) -> None:
    course = begun()
    inside, outside = session(course.course_id, "2026-03-02"), session(None, "2026-03-04")
    add(ledger, course, CourseChanged(why="came before the plan", counts={outside: True, inside: False}))
    assert [visit.session_id for visit in visits(ledger, again(ledger, course))] == [outside]
    add(ledger, course, CourseChanged(why="after all", counts={inside: True}))
    assert len(visits(ledger, again(ledger, course))) == 2
    assert check_session(ledger, course, "latest") == outside
    other = session(None, "2026-03-05", pseudonym="P-18")
    with pytest.raises(Misuse, match="is P-18's, not P-17's"):
        check_session(ledger, course, other)
    played = session(None, "2026-03-05", simulator=True)
    with pytest.raises(Misuse, match="is a simulation"):
        check_session(ledger, course, played)


def test_a_visits_figures_are_those_of_its_session(ledger: Ledger, begun: Begun, session: Write) -> None:
    course = begun()
    session(course.course_id, "2026-03-02", (7, 5.5))
    lost = {"delivered": None, "spreads": None, "commanded": None, "end_reason": "interrupted"}
    unknown = session(course.course_id, "2026-03-05", closed=lost)
    ledger.append(unknown, "adverse", 3, {"text": "fainted"})
    first, second = visits(ledger, course)
    assert (first.pain_before, first.pain_after, first.reached_ua, first.ohm) == (7, 5.5, {1: 1500}, {1: 812.5})
    assert (first.delivered_pc, first.delivered_standing) == (19_000_000_000, "counted")
    assert (second.pain_before, second.reached_ua, second.ohm, second.delivered_pc) == (None, {}, {}, None)
    assert second.delivered_standing == "unknown"
    assert [entry.body["text"] for entry in second.adverse] == ["fainted"]


def test_a_course_that_was_changed_is_not_shown_as_sound(ledger: Ledger, begun: Begun, tmp_path: Path) -> None:
    course = begun()
    connection = sqlite3.connect(tmp_path / "data" / "ledger.sqlite", isolation_level=None)
    (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'entries_never_change'").fetchone()
    connection.execute("DROP TRIGGER entries_never_change")
    connection.execute("UPDATE entries SET body = replace(body, 'P-17', 'P-71')")
    connection.execute(sql)
    connection.close()
    (found,) = courses(ledger)
    assert found.course_id == course.course_id
    assert any("is not what was hashed" in fault for fault in found.faults)


def test_courses_are_found_without_reading_every_entry(ledger: Ledger, begun: Begun) -> None:
    begun()
    connection = ledger._connection
    query = "EXPLAIN QUERY PLAN SELECT * FROM entries WHERE session_id > 'course-' AND session_id < 'course.'"
    assert "entries_of_session" in str(connection.execute(query).fetchall())


def test_a_session_of_another_profile_is_in_no_course_of_this_one(ledger: Ledger, begun: Begun, session: Write) -> None:
    course = begun()
    with pytest.raises(Misuse, match="followed knee-osteoarthritis, and the course low-back-pain"):
        check_session(ledger, course, session(None, "2026-03-05", profile="knee-osteoarthritis"))


def test_the_last_session_of_a_kind(ledger: Ledger, begun: Begun, session: Write) -> None:
    """A course of simulations has rehearsals and simulators in it: one has no settings for the other."""
    course = begun(simulated=True)
    simulated = session(course.course_id, "2026-03-02", simulator=True)
    rehearsed = session(course.course_id, "2026-03-03", simulator=True, rehearsal=True)
    assert last_session_id(ledger, course, rehearsal=True) == rehearsed
    assert last_session_id(ledger, course, rehearsal=False) == simulated


def test_two_courses_that_go_on_are_told_apart_by_a_person(ledger: Ledger, begun: Begun) -> None:
    first, second = begun(), begun(profile="knee-osteoarthritis")
    with pytest.raises(Misuse, match=f"P-17 follows 2 courses .*{first.course_id}.*{second.course_id}"):
        find(courses(ledger), "P-17")
    assert find(courses(ledger), first.course_id) == first
    add(ledger, first, CourseEnded(why="done"))
    assert find(courses(ledger), "P-17") == second


def changed(path: Path, statement: str) -> None:
    """Have somebody change the database, past its triggers."""
    connection = sqlite3.connect(path / "data" / "ledger.sqlite", isolation_level=None)
    triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE entries SET utc = '2026-02-02T12:00:00Z' WHERE kind = 'opened'", "is not what was hashed"),
        ("DELETE FROM entries WHERE kind = 'opened'", "has no first entry"),
        ("UPDATE session_lines SET utc = 'noon'", "no time"),
    ],
)
def test_a_session_that_was_changed_gives_no_day_without_a_word(
    ledger: Ledger, begun: Begun, session: Write, tmp_path: Path, statement: str, said: str
) -> None:
    course = begun()
    session(course.course_id, "2026-03-02")
    assert doubts_of_days(ledger, course) == ()
    changed(tmp_path, statement)
    try:
        days(ledger, course)
        told = "; ".join(doubts_of_days(ledger, course))
    except LogFault as fault:
        told = str(fault)
    assert said in told


def test_a_charge_that_is_uncertain_is_no_figure_of_a_visit(ledger: Ledger, begun: Begun, session: Write) -> None:
    course = begun()
    session(course.course_id, "2026-03-02", closed={"agreement": {"exact": False}})
    partly = {"delivered": {"1": {"charge_pc": [1_000, 0]}, "2": {"pulses": [1, 1]}}}
    session(course.course_id, "2026-03-05", closed=partly)
    found = visits(ledger, course)
    assert [(visit.delivered_pc, visit.delivered_standing) for visit in found] == [(None, "unknown")] * 2


@pytest.mark.parametrize("odd", [5, "x", [1], True, {"spacing_days": {"low": 1, "high": 2, "from": []}}])
def test_entries_of_an_odd_shape_keep_no_course_from_being_read(ledger: Ledger, begun: Begun, odd: object) -> None:
    body = {"pseudonym": "P-9", "profile": odd, "plan": odd, "follow_up": odd, "simulated": False}
    ledger.append("course-9", "course", 0, body)
    ledger.append("course-9", "course_changed", 0, {"why": "w", "plan": odd, "counts": odd})
    begun()
    found = find(courses(ledger), "P-9")
    assert found.plan.spacing_days.range is None
    shown = page(found, visits(ledger, found), due(found.plan, [], date(2026, 3, 2)))
    assert shown.startswith("COURSE: course of P-9")


def test_a_session_that_was_taken_out_of_the_list_is_a_fault_of_the_course(
    ledger: Ledger, begun: Begun, session: Write, tmp_path: Path
) -> None:
    session(begun().course_id, "2026-03-02")
    changed(tmp_path, "DELETE FROM session_lines")
    assert courses(ledger)[0].faults == ("the list of sessions is not what the entries say",)
