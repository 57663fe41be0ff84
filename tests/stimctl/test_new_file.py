"""A file that is written whole or not at all."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from stimctl.errors import Misuse
from stimctl.ledger.signature import make_key
from stimctl.new_file import new_file, write_new


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


def test_what_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(Misuse, match="File exists"), new_file(path, force=False):
        path.write_bytes(b"another's")
    assert path.read_bytes() == b"another's"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_system_without_links_gets_the_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", none)
    write_new(tmp_path / "a", [b"1"], force=False)
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        assert os.fstat(descriptor).st_size == 3
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Misuse, match="a cannot be written: No space left"):
        write_new(tmp_path / "a", [b"all"], force=True)
    assert list(tmp_path.iterdir()) == []


def test_of_a_pair_of_keys_there_is_never_the_public_one_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, hardlink_to = tmp_path / "k.pem", Path.hardlink_to

    def refused(new: Path, target: Path) -> None:
        if new == path:
            raise FileExistsError(17, "File exists")
        hardlink_to(new, target)

    monkeypatch.setattr(Path, "hardlink_to", refused)
    with pytest.raises(Misuse, match="cannot be written: File exists"):
        make_key(path)
    assert list(tmp_path.iterdir()) == []
