"""The far database's address and faults: libpq's rules, sentences for a person, and never a password."""

import pytest

from stimctl.errors import LineLost, LogFault, Misuse
from stimctl.sync.far import FarDatabase
from tests.stimctl.sync.conftest import PASSWORD, QUOTED, PostgresCluster


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "postgresql://clinic:s3cret@db.example:5433/doses?sslmode=require",
            "postgresql://clinic@db.example:5433/doses",
        ),
        ("postgres://db.example/doses?password=s3cret&sslpassword=s3cret", "postgresql://db.example/doses"),
        ("postgresql://", "postgresql://"),
    ],
)
def test_the_name_shown_has_no_password(url: str, shown: str) -> None:
    far = FarDatabase(url)
    assert far.name == shown
    assert far.scrubbed("no s3cret\x1b here") == (f"no {'s3cret' if url == shown else '***'}? here")


@pytest.mark.parametrize("url", ["mysql://clinic:s3cret@host/x", "postgresql://clinic:s3cret@host:port/x?bad", "doses"])
def test_what_is_no_address_is_told_without_repeating_it(url: str) -> None:
    with pytest.raises(Misuse, match="no address of a PostgreSQL") as told:
        FarDatabase(url)
    assert "s3cret" not in str(told.value)
    assert told.value.__cause__ is None


@pytest.mark.realtime
def test_the_pg_variables_complete_the_address(
    cluster: PostgresCluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"HOST": "127.0.0.1", "PORT": str(cluster.port), "USER": "clinic", "PASSWORD": PASSWORD}
    for name, value in given.items():
        monkeypatch.setenv(f"PG{name}", value)
    far = FarDatabase(f"postgresql:///{database}")
    with far.begin() as connection:
        assert connection.exec_driver_sql("SELECT current_database()").scalar() == database
    far.close()
    assert far.scrubbed(f"was {PASSWORD}") == "was ***"


@pytest.mark.realtime
def test_faults_say_whose_they_are_and_no_password(cluster: PostgresCluster, database: str) -> None:
    wrong = cluster.url(database).replace(QUOTED, "s3cret")
    with (
        pytest.raises(LineLost, match=r"cannot be reached, or went away: .*authentication failed") as told,
        FarDatabase(wrong).begin(),
    ):
        pass
    assert "s3cret" not in str(told.value)
    far = FarDatabase(cluster.url(database))
    for statement, kind, sentence in (
        ("SELECT 1 / 0", LogFault, "refuses what was sent"),
        ("DO $$ BEGIN RAISE EXCEPTION 'no'; END $$", LogFault, "refuses what was sent"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", LineLost, "went away"),
        ("SELECT nothing", LogFault, "nothing"),
    ):
        with pytest.raises(kind, match=sentence) as fault, far.begin() as connection:
            connection.exec_driver_sql(statement)
        assert PASSWORD not in str(fault.value)
    far.close()
    nowhere = FarDatabase("postgresql://127.0.0.1:1/x")
    with pytest.raises(LineLost, match=r"postgresql://127.0.0.1:1/x cannot be reached"), nowhere.begin():
        pass


@pytest.mark.parametrize("part", ["u:open@sesame@host/db", "u:open/sesame@host/db", "u:1/sesame@host/db"])
def test_a_password_that_breaks_the_address_is_not_shown_as_a_part_of_it(part: str) -> None:
    with pytest.raises(Misuse, match="percent") as refused:
        FarDatabase(f"postgresql://{part}")
    assert "sesame" not in str(refused.value)
