"""A session in a line: who, what, on which device, when, how it ended, and its dose with how it is known."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from stimctl.ledger.lines import SessionLine
from stimctl.ledger.standing import FigureStanding
from stimctl.wire.codes import simulator_or_hardware

REHEARSAL = "REHEARSAL"  # of a session on a person or an animal, on a simulator
CLOSED, RUNNING, UNFINISHED = "closed", "running", "unfinished"
RECOVERED = "recovered"  # run from another ledger; only what its device still held is known here

# What may be written of a session after it was closed; its last sight was before that.
LATER = frozenset({"recovered", "note", "adverse", "outcome", "signed", "correction"})


@dataclass(slots=True, unsafe_hash=True)  # frozen, a list of ten thousand would take a tenth longer
class SessionHead:
    """One session in a line: who, what, on which device, when, and how it ended.

    `ended_utc` is None where nobody knows it: of a session that was cut short the `last_seen_utc` is known. A dose that
    was fetched for a session of another ledger has no start, only `fetched_utc`. `duration_us` is by the session's own
    clock, which `clock` names. `delivered_pc` is the first-phase charge of all channels, with its standing.
    """

    session_id: str
    watermark: str
    state: str
    started_utc: str | None
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
    clock: str | None = None
    duration_us: int | None = None
    stimulated_us: int | None = None
    delivered_pc: int | None = None
    delivered_standing: str = FigureStanding.UNKNOWN.value
    last_seen_utc: str | None = None
    closed_utc: str | None = None
    closed_by: str | None = None
    fetched_utc: str | None = None

    def plain(self) -> dict[str, Any]:
        """Its fields by name; `dataclasses.asdict` copies each of them, which takes ten times as long."""
        return dict(zip(self.__slots__, _values(self), strict=True))


_values = attrgetter(*SessionHead.__slots__)
_COUNTED, _UNKNOWN = FigureStanding.COUNTED.value, FigureStanding.UNKNOWN.value


def head_of(line: SessionLine, *, running: bool) -> SessionHead:
    """The head of the session that a line tells of."""
    # In the order of `lines.OPENED`, `lines.CLOSED` and `lines.FETCHED`.
    simulator, *named, rehearsal = line.opened
    (
        subject, operator, pseudonym, profile_id, profile_version, profile_sha256,
        model, serial, firmware, calibrated_on, serial_of_old, started_utc, clock,
    ) = [None if each is None else str(each) for each in named]  # fmt: skip
    end_reason, ended_utc, last_seen_utc, closed_by, _, bands_us, delivered, evidence = line.closed
    counters, *fetched_us = line.fetched
    only_fetched = line.kind == RECOVERED
    state = RECOVERED if only_fetched else CLOSED if line.closed_utc else RUNNING if running else UNFINISHED
    cut = end_reason == "interrupted"
    lasted = None if only_fetched or cut or line.closed_at_us is None else line.closed_at_us - line.at_us
    charges = _charges(delivered, counters)
    return SessionHead(
        session_id=line.session_id,
        watermark=watermark(simulator, rehearsal=bool(rehearsal)),
        state=state,
        started_utc=None if only_fetched else started_utc or line.utc,
        # Of a session that was cut short an older ledger wrote here when that was found out.
        ended_utc=None if cut else _text(ended_utc) or line.closed_utc,
        end_reason=_text(end_reason),
        subject=subject,
        pseudonym=pseudonym,
        operator=operator,
        profile_id=profile_id,
        profile_version=profile_version,
        profile_sha256=profile_sha256,
        device_model=model,
        device_serial=serial or serial_of_old,
        device_firmware=firmware,
        device_calibrated_on=calibrated_on,
        clock=clock,
        duration_us=lasted,
        stimulated_us=_total(bands_us or fetched_us),
        delivered_pc=sum(charges) if charges else None,
        delivered_standing=(_text(evidence) or _COUNTED) if charges else _UNKNOWN,
        last_seen_utc=_text(last_seen_utc),
        closed_utc=line.closed_utc,
        closed_by=_text(closed_by),
        fetched_utc=line.utc if only_fetched else None,
    )


def _charges(delivered: object, counters: object) -> list[int]:
    """The charges that were delivered, as the session closed with them, or as its device still held them; none where
    one of them is not known, for a part is no whole."""
    charges: list[Any] = []
    for dose in _mapping(delivered).values():
        charges += _list(_mapping(dose).get("charge_pc")) or [None]
    if not charges:
        charges = [_mapping(each).get(f"charge_{band}_pc") for each in _list(counters) for band in (0, 1)]
    return charges if _whole(charges) else []


def watermark(simulator: object, *, rehearsal: bool = False) -> str:
    """REHEARSAL, or SIMULATOR or HARDWARE as the device said; it is never guessed."""
    return REHEARSAL if rehearsal else simulator_or_hardware(simulator)


def _total(band_us: object) -> int | None:
    return sum(band_us) if isinstance(band_us, list) and _whole(band_us) else None


def _whole(numbers: list[Any]) -> bool:
    # Not by `isinstance` for each: a list of ten thousand would take a tenth longer.
    return set(map(type, numbers)) <= {int}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return None if value is None else str(value)
