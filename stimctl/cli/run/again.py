"""What the log knows of earlier sessions: the prescription to give again, and when a person was last treated."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from stimctl.cli.ask.screening import LastSession
from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger, ledger_is_there, ledger_path
from stimctl.ledger.reading import Entry
from stimctl.prescription import values_of


def _opened() -> Iterator[tuple[Ledger, Entry]]:
    """The first entry of each session of this machine's log, newest first; none where there is no log yet.

    Raises `LogFault` at one that does not hold: `run` follows the chain and not each body, and a hash holds also over
    a body that names something twice.
    """
    path = ledger_path()
    if not ledger_is_there(path):
        return
    with Ledger(path, read_only=True) as ledger:
        for entry in ledger.opened_newest_first():
            if entry.fault is not None:
                raise LogFault(
                    f"the log's session {entry.session_id} cannot be relied on: {entry.fault}; `stimctl log verify` "
                    "says more, and `stimctl log recover` keeps what is sound and begins anew"
                )
            yield ledger, entry


def last_session(pseudonym: str, *, rehearsal: bool) -> LastSession:
    """When this person's last session that was armed began, by the log: simulated ones count in a rehearsal only.

    Raises `LogFault`: a log that cannot be read is no log without the person.
    """
    began = None
    for ledger, entry in _opened():
        body = entry.body
        real = body.get("simulator") is False or (rehearsal and _rehearsed(body))
        if body.get("pseudonym") == pseudonym and real and ledger.armed(entry.session_id):
            began = datetime.fromisoformat(entry.utc.replace("Z", "+00:00"))
            break
    return LastSession(began, datetime.now(UTC))


def earlier_values(name: str, profile_id: str | None, *, rehearsal: bool) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The prescription of the newest session of `name`, a pseudonym; else of the session whose id it is, or whose
    beginning or end; of any, where it is empty or `latest`, which means the newest in every command.

    With it the profile that it followed: id, version, hash. Raises `Misuse` where there is none.
    """
    name = "" if name == "latest" else name
    try:
        return _newest_values(name, profile_id, rehearsal=rehearsal)
    except Misuse:
        if (session_id := _session_meant(name)) is None:
            raise
    return _newest_values(session_id, profile_id, rehearsal=rehearsal)


def _session_meant(name: str) -> str | None:
    """The one session that `name` is a part of, as in every command."""
    if not name or not ledger_is_there(path := ledger_path()):
        return None
    with Ledger(path, read_only=True) as ledger, suppress(Misuse, LogFault):
        found = ledger.resolve(name)
        return None if found == name else found
    return None


def _newest_values(name: str, profile_id: str | None, *, rehearsal: bool) -> tuple[dict[str, Any], Mapping[str, Any]]:
    of_other_kind = False
    for _, entry in _opened():
        body = entry.body
        fits = not name or body.get("pseudonym") == name or entry.session_id == name
        if not fits or profile_id not in (None, _profile_id(body)):
            continue
        if _rehearsed(body) == rehearsal:
            values = values_of(body.get("prescription") or {})
            return values, body["prescription"]["profile"]
        of_other_kind = True
    who = f" of {name!r}" if name else ""
    what = f" with {profile_id}" if profile_id else ""
    kind = "rehearsal" if rehearsal else "session"
    hint = "`stimctl log list` shows what there is"
    if of_other_kind:
        hint = "a session is run again without --rehearse" if rehearsal else "a rehearsal is run again with --rehearse"
    raise Misuse(f"the log holds no {kind}{who}{what} to run again; {hint}")


def values_in_log(name: str) -> dict[str, Any]:
    """The prescription of one session, by its id or what means one. Raises `Misuse`, `LogFault`."""
    path = ledger_path()
    if not ledger_is_there(path):
        raise LogFault(f"there is no ledger at {path} yet")
    with Ledger(path, read_only=True) as ledger:
        summary = ledger.summary(ledger.resolve(name))
    if summary.faults:
        raise LogFault(f"session {summary.head.session_id} does not verify: {summary.faults[0]}")
    return values_of(summary.prescription)


def _profile_id(body: Mapping[str, Any]) -> str | None:
    found = (body.get("profile") or {}).get("id")
    return None if found is None else str(found)


def _rehearsed(body: Mapping[str, Any]) -> bool:
    return bool((body.get("prescription") or {}).get("rehearsal"))
