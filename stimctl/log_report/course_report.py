"""The report of one subject's sessions over time, in blocks."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

from stimctl.label import printable
from stimctl.ledger.delivery import DeliveryState, charge_pc
from stimctl.ledger.moments import local_and_utc
from stimctl.ledger.subject import CourseEntries
from stimctl.log_report import figures as f
from stimctl.log_report import happenings as h
from stimctl.log_report.blocks import Block, DataTable, FactList, LogReport, Passage, Plot, ReportSection
from stimctl.log_report.case import HARDWARE, CasesOfPlan, LedgerHead, SessionCase
from stimctl.log_report.delivery import Delivery, each_once
from stimctl.log_report.plan_facts import plan_facts, plan_name
from stimctl.log_report.readings import CoursePoint
from stimctl.log_report.session_report import faults_said, foot, marks, proof_of_head, signature_lines
from stimctl.log_report.words import ReportWords
from stimctl.units import PC_PER_UC, UA_PER_MA

_WHENS = ("before", "after")


class _Listed(NamedTuple):
    """A session, its number among all of the subject, and its delivery."""

    number: int
    case: SessionCase
    delivery: Delivery


def course_report(
    words: ReportWords,
    pseudonym: str,
    cases: list[SessionCase],
    plans: Sequence[CasesOfPlan],
    courses: Sequence[CourseEntries],
    doubts: Sequence[str],
    head: LedgerHead,
    made: str,
    tool: str,
) -> LogReport:
    """The sessions of one subject, oldest first, as the log holds them, and what was written of its courses.

    What is listed, totalled and drawn is that of one of the `plans`; two are never mixed. `doubts`: what does not
    verify, but for what the sessions say themselves.
    """
    beside = [entry for course in courses for entry in course.entries]
    deliveries = each_once(case.delivery for case in cases)
    sound = not doubts and not any(case.summary.faults for case in cases)
    sections = [ReportSection(words("section.course"), (FactList(tuple(_who_and_when(words, pseudonym, cases))),))]
    for of in plans:
        sections += _of_plan(words, of, deliveries, plan_name(words, of) if len(plans) > 1 else "")
    rest: dict[str, tuple[Block, ...]] = {
        "adverse": (h.written(words, "adverse", cases, beside),),
        "notes": (h.written(words, "note", cases, beside),),
        "proof": (FactList(tuple(_proof(words, cases, head, sound=sound))), Passage(words("text.proof"))),
        "signatures": signature_lines(words),
    }
    sections += [ReportSection(words(f"section.{name}"), blocks) for name, blocks in rest.items()]
    found = {case.mark for case in cases} - {""}
    return LogReport(
        language=words.language,
        title=words("title.course"),
        subtitle=printable(pseudonym),
        marks=marks(words, found, verifies=sound),
        said=(words("mark.course_said"),) if found else (),
        warnings=tuple(faults_said(words, *cases, more=doubts)),
        sections=tuple(sections),
        page_of=words("foot.page"),
        foot=foot(words, made, tool),
    )


def _who_and_when(words: ReportWords, pseudonym: str, cases: list[SessionCase]) -> Iterator[tuple[str, str]]:
    heads = [case.summary.head for case in cases]
    yield words("label.pseudonym"), printable(pseudonym)
    yield words("label.subject"), _listed(words.of("kind", head.subject) for head in heads)
    yield words("label.sessions"), str(len(cases))
    yield words("label.first"), local_and_utc(heads[0].started_utc)
    yield words("label.last"), local_and_utc(heads[-1].started_utc)
    yield words("label.profiles"), _listed(f"{head.profile_id or ''} {head.profile_version or ''}" for head in heads)
    yield words("label.devices"), _listed(f"{head.device_model or ''} {head.device_serial or ''}" for head in heads)
    yield words("label.operator"), _listed(head.operator or "" for head in heads)


def _listed(found: Iterator[str]) -> str:
    return "\n".join(printable(one) for one in dict.fromkeys(one.strip() for one in found) if one)


def _of_plan(words: ReportWords, of: CasesOfPlan, deliveries: list[Delivery], name: str) -> Iterator[ReportSection]:
    """The plan, and the sessions that follow it; under its `name`, where there are several."""
    listed = [_Listed(number, case, deliveries[number - 1]) for number, case in of.cases]
    blocks: dict[str, tuple[Block, ...]] = {}
    if of.course is not None:
        blocks["plan"] = (FactList(tuple(plan_facts(words, of))),)
    if listed:
        numbers = {delivery.session_id: number for number, delivery in enumerate(deliveries, 1)}
        blocks["sessions"] = (_sessions(words, listed, numbers),)
        blocks["totals"] = (_totals(words, listed), Passage(words("text.totals")))
        blocks["trends"] = (_trends(words, listed),)
    for section, each in blocks.items():
        title = words(f"section.{section}")
        yield ReportSection(f"{title}: {name}" if name else title, each)


def _sessions(words: ReportWords, listed: list[_Listed], numbers: dict[str, int]) -> Block:
    rows = []
    for number, case, delivery in listed:
        head = case.summary.head
        adverse = len(case.remarks("adverse"))
        when = local_and_utc(head.started_utc)[:16]
        rows.append(
            (
                str(number),
                f"{when}\n{head.session_id}",
                f"{words.of('kind', case.mark or HARDWARE)}\n{_state(words, delivery, numbers)}",
                f.clock(head.stimulated_us) if delivery.known else "",
                _charge(words, case, delivery),
                f.current(_reached_ua(case)),
                _pain(words, case),
                str(adverse) if adverse else "",
                words("value.yes" if not case.summary.faults else "value.verifies_not"),
            )
        )
    names = ("number", "session", "kind_delivery", "stimulated", "charge", "reached", "pain", "adverse", "verifies")
    return DataTable(
        tuple(words(f"column.{name}") for name in names), tuple(rows), frozenset({2}), frozenset({0, 3, 4, 5, 6, 7})
    )


def _state(words: ReportWords, delivery: Delivery, numbers: dict[str, int]) -> str:
    told = words(f"delivery.{delivery.state}")
    return f"{told}\n{words('value.same_as', number=numbers[delivery.same_as])}" if delivery.same_as else told


def _charge(words: ReportWords, case: SessionCase, delivery: Delivery) -> str:
    """The charge that is known to have been given, with its standing; "unknown" where that is uncertain."""
    if not delivery.known:
        return words.of("standing", "unknown") if delivery.state is DeliveryState.UNCERTAIN else ""
    return f"{f.charge(charge_pc(case.summary))}\n{words.of('standing', case.summary.head.delivered_standing)}"


def _pain(words: ReportWords, case: SessionCase) -> str:
    before, after = (h.score_text(h.score(case, "pain", when)) for when in _WHENS)
    return words("value.change", before=before or "–", after=after or "–") if before or after else ""


def _reached_ua(case: SessionCase) -> int | None:
    found = [case.reached_ua(channel.channel) for channel in case.summary.channels]
    return max((ua for ua in found if ua is not None), default=None)


def _totals(words: ReportWords, listed: list[_Listed]) -> Block:
    """A line for each kind of session and state of delivery. What is uncertain is counted, and has no figures."""
    found = sorted(listed, key=_place)
    rows = [_total(words, place, [each.case for each in group]) for place, group in groupby(found, key=_place)]
    names = ("mark", "delivery", "count", "stimulated", "charge")
    return DataTable(
        tuple(words(f"column.{name}") for name in names), tuple(rows), frozenset({1}), frozenset({2, 3, 4})
    )


_DUPLICATE = "duplicate"
_PLACES = (*DeliveryState, _DUPLICATE)


def _place(listed: _Listed) -> tuple[str, int]:
    place = _DUPLICATE if listed.delivery.same_as else listed.delivery.state
    return listed.case.mark or HARDWARE, _PLACES.index(place)


def _total(words: ReportWords, place: tuple[str, int], cases: list[SessionCase]) -> tuple[str, ...]:
    kind, state = place[0], _PLACES[place[1]]
    told = words.of("kind", kind), words(f"delivery.{state}"), str(len(cases))
    if state not in (DeliveryState.CONFIRMED, DeliveryState.COMMANDED):
        return *told, "", ""
    charges, times_us = [charge_pc(case.summary) for case in cases], [case.summary.head.stimulated_us for case in cases]
    standings = list(dict.fromkeys(case.summary.head.delivered_standing for case in cases))
    standing = ", ".join(words.of("standing", one) for one in standings)
    return *told, f.clock(_sum(times_us)), f"{f.charge(_sum(charges))}\n{standing}"


def _sum(values: list[int | None]) -> int | None:
    """The sum, or None where one of them is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _trends(words: ReportWords, listed: list[_Listed]) -> Block:
    points = [_point(*each) for each in listed]
    if all(point.empty for point in points):
        return Passage(words("text.no_trends"))
    return Plot(partial(_drawn, points), words("text.trends"))


def _drawn(points: list[CoursePoint]) -> str:
    from stimctl.log_report.plots import course_svg

    return course_svg(points)


def _point(number: int, case: SessionCase, delivery: Delivery) -> CoursePoint:
    charge, reached = charge_pc(case.summary) if delivery.known and not delivery.same_as else None, _reached_ua(case)
    return CoursePoint(
        number=number,
        pain_before=h.score(case, "pain", "before"),
        pain_after=h.score(case, "pain", "after"),
        reached_ma=None if reached is None else reached / UA_PER_MA,
        charge_uc=None if charge is None else charge / PC_PER_UC,
        confirmed=delivery.state is DeliveryState.CONFIRMED,
        uncertain=delivery.state is DeliveryState.UNCERTAIN and not delivery.same_as,
    )


def _proof(words: ReportWords, cases: list[SessionCase], head: LedgerHead, *, sound: bool) -> Iterator[tuple[str, str]]:
    broken = [case.summary.head.session_id for case in cases if case.summary.faults]
    yield (
        words("label.verifies"),
        words("value.verifies")
        if sound
        else ": ".join([words("value.verifies_not"), *filter(None, [", ".join(broken)])]),
    )
    yield from proof_of_head(words, head)
