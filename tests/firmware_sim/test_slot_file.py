"""A text that outlives whoever wrote it, wherever in its writing that was."""

from pathlib import Path

import pytest

from firmware_sim.slot_file import SLOT, SlotFile, SlotFileTaken


def reread(path: Path) -> str | None:
    file = SlotFile(path)
    file.close()
    return file.text


@pytest.mark.parametrize("sync", [True, False])
def test_a_writer_that_dies_at_any_byte_leaves_the_text_before(tmp_path: Path, sync: bool) -> None:
    path = tmp_path / "kept"
    file = SlotFile(path)
    texts = [f"text {number}" + "x" * 50 * number for number in range(6)]
    for text in texts[:-1]:
        file.write(text, sync=sync)
    before = path.read_bytes()
    file.write(texts[-1], sync=sync)
    file.close()
    after = path.read_bytes()
    changed = [place for place in range(len(after)) if before[place] != after[place]]
    for place in (*range(changed[0], changed[-1], 7), changed[-1]):
        path.write_bytes(after[:place] + before[place:])
        assert reread(path) == texts[-2]
    path.write_bytes(after)
    assert reread(path) == texts[-1]


@pytest.mark.parametrize("writes", [1, 2, 3])
@pytest.mark.parametrize("sync", [True, False])
def test_a_file_that_is_opened_again_keeps_its_newest_text_while_the_next_is_written(
    tmp_path: Path, writes: int, sync: bool
) -> None:
    path = tmp_path / "kept"
    file = SlotFile(path)
    for number in range(writes):
        file.write(f"text {number}", sync=sync)
    file.close()
    before = path.read_bytes()
    again = SlotFile(path)
    again.write("another", sync=sync)
    again.close()
    after = path.read_bytes()
    begin = next(place for place in range(len(after)) if before[place] != after[place])
    path.write_bytes(before[:begin] + b"?" * 20 + before[begin + 20 :])
    assert reread(path) == f"text {writes - 1}"


def test_what_is_on_the_disk_is_not_written_over_by_what_need_not_be(tmp_path: Path) -> None:
    """A machine that loses its power may leave any mixture in the slots of texts that were not brought to the disk."""
    path = tmp_path / "kept"
    file = SlotFile(path)
    file.write("on the disk", sync=True)
    for number in range(5):
        file.write(f"only noted {number}", sync=False)
    file.close()
    assert reread(path) == "only noted 4"
    data = path.read_bytes()
    path.write_bytes(data[: 2 * SLOT] + b"?" * 2 * SLOT)
    assert reread(path) == "on the disk"


def test_a_new_file_has_no_text_and_only_one_has_it_at_a_time(tmp_path: Path) -> None:
    file = SlotFile(tmp_path / "kept")
    assert file.text is None
    with pytest.raises(SlotFileTaken):
        SlotFile(tmp_path / "kept")
    file.close()
    assert reread(tmp_path / "kept") is None


def test_a_text_that_is_too_long_is_refused_and_the_last_one_stays(tmp_path: Path) -> None:
    file = SlotFile(tmp_path / "kept")
    file.write("short", sync=True)
    with pytest.raises(ValueError, match="do not fit into a slot of 4096"):
        file.write("x" * SLOT, sync=True)
    file.close()
    assert reread(tmp_path / "kept") == "short"
