"""A ledger for the reports' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stimctl.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "data" / "ledger.sqlite") as found:
        yield found
