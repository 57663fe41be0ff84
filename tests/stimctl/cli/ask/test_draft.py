"""Answers that were not used are there at the next start, for their owner alone."""

import json
import os
import stat
from pathlib import Path

import pytest

from stimctl.cli.ask.draft import Draft, state_folder


def test_repeating_a_prescription_leaves_what_was_left_before() -> None:
    draft = Draft("low-back-pain")
    draft.save({"minutes": "20"})
    again = Draft("low-back-pain", again_of="../P-17")
    again.save({"minutes": "15"})
    assert again.path.parent == draft.path.parent
    assert [each.load().answers for each in (draft, again)] == [{"minutes": "20"}, {"minutes": "15"}]  # type: ignore[union-attr]
    assert Draft("low-back-pain", again_of="P-17").load() is None
    again.remove()


def test_a_draft_is_saved_read_and_removed() -> None:
    draft = Draft("low-back-pain")
    assert draft.load() is None
    draft.save({"operator": "Dr. O."})
    draft.save({"operator": "Dr. O.", "minutes": "20"})
    left = Draft("low-back-pain").load()
    assert left is not None
    assert left.answers == {"operator": "Dr. O.", "minutes": "20"}
    assert Draft("low-back-pain", rehearsal=True).load() is None
    assert Draft("bench-2hz").load() is None
    assert [each.name for each in state_folder().iterdir()] == [draft.path.name]
    draft.remove()
    assert draft.load() is None
    draft.remove()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_its_owner_reads_it() -> None:
    before = os.umask(0)
    try:
        draft = Draft("low-back-pain")
        draft.save({"pseudonym": "P-17"})
    finally:
        os.umask(before)
    assert stat.S_IMODE(draft.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(draft.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"answers": 3}', b"\xff\xfe", json.dumps({"answers": {"a": "b"}}).encode()]
)
def test_what_is_no_draft_counts_as_none_and_is_told_of(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    draft = Draft("low-back-pain")
    draft.save({"a": "b"})
    draft.path.write_bytes(content)
    assert draft.load() is None
    assert capsys.readouterr().err == (
        f"Answers were left, but their file is damaged: {draft.path}. All is asked anew.\n"
    )


def test_a_draft_that_cannot_be_read_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    draft = Draft("low-back-pain")
    draft.save({"a": "b"})
    draft.path.unlink()
    draft.path.mkdir()
    assert draft.load() is None
    assert capsys.readouterr().err == (f"Whether answers were left cannot be seen: {state_folder()}: Is a directory\n")


def test_a_folder_that_cannot_be_written_is_told_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STIMCTL_STATE", str(tmp_path / "file" / "state"))
    draft = Draft("low-back-pain")
    draft.save({"a": "b"})
    draft.save({"a": "c"})
    said = capsys.readouterr().err
    assert said.count("cannot be saved") == 1
    assert "Errno" not in said
    draft.remove()
    assert draft.load() is None
