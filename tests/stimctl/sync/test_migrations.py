"""The far database's own rules: steps are made once, and it refuses and finds what does not belong."""

from collections.abc import Callable

import psycopg
import pytest

from stimctl.errors import Misuse
from stimctl.ledger import Ledger
from stimctl.sync.far import FarDatabase
from stimctl.sync.migrations import NEWEST, upgrade
from stimctl.sync.push import ChainPush
from tests.stimctl.sync.conftest import Rows

pytestmark = pytest.mark.realtime
_COPY = """INSERT INTO stimctl.entries
    SELECT machine, number + {ahead}, session_id, kind, at_us, utc, body, previous, hash
    FROM stimctl.entries WHERE number = 15"""
_HASHED = """INSERT INTO stimctl.entries SELECT machine, {at}, session_id, kind, at_us, utc, body || ' ', previous,
    stimctl.entry_hash(previous, {at}, session_id, kind, at_us, utc, body || ' ')
    FROM stimctl.entries WHERE number = 14"""


def test_steps_are_made_once_and_a_newer_database_is_refused(url: str, far_rows: Rows) -> None:
    far = FarDatabase(url)
    for _ in range(2):
        with far.begin() as connection:
            upgrade(connection)
    assert far_rows("SELECT version_num FROM stimctl.alembic_version") == [(NEWEST,)]
    far_rows("UPDATE stimctl.alembic_version SET version_num = '9999'")
    with pytest.raises(Misuse, match="version 9999, which this program does not know"), far.begin() as connection:
        upgrade(connection)
    far.close()


def test_the_newest_step_is_the_last_there_is() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "stimctl.sync:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST]


def test_it_refuses_what_does_not_belong(ledger: Ledger, push: Callable[..., ChainPush], far_rows: Rows) -> None:
    push(ledger).run()
    for statement, sentence in (
        (_COPY.format(ahead=0), "duplicate key"),
        (_COPY.format(ahead=1), "entry_is_what_was_hashed"),
        (_HASHED.format(at=15), "entry 15 of PC-1 is there already, or is followed"),
        (_HASHED.format(at=3), "entry 3 of PC-1 is there already, or is followed"),
        (_HASHED.format(at=16), "entry 16 of PC-1 does not follow"),
        ("UPDATE stimctl.entries SET body = '{}' WHERE number = 3", "never changed"),
        ("DELETE FROM stimctl.entries WHERE number = 15", "never changed"),
        ("TRUNCATE stimctl.entries", "never changed"),
    ):
        with pytest.raises(psycopg.Error, match=sentence):
            far_rows(statement)
    assert far_rows.numbers() == list(range(1, 16))


def test_it_finds_what_its_owner_changed(ledger: Ledger, push: Callable[..., ChainPush], far_rows: Rows) -> None:
    hashed = "stimctl.entry_hash(hash, number, session_id, kind, at_us, utc, body)"
    cases = (
        ("UPDATE {} SET body = '{{}}' WHERE number = 3", ["entry 3 is not what was hashed"]),
        ("DELETE FROM {} WHERE number = 7", ["entry 8 is behind a gap that no entry seals"]),
        (
            f"UPDATE {{}} SET previous = hash, hash = {hashed} WHERE number = 5",
            ["entry 5 does not follow", "entry 6 does not follow"],
        ),
        ("DELETE FROM {} WHERE number = 15", ["entry 15 was anchored, and is not there as it was"]),
    )
    machines = [f"PC-{index}" for index in range(len(cases))]
    for machine in machines:
        push(ledger, machine).run()
    for switch in ("DISABLE TRIGGER ALL", "DROP CONSTRAINT entry_is_what_was_hashed"):
        far_rows(f"ALTER TABLE stimctl.entries {switch}")
    for machine, (statement, faults) in zip(machines, cases, strict=True):
        assert push(ledger, machine).faults() == []
        far_rows(f"{statement.format('stimctl.entries')} AND machine = '{machine}'")
        assert push(ledger, machine).faults() == faults
