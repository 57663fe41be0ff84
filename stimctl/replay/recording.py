"""Reads a recording: the session's prescription, its commands, its traffic and its end, from a traffic file.

A record that was cut short is taken as far as it goes, and is then one without an end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stimctl.errors import InputInvalid, Misuse, Problem
from stimctl.prescription import Prescription, from_mapping
from stimctl.profile import load_text
from stimctl.session.commands import RECORDED, Command
from stimctl.session.states import End, State
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.traffic.session_notes import BEGUN, ENDED, LOST, ORDER, SESSION
from stimctl.traffic.transcript import TrafficChunk, TrafficHeader, TrafficNote, read_pieces

# What ended these was neither on the line nor ordered: the record cannot show it to the driver again.
NOT_ON_THE_LINE = (End.FRONT_END, End.SUSPENDED, End.STOOD_STILL, End.LOG, End.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded session. Times in us on the clock of its port; `orders` at theirs; `end` is None when it was cut.

    `open_ended`: it was cut, or its port was gone, at `end_us`.
    """

    source: str
    header: TrafficHeader
    pieces: tuple[TrafficChunk, ...]
    prescription: Prescription
    choice: DeviceChoice
    auto: frozenset[State]
    first_sequence: int
    virtual: bool
    opened_us: int
    begun_us: int
    orders: tuple[tuple[int, Command], ...]
    end: End | None
    open_ended: bool
    end_us: int


def read_recording(path: Path) -> Recording:
    """Read a file of `stimctl run --record-traffic`.

    Raises `InputInvalid`, naming file, line and field, when it is no record or not one that can be replayed, and
    `Unsafe` when its prescription is no longer allowed.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            header, pieces = read_pieces(str(path), lines)
            records: list[TrafficChunk] = []
            notes: list[TrafficNote] = []
            for piece in pieces:
                if isinstance(piece, TrafficChunk):
                    records.append(piece)
                else:
                    notes.append(piece)
    except OSError as failure:
        raise InputInvalid(str(path), [Problem("file", None, failure.strerror or str(failure))]) from None
    return _recording(str(path), header, records, notes)


def _recording(source: str, header: TrafficHeader, records: list[TrafficChunk], notes: list[TrafficNote]) -> Recording:
    session, begun = _only(source, notes, SESSION), _only(source, notes, BEGUN)
    ended = [note for note in notes if note.kind == ENDED]
    lost = [note for note in notes if note.kind == LOST]
    times_us = [piece.at_us for piece in records] + [note.at_us for note in notes]
    return Recording(
        source=source,
        header=header,
        pieces=tuple(records),
        prescription=_prescription_of(source, session.body),
        choice=_choice_of(source, session.body),
        auto=_auto_of(source, session.body),
        first_sequence=_first_sequence(source, session.body),
        virtual=session.body.get("virtual") is True,
        opened_us=session.at_us,
        begun_us=begun.at_us,
        orders=tuple((note.at_us, command_of(source, note.body)) for note in notes if note.kind == ORDER),
        end=_end(source, ended[0].body) if ended else None,
        open_ended=bool(lost) or not ended,
        end_us=lost[0].at_us if lost else max(times_us),
    )


def _only(source: str, notes: list[TrafficNote], kind: str) -> TrafficNote:
    found = [note for note in notes if note.kind == kind]
    if len(found) != 1:
        allowed = "must be there once: only what `stimctl run --record-traffic` of this version records can be replayed"
        raise InputInvalid(source, [Problem(f"note {kind!r}", len(found), allowed)])
    return found[0]


def _prescription_of(source: str, note: Mapping[str, Any]) -> Prescription:
    """The prescription that a note holds."""
    answers, text, shared = note.get("prescription"), note.get("profile"), note.get("profile_shared")
    if not isinstance(answers, Mapping) or not isinstance(text, str | None) or not isinstance(shared, str | None):
        allowed = "must be a table, and its profile text"
        if answers is None:
            allowed = "is not in the record: nothing of a person or an animal is recorded, so that cannot be replayed"
        raise InputInvalid(source, [Problem("prescription", None, allowed)])
    answers = {"ramp_only": True, **answers}  # records of before there was this field hold short sessions
    if text is None:
        return from_mapping(answers, source=source)
    own, common = (None if each is None else each.encode("utf-8", "surrogatepass") for each in (text, shared))
    profile = load_text(own or b"", f"{source}: profile", common)
    return from_mapping(answers, {profile.id: profile}, source=source)


def _choice_of(source: str, note: Mapping[str, Any]) -> DeviceChoice:
    """The device that was named."""
    named = note.get("device")
    try:
        return DeviceChoice(**named)  # type: ignore[arg-type]  # whatever stands there
    except (TypeError, Misuse) as wrong:
        raise InputInvalid(source, [Problem("device", named, str(wrong))]) from None


def _auto_of(source: str, note: Mapping[str, Any]) -> frozenset[State]:
    """The states that the session left by itself."""
    try:
        return frozenset(State[name] for name in note["auto"])
    except (KeyError, TypeError):
        raise InputInvalid(source, [Problem("auto", note.get("auto"), "must be names of session states")]) from None


def command_of(source: str, note: Mapping[str, Any]) -> Command:
    """The command that a note tells of. Raises `InputInvalid`."""
    said = dict(note)
    try:
        kind = RECORDED[said.pop("do")]
        if "end" in said:
            said["end"] = End[said["end"]]
        command: Command = kind(**said)
    except (KeyError, TypeError, Misuse):
        allowed = f"must be one of {', '.join(RECORDED)}, with its channel, target_ua or end"
        raise InputInvalid(source, [Problem("order", dict(note), allowed)]) from None
    return command


def _first_sequence(source: str, body: Mapping[str, Any]) -> int:
    first = body.get("first_sequence")
    if type(first) is not int or not 0 <= first < 1 << 16:
        raise InputInvalid(source, [Problem("first_sequence", first, "must be a whole number from 0 to 65535")])
    return first


def _end(source: str, body: Mapping[str, Any]) -> End:
    name = body.get("end")
    if not isinstance(name, str) or name not in End.__members__:
        raise InputInvalid(source, [Problem("end", name, f"must be one of {', '.join(End.__members__)}")])
    end = End[name]
    if end in NOT_ON_THE_LINE:
        allowed = "cannot be replayed: what ended this session was neither on the line nor an order"
        raise InputInvalid(source, [Problem("end", end.value, allowed)])
    return end
