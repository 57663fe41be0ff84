"""A file that is written whole or not at all."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from stimctl.errors import Misuse
from stimctl.new_file import write_new


def test_what_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def parts() -> Iterator[bytes]:
        yield b"new"
        raise RuntimeError("broken off")

    with pytest.raises(RuntimeError):
        write_new(path, parts(), force=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_readable_by_its_user_alone_and_not_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_new(path, [b"1", "2"], force=False)
    assert path.read_bytes() == b"12"
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(Misuse, match="is there already"):
        write_new(path, [b"3"], force=False)
