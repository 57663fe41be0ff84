"""`stimctl log sync` where nothing can be sent; into a real PostgreSQL: tests/stimctl/sync."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stimctl.cli import codes, main
from stimctl.ledger import Ledger
from tests.stimctl.ledger.conftest import write_session


@pytest.fixture
def sync(tmp_path: Path) -> Callable[..., Result]:
    with Ledger(tmp_path / "data" / "ledger.sqlite") as ledger:
        write_session(ledger, session_id="s-1")

    def call(*arguments: str, folder: str = "data") -> Result:
        return CliRunner().invoke(main, ["log", "--data", str(tmp_path / folder), "sync", *arguments])

    return call


def test_what_cannot_be_is_told(sync: Callable[..., Result]) -> None:
    for arguments, folder, code, sentence in (
        (("postgresql://127.0.0.1:1/x",), "data", codes.LINE, "cannot be reached"),
        (("mysql://clinic:s3cret@x/y",), "data", codes.INVALID, "no address of a PostgreSQL"),
        (("postgresql://x/y", "--machine", "a\x1b"), "data", codes.INVALID, "must be printable"),
        (("postgresql://x/y",), "none", codes.INVALID, "holds nothing to send yet"),
    ):
        result = sync(*arguments, folder=folder)
        assert (result.exit_code, sentence in result.stderr, result.stdout) == (code, True, "")
        assert "s3cret" not in result.output
