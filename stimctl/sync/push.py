"""Sends what the far end lacks of this machine's ledger, in order, and tells where the two contradict each other.

A batch is one transaction: it locks the machine's row, asks where the far end stands, compares that with the local
chain, and sends what comes next. So whatever was cut off before, and however a commit ended that nobody heard of, the
next batch begins where the far end really is: an entry may be sent twice, and is there once. Nothing local is changed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stimctl.errors import LineLost, LogFault
from stimctl.ledger.anchor import BEGINNING, Mark, anchor_path, read_anchor
from stimctl.ledger.chain import EntryRow
from stimctl.ledger.delivery import DEVICE_KINDS
from stimctl.ledger.files import faults
from stimctl.ledger.seal import LEDGERS_OWN
from stimctl.ledger.store import Ledger
from stimctl.sync.far import FarDatabase
from stimctl.sync.summaries import KINDS, alarm_rows, session_row
from stimctl.units import counted
from stimctl.version import __version__

if TYPE_CHECKING:
    from sqlalchemy import Connection

AT_ONCE = 1_000  # entries in a batch [choice]
TRIES = 5  # cuts in a row, without one batch in between, before it is given up [choice]
PAUSE_S = 0.5  # before the second of them; doubled each time [choice]


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync came to. `lost_here`: entries that the far end holds and the local ledger has lost, and sealed."""

    machine: str
    far: str
    sent: int
    number: int
    hash: str
    cuts: int
    lost_here: int


class ChainPush:
    """One machine's ledger into one far database. `pause` waits that many seconds before trying again."""

    def __init__(
        self, ledger: Ledger, far: FarDatabase, machine: str, *, pause: Callable[[float], object] = time.sleep
    ) -> None:
        self._ledger, self._far, self._machine, self._pause = ledger, far, machine, pause
        self._begun: Mark | None = None  # where the far end stood at first
        self._cuts = 0

    def run(self) -> SyncReport:
        """Send all that is there now.

        Raises `LogFault` for a ledger that does not hold and for a contradiction, `LineLost`, `Misuse`.
        """
        self._ledger.require_whole()
        until = self._ledger.head()
        last = self._send(until)
        assert self._begun is not None
        begun = self._begun.number
        sent = self._ledger.count_between(begun, last.number)
        return SyncReport(
            self._machine, self._far.name, sent, last.number, last.hash.hex(), self._cuts, self._lost_here(begun)
        )

    def _send(self, until: Mark) -> Mark:
        """Batch after batch until the far end stands at `until`, or behind it; where it stands then."""
        from stimctl.sync.migrations import upgrade

        in_a_row, reached = 0, False
        while True:
            try:
                with self._far.begin() as connection:
                    reached = True
                    upgrade(connection)
                    last = self._batch(connection, until)
            except LineLost:
                self._cuts, in_a_row = self._cuts + 1, in_a_row + 1
                if not reached or in_a_row >= TRIES:
                    raise
                self._pause(PAUSE_S * 2 ** (in_a_row - 1))
                continue
            in_a_row = 0
            if last.number >= until.number:
                return last

    def _lost_here(self, number: int) -> int:
        """How many entries up to this number the far end has and the ledger has not."""
        from sqlalchemy import func, select

        from stimctl.sync.tables import ENTRIES

        here = self._ledger.count_between(0, number)
        if here == number:
            return 0
        query = select(func.count()).where(ENTRIES.c.machine == self._machine, ENTRIES.c.number <= number)
        with self._far.begin() as connection:
            return int(connection.execute(query).scalar() or 0) - here

    def faults(self) -> list[str]:
        """What of this machine's entries at the far end does not hold, by the far end's own look at all of them."""
        from sqlalchemy import text

        query = text("SELECT number, fault FROM stimctl.chain_faults(:machine)")
        with self._far.begin() as connection:
            found = connection.execute(query, {"machine": self._machine}).all()
        return [f"entry {number} {fault}" for number, fault in found]

    def _batch(self, connection: "Connection", until: Mark) -> Mark:
        """One batch; where the far end stands then."""
        head = _locked_head(connection, self._machine)
        self._begun = self._begun or head
        self._compare(connection, head)
        rows = self._ledger.rows_between(head.number, until.number, AT_ONCE)
        if rows:
            _insert(connection, self._machine, rows)
            self._put_sessions(connection, rows)
        last = Mark(rows[-1].number, rows[-1].hash) if rows else head
        if last.number >= until.number:
            self._put_anchor(connection)
        return last

    def _compare(self, connection: "Connection", head: Mark) -> None:
        """See that what the far end holds is what is here, or was lost here and sealed."""
        near = self._ledger.newest_until(head.number)
        if near.number and _hash_at(connection, self._machine, near.number) != near.hash:
            parted = self._parted(connection, near.number)
            raise LogFault(
                f"{self._far.name} holds another chain of {self._machine!r}: entry {parted} differs there, so one of "
                "the two was written anew, or two ledgers go by one name. Nothing was sent or changed. Compare with a "
                "head noted elsewhere (`stimctl log verify --head`); another ledger gets another name (--machine)"
            )
        if near.number < head.number and self._ledger.head().number == near.number:
            raise LogFault(
                f"{self._far.name} holds entries of {self._machine!r} up to {head.number}, and this ledger ends at "
                f"{near.number}: {counted(head.number - near.number, 'entry')} were taken away here, or an "
                "older ledger was put back. Nothing was sent or changed. `stimctl log restore` puts a newer backup in "
                "its place"
            )

    def _parted(self, connection: "Connection", differs: int) -> int:
        """The first entry that differs: behind it all do, because each holds the hash of the one before."""
        same = 0
        while (middle := self._ledger.newest_until((same + differs) // 2)).number > same:
            if _hash_at(connection, self._machine, middle.number) == middle.hash:
                same = middle.number
            else:
                differs = middle.number
        return differs

    def _put_sessions(self, connection: "Connection", rows: Sequence[EntryRow]) -> None:
        from sqlalchemy import delete, insert, text
        from sqlalchemy.dialects.postgresql import insert as upsert

        from stimctl.sync.tables import ALARMS, SESSIONS

        ids = {row.session_id for row in rows if row.kind in KINDS} - {LEDGERS_OWN}
        found = [summary for one in sorted(ids) if (summary := self._ledger.outline(one, KINDS))]
        if not found:
            return
        # Two machines that bring the same session of a device see each other's row, one after the other.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('stimctl.sessions'))"))
        of_device = [self._ledger.some_of(each.head.session_id, *DEVICE_KINDS) for each in found]
        sessions = [session_row(self._machine, *each) for each in zip(found, of_device, strict=True)]
        put = upsert(SESSIONS)
        changed = {name: put.excluded[name] for name in sessions[0] if name not in ("machine", "session_id")}
        keys = [SESSIONS.c.machine, SESSIONS.c.session_id]
        connection.execute(put.on_conflict_do_update(index_elements=keys, set_=changed), sessions)
        of_these = ALARMS.c.session_id.in_([row["session_id"] for row in sessions])
        connection.execute(delete(ALARMS).where(ALARMS.c.machine == self._machine, of_these))
        alarms = [row for summary in found for row in alarm_rows(self._machine, summary)]
        if alarms:
            connection.execute(insert(ALARMS), alarms)
        device_sessions = [row["device_session"] for row in sessions if row["device_session"]]
        if device_sessions:
            connection.execute(text(_COUNT_ONCE), {"device_sessions": device_sessions})

    def _put_anchor(self, connection: "Connection") -> None:
        from sqlalchemy import update

        from stimctl.sync.tables import MACHINES

        with faults(self._ledger.path):
            found = read_anchor(anchor_path(self._ledger.path))
        mark = found.mark if found and found.mark else BEGINNING
        head = self._ledger.newest_until(mark.number)
        fields = {"synced_utc": datetime.now(UTC), "software": f"stimctl {__version__}"}
        connection.execute(
            update(MACHINES)
            .where(MACHINES.c.machine == self._machine)
            .values(anchor_number=head.number, anchor_hash=head.hash, **fields)
        )


# Of one session of a device the best known record counts: a confirmed one, then the one of who ran it.
_COUNT_ONCE = """
UPDATE stimctl.sessions AS s SET counts = ranked.place = 1 FROM (
    SELECT machine, session_id, row_number() OVER (
        PARTITION BY device_session ORDER BY delivery = 'confirmed' DESC, state <> 'recovered' DESC, machine, session_id
    ) AS place FROM stimctl.sessions WHERE device_session = ANY(:device_sessions)
) AS ranked
WHERE s.machine = ranked.machine AND s.session_id = ranked.session_id AND s.counts <> (ranked.place = 1)
"""


def _locked_head(connection: "Connection", machine: str) -> Mark:
    """The newest entry of a machine at the far end, whose row is this transaction's until it ends."""
    from sqlalchemy import select
    from sqlalchemy.dialects.postgresql import insert as upsert

    from stimctl.sync.tables import ENTRIES, MACHINES

    connection.execute(upsert(MACHINES).values(machine=machine).on_conflict_do_nothing())
    connection.execute(select(MACHINES.c.machine).where(MACHINES.c.machine == machine).with_for_update())
    newest = select(ENTRIES.c.number, ENTRIES.c.hash).where(ENTRIES.c.machine == machine)
    row = connection.execute(newest.order_by(ENTRIES.c.number.desc()).limit(1)).first()
    return BEGINNING if row is None else Mark(row[0], bytes(row[1]))


def _hash_at(connection: "Connection", machine: str, number: int) -> bytes | None:
    from sqlalchemy import select

    from stimctl.sync.tables import ENTRIES

    query = select(ENTRIES.c.hash).where(ENTRIES.c.machine == machine, ENTRIES.c.number == number)
    found = connection.execute(query).scalar()
    return None if found is None else bytes(found)


def _insert(connection: "Connection", machine: str, rows: Sequence[EntryRow]) -> None:
    columns = ", ".join(("machine", *EntryRow._fields))
    # One statement for all, by psycopg itself: SQLAlchemy has no COPY.
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(f"COPY stimctl.entries ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row((machine, *row))
