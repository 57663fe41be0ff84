"""The notes that a traffic file needs so that its session can be replayed; `stimctl.replay.recording` reads them.

Nothing of a person or an animal is ever in it: a record of traffic is there to be sent around.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from stimctl.prescription import Prescription, values_of
from stimctl.prescription.plan import LIVING

SESSION = "session"  # what was run
BEGUN = "begun"  # the engine's clock began
ORDER = "order"  # somebody outside ordered something
LOST = "lost"  # the port was gone
ENDED = "ended"  # how it ended


def session_note(
    rx: Prescription, device: Mapping[str, Any], auto: Iterable[str], first_sequence: int, *, virtual: bool
) -> dict[str, Any]:
    """The note of what is run: on which `device` (as a `DeviceChoice` says it), leaving the states of `auto` by itself.

    For a person or an animal the prescription is left out, and no replay is possible.
    """
    private = rx.subject in LIVING
    profile, shared = _profile_texts(rx)
    return {
        "prescription": None if private else answers_of(rx),
        "profile": None if private else profile,
        "profile_shared": None if private else shared,
        "device": {name: value for name, value in device.items() if value is not None},
        "auto": sorted(auto),
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
