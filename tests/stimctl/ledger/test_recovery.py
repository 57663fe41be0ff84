"""What a start finds of sessions that had no proper end: closed as interrupted, and their dose added."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from stimctl.ledger import Ledger
from stimctl.ledger.recovery import DIED, DoseOwner, close_unfinished, log_recovered, owner
from stimctl.stimulators.base import Identity, SessionCounts
from stimctl.wire.codec import Counters, Impedance, Measured, SessionRecord
from stimctl.wire.codes import Capability

CHECKED = Impedance(1, 600, 10, 100, 99, 200_000, 90_000_000)


def identity(serial: str = "A1") -> Identity:
    return Identity(
        model="bench", serial=serial, firmware="1.0.0", firmware_sha256="00", boot_id=2, simulator=True,
        calibrated_on=None, channels=4, capabilities=Capability(127), max_amplitude_ua=2_000, dac_step_na=1_221,
        readback_accuracy_ua=10, readback_accuracy_permille=10, net_charge_floor_pc=2_400, compliance_mv=12_000,
        watchdog_ms=1_000,
    )  # fmt: skip


def records(nonce: int, session: int = 7, boot_id: int = 2) -> SessionCounts:
    record = SessionRecord(
        session=session, boot_id=boot_id, end_reason=3, ceiling_ua=2_000, channel_mask=1, stimulation_us=61_000_000,
        segment_0_us=31_000_000, segment_1_us=30_000_000, digest_head=5, nonce=nonce,
        device_time_us=90_000_000,
    )  # fmt: skip
    counted = Counters(1, 7, 62, 3_000, 74_400_000, 1_200_000_000, 90_000_000)
    measured = Measured(1, 7, 74_000_000, 1_190_000_000, 12, 1_999, 0, 4_000, 90_000_000)
    return SessionCounts(record, (counted,), (measured,), checked=(CHECKED,))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def opened(ledger: Ledger, session_id: str, serial: str, nonce: int, session: int = 7) -> None:
    body: dict[str, Any] = {"device": identity(serial).record(), "simulator": True, "subject": "simulator"}
    ledger.append(session_id, "opened", 0, body)
    ledger.append(session_id, "armed", 5, {"nonce": nonce, "session": session})


def test_a_session_that_nobody_holds_is_closed_as_interrupted_once(ledger: Ledger) -> None:
    opened(ledger, "s-1", "A1", 1 << 32 | 1)
    with ledger.writer("s-2") as log:
        log.put("opened", 0, {"device": {"serial": "A1"}, "simulator": True})
        log.drain(10)
        assert close_unfinished(ledger) == ["s-1"], "a session that runs is left alone"
        assert close_unfinished(ledger) == []
        log.put("closed", 1, {"end_reason": "timer"})
        log.drain(10)
    (closed,) = [entry for entry in ledger.entries("s-1") if entry.kind == "closed"]
    assert closed.body["end_reason"] == "interrupted"
    assert closed.body["reason"] == DIED
    ledger.close()


def test_what_the_device_went_on_to_count_is_added_to_the_session_that_it_belongs_to(ledger: Ledger) -> None:
    opened(ledger, "s-1", "A1", 2 << 32 | 1)
    opened(ledger, "s-2", "B2", 2 << 32 | 1)
    opened(ledger, "s-3", "A1", 2 << 32 | 2, session=8)
    close_unfinished(ledger)
    assert log_recovered(ledger, identity("A1"), records(2 << 32 | 1)) == "s-1"
    (found,) = [entry for entry in ledger.entries("s-1") if entry.kind == "recovered"]
    assert found.body["known_here"] is True
    assert found.body["arm_logged"] is True
    assert found.body["simulator"] is True
    assert found.body["checked"] == [CHECKED._asdict()]
    summary = ledger.summary("s-1")
    assert summary.band_us == [31_000_000, 30_000_000]
    assert [text.partition(":")[0] for text in summary.unknown] == ["commanded", "end"]
    (channel,) = summary.channels
    assert channel.commanded is None
    assert channel.delivered is not None
    assert channel.delivered["pulses"] == [62, 3_000]
    assert channel.delivered["charge_pc"] == [74_400_000, 1_200_000_000]
    assert ledger.verify().ok
    ledger.close()


def test_an_arm_that_was_never_logged_is_its_sessions_all_the_same(ledger: Ledger) -> None:
    """The program died after the device had armed once more, and before that was on the disk."""
    opened(ledger, "s-1", "A1", 2 << 32 | 1)
    close_unfinished(ledger)
    assert log_recovered(ledger, identity("A1"), records(2 << 32 | 2)) == "s-1"
    (found,) = [entry for entry in ledger.entries("s-1") if entry.kind == "recovered"]
    assert (found.body["known_here"], found.body["arm_logged"]) == (True, False)
    ledger.close()


def test_a_dose_is_that_of_the_arm_which_made_it_whoever_has_the_same_serial_number_and_session(ledger: Ledger) -> None:
    """Three simulators, each in its first life, ran at the same time; the first program was killed."""
    for session_id, nonce in (("s-1", 2 << 32 | 1), ("s-2", 2 << 32 | 8), ("s-3", 2 << 32 | 9)):
        opened(ledger, session_id, "A1", nonce)
    assert owner(ledger, "A1", records(2 << 32 | 1).record) == DoseOwner("s-1", arm_logged=True)
    assert owner(ledger, "A1", records(2 << 32 | 7).record) == DoseOwner("s-3", arm_logged=False)
    ledger.close()


def test_of_two_that_fit_it_is_the_newest(ledger: Ledger) -> None:
    """A device whose memory was wiped counts anew."""
    opened(ledger, "s-1", "A1", 2 << 32 | 1)
    opened(ledger, "s-2", "A1", 2 << 32 | 1)
    assert owner(ledger, "A1", records(2 << 32 | 1).record) == DoseOwner("s-2", arm_logged=True)
    ledger.close()


def test_nothing_but_the_entries_that_tell_it_is_read(ledger: Ledger) -> None:
    """A damaged sample of last year keeps no dose from its session."""
    opened(ledger, "s-0", "A1", 1 << 32 | 1, session=3)
    opened(ledger, "s-1", "A1", 2 << 32 | 1)
    for session_id in ("s-0", "s-1"):
        ledger.append(session_id, "sample", 6, {"channel": 1})
    with sqlite3.connect(ledger.path) as plain:
        plain.execute("DROP TRIGGER entries_never_change")
        plain.execute("UPDATE entries SET body = 'no JSON' WHERE kind = 'sample'")
    plain.close()
    assert owner(ledger, "A1", records(2 << 32 | 1).record) == DoseOwner("s-1", arm_logged=True)
    ledger.close()


@pytest.mark.parametrize(
    ("serial", "session", "boot_id"), [("B2", 7, 2), ("A1", 8, 2), ("A1", 7, 9)], ids=["device", "session", "boot"]
)
def test_another_devices_or_another_sessions_dose_is_nobodys_here(
    ledger: Ledger, serial: str, session: int, boot_id: int
) -> None:
    opened(ledger, "s-1", "A1", 2 << 32 | 1)
    found_in_device = records(2 << 32 | 1, session, boot_id)
    assert owner(ledger, serial, found_in_device.record) is None
    session_id = log_recovered(ledger, identity(serial), found_in_device)
    assert session_id != "s-1"
    (found,) = list(ledger.entries(session_id))
    assert found.body["known_here"] is False
    summary = ledger.summary(session_id)
    assert summary.band_us == [31_000_000, 30_000_000]
    assert (summary.head.device_model, summary.head.device_serial) == ("bench", serial)
    assert [text.partition(":")[0] for text in summary.unknown] == ["planned and commanded", "start"]
    assert ledger.verify().ok
    ledger.close()
