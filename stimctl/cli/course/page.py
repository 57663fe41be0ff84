"""Renders a course as a page of text, and as a document for programs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from stimctl.cli.log.page import plain_lines
from stimctl.cli.table import pairs, table
from stimctl.course.courses import Course
from stimctl.course.due import NextSession
from stimctl.course.plan import CoursePlan, mapping
from stimctl.course.response import response
from stimctl.course.visits import Visit
from stimctl.label import isolated
from stimctl.label import printable as plain
from stimctl.ledger import Entry
from stimctl.ledger.moments import local_and_utc
from stimctl.units import charge_text, counted, ma_text

_MISSING = "-"
_NAMES = {
    "sessions_per_week": "how often",
    "course_weeks": "course",
    "course_sessions": "sessions in all",
    "spacing_days": "spacing",
    "expected_by_session": "response by session",
    "reassess_by_session": "reassess by session",
}


def plan_lines(plan: CoursePlan) -> str:
    """Each value, and who says so."""
    return table(("PLAN", "", "WHO SAYS SO"), ((_NAMES[each.name], each.amount, each.basis) for each in plan))


def page(course: Course, visits: Sequence[Visit], next_due: NextSession) -> str:
    """The whole of a course."""
    told = response(course.plan, [visit.pain_before for visit in visits])
    parts = [
        f"{course.watermark}: course of {isolated(plain(course.pseudonym))}",
        *_faults(course, visits),
        pairs(_head(course, visits)),
        plan_lines(course.plan),
        "Sessions\n" + table(_COLUMNS, _rows(visits)) if visits else "Sessions\n  none yet",
        *_attention((*told.warnings, *next_due.attention)),
        "Next\n" + _indented(_next(course, next_due)),
        "Response\n" + _indented(told.lines),
        *_events(course, visits),
    ]
    return "\n\n".join(parts)


def _faults(course: Course, visits: Iterable[Visit]) -> Iterator[str]:
    faults = dict.fromkeys((*course.faults, *(fault for visit in visits for fault in visit.faults)))
    if faults:
        yield plain_lines("THIS COURSE DOES NOT VERIFY: nothing below can be relied on.\n" + _indented(faults))


def _head(course: Course, visits: Sequence[Visit]) -> Iterator[tuple[str, str]]:
    profile = course.profile
    yield "course", plain(course.course_id)
    yield "profile", plain(f"{profile.get('title')} ({course.profile_id} {profile.get('version')})")
    yield "begun", local_and_utc(course.begun_utc) + (f", by {plain(course.author)}" if course.author else "")
    total = course.plan.course_sessions.range
    yield "done", f"{len(visits)} of {total or 'a number that is unspecified'}"
    if course.ended is not None:
        yield "ended", plain(course.ended)


_COLUMNS = ("#", "DAY", "SINCE", "SESSION", "PAIN", "REACHED", "IMPEDANCE", "CHARGE", "HOW KNOWN", "END")


def _rows(visits: Sequence[Visit]) -> Iterator[tuple[str, ...]]:
    before: date | None = None
    for visit in visits:
        pains = (_score(visit.pain_before), _score(visit.pain_after))
        yield (
            str(visit.number),
            f"{visit.day}",
            _MISSING if before is None else f"{(visit.day - before).days} d",
            visit.session_id,
            f"{pains[0]} > {pains[1]}",
            _by_channel({channel: ma_text(ua) for channel, ua in visit.reached_ua.items()}),
            _by_channel({channel: f"{ohm:g} ohm" for channel, ohm in visit.ohm.items()}),
            _MISSING if visit.delivered_pc is None else charge_text(visit.delivered_pc),
            visit.delivered_standing,
            visit.end_reason or _MISSING,
        )
        before = visit.day


def _score(score: float | None) -> str:
    return _MISSING if score is None else f"{score:g}"


def _by_channel(figures: dict[int, str]) -> str:
    if len(figures) == 1:
        return next(iter(figures.values()))
    return ", ".join(f"{channel}: {text}" for channel, text in figures.items()) or _MISSING


def _attention(warnings: Sequence[str]) -> Iterator[str]:
    if warnings:
        yield "ATTENTION\n" + _indented(warnings)


def _next(course: Course, next_due: NextSession) -> list[str]:
    if course.ended is not None:
        return ["the course has ended"]
    total = course.plan.course_sessions.range
    finished = total is not None and next_due.number > total.high
    after = [
        f"after the course: {text} [profile]" for text in course.follow_up if total and next_due.number > total.low
    ]
    first = [] if finished else [f"session {next_due.number}: {when(next_due)}"]
    return [*first, *next_due.too_soon, *after, *next_due.basis]


def when(next_due: NextSession) -> str:
    """The days on which the next session is due."""
    if next_due.earliest is None or next_due.latest is None:
        return "any day" if next_due.number == 1 else "not known"
    first, last = next_due.earliest, next_due.latest
    return f"{first:%a %Y-%m-%d}" + (f" to {last:%a %Y-%m-%d}" if last != first else "")


def _events(course: Course, visits: Sequence[Visit]) -> Iterator[str]:
    """Adverse events of the course and of its sessions; then what was noted, corrected and ended."""
    adverse = [entry for visit in visits for entry in visit.adverse]
    adverse += [entry for entry in course.remarks if entry.kind == "adverse"]
    others = [entry for entry in course.remarks if entry.kind != "adverse"]
    for title, entries in (("ADVERSE EVENTS", adverse), ("Notes and corrections", others)):
        if entries:
            rows = [(str(entry.number), local_and_utc(entry.utc)[:16], _words(entry)) for entry in entries]
            yield f"{title}\n" + table(("ENTRY", "WRITTEN", "WHAT"), rows)


def _words(entry: Entry) -> str:
    body = entry.body
    by = f" ({body['author']})" if body.get("author") else ""
    severity = f"{body['severity']}: " if body.get("severity") else ""
    said = [f"{severity}{body.get('text') or body.get('why') or _MISSING}"]
    plan = mapping(body.get("plan"))
    said += [f"{_NAMES.get(name, name)}: {_amount(each)}" for name, each in plan.items()]
    said += [
        f"session {each} {'counts' if counts else 'does not count'}"
        for each, counts in mapping(body.get("counts")).items()
    ]
    kind = {
        "course_changed": "corrected: ",
        "course_ended": "ended: ",
        "correction": f"of entry {body.get('number')}: ",
    }
    return f"{kind.get(entry.kind, '')}{'; '.join(said)}{by}"


def _amount(record: Any) -> str:
    from stimctl.course.plan import read_value

    value = read_value("", record)
    return f"{value.range} {value.basis}" if value.range else value.amount


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"  {plain(line)}" for line in lines)


def due_page(course: Course, next_due: NextSession) -> str:
    """What is due in one course, and why."""
    head = f"{course.watermark}: {isolated(plain(course.pseudonym))}, {plain(course.profile_id)}"
    return "\n\n".join([head, _indented(_next(course, next_due)), *_attention(next_due.attention)])


def due_table(planned: Sequence[tuple[Course, NextSession]], today: date) -> str:
    """A line a course."""
    rows = [
        (
            course.pseudonym,
            course.profile_id + (" (SIMULATED)" if course.simulated else ""),
            f"{next_due.number} of {course.plan.course_sessions.range or '?'}",
            when(next_due),
            _state(next_due, today),
        )
        for course, next_due in planned
    ]
    told = [f"{isolated(course.pseudonym)}: {each.profile_change}" for course, each in planned if each.profile_change]
    return "\n\n".join([table(("WHO", "PROFILE", "SESSION", "DUE", "STATE"), rows), *_attention(told)])


def _state(next_due: NextSession, today: date) -> str:
    if next_due.earliest is not None and next_due.earliest > today:
        return f"in {counted((next_due.earliest - today).days, 'day')}"
    if next_due.warnings:
        return next_due.warnings[0].partition(":")[0]
    return "due" if next_due.earliest is not None else when(next_due)


def due_document(course: Course, next_due: NextSession) -> dict[str, Any]:
    """What is due in one course, JSON-able."""
    days = {
        name: day and day.isoformat() for name, day in (("earliest", next_due.earliest), ("latest", next_due.latest))
    }
    return {
        "watermark": course.watermark,
        "course_id": course.course_id,
        "pseudonym": course.pseudonym,
        "profile": dict(course.profile),
        "verifies": not course.faults,
        "due": {**asdict(next_due), **days},
    }


def document(course: Course, visits: Sequence[Visit], next_due: NextSession) -> dict[str, Any]:
    """The whole of a course, JSON-able."""
    told = response(course.plan, [visit.pain_before for visit in visits])
    faults = list(dict.fromkeys((*course.faults, *(fault for visit in visits for fault in visit.faults))))
    return {
        **due_document(course, next_due),
        "verifies": not faults,
        "faults": faults,
        "simulated": course.simulated,
        "begun_utc": course.begun_utc,
        "author": course.author,
        "ended": course.ended,
        "plan": course.plan.record(),
        "follow_up": list(course.follow_up),
        "sessions": [asdict(visit) | {"day": visit.day.isoformat()} for visit in visits],
        "response": told._asdict(),
        "remarks": [asdict(entry) for entry in course.remarks],
    }
