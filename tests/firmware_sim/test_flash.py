"""What outlives a reset, in memory and in a file."""

import json
from pathlib import Path

import pytest

from firmware_sim.flash import FileFlash, Flash, FlashUnusable, StoredSession, Totals
from stimctl.wire.codes import CHANNELS, EndReason


def session(**changes: int) -> StoredSession:
    stored = StoredSession(7, 1, 2_000, 0b11, 60_000_000, 2**64 - 1, 2**33)
    for name, value in changes.items():
        setattr(stored, name, value)
    return stored


def test_each_boot_has_a_number_of_its_own() -> None:
    flash = Flash()
    assert [flash.boot() for _ in range(3)] == [1, 2, 3]


def test_an_open_session_ends_with_the_reset_and_an_ended_one_keeps_its_reason() -> None:
    flash = Flash()
    flash.session = session()
    flash.boot()
    assert flash.session.end_reason == EndReason.RESET
    flash.session = session(end_reason=EndReason.WATCHDOG)
    flash.boot()
    assert flash.session.end_reason == EndReason.WATCHDOG


def test_the_newest_counts_are_fetched_at_a_reset() -> None:
    flash = Flash()
    flash.session = stored = session()

    def collect() -> None:
        stored.stimulation_us = 1234

    flash.collect = collect
    flash.boot()
    assert flash.session.stimulation_us == 1234
    assert flash.collect is None


def test_a_file_brings_everything_back(tmp_path: Path) -> None:
    path = tmp_path / "flash.json"
    first = FileFlash(path)
    first.boot()
    first.sessions = 9
    totals = Totals(1, 2, 3, 4, 2**40, 2**41, -12_345, 2_001, 3, 2**50)
    first.session = session(end_reason=EndReason.STOP)
    first.session.totals = (totals, *(Totals() for _ in range(CHANNELS - 1)))
    first.save()
    second = FileFlash(path)
    assert (second.boots, second.sessions) == (1, 9)
    assert second.session == first.session
    assert [each.name for each in tmp_path.iterdir()] == ["flash.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"format": 1}',
        '{"format": 2, "boots": 1, "sessions": 1, "session": null}',
        '{"format": 1, "boots": -1, "sessions": 1, "session": null}',
        '{"format": 1, "boots": "1", "sessions": 1, "session": null}',
        '{"format": 1, "boots": 1, "sessions": 1, "session": {}}',
        '{"format": 1, "boots": 1, "sessions": 1, "session": {"totals": [[1], [], [], []]}}',
    ],
)
def test_what_is_no_flash_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "flash.json"
    path.write_text(text)
    with pytest.raises(FlashUnusable, match=r"flash\.json is no flash file.*remove this one"):
        FileFlash(path)
    assert path.read_text() == text


def test_a_session_with_a_field_missing_or_wrong_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flash.json"
    flash = FileFlash(path)
    flash.session = session()
    flash.save()
    stored = json.loads(path.read_text())
    for change in ({"nonce": "x"}, {"extra": 1}, {"totals": [[0] * 10] * 3}, {"totals": [[0.5] * 10] * 4}):
        path.write_text(json.dumps({**stored, "session": {**stored["session"], **change}}))
        with pytest.raises(FlashUnusable):
            FileFlash(path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    flash = FileFlash(tmp_path / "none" / "flash.json")
    with pytest.raises(FlashUnusable, match="cannot be written"):
        flash.boot()


def test_a_folder_instead_of_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FlashUnusable, match="cannot be read"):
        FileFlash(tmp_path)
