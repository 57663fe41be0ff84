"""The metadata that a traffic file needs so that its session can be replayed.

Nothing of a person or an animal is ever in it: a record of traffic is there to be sent around.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from stimctl.errors import InputInvalid, Misuse, Problem
from stimctl.prescription import Prescription, from_mapping, values_of
from stimctl.prescription.plan import LIVING
from stimctl.profile import load_text
from stimctl.session.states import State
from stimctl.stimulators.discovery import DeviceChoice

SESSION = "session"  # what was run
BEGUN = "begun"  # the engine's clock began
ORDER = "order"  # somebody outside ordered something
LOST = "lost"  # the port was gone
ENDED = "ended"  # how it ended


def session_note(
    rx: Prescription, choice: DeviceChoice, auto: Collection[State], first_sequence: int, *, virtual: bool
) -> dict[str, Any]:
    """The note of what is run. For a person or an animal the prescription is left out, and no replay is possible."""
    private = rx.subject in LIVING
    profile, shared = _profile_texts(rx)
    return {
        "prescription": None if private else answers_of(rx),
        "profile": None if private else profile,
        "profile_shared": None if private else shared,
        "device": {name: value for name, value in asdict(choice).items() if value is not None},
        "auto": sorted(state.name for state in auto),
        "first_sequence": first_sequence,
        "virtual": virtual,
    }


def answers_of(rx: Prescription) -> dict[str, Any]:
    """A prescription as `from_mapping` takes it, without the names of people."""
    answers = values_of(rx.record())
    answers |= {"profile_sha256": rx.protocol.sha256, "operator": "recording", "pseudonym": "recording"}
    if rx.clinician is not None:
        answers["clinician"] = {**answers["clinician"], "name": "recording"}
    return answers


def _profile_texts(rx: Prescription) -> tuple[str | None, str | None]:
    """The profile's file and the one whose parts it takes in, if they still are those that were loaded."""
    try:
        own, *shared = [Path(path).read_bytes() for path in (rx.protocol.path, *rx.protocol.shared)]
    except OSError:
        return None, None
    if sha256(b"".join([own, *shared])).hexdigest() != rx.protocol.sha256:
        return None, None
    return own.decode(), shared[0].decode() if shared else None


def prescription_of(source: str, note: Mapping[str, Any]) -> Prescription:
    """The prescription that a note holds. Raises `InputInvalid` or `Unsafe`."""
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


def choice_of(source: str, note: Mapping[str, Any]) -> DeviceChoice:
    """The device that was named. Raises `InputInvalid`."""
    named = note.get("device")
    try:
        return DeviceChoice(**named)  # type: ignore[arg-type]  # whatever stands there
    except (TypeError, Misuse) as wrong:
        raise InputInvalid(source, [Problem("device", named, str(wrong))]) from None


def auto_of(source: str, note: Mapping[str, Any]) -> frozenset[State]:
    """The states that the session left by itself. Raises `InputInvalid`."""
    try:
        return frozenset(State[name] for name in note["auto"])
    except (KeyError, TypeError):
        raise InputInvalid(source, [Problem("auto", note.get("auto"), "must be names of session states")]) from None
