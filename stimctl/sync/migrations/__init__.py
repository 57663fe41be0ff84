"""The far database's tables as Alembic makes them, step by step; `upgrade` brings a database to the newest step."""

from pathlib import Path
from typing import TYPE_CHECKING

from stimctl.errors import Misuse

if TYPE_CHECKING:
    from sqlalchemy import Connection

NEWEST = "0001"
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('stimctl.migrations'))"


def upgrade(connection: "Connection") -> None:
    """Bring the far database up to date, in the transaction that is open. Raises `Misuse` for a newer one."""
    from sqlalchemy import text

    if _version(connection) == NEWEST:
        return
    connection.execute(text(_LOCK))  # the first syncs of two machines may come at once
    found = _version(connection)
    if found == NEWEST:
        return

    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise Misuse(f"the far database is of version {found}, which this program does not know: use a newer stimctl")
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS stimctl"))
    command.upgrade(config, NEWEST)


def _version(connection: "Connection") -> str | None:
    from sqlalchemy import text

    if connection.execute(text("SELECT to_regclass('stimctl.alembic_version')")).scalar() is None:
        return None
    return connection.execute(text("SELECT version_num FROM stimctl.alembic_version")).scalar()
