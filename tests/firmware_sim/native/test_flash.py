"""What outlives a reset, in memory and in a file."""

import json
from pathlib import Path

import pytest

from firmware_sim.native.flash import FORMAT, FileFlash, Flash, FlashUnusable, StoredSession, Totals
from firmware_sim.slot_file import SlotFile, newest
from stimctl.wire import codec as wire
from stimctl.wire.codes import CHANNELS, EndReason
from stimctl.wire.codes import DeviceState as S
from tests.firmware_sim.conftest import Host


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
    first.close()
    second = FileFlash(path)
    second.close()
    assert (second.boots, second.sessions) == (1, 9)
    assert second.session == first.session
    assert [each.name for each in tmp_path.iterdir()] == ["flash.json"]


def in_slots(path: Path, text: str) -> None:
    """A flash file that holds `text`, whatever that is."""
    path.unlink(missing_ok=True)
    file = SlotFile(path)
    file.write(text, sync=True)
    file.close()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "7",
        '{"format": 1}',
        '{"format": 0, "boots": 1, "sessions": 1, "session": null}',
        '{"format": FORMAT, "boots": -1, "sessions": 1, "session": null}',
        '{"format": FORMAT, "boots": "1", "sessions": 1, "session": null}',
        '{"format": FORMAT, "boots": 1, "sessions": 1, "session": {}}',
        '{"format": FORMAT, "boots": 1, "sessions": 1, "session": {"totals": [[1], [], [], []]}}',
    ],
)
def test_what_is_no_flash_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "flash.json"
    text = text.replace("FORMAT", str(FORMAT))
    in_slots(path, text)
    with pytest.raises(FlashUnusable, match=r"flash\.json is no flash file.*remove this one"):
        FileFlash(path)
    for data in ("", text, "x" * 4 * 4_096):
        path.write_text(data)
        with pytest.raises(FlashUnusable, match=r"flash\.json is no flash file.*remove this one"):
            FileFlash(path)
        assert path.read_text() == data, "somebody's file, whatever it is"


def test_a_session_with_a_field_missing_or_wrong_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flash.json"
    flash = FileFlash(path)
    flash.session = session()
    flash.save()
    flash.close()
    stored = json.loads(kept(path))
    for change in ({"nonce": "x"}, {"extra": 1}, {"totals": [[0] * 10] * 3}, {"totals": [[0.5] * 10] * 4}):
        in_slots(path, json.dumps({**stored, "session": {**stored["session"], **change}}))
        with pytest.raises(FlashUnusable):
            FileFlash(path)


def kept(path: Path) -> str:
    """What a flash file says."""
    text = newest(path)
    assert text is not None
    return text


def test_two_simulators_cannot_have_one_file(tmp_path: Path) -> None:
    path = tmp_path / "flash.json"
    first = FileFlash(path)
    first.boot()
    with pytest.raises(FlashUnusable, match=r"flash\.json is in use by another simulator: end that one, or name"):
        FileFlash(path)
    first.close()
    second = FileFlash(path)
    assert second.boot() == 2
    second.close()


def test_what_a_device_told_is_in_its_file_before_it_is_told(tmp_path: Path) -> None:
    """The file is read as it is after a process that was killed: nobody closed anything."""
    path = tmp_path / "flash.json"
    flash = FileFlash(path)
    host = Host(flash=flash).to(S.RUNNING)
    for wait_us in (1, 33_000, 100_000, 140_000):
        host.wait(wait_us)
        told = [host.ask(wire.ReadCounters(channel)) for channel in (1, 2)]
        totals = json.loads(kept(path))["session"]["totals"]
        assert [total[0] for total in totals[:2]] == [each.pulses_0 for each in told]
        assert json.loads(kept(path))["session"]["stimulation_us"] == host.machine.stimulation_us(host.now_us)
    flash.close()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FlashUnusable, match="cannot be opened: No such file"):
        FileFlash(tmp_path / "none" / "flash.json")


def test_a_folder_instead_of_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FlashUnusable, match="cannot be opened"):
        FileFlash(tmp_path)
