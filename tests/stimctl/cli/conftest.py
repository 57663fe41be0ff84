"""Every test of a command has a data folder and a folder for stop endpoints of its own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where this test's ledger is. Not under `tmp_path`: a local socket's name has to be short."""
    folder = Path(tempfile.mkdtemp(prefix="stimctl"))
    monkeypatch.setenv("STIMCTL_DATA", str(folder / "data"))
    monkeypatch.setenv("STIMCTL_RUN", str(folder / "run"))
    monkeypatch.setenv("STIMCTL_STATE", str(folder / "state"))
    monkeypatch.delenv("STIMCTL_PROFILES", raising=False)
    yield folder / "data"
    shutil.rmtree(folder)
