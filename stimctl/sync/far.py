"""The far database: its address, a connection that comes anew after a cut, and its faults as sentences.

The address is libpq's: whatever it leaves out comes from the PG variables, a password file or a service file. No text
that leaves this module has a password in it.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stimctl.errors import LineLost, LogFault, Misuse, StimctlError
from stimctl.label import printable

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_SCHEMES = ("postgresql://", "postgres://")
_FORM = "write postgresql://[user@]host[:port]/database, or leave parts out for the PG variables"
# How long a connection may take, and how long sent bytes may stay without an answer [choice].
_DEFAULTS = {"connect_timeout": "10", "tcp_user_timeout": "30000", "application_name": "stimctl"}
# How the SQLSTATE begins of what the far end says about the data, and not about the line (PostgreSQL's Appendix A).
_OF_DATA = ("22", "23", "P0")
_OF_RIGHTS = ("28", "3D", "3F", "42501")


def _check_signs(url: str) -> None:
    """Raise `Misuse` for an address that a sign in the password takes apart: its rest would be shown as a host."""
    place, _, database = url.partition("://")[2].partition("?")[0].partition("/")
    if place.count("@") > 1 or "@" in database:
        raise Misuse(
            "this address has an @ where none belongs: in a user, a password or a database's name @ / : ? # % are "
            f"written as percent and two digits (@ as %40); {_FORM}"
        )


class FarDatabase:
    """One PostgreSQL. Raises `LineLost` where it cannot be reached, `Misuse` for what it does not allow."""

    def __init__(self, url: str) -> None:
        self._url = url
        psycopg = _psycopg()
        try:
            if not url.startswith(_SCHEMES):
                raise ValueError
            _check_signs(url)
            parts = psycopg.conninfo.conninfo_to_dict(url)
        except (ValueError, psycopg.Error):
            # Without what was given, or what libpq says of it: a password may stand in both.
            raise Misuse(f"this is no address of a PostgreSQL: {_FORM}") from None
        secrets = {str(value) for name, value in parts.items() if "password" in name}
        self._secrets = sorted({*secrets, os.environ.get("PGPASSWORD", "")} - {""}, key=len, reverse=True)
        self._settings = {name: value for name, value in _DEFAULTS.items() if name not in parts}
        self.name = _shown(parts)
        self._engine: Engine | None = None

    def _engine_of(self) -> "Engine":
        if self._engine is None:
            import psycopg
            from sqlalchemy import create_engine

            # Parameters are dose entries: none of them in an error's text.
            self._engine = create_engine(
                "postgresql+psycopg://",
                creator=lambda: psycopg.connect(self._url, **self._settings),  # type: ignore[arg-type]
                pool_size=1,
                max_overflow=0,
                hide_parameters=True,
            )
        return self._engine

    @contextmanager
    def begin(self) -> "Iterator[Connection]":
        """One transaction, committed at its end; over the connection of the last one, if that is still there."""
        import psycopg
        from sqlalchemy.exc import DBAPIError

        try:
            with self._engine_of().begin() as connection:
                yield connection
        except DBAPIError as fault:
            raise self._in_words(fault.orig) from None
        except psycopg.Error as fault:  # of a COPY, which SQLAlchemy does not see: it would use the connection again
            self.close()
            raise self._in_words(fault) from None

    def close(self) -> None:
        """Close the connection. Harmless when done twice."""
        if self._engine is not None:
            self._engine.dispose()

    def _in_words(self, fault: BaseException | None) -> StimctlError:
        import psycopg

        state = getattr(fault, "sqlstate", None) or ""
        said = self.scrubbed(" ".join(str(fault).split()))
        if state.startswith(_OF_DATA):
            return LogFault(f"{self.name} refuses what was sent, and nothing of it was written: {said}")
        if state.startswith(_OF_RIGHTS):
            return Misuse(f"{self.name} does not allow it: {said}")
        if isinstance(fault, psycopg.OperationalError | psycopg.InterfaceError):
            return LineLost(f"{self.name} cannot be reached, or went away: {said}")
        return LogFault(f"{self.name}: {said}")

    def scrubbed(self, text: str) -> str:
        """A text without any password."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return printable(text)


def _shown(parts: dict[str, object]) -> str:
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    database = f"/{parts['dbname']}" if parts.get("dbname") else ""
    return printable(f"postgresql://{user}{parts.get('host') or ''}{port}{database}")


def _psycopg() -> Any:
    try:
        import psycopg
        import psycopg.conninfo
        import sqlalchemy  # noqa: F401
    except ImportError:
        raise Misuse("sync needs SQLAlchemy, Alembic and psycopg: `pip install 'stimctl[sync]'`") from None
    logging.getLogger("psycopg").addHandler(logging.NullHandler())  # what it logs of a cut is told as an error
    return psycopg
