"""Many machines in one PostgreSQL: the clinic's views over a million sessions beside one second, and a sync beside a
bare COPY of the same entries.

Run with `python -m pytest benchmarks/test_sync.py -s`; it takes minutes. The server has Debian's settings but for its
port. Rows are made up; what they are like (200 machines, a device or two each, five uncertain deliveries in a hundred)
is [choice].
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import psycopg
import pytest

from benchmarks.interleave import ratio_of_times
from benchmarks.results import report
from benchmarks.test_ledger import BODY
from stimctl.ledger import Ledger
from stimctl.ledger.append import draft, utc_now, utc_text
from stimctl.ledger.chain import canonical_body
from stimctl.sync.far import FarDatabase
from stimctl.sync.migrations import upgrade
from stimctl.sync.push import ChainPush
from tests.stimctl.sync.conftest import PostgresCluster, a_cluster

MACHINES, SESSIONS = 200, 1_000_000
SECOND_NS = 1_000_000_000
QUESTIONS = {
    "sessions per device": "SELECT * FROM stimctl.sessions_per_device",
    "dose by protocol": "SELECT * FROM stimctl.dose_by_protocol",
    "devices past their calibration's due date": "SELECT * FROM stimctl.devices_past_due",
    "devices out of calibration": "SELECT * FROM stimctl.devices_out_of_calibration(300)",
    "alarms by kind": "SELECT * FROM stimctl.alarms_by_kind",
}
ENTRIES = 20_000
COLUMNS = "machine, number, session_id, kind, at_us, utc, body, previous, hash"


@pytest.fixture(scope="module")
def cluster() -> Iterator[PostgresCluster]:
    with a_cluster() as found:
        far = FarDatabase(found.url("postgres"))
        with far.begin() as connection:
            upgrade(connection)
        far.close()
        yield found


def sessions() -> Iterator[tuple[Any, ...]]:
    chance, start = random.Random(1), datetime(2026, 1, 1, tzinfo=UTC)
    for index in range(SESSIONS):
        machine = index % MACHINES
        device = machine if chance.random() < 0.8 else MACHINES + chance.randrange(100)
        delivery = chance.choices(("confirmed", "uncertain", "none"), (93, 5, 2))[0]
        dose = chance.randrange(10**9, 4 * 10**10) if delivery != "none" else None
        standing = {"confirmed": "counted", "uncertain": "estimated"}.get(delivery, "unknown")
        begun = start + timedelta(seconds=30 * index)
        yield (
            f"PC-{machine}", f"s-{index}", "HARDWARE" if device % 10 else "SIMULATOR", "closed", delivery, standing,
            "timer", "person", f"P-{chance.randrange(20_000)}", f"profile-{chance.randrange(12)}", "1.0.0", "model",
            f"S{device}", "1.0.0", f"model/S{device}/{index}", dose, dose, 1_800_000_000, begun,
            begun + timedelta(minutes=30), None, begun.date() - timedelta(days=2 * device),
        )  # fmt: skip


def alarms() -> Iterator[tuple[Any, ...]]:
    chance = random.Random(2)
    for index in range(0, SESSIONS, 3):
        kind = f"contact # of kind {chance.randrange(15)}"
        yield (f"PC-{index % MACHINES}", f"s-{index}", "host", "MEDIUM", kind, "HARDWARE", 1 + chance.randrange(4))


def copy(connection: psycopg.Connection, table: str, rows: Iterator[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as into:
        for row in rows:
            into.write_row(row)


def timed(connection: psycopg.Connection, query: str) -> int:
    begun = perf_counter_ns()
    assert connection.execute(query.encode()).fetchall()
    return perf_counter_ns() - begun


def test_the_clinics_questions_over_a_million_sessions(cluster: PostgresCluster) -> None:
    columns = (
        "machine, session_id, watermark, state, delivery, delivered_standing, end_reason, subject, pseudonym, "
        "profile_id, profile_version, device_model, device_serial, device_firmware, device_session, delivered_pc, "
        "commanded_pc, stimulated_us, started_utc, ended_utc, last_seen_utc, device_calibrated_on"
    )
    with cluster.admin() as connection:
        connection.execute(f"INSERT INTO stimctl.machines SELECT 'PC-' || i FROM generate_series(0, {MACHINES - 1}) i")
        copy(connection, f"stimctl.sessions ({columns})", sessions())
        copy(connection, "stimctl.session_alarms", alarms())
        connection.execute("VACUUM ANALYZE")
        for name, query in QUESTIONS.items():
            asked = partial(timed, connection, query)
            measured, _ = ratio_of_times(asked, lambda: SECOND_NS, blocks=5, per_block=3)
            report(f"{name}, {SESSIONS:,} sessions of {MACHINES} machines / one second", measured, target="at most 1")


def test_sync_beside_a_bare_copy(cluster: PostgresCluster, tmp_path: Path) -> None:
    """The limit is the same rows, copied into a table with the same primary key, in one commit for each batch."""
    machine = iter(range(100))
    one = draft("s-1", "sample", 61_000_000, utc_text(utc_now()), canonical_body(BODY))
    with Ledger(tmp_path / "ledger.sqlite") as ledger, cluster.admin() as connection:
        for _ in range(ENTRIES // 5_000):
            ledger._writable().append([one] * 5_000)
        connection.execute("CREATE TABLE bare (LIKE stimctl.entries, PRIMARY KEY (machine, number, hash))")

        def sync_ns() -> int:
            far = FarDatabase(cluster.url("postgres"))
            begun = perf_counter_ns()
            assert ChainPush(ledger, far, f"M-{next(machine)}").run().sent == ENTRIES
            ended = perf_counter_ns()
            far.close()
            return ended - begun

        def bare_ns() -> int:
            name, begun = f"M-{next(machine)}", perf_counter_ns()
            for first in range(0, ENTRIES, 1_000):
                rows = ledger.rows_between(first, first + 1_000, 1_000)
                copy(connection, f"bare ({COLUMNS})", ((name, *row) for row in rows))
            return perf_counter_ns() - begun

        measured, _ = ratio_of_times(sync_ns, bare_ns, blocks=3, per_block=1)
    speed = ENTRIES / measured.candidate_us * 1_000_000
    note = (
        f"{speed:,.0f} entries a second; the local chain is verified first, and the far end checks each hash and link"
    )
    report(f"sync of {ENTRIES:,} entries / bare COPY of the same", measured, target="none", note=note)
