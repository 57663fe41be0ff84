"""The parts of a report that tell what happened: alarms, checks, scores, adverse events, notes, screening."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stimctl.label import printable
from stimctl.ledger import Entry
from stimctl.ledger.moments import local_and_utc
from stimctl.log_report import figures as f
from stimctl.log_report.blocks import Block, DataTable, Passage
from stimctl.log_report.case import SessionCase
from stimctl.log_report.words import ReportWords
from stimctl.screening import QUESTIONS
from stimctl.wire.codes import Purpose

_WHENS = ("before", "after")


def moment(case: SessionCase, entry: Entry) -> str:
    """When an entry was: by the session's own clock, or by the computer's where it was added later."""
    summary = case.summary
    later = entry.body.get("added_later") or entry.kind == "recovered" or (entry.kind == "closed" and summary.unknown)
    if later or entry.at_us < summary.opened_at_us:
        return local_and_utc(entry.utc)[:16]
    return f.clock(entry.at_us - summary.opened_at_us)


def alarms(words: ReportWords, case: SessionCase) -> Iterator[Block]:
    """Every alarm of the host and of the device, with its reason. The host's stand as the operator read them: each has
    figures of its moment in it, and what was read is part of the record."""
    found = case.remarks("alarm")
    if not found:
        yield Passage(words("text.no_alarms"))
        return
    if any(entry.body.get("source") != "device" for entry in found):
        yield Passage(words("text.alarms"))
    rows = [(moment(case, entry), *_alarm(words, entry.body)) for entry in found]
    head = tuple(words(f"column.{name}") for name in ("when", "who", "what", "action"))
    yield DataTable(head, tuple(rows), frozenset({2, 3}))


def _alarm(words: ReportWords, body: dict[str, Any]) -> tuple[str, str, str]:
    if body.get("source") != "device":
        text, action = (printable(body.get(name) or "") for name in ("text", "action"))
        return words.of("priority", body.get("priority")), text, action
    reason = words.of("reason", str(body.get("reason")).replace("_", " "))
    value = f.count(body.get("value"))
    if body.get("channel"):
        told = words("alarm.with_channel", reason=reason, channel=body["channel"], value=value)
    else:
        told = words("alarm.with_value", reason=reason, value=value) if value else reason
    return words("priority.device"), told, ""


def checks(words: ReportWords, case: SessionCase) -> Iterator[tuple[str, str]]:
    """Self-test, impedance, zero after the stop, and whether the doses agree."""
    summary = case.summary
    for entry in case.remarks("self_test"):
        failures, ua = entry.body.get("failures"), entry.body.get("zero_ua")
        said = words("value.failed", failures=failures, ua=ua) if failures else words("value.passed", ua=ua)
        note = entry.body.get("note")
        yield words("label.self_test"), f"{said}; {printable(note)}" if note else said
    for entry in case.remarks("impedance"):
        body = entry.body
        told = f.current(body.get("amplitude_ua")), f.ohm(words, body.get("ohm")), f.count(body.get("pulses"))
        yield (
            words("label.impedance"),
            words("value.checked", channel=body.get("channel"), current=told[0], ohm=told[1], pulses=told[2]),
        )
    yield words("label.zero"), _zero(words, case)
    for name, yes, no in (("exact", "exactly", "not_exactly"), ("agrees", "within", "not_within")):
        found = summary.agreement.get("measured" if name == "agrees" else name)
        key = yes if found is True else no if found is False else "not_comparable"
        yield words(f"label.{name}"), words(f"value.{key}")
    for name in ("reason", "contradiction"):
        if summary.agreement.get(name):
            yield words(f"label.{name}"), printable(summary.agreement[name])


def _zero(words: ReportWords, case: SessionCase) -> str:
    zero_us = case.summary.zero_confirmed_us
    if not isinstance(zero_us, int):
        return words("value.unknown") if case.summary.unknown else words("value.zero_never")
    name = "value.zero_measured" if case.summary.zero_measured else "value.zero_acknowledged"
    return words(name, ms=f"{zero_us / 1000:g}")


def screening(words: ReportWords, case: SessionCase) -> Iterator[Block]:
    """Every question and its answer."""
    found = case.remarks("screening")
    if not found:
        yield Passage(words("text.no_screening"))
    for entry in found:
        answers = f.mapping(entry.body.get("answers"))
        asked = [question.id for question in QUESTIONS if question.id in answers]
        rows = [
            (_question(words, name), words("value.yes" if answers[name] else "value.no"))
            for name in dict.fromkeys([*asked, *answers])
        ]
        yield DataTable((words("column.question"), words("column.answer")), tuple(rows), frozenset({0}))


def _question(words: ReportWords, name: str) -> str:
    as_asked = next((question.text for question in QUESTIONS if question.id == name), name)
    told = words.of("question", name)
    return as_asked if told == name else told


def score(case: SessionCase, name: str, when: str) -> float | None:
    """One score, the newest where it was given twice."""
    found = [entry.body.get(name) for entry in case.remarks("outcome") if entry.body.get("when") == when]
    known = [value for value in found if isinstance(value, int | float)]
    return known[-1] if known else None


def score_text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def scores(words: ReportWords, case: SessionCase) -> Block:
    """Scores before and after."""
    rows = [
        (words(f"score.{name}"), *(score_text(score(case, name, when)) for when in _WHENS))
        for name in ("pain", "sensation")
        if any(score(case, name, when) is not None for when in _WHENS)
    ]
    head = (words("column.score"), words("column.before"), words("column.after"))
    return DataTable(head, tuple(rows), frozenset({0}), frozenset({1, 2})) if rows else Passage(words("text.no_scores"))


def written(words: ReportWords, kind: str, cases: list[SessionCase], course: Sequence[Entry] = ()) -> Block:
    """Adverse events or notes, each with what corrects it, and with the session where there are several; and those of
    the `course`."""
    several = len(cases) > 1 or bool(course)
    everything = [*(entry for case in cases for entry in case.summary.remarks), *course]
    kinds = {entry.number: entry.kind for entry in everything}
    corrected = {_number(entry) for entry in everything if entry.kind == "correction"}
    names = ("when", *(("severity",) if kind == "adverse" else ()), "text", "author")
    placed = [(str(number), case, entry) for number, case in enumerate(cases, 1) for entry in case.summary.remarks]
    placed += [(words("section.course"), cases[0], entry) for entry in course]
    rows = []
    for number, case, entry in placed:
        if _kind_of(entry, kinds) == kind:
            severity = (words.of("severity", entry.body.get("severity")),) if kind == "adverse" else ()
            when = local_and_utc(entry.utc)[:16] if several else moment(case, entry)
            text = _written_text(words, entry, entry.number in corrected)
            rows.append(
                ((str(number),) if several else ()) + (when, *severity, text, printable(entry.body.get("author") or ""))
            )
    head = tuple(words(f"column.{name}") for name in ((("number",) if several else ()) + names))
    missing = words("text.no_adverse" if kind == "adverse" else "text.no_notes")
    return DataTable(head, tuple(rows), frozenset({len(head) - 2})) if rows else Passage(missing)


def _kind_of(entry: Entry, kinds: Mapping[int, str]) -> str:
    """A correction stands with the adverse events where it corrects one, else with the notes."""
    if entry.kind != "correction":
        return entry.kind
    return "adverse" if kinds.get(_number(entry)) == "adverse" else "note"


def _number(correction: Entry) -> int:
    """The number of the entry that it corrects; 0 where it names none."""
    number = correction.body.get("number")
    return number if isinstance(number, int) else 0


def _written_text(words: ReportWords, entry: Entry, corrected: bool) -> str:
    text = printable(entry.body.get("text") or "")
    if entry.kind == "correction":
        return words("value.correction", number=entry.body.get("number"), text=text)
    return words("value.corrected", number=entry.number, text=text) if corrected else text


def events(words: ReportWords, case: SessionCase) -> Block:
    """The steps in order: armed, started, changed, held, stopped, ended."""
    kinds = ("armed", "started", "target", "held", "stop", "closed", "recovered")
    rows = [(moment(case, entry), *_event(words, case, entry)) for entry in case.remarks(*kinds)]
    return DataTable((words("column.when"), words("column.event"), words("column.text")), tuple(rows), frozenset({2}))


def _event(words: ReportWords, case: SessionCase, entry: Entry) -> tuple[str, str]:
    body, name = entry.body, entry.kind
    if entry.kind == "closed":
        return words("event.closed"), ended(words, case)
    if entry.kind == "stop" and body.get("tried"):
        name = "stop_tried"
    if entry.kind in _EVENTS:
        return words(f"event.{name}"), _EVENTS[entry.kind](words, body)
    return words(f"event.{name}"), words(f"event.{name}_said")


def ended(words: ReportWords, case: SessionCase) -> str:
    """The reason of the end, with what more is known of it."""
    reason, more = case.summary.head.end_reason, case.summary.end_text
    told = words.of("end", reason)
    return told if more in (None, "", reason) else f"{told}: {printable(more)}"


def _armed(words: ReportWords, body: dict[str, Any]) -> str:
    purpose = "for_stimulation" if body.get("purpose") == Purpose.STIMULATE else "for_check"
    told = words(f"event.{purpose}"), f.current(body.get("ceiling_ua"))
    return words("event.armed_said", purpose=told[0], current=told[1], session=body.get("session"))


def _started(words: ReportWords, body: dict[str, Any]) -> str:
    targets = body.get("targets_ua")
    listed = targets.items() if isinstance(targets, dict) else ()
    return ", ".join(words("event.started_said", channel=channel, current=f.current(ua)) for channel, ua in listed)


def _target(words: ReportWords, body: dict[str, Any]) -> str:
    refused = body.get("refused")
    if isinstance(refused, dict):
        return words("event.refused_said", reason=refused.get("reason"))
    return words("event.started_said", channel=body.get("channel"), current=f.current(body.get("target_ua")))


def _stopped(words: ReportWords, body: dict[str, Any]) -> str:
    measured = body.get("measured", True)
    after_us = body.get("after_us" if measured else "answered_us")
    name = "event.stop_measured" if measured else "event.stop_acknowledged"
    return words(name, ms=f"{after_us / 1000:g}") if isinstance(after_us, int) else ""


_EVENTS: dict[str, Callable[[ReportWords, dict[str, Any]], str]] = {
    "armed": _armed,
    "started": _started,
    "target": _target,
    "stop": _stopped,
}
