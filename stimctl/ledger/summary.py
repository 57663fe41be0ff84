"""Gathers one session from its entries in the ledger, for reading and export.

Planned, commanded, delivered and measured stand beside each other, each with its standing, and are never summed or
mixed. What an entry does not say stays None: a session cut short has gaps, and they show.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stimctl import entries as e
from stimctl.ledger import standing
from stimctl.ledger.heads import CLOSED, LATER, RECOVERED, RUNNING, SessionHead, head_of
from stimctl.ledger.lines import CLOSED as CLOSED_SHOWN
from stimctl.ledger.lines import FETCHED as FETCHED_SHOWN
from stimctl.ledger.lines import OPENED as OPENED_SHOWN
from stimctl.ledger.lines import SessionLine, shown
from stimctl.ledger.reading import Entry
from stimctl.units import hz_text


@dataclass(frozen=True, slots=True)
class ChannelSummary:
    """One channel. The four doses are different facts; `plan` is its line of the prescription.

    `standing` says how `delivered` and `measured` came to be known; `basis` how many pulses are which, where the host
    kept the counts.
    """

    channel: int
    plan: dict[str, Any]
    planned: dict[str, Any] | None
    commanded: dict[str, Any] | None
    delivered: dict[str, Any] | None
    measured: dict[str, Any] | None
    spreads: dict[str, Any]
    standing: dict[str, str]
    basis: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """All of one session but its samples. `faults` says what of it does not verify; then none of it can be believed.

    `agreement` is that of `stimctl.session.view.SessionReport`.
    """

    head: SessionHead
    faults: tuple[str, ...]
    losses: tuple[str, ...]
    bands: tuple[str, ...]
    end_text: str | None
    unknown: tuple[str, ...]
    band_us: Any
    held_us: Any
    zero_confirmed_us: Any
    zero_measured: Any
    armed: Any
    kept: dict[str, Any]
    agreement: dict[str, Any]
    channels: tuple[ChannelSummary, ...]
    remarks: tuple[Entry, ...]
    prescription: dict[str, Any]
    lacks: tuple[str, ...]
    calibration: str
    url: str | None
    software: str | None
    entries: int
    opened_at_us: int
    first_number: int
    last_number: int
    last_hash: str


REMARKS = frozenset(
    {"screening", "self_test", "impedance", "armed", "started", "target", "held", "alarm", "stop", "closed"} | LATER
)


def summarize(found: Iterable[Entry], *, running: bool, losses: tuple[str, ...] = ()) -> SessionSummary | None:
    """Gather one session's entries, given in order; None when there is nothing to tell of it."""
    opened = closed = fetched = last = None
    count, first_number, remarks, faults = 0, 0, [], []
    late: dict[str, Any] = {}
    for entry in found:
        last, count, first_number = entry, count + 1, first_number or entry.number
        faults += [entry.fault] if entry.fault else []
        if (entry.kind == "opened" and opened) or (entry.kind == CLOSED and closed):
            faults.append(f"entry {entry.number} is a second {entry.kind!r} of the session, which can be only one")
        if entry.kind == "opened" or (opened is None and entry.kind == RECOVERED):
            opened = opened or entry
        elif entry.kind == CLOSED:
            closed = closed or entry
        elif entry.kind == "counters":
            late.setdefault("delivered", {})[str(entry.body.get("channel"))] = entry.body
        if entry.kind == RECOVERED:
            fetched = entry
            late.update(_recovered(entry.body))
        if entry.kind in REMARKS:
            remarks.append(_remark(entry))
    if opened is None or last is None:
        return None
    begun, end = e.Opened.read(opened.body), e.Closed.read(closed.body if closed else {})
    head = head_of(_line(opened, closed, fetched), running=running)
    return SessionSummary(
        head=head,
        faults=tuple(faults),
        losses=losses,
        bands=tuple(_bands(begun)),
        end_text=_text(end.end_text or end.reason),
        unknown=tuple(_unknown(head, end)),
        band_us=late.get("band_us") or end.band_us,  # the device's own, where the closing had to do without
        held_us=end.held_us,
        zero_confirmed_us=end.zero_confirmed_us,
        # Older ledgers say it only where the zero was not measured.
        zero_measured=None if end.zero_confirmed_us is None else end.zero_measured is not False,
        armed=end.armed,
        kept=_mapping(end.kept),
        agreement=_mapping(end.agreement),
        channels=tuple(_channels(begun, end, late)),
        remarks=tuple(remarks),
        prescription=_mapping(begun.prescription),
        calibration=_calibration(begun.calibration),
        lacks=tuple(str(each) for each in _mapping(begun.device).get("lacks") or ()),
        url=_text(begun.url),
        software=_text(begun.software),
        entries=count,
        opened_at_us=opened.at_us,
        first_number=first_number,
        last_number=last.number,
        last_hash=last.hash,
    )


def _line(opened: Entry, closed: Entry | None, late: Entry | None) -> SessionLine:
    first = shown(opened.body, OPENED_SHOWN)
    end = shown(closed.body if closed else {}, CLOSED_SHOWN)
    at_us, utc = (closed.at_us, closed.utc) if closed else (None, None)
    got = shown(late.body if late else {}, FETCHED_SHOWN)
    return SessionLine(
        opened.number, opened.session_id, opened.kind, opened.at_us, opened.utc, first, at_us, utc, end, got
    )


def _remark(entry: Entry) -> Entry:
    """An entry to be told. Of the last one only why it ended: its doses stand where they belong."""
    if entry.kind != CLOSED:
        return entry
    return replace(entry, body={name: entry.body.get(name) for name in ("end_reason", "end_text", "reason")})


def _channels(begun: e.Opened, end: e.Closed, late: Mapping[str, Any]) -> Iterator[ChannelSummary]:
    plans = {str(plan.get("channel")): plan for plan in _plans(begun)}
    kept = _mapping(end.kept)
    columns = {
        "planned": _mapping(end.planned or begun.planned),
        "commanded": _mapping(end.commanded),
        # What the device counted may have been fetched apart from the closing: after a crash, for example.
        "delivered": _mapping(end.delivered) or _mapping(late.get("delivered")),
        "measured": _mapping(end.measured) or _mapping(late.get("measured")),
        "spreads": _mapping(end.spreads),
    }
    numbers = set(plans).union(*columns.values())
    for number in sorted(number for number in numbers if number.isdecimal()):
        found = {name: _mapping(column.get(number)) or None for name, column in columns.items()}
        spreads = {name: _mapping(each) for name, each in (found.pop("spreads") or {}).items()}
        found["measured"] = standing.without_unmeasured(number, found["measured"], kept)
        yield ChannelSummary(
            channel=int(number),
            plan=plans.get(number, {}),
            spreads=spreads,
            standing=standing.of_channel(number, found["delivered"], found["measured"], kept),
            basis=_mapping(_mapping(kept.get("channels")).get(number)),
            **found,
        )


def _unknown(head: SessionHead, end: e.Closed) -> Iterator[str]:
    """What nobody can know of this session any more, said where it would be missed."""
    if head.state == RECOVERED:
        yield "planned and commanded: only the ledger of the computer that ran this session holds them"
        yield "start: the device does not say when the session began"
    elif cut_short(head, end):
        yield "commanded: the program ended before it could say what it had commanded"
        yield "end: the program ended before it could say when"


def cut_short(head: SessionHead, end: e.Closed) -> bool:
    """Whether the program ended without saying how its session had."""
    return head.state not in (RUNNING, RECOVERED) and end.commanded is None


def _recovered(body: Mapping[str, Any]) -> dict[str, Any]:
    """The counts, measurements and times of "recovered", which stand there as the device gave them."""
    found: dict[str, Any] = {"delivered": {}, "measured": {}}
    record = _mapping(body.get("record"))
    if "segment_0_us" in record:
        found["band_us"] = [record["segment_0_us"], record.get("segment_1_us")]
    for name, source in (("delivered", "counters"), ("measured", "measured")):
        listed = body.get(source)
        for each in map(_mapping, listed if isinstance(listed, list) else ()):
            dose = {**each, "charge_pc": [each.get("charge_0_pc"), each.get("charge_1_pc")]}
            if "pulses_0" in each:
                dose["pulses"] = [each.get("pulses_0"), each.get("pulses_1")]
            found[name][str(each.get("channel"))] = dose
    return found


def _plans(begun: e.Opened) -> list[dict[str, Any]]:
    channels = _mapping(begun.prescription).get("channels")
    return [each for each in channels if isinstance(each, dict)] if isinstance(channels, list) else []


def _bands(begun: e.Opened) -> Iterator[str]:
    segments = _mapping(_mapping(begun.prescription).get("program")).get("segments")
    for index, segment in enumerate(segments if isinstance(segments, list) else []):
        period_us = _mapping(segment).get("period_us")
        yield hz_text(period_us) if isinstance(period_us, int) and period_us > 0 else f"band {index + 1}"


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _calibration(record: object) -> str:
    """What was on record of the device then, in a line; empty where nobody looked."""
    if not isinstance(record, dict):
        return str(record or "")
    if "unreadable" in record:
        return f"could not be read: {record['unreadable']}"
    fits = [
        f"channel {channel} gain {_mapping(each).get('gain')}, offset {_mapping(each).get('offset_ua')} uA"
        for channel, each in _mapping(record.get("channels")).items()
    ]
    due = "PAST DUE since" if record.get("past_due") else "due"
    who = f"{record.get('calibrated_on')}, certificate {record.get('certificate')}, {due} {record.get('due_on')}"
    return "; ".join([who, *fits])
