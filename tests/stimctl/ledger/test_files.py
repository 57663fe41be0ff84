"""What may stand under the ledger's names, and what is said of anything else; nothing but the ledger is changed."""

import errno
import os
import stat
from pathlib import Path

import pytest

from stimctl import lock_file
from stimctl.errors import LogFault
from stimctl.ledger import Ledger, ledger_is_there
from stimctl.ledger.files import FilesInPlace, LedgerBusy, wal_path
from stimctl.ledger.replace import recover

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and modes as POSIX has them")


@posix
@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("name", ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "ledger.anchor"])
def test_a_link_is_refused_and_what_it_leads_to_left_alone(tmp_path: Path, name: str, read_only: bool) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    outside.chmod(0o644)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / name).symlink_to(outside)
    with pytest.raises(LogFault, match="is a symbolic link"):
        Ledger(folder / "ledger.sqlite", read_only=read_only)
    assert outside.read_text() == "precious"
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644


@posix
def test_a_link_to_a_device_is_refused_and_its_mode_left_alone(tmp_path: Path) -> None:
    before = Path("/dev/null").stat().st_mode
    (tmp_path / "ledger.sqlite").symlink_to("/dev/null")
    with pytest.raises(LogFault, match="is a symbolic link"):
        Ledger(tmp_path / "ledger.sqlite")
    assert Path("/dev/null").stat().st_mode == before


@posix
@pytest.mark.parametrize("read_only", [False, True])
def test_a_pipe_is_refused_at_once(tmp_path: Path, read_only: bool) -> None:
    os.mkfifo(tmp_path / "ledger.sqlite")
    with pytest.raises(LogFault, match="is a pipe"):
        Ledger(tmp_path / "ledger.sqlite", read_only=read_only)


def test_an_empty_file_is_said_to_be_empty_and_may_be_begun(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").touch()
    with pytest.raises(LogFault, match="is an empty file"):
        Ledger(tmp_path / "ledger.sqlite", read_only=True)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.append("s-1", "note", 0, {}) == 1
        assert ledger.verify().ok


@pytest.mark.parametrize(("name", "what"), [("ledger.live", "the locks"), ("ledger.sealed", "damaged copies")])
def test_a_file_in_the_place_of_a_folder_is_said_to_be_one(name: str, what: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(LogFault, match=f"{name} is no folder, where {what}"):
        Ledger(tmp_path / "ledger.sqlite")


@posix
def test_nothing_is_copied_through_a_link_in_the_place_of_the_damaged_copies(ledger: Ledger, path: Path) -> None:
    ledger.append("s-1", "note", 0, {})
    ledger.close()
    other = path.parent / "other"
    other.mkdir()
    path.with_suffix(".sealed").symlink_to(other)
    path.write_bytes(path.read_bytes().replace(b"note", b"nope", 1))
    with pytest.raises(LogFault, match="is no folder, where damaged copies"):
        recover(path)
    assert list(other.iterdir()) == []


def test_what_is_no_ledger_gets_no_anchor(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("a shopping list\n" * 1000)
    with pytest.raises(LogFault, match="is no ledger"):
        Ledger(tmp_path / "ledger.sqlite")
    assert [one.name for one in tmp_path.iterdir()] == ["ledger.sqlite"]


@posix
def test_a_disk_without_locks_is_not_taken_for_another_program(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with pytest.raises(LogFault, match="has no file locks, as some network disks") as caught:
        Ledger(path)
    assert not isinstance(caught.value, LedgerBusy)


@posix
def test_new_folders_are_on_the_disk_with_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(lock_file, "sync_folder", lambda folder: synced.append(folder.name))
    lock_file.private_folder(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path.name, "a", "b"]
    assert stat.S_IMODE((tmp_path / "a" / "b" / "c").stat().st_mode) == 0o700
    lock_file.private_folder(tmp_path / "a" / "b" / "c")
    assert len(synced) == 3


def test_the_log_is_in_the_database_once_a_session_has_closed(ledger: Ledger, path: Path) -> None:
    with ledger.writer("s-1") as log:
        log.put("opened", 0, {})
        log.drain(5)
        assert wal_path(path).stat().st_size > 0
    assert wal_path(path).stat().st_size == 0


@posix
@pytest.mark.parametrize("what", ["removed", "replaced", "moved with its folder", "and its folder"])
def test_files_that_lay_still_for_long_are_missed_when_they_go(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "one").touch()
    (folder / "other").touch()
    files = FilesInPlace(folder / "one", folder / "other")
    while not files.settled:  # until the folder's time is old enough to be gone by
        assert files.hold()
    if what == "removed":
        (folder / "other").unlink()
    elif what == "replaced":
        (folder / "new").touch()
        (folder / "new").replace(folder / "other")
    else:
        folder.rename(tmp_path / "elsewhere")
        if what == "moved with its folder":
            folder.mkdir()
    assert not files.hold()
    assert not files.hold()


def test_what_else_comes_and_goes_in_the_folder_is_no_loss(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    files = FilesInPlace(tmp_path / "one")
    for name in ("a", "b"):
        (tmp_path / name).touch()
        assert files.hold()


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("precious")
    with pytest.raises(LogFault, match=r"home is no folder; move it away, or name another folder \(STIMCTL_DATA\)"):
        Ledger(tmp_path / "home" / "stimctl" / "ledger.sqlite")
    assert (tmp_path / "home").read_text() == "precious"


@posix
def test_a_link_that_leads_nowhere_is_no_ledger_that_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").symlink_to(tmp_path / "a disk that is not mounted")
    assert ledger_is_there(tmp_path / "ledger.sqlite")
    with pytest.raises(LogFault, match="is a symbolic link"):
        Ledger(tmp_path / "ledger.sqlite", read_only=True)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="reads which files are open from /proc")
@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_no_ledger_is_closed_again(tmp_path: Path, read_only: bool) -> None:
    file = tmp_path / "ledger.sqlite"
    file.write_text("a shopping list\n" * 1000)
    with pytest.raises(LogFault, match="is no ledger") as told:
        Ledger(file, read_only=read_only)
    open_files = {os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()}
    assert str(file.resolve()) not in open_files, told
