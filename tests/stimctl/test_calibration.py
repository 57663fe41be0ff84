"""Calibration records: the newest of a device counts, none is replaced, and what is past due or damaged is said."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stimctl.api import Session
from stimctl.bench.dummy_load import LoadRun, prescription_for
from stimctl.calibration import (
    CalibrationRecord,
    ChannelCalibration,
    keep_record,
    newest_record,
    standing_of,
)
from stimctl.errors import InputInvalid
from stimctl.ledger import Ledger
from stimctl.prescription import Subject
from stimctl.session.view import OperatorMessage
from stimctl.waveform import Mode

MODEL, SERIAL = "stimctl simulator", "SIM-00000001"
FIT = ChannelCalibration(
    channel=1, points=4, gain=1.01, gain_off=0.002, offset_ua=-3.0, offset_off_ua=1.0, residual_ua=0.5, band_ua=1.2,
    from_ua=500, to_ua=2_000, loads_ohm=(1_000.0,),
)  # fmt: skip


def record(**change: Any) -> CalibrationRecord:
    values: dict[str, Any] = {
        "model": MODEL, "serial": SERIAL, "firmware": "1", "simulated": False, "calibrated_on": date(2025, 3, 31),
        "due_on": date(2026, 3, 31), "operator": "A. Smith", "instrument": "scope 1", "certificate": "K-1",
        "source": "typed.csv", "source_sha256": "0" * 64, "made_utc": "2025-03-31T10:00:00", "software": "stimctl",
        "channels": (FIT,), "points": (),
    }  # fmt: skip
    return CalibrationRecord(**{**values, **change})


def test_the_newest_counts_and_none_is_replaced(tmp_path: Path) -> None:
    first = keep_record(tmp_path, record())
    second = keep_record(tmp_path, record(made_utc="2025-03-31T11:00:00", certificate="K-2"))
    keep_record(tmp_path, record(calibrated_on=date(2024, 3, 31), certificate="K-0"))
    keep_record(tmp_path, record(serial="SIM-2", certificate="K-9"))
    assert first != second
    newest = newest_record(tmp_path, MODEL, SERIAL)
    assert newest is not None
    assert newest.certificate == "K-2"
    assert newest_record(tmp_path, MODEL, "SIM-3") is None
    assert standing_of(tmp_path, MODEL, "SIM-3", date(2025, 4, 1)).record == "none"


@pytest.mark.parametrize(("today", "late"), [(date(2026, 3, 31), False), (date(2026, 4, 1), True)])
def test_it_counts_to_the_end_of_its_day(today: date, late: bool) -> None:
    standing = record().standing(today)
    assert bool(standing.overdue) is late
    assert isinstance(standing.record, dict)
    assert standing.record["past_due"] is late
    assert ("PAST DUE" in record().text(today)) is late


@pytest.mark.parametrize(("firmware", "other"), [("1", False), ("2", True)])
def test_one_of_other_firmware_is_said(firmware: str, other: bool, tmp_path: Path) -> None:
    keep_record(tmp_path, record())
    standing = standing_of(tmp_path, MODEL, SERIAL, date(2025, 4, 1), firmware)
    assert ("is of firmware 1, and it has 2 now" in standing.overdue) is other
    assert ("is of firmware 1, and it has 2 now" in record().text(date(2025, 4, 1), firmware)) is other
    assert isinstance(standing.record, dict)
    assert standing.record["firmware"] == "1"


def test_of_a_device_without_a_serial_number_it_may_be_anothers() -> None:
    assert "this may be of another one" in record(serial="none").text(date(2025, 4, 1))
    assert "another" not in record().text(date(2025, 4, 1))


@pytest.mark.parametrize("change", [{"due_on": date(2025, 3, 31)}, {"operator": " "}, {"channels": ()}])
def test_what_is_no_record(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        record(**change)


def test_a_damaged_record_is_named_and_ends_no_session(tmp_path: Path) -> None:
    path = keep_record(tmp_path, record())
    path.write_text(path.read_text().replace('"gain": 1.01', '"gain": "much"'))
    with pytest.raises(InputInvalid, match=r"channels\.0\.gain is 'much'"):
        newest_record(tmp_path, MODEL, SERIAL)
    standing = standing_of(tmp_path, MODEL, SERIAL, date(2025, 4, 1))
    assert standing.record == {"unreadable": str(path)}
    assert "cannot be read" in standing.overdue


@pytest.mark.parametrize("kept", [False, True])
def test_each_session_logs_it_and_says_what_is_past_due_before_arming(kept: bool, tmp_path: Path) -> None:
    if kept:
        keep_record(tmp_path, record())
    run = LoadRun(ohm=1_000, amplitude_ua=500, mode=Mode.HIGH, plateau_us=100_000, ramp_only=True)
    with Ledger(tmp_path / "log.sqlite") as ledger:
        rx = prescription_for(run, Subject.SIMULATOR)
        with Session("sim://?load=r1k", rx, ledger) as session:
            session.run()
            told = [event for event in session.take_events() if isinstance(event, OperatorMessage)]
        entries = list(ledger.entries(session.session_id))
    logged = entries[0].body["calibration"]
    overdue = [event.text for event in told if "was due on 2026-03-31" in event.text]
    assert bool(overdue) is kept
    if not kept:
        assert logged == "none"
        return
    assert logged["channels"] == {"1": {"gain": 1.01, "offset_ua": -3.0}}
    assert (logged["calibrated_on"], logged["due_on"], logged["past_due"]) == ("2025-03-31", "2026-03-31", True)
    armed = next(each for each in entries if each.kind == "armed")
    assert next(event.at_us for event in told if "was due" in event.text) < armed.at_us
    applied = {entry.body["targets_ua"]["1"] for entry in entries if entry.kind == "started"}
    assert applied == {500}  # as commanded: a record changes nothing
