"""Gathers one session from its entries in the ledger, for reading and export.

Planned, commanded, delivered (counted by the device) and measured stand beside each other and are never
summed or mixed. What an entry does not say stays None: a session cut short has gaps, and they show.
The TypedDicts are the shapes of the entries "opened" and "closed"; reading tolerates missing fields.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from stimctl.units import hz_text
from stimctl.wire.codes import simulator_or_hardware

REHEARSAL = "REHEARSAL"  # of a session on a person or an animal, on a simulator
CLOSED, RUNNING, UNFINISHED = "closed", "running", "unfinished"
RECOVERED = "recovered"  # run from another ledger; only what its device still held is known here


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `hash` and `previous` are hex."""

    number: int
    session_id: str
    kind: str
    at_us: int
    utc: str
    body: dict[str, Any]
    previous: str
    hash: str


class Dose(TypedDict):
    """Pulses and first-phase charge of one channel, by band, in the order of the program's segments."""

    pulses: list[int]
    charge_pc: list[int]


class SampleSpread(TypedDict):
    """The spread of one sampled quantity."""

    first: float
    min: float
    median: float
    max: float


class MeasuredSummary(TypedDict, total=False):
    """The device's measurements on one channel."""

    charge_pc: list[int]
    net_charge_pc: int
    max_amplitude_ua: int
    compliance_hits: int
    energy_nj: int


class OpenedBody(TypedDict, total=False):
    """The body of "opened". Doses are keyed by the channel's number as text."""

    subject: str
    operator: str
    pseudonym: str
    profile: dict[str, Any]
    prescription: dict[str, Any]
    device: dict[str, Any]
    simulator: bool
    url: str
    planned: dict[str, Dose]
    started_utc: str
    software: str


class ClosedBody(TypedDict, total=False):
    """The body of "closed". `spreads` holds applied_ua, measured_ua and ohm by channel."""

    end_reason: str
    end_text: str
    armed: bool
    planned: dict[str, Dose]
    commanded: dict[str, Dose]
    delivered: dict[str, Dose] | None
    measured: dict[str, MeasuredSummary] | None
    spreads: dict[str, dict[str, SampleSpread | None]]
    band_us: list[int]
    held_us: int
    zero_confirmed_us: int | None
    agreement: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SessionHead:
    """One session in a line: who, what, on which device, and how it ended."""

    session_id: str
    watermark: str
    state: str
    started_utc: str
    ended_utc: str | None
    end_reason: str | None
    subject: str | None
    pseudonym: str | None
    operator: str | None
    profile_id: str | None
    profile_version: str | None
    profile_sha256: str | None
    device_model: str | None
    device_serial: str | None
    device_firmware: str | None
    device_calibrated_on: str | None


@dataclass(frozen=True, slots=True)
class ChannelSummary:
    """One channel. The four doses are different facts; `plan` is its line of the prescription."""

    channel: int
    plan: dict[str, Any]
    planned: dict[str, Any] | None
    commanded: dict[str, Any] | None
    delivered: dict[str, Any] | None
    measured: dict[str, Any] | None
    spreads: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """All of one session but its samples."""

    head: SessionHead
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
    url: str | None
    software: str | None
    entries: int
    opened_at_us: int
    first_number: int
    last_number: int
    last_hash: str


REMARKS = frozenset(
    {"screening", "self_test", "impedance", "armed", "started", "target", "held", "alarm", "stop", "closed"}
    | {"recovered", "note", "outcome"}
)


def head_of(opened: Entry, closed: Entry | None, *, running: bool) -> SessionHead:
    """The head of the session that `opened` opened, or of which only a "recovered" is known here."""
    body, end = opened.body, closed.body if closed else {}
    if opened.kind == "recovered":
        device = body.get("device") or {"serial": body.get("device_serial")}
        body = {"device": device, "simulator": body.get("simulator")}
        state = RECOVERED
    else:
        state = CLOSED if closed else RUNNING if running else UNFINISHED
    return SessionHead(
        session_id=opened.session_id,
        watermark=watermark(body),
        state=state,
        started_utc=_text(body, "started_utc") or opened.utc,
        ended_utc=(_text(end, "ended_utc") or closed.utc) if closed else None,
        end_reason=_text(end, "end_reason"),
        subject=_text(body, "subject"),
        pseudonym=_text(body, "pseudonym"),
        operator=_text(body, "operator"),
        profile_id=_text(body, "profile", "id"),
        profile_version=_text(body, "profile", "version"),
        profile_sha256=_text(body, "profile", "sha256"),
        device_model=_text(body, "device", "model"),
        device_serial=_text(body, "device", "serial"),
        device_firmware=_text(body, "device", "firmware"),
        device_calibrated_on=_text(body, "device", "calibrated_on"),
    )


def summarize(entries: Iterable[Entry], *, running: bool) -> SessionSummary | None:
    """Gather one session's entries, given in order; None when there is nothing to tell of it."""
    opened = closed = last = None
    count, first_number, remarks = 0, 0, []
    late: dict[str, Any] = {}
    for entry in entries:
        last, count, first_number = entry, count + 1, first_number or entry.number
        if entry.kind == "opened" or (opened is None and entry.kind == "recovered"):
            opened = opened or entry
        elif entry.kind == "closed":
            closed = closed or entry
        elif entry.kind == "counters":
            late.setdefault("delivered", {})[str(entry.body.get("channel"))] = entry.body
        if entry.kind == "recovered":
            late.update(_recovered(entry.body))
        if entry.kind in REMARKS:
            remarks.append(_remark(entry))
    if opened is None or last is None:
        return None
    end = closed.body if closed else {}
    head = head_of(opened, closed, running=running)
    return SessionSummary(
        head=head,
        bands=tuple(_bands(opened.body)),
        end_text=_text(end, "end_text") or _text(end, "reason"),
        unknown=tuple(_unknown(head, end)),
        band_us=late.get("band_us") or end.get("band_us"),  # the device's own, where the closing had to do without
        held_us=end.get("held_us"),
        zero_confirmed_us=end.get("zero_confirmed_us"),
        zero_measured=end.get("zero_measured", True),
        armed=end.get("armed"),
        kept=_mapping(end.get("kept")),
        agreement=_mapping(end.get("agreement")),
        channels=tuple(_channels(opened.body, end, late)),
        remarks=tuple(remarks),
        prescription=_mapping(opened.body.get("prescription")),
        url=_text(opened.body, "url"),
        software=_text(opened.body, "software"),
        entries=count,
        opened_at_us=opened.at_us,
        first_number=first_number,
        last_number=last.number,
        last_hash=last.hash,
    )


def _remark(entry: Entry) -> Entry:
    """An entry to be told. Of the last one only why it ended: its doses stand where they belong."""
    if entry.kind != CLOSED:
        return entry
    return replace(entry, body={name: entry.body.get(name) for name in ("end_reason", "end_text", "reason")})


def watermark(opened: Mapping[str, Any]) -> str:
    """SIMULATOR, REHEARSAL or HARDWARE as "opened" says."""
    if _mapping(opened.get("prescription")).get("rehearsal"):
        return REHEARSAL
    return simulator_or_hardware(opened.get("simulator"))


def _channels(opened: Mapping[str, Any], end: Mapping[str, Any], late: Mapping[str, Any]) -> Iterator[ChannelSummary]:
    plans = {str(plan.get("channel")): plan for plan in _plans(opened)}
    columns = {
        "planned": _mapping(end.get("planned") or opened.get("planned")),
        "commanded": _mapping(end.get("commanded")),
        # What the device counted may have been fetched apart from the closing: after a crash, for example.
        "delivered": _mapping(end.get("delivered")) or _mapping(late.get("delivered")),
        "measured": _mapping(end.get("measured")) or _mapping(late.get("measured")),
        "spreads": _mapping(end.get("spreads")),
    }
    numbers = set(plans).union(*columns.values())
    for number in sorted(number for number in numbers if number.isdigit()):
        found = {name: _mapping(column.get(number)) or None for name, column in columns.items()}
        spreads = found.pop("spreads") or {}
        yield ChannelSummary(channel=int(number), plan=plans.get(number, {}), spreads=spreads, **found)


def _unknown(head: SessionHead, end: Mapping[str, Any]) -> Iterator[str]:
    """What nobody can know of this session any more, said where it would be missed."""
    if head.state == RECOVERED:
        yield "planned and commanded: only the ledger of the computer that ran this session holds them"
    elif cut_short(head, end):
        yield "commanded: the program ended before it could say what it had commanded"


def cut_short(head: SessionHead, end: Mapping[str, Any]) -> bool:
    """Whether the program ended without saying how its session had."""
    return head.state not in (RUNNING, RECOVERED) and "commanded" not in end


def _recovered(body: Mapping[str, Any]) -> dict[str, Any]:
    """The counts, measurements and times of "recovered", which stand there as the device gave them."""
    found: dict[str, Any] = {"delivered": {}, "measured": {}}
    record = _mapping(body.get("record"))
    if "segment_0_us" in record:
        found["band_us"] = [record["segment_0_us"], record.get("segment_1_us")]
    for name, source in (("delivered", "counters"), ("measured", "measured")):
        for each in body.get(source) or ():
            dose = {**each, "charge_pc": [each.get("charge_0_pc"), each.get("charge_1_pc")]}
            if "pulses_0" in each:
                dose["pulses"] = [each.get("pulses_0"), each.get("pulses_1")]
            found[name][str(each.get("channel"))] = dose
    return found


def _plans(opened: Mapping[str, Any]) -> list[dict[str, Any]]:
    channels = _mapping(opened.get("prescription")).get("channels")
    return [each for each in channels if isinstance(each, dict)] if isinstance(channels, list) else []


def _bands(opened: Mapping[str, Any]) -> Iterator[str]:
    segments = _mapping(_mapping(opened.get("prescription")).get("program")).get("segments")
    for index, segment in enumerate(segments if isinstance(segments, list) else []):
        period_us = _mapping(segment).get("period_us")
        yield hz_text(period_us) if isinstance(period_us, int) and period_us > 0 else f"band {index + 1}"


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(body: Mapping[str, Any], *path: str) -> str | None:
    value: Any = body
    for name in path:
        value = _mapping(value).get(name)
    return None if value is None else str(value)
