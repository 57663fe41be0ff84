"""Renders one session of the ledger as a page of text: people, device, doses and events."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from stimctl.cli.agreement import agreement_text
from stimctl.cli.log.wording import happened, ms
from stimctl.cli.table import pairs, table
from stimctl.course.place import CoursePlace
from stimctl.label import isolated
from stimctl.label import printable as plain
from stimctl.ledger.export import at, pair_text
from stimctl.ledger.heads import CLOSED, SessionHead
from stimctl.ledger.moments import local_and_utc
from stimctl.ledger.reading import Entry
from stimctl.ledger.summary import ChannelSummary, SessionSummary
from stimctl.screening import QUESTIONS
from stimctl.units import charge_text, clock_text, ma_text
from stimctl.wire.codes import SATURATED_OHM, ohm_text

# What each fact is, in the order in which they came to be. They are never summed.
FACTS = ("planned", "commanded", "delivered", "measured")
_FACTS_SAID = """planned: by the prescription; commanded: what the driver ordered and the device confirmed;
delivered: what was counted, estimated by time, or is a most; measured: what the device measured.
HOW KNOWN says which; what nobody knows is "-", and never 0"""
_MISSING = "-"
_WHENS = ("before", "after")
_WRITTEN = frozenset({"note", "adverse", "correction"})  # by a person, who may have to correct it by its number
_QUESTION = {question.id: question.text for question in QUESTIONS}


def page(summary: SessionSummary, place: CoursePlace | None = None) -> str:
    parts = [
        f"{summary.head.watermark}: session {summary.head.session_id}",
        *_warnings(summary),
        pairs((*_head(summary), *_course(place))),
        "Needles and current\n" + table(("CHANNEL", "PAIR", "NEEDLE", "PRESCRIBED", "REACHED"), _needles(summary)),
        "Dose, one phase\n" + table(("CHANNEL", "BAND", "FACT", "PULSES", "CHARGE", "HOW KNOWN"), _doses(summary)),
        _FACTS_SAID,
        "Measured\n"
        + table(
            ("CHANNEL", "CURRENT, mA", "IMPEDANCE, ohm", "NET CHARGE", "AT THE RAIL", "ENERGY"), _measured(summary)
        ),
        *_screening(summary),
        *_scores(summary),
        "What happened\n" + (table(("TIME", "WHAT", "DETAIL"), map(_remark(summary), _remarks_shown(summary)))),
    ]
    return "\n\n".join(parts)


def _warnings(summary: SessionSummary) -> Iterator[str]:
    """What of the session cannot be believed, before anything of it is shown."""
    if summary.faults:
        listed = "\n".join(f"  {fault}" for fault in summary.faults)
        yield plain_lines(f"THIS SESSION DOES NOT VERIFY: nothing below can be relied on.\n{listed}")
    if summary.losses:
        yield plain_lines("Entries of this log were lost earlier:\n" + "\n".join(f"  {one}" for one in summary.losses))


def plain_lines(text: str) -> str:
    """`plain`, line by line."""
    return "\n".join(map(plain, text.split("\n")))


def _head(summary: SessionSummary) -> Iterator[tuple[str, str]]:
    head, rx = summary.head, summary.prescription
    why = f", {summary.end_text}" if summary.end_text and summary.end_text != head.end_reason else ""
    yield "verifies", "NO" if summary.faults else "yes: each entry is as it was written"
    yield "state", plain(f"{head.state}: {head.end_reason}{why}" if head.end_reason else head.state)
    yield from _times(head)
    yield "subject", _words(head.subject, head.pseudonym)
    yield "operator", _words(head.operator)
    yield "profile", _words(head.profile_id, head.profile_version, head.profile_sha256 and head.profile_sha256[:12])
    calibrated = head.device_calibrated_on and f"calibrated {head.device_calibrated_on}"
    yield "device", _words(head.device_model, head.device_serial, head.device_firmware, calibrated)
    if summary.calibration:
        yield "calibration", plain(summary.calibration)
    yield from (("device lacks", plain(each)) for each in summary.lacks)
    yield "line", _words(summary.url)
    yield "software", _words(summary.software)
    ceiling_ua = rx.get("ceiling_ua")
    yield "ceiling", ma_text(ceiling_ua) if isinstance(ceiling_ua, int) else _MISSING
    yield "bands", ", ".join(_bands(summary)) or _MISSING
    yield "on hold", clock_text(summary.held_us) if isinstance(summary.held_us, int) else _MISSING
    zero_us = summary.zero_confirmed_us
    how = "confirmed" if summary.zero_measured else "acknowledged, NOT measured,"
    yield "zero after stop", f"{how} after {ms(zero_us)}" if isinstance(zero_us, int) else _no_zero(summary)
    nothing = "nothing to compare: never armed, nothing was delivered" if summary.armed is False else _MISSING
    agrees = partial(agreement_text, summary.agreement, no="NO: do not trust this device", unknown=nothing)
    yield "counted as commanded", agrees("exact", yes="yes, exactly")
    yield "measured as counted", agrees("measured", yes="yes, within its stated error")
    if contradiction := summary.agreement.get("contradiction"):
        yield "contradiction", plain(contradiction)
    yield from _origins(summary)
    yield from (("not known", plain(text)) for text in summary.unknown)
    yield "entries", f"{summary.entries}, numbers {summary.first_number} to {summary.last_number}"
    yield "hash of the last", summary.last_hash


def _course(place: CoursePlace | None) -> Iterator[tuple[str, str]]:
    """The course that it belongs to, which session of it this is, and what spoke against it on its day."""
    if place is None:
        return
    course, total = place.course, place.course.plan.course_sessions.range
    counts = f"session {place.number}" + (f" of {total}" if total else "") if place.number else "does not count in it"
    yield (
        "course",
        f"{plain(course.course_id)} of {isolated(plain(course.pseudonym))}, {plain(course.profile_id)}: {counts}",
    )
    yield from (("attention", plain(each)) for each in place.warnings)
    yield from (("attention", plain(f"the course does not verify: {each}")) for each in course.faults)


def _times(head: SessionHead) -> Iterator[tuple[str, str]]:
    """When, by this computer's clock and in UTC; what nobody knows is said to be so."""
    if head.fetched_utc:
        yield "fetched", local_and_utc(head.fetched_utc)
        yield "started", "not known"
        return
    yield "started", local_and_utc(head.started_utc)
    if head.ended_utc:
        yield "ended", local_and_utc(head.ended_utc)
    elif head.closed_utc:
        yield "ended", "not known: cut short"
        yield "last seen", local_and_utc(head.last_seen_utc) if head.last_seen_utc else "not known"
        yield "closed", f"{local_and_utc(head.closed_utc)}, by {head.closed_by or 'whom is not known'}"
    else:
        yield "ended", _MISSING
    if head.duration_us is not None:
        lasted = clock_text(head.duration_us)
        yield "lasted", f"{lasted} by a simulated clock" if head.clock == "virtual" else lasted


def _needles(summary: SessionSummary) -> Iterator[tuple[str, ...]]:
    titrated = bool(summary.prescription.get("titrate"))
    for channel in _used(summary):
        asked_ua = channel.plan.get("amplitude_ua")
        asked = ma_text(asked_ua) if isinstance(asked_ua, int) else _MISSING
        reached_ua = (channel.spreads.get("applied_ua") or {}).get("max")
        yield (
            str(channel.channel),
            plain(pair_text(channel.plan) or _MISSING),
            plain(_needle(channel.plan.get("needle"))),
            f"titrated from {asked}" if titrated else asked,
            ma_text(reached_ua) if isinstance(reached_ua, int) else _MISSING,
        )


def _needle(needle: object) -> str:
    if not isinstance(needle, dict):
        return _MISSING
    said = [
        f"{needle[name] / 1000:g} mm {what}"
        for name, what in (("diameter_um", "thick"), ("inserted_um", "deep"))
        if isinstance(needle.get(name), int)
    ]
    coating = needle.get("coating")
    return ", ".join([*said, *([f"{coating} coating"] if coating not in (None, "none") else [])]) or _MISSING


def _screening(summary: SessionSummary) -> Iterator[str]:
    """The answers, a line each, and who gave them."""
    for entry in summary.remarks:
        if entry.kind == "screening":
            answers = entry.body.get("answers")
            given = answers if isinstance(answers, dict) else {}
            asked = [name for name in _QUESTION if name in given]  # the log has them by the alphabet
            listed = dict.fromkeys([*asked, *given])
            said = [f"  {'yes' if given[name] else 'no ':3}  {_QUESTION.get(name, name)}" for name in listed]
            about = f"Screening of {entry.body.get('pseudonym')}, answered to {summary.head.operator}"
            yield plain_lines("\n".join([about, *said]))


def _scores(summary: SessionSummary) -> Iterator[str]:
    rows = []
    for name, word in (("pain", "pain"), ("sensation", "sensation at the needles")):
        given = [
            entry.body for entry in summary.remarks if entry.kind == "outcome" and entry.body.get(name) is not None
        ]
        scores = {str(body.get("when")): plain(body[name]) for body in given}  # a later one counts
        if scores:
            rows.append((word, *(scores.get(when, _MISSING) for when in _WHENS)))
    if rows:
        yield "Scores, 0 to 10\n" + table(("WHAT", "BEFORE", "AFTER"), rows)


def _remarks_shown(summary: SessionSummary) -> Iterator[Entry]:
    """What has no place of its own on the page."""
    for entry in summary.remarks:
        scored = entry.kind == "outcome" and entry.body.get("when") in _WHENS
        if entry.kind != "screening" and not scored:
            yield entry


def _origins(summary: SessionSummary) -> Iterator[tuple[str, str]]:
    """What the delivered figures rest on, where the device holds no counts of its own."""
    if summary.kept:
        yield "delivered is", f"{summary.kept.get('evidence')}: {summary.kept.get('source')}"
        for channel, pc in (summary.kept.get("unsure_pc") or {}).items():
            yield f"channel {channel} unsure by", f"{charge_text(pc)}, by what was declared of the isolator"
        gaps = summary.kept.get("handovers") or {}
        yield "hand-over gaps", ", ".join(f"{name} {value}" for name, value in gaps.items())


def _no_zero(summary: SessionSummary) -> str:
    if summary.head.state != CLOSED:
        return _MISSING
    return "not known: the program ended before it could ask" if summary.unknown else "NOT CONFIRMED"


def _bands(summary: SessionSummary) -> Iterator[str]:
    names = summary.bands or (("band 1", "band 2") if summary.band_us else ())
    for index, name in enumerate(names):
        band_us = at(summary.band_us, index)
        yield f"{name} for {clock_text(band_us)}" if isinstance(band_us, int) else name


def _used(summary: SessionSummary) -> Iterator[ChannelSummary]:
    """The channels that were prescribed, or delivered something all the same."""
    for channel in summary.channels:
        delivered = channel.delivered or {}
        if channel.plan or channel.planned or any((*delivered.get("pulses", ()), *delivered.get("charge_pc", ()))):
            yield channel


def _doses(summary: SessionSummary) -> Iterator[tuple[str, ...]]:
    for channel in _used(summary):
        for index, band in enumerate(summary.bands or ("band 1", "band 2")):
            for fact in FACTS:
                dose: dict[str, Any] = getattr(channel, fact) or {}
                pulses, charge_pc = at(dose.get("pulses"), index), at(dose.get("charge_pc"), index)
                yield (
                    plain(_channel(channel)) if fact == FACTS[0] else "",
                    band if fact == FACTS[0] else "",
                    fact,
                    f"{pulses:,}" if isinstance(pulses, int) else _MISSING,
                    charge_text(charge_pc) if isinstance(charge_pc, int) else _MISSING,
                    channel.standing.get(fact, fact) if dose else "unknown",
                )


def _channel(channel: ChannelSummary) -> str:
    pair = pair_text(channel.plan)
    return f"{channel.channel} ({pair})" if pair else str(channel.channel)


def _measured(summary: SessionSummary) -> Iterator[tuple[str, ...]]:
    for channel in _used(summary):
        measured = channel.measured or {}
        net_pc, energy_nj = measured.get("net_charge_pc"), measured.get("energy_nj")
        yield (
            str(channel.channel),
            _spread(channel.spreads.get("measured_ua"), 1000),
            _spread(channel.spreads.get("ohm"), 1).replace(str(SATURATED_OHM), ohm_text(SATURATED_OHM)),
            charge_text(net_pc) if isinstance(net_pc, int) else _MISSING,
            _count(measured.get("compliance_hits")),
            f"{energy_nj / 1e6:.2f} mJ" if isinstance(energy_nj, int) else _MISSING,
        )


def _count(number: object) -> str:
    return f"{number:,}" if isinstance(number, int) else _MISSING


def _spread(spread: Any, unit: int) -> str:
    if not isinstance(spread, dict):
        return _MISSING
    figures = (f"{name} {spread[name] / unit:g}" for name in ("first", "min", "median", "max") if name in spread)
    return ", ".join(figures)


def _remark(summary: SessionSummary) -> Any:
    def row(entry: Entry) -> tuple[str, str, str]:
        # What is added later, the end of a session cut short too, has no place on the session's own clock.
        later = entry.kind == "recovered" or bool(entry.body.get("added_later"))
        later = later or (entry.kind == "closed" and bool(summary.unknown))
        on_clock = not later and entry.at_us >= summary.opened_at_us
        when = clock_text(entry.at_us - summary.opened_at_us) if on_clock else local_and_utc(entry.utc)[:16]
        what, detail = happened(entry, summary)
        if entry.kind in _WRITTEN:
            detail = f"{detail} [entry {entry.number}]"
        return when, plain(what), plain(detail)

    return row


def _words(*words: str | None) -> str:
    return plain(" ".join(word for word in words if word) or _MISSING)
