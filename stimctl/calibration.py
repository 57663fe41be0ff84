"""Calibration records: what a device was measured to give, by whom, with what, and until when that counts.

A record is evidence and nothing else: it never changes what is commanded. It belongs to a device by its model and
serial number, and is a file of this user's that is never replaced; of several the newest counts.
"""

import re
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from stimctl.errors import InputInvalid, Misuse, Problem
from stimctl.label import Label
from stimctl.look import is_there, refuse_pipe
from stimctl.new_file import write_new
from stimctl.units import counted

FOLDER = "calibrations"
NONE = "none"
Words = Annotated[str, AfterValidator(Label)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _CalibrationModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CalibrationPoint(_CalibrationModel):
    """One amplitude, as it was commanded and as it was measured. `uncertainty_ua` is expanded, k = 2; None: unknown."""

    channel: Annotated[int, Field(ge=1, le=4)]
    commanded_ua: Annotated[Finite, Field(gt=0, le=10_000)]  # 10 mA: more is uA in a column of mA
    measured_ua: Finite
    ohm: Annotated[Finite, Field(gt=0)] | None = None
    uncertainty_ua: Annotated[Finite, Field(ge=0)] | None = None


class ChannelCalibration(_CalibrationModel):
    """Measured = gain x commanded + offset, by least squares; the limits are of 95 % confidence."""

    channel: int
    points: int
    gain: Finite
    gain_off: Finite
    offset_ua: Finite
    offset_off_ua: Finite
    residual_ua: Finite  # standard deviation about the line
    band_ua: Finite  # how far the line itself may be off, at the worst of its points
    from_ua: Finite
    to_ua: Finite
    loads_ohm: tuple[float, ...] = ()

    def text(self) -> str:
        """In one sentence."""
        return (
            f"channel {self.channel}: gain {self.gain:.4f} ± {self.gain_off:.4f}, offset {self.offset_ua:.1f} ± "
            f"{self.offset_off_ua:.1f} uA"
        )


class CalibrationRecord(_CalibrationModel):
    """One calibration of one device. Dates, names and numbers are what a person said of it."""

    format: Literal[1] = 1
    model: str
    serial: str
    firmware: str
    simulated: bool
    calibrated_on: date
    due_on: date
    operator: Words
    instrument: Words
    certificate: Words
    source: str
    source_sha256: str
    made_utc: str
    software: str
    channels: Annotated[tuple[ChannelCalibration, ...], Field(min_length=1)]
    points: tuple[CalibrationPoint, ...]

    @model_validator(mode="after")
    def _in_order(self) -> "CalibrationRecord":
        if self.due_on <= self.calibrated_on:
            raise ValueError(f"due_on {self.due_on} is not after calibrated_on {self.calibrated_on}")
        return self

    def standing(self, today: date, firmware: str | None = None) -> "CalibrationStanding":
        """What a session of that day has to know, on a device that has this firmware now."""
        fits = {
            str(each.channel): {"gain": each.gain, "offset_ua": each.offset_ua} for each in self.channels
        }  # fmt: skip
        record = {
            "calibrated_on": self.calibrated_on.isoformat(), "due_on": self.due_on.isoformat(),
            "certificate": self.certificate, "instrument": self.instrument, "operator": self.operator,
            "simulated": self.simulated, "past_due": self.due_on < today, "firmware": self.firmware, "channels": fits,
        }  # fmt: skip
        return CalibrationStanding(record, "; ".join(filter(None, (self._overdue(today), self._other(firmware)))))

    def _other(self, firmware: str | None) -> str:
        """Its firmware drives a device: what another one gave is no measurement of this."""
        if firmware in (None, self.firmware):
            return ""
        return f"calibration of {self.model} {self.serial} is of firmware {self.firmware}, and it has {firmware} now"

    def _overdue(self, today: date) -> str:
        late = (today - self.due_on).days
        due = f"calibration of {self.model} {self.serial} was due on {self.due_on}, {counted(late, 'day')} ago"
        return f"{due} (certificate {self.certificate})" if late > 0 else ""

    def text(self, today: date, firmware: str | None = None) -> str:
        """For people."""
        due = f"PAST DUE since {self.due_on}" if self.due_on < today else f"due {self.due_on}"
        kind = ", SIMULATED" if self.simulated else ""
        who = f"{self.calibrated_on} by {self.operator}, {self.instrument}, certificate {self.certificate}, {due}{kind}"
        which = "it has no serial number, so that this may be of another one" if self.serial == NONE else ""
        return "; ".join(filter(None, [who, self._other(firmware), which, *(each.text() for each in self.channels)]))


class CalibrationStanding(NamedTuple):
    """A record as a session logs it (`none` where there is none), and what is to be said before arming, if anything."""

    record: dict[str, Any] | str
    overdue: str


def standing_of(folder: Path, model: str, serial: str, today: date, firmware: str | None = None) -> CalibrationStanding:
    """What counts for a device with this firmware. A record that cannot be read is told of, and ends no session."""
    try:
        newest = newest_record(folder, model, serial)
    except InputInvalid as wrong:
        return CalibrationStanding({"unreadable": wrong.source}, f"the calibration record cannot be read: {wrong}")
    return CalibrationStanding(NONE, "") if newest is None else newest.standing(today, firmware)


def newest_record(folder: Path, model: str, serial: str) -> CalibrationRecord | None:
    """Of the records of a device in `folder` (this user's data folder), the last. Raises `InputInvalid`."""
    records = [_read(path) for path in sorted(_home(folder, model, serial).glob("*.json"))]
    for path, record in records:
        if (record.model, record.serial) != (model, serial):
            raise InputInvalid(str(path), [Problem("serial", record.serial, f"must be {serial!r}, as its folder says")])
    return max((record for _, record in records), key=lambda each: (each.calibrated_on, each.made_utc), default=None)


def keep_record(folder: Path, record: CalibrationRecord) -> Path:
    """Write a record; an earlier one is never replaced. Returns its file. Raises `Misuse` where that cannot be."""
    home = _home(folder, record.model, record.serial)
    text = record.model_dump_json(indent=1) + "\n"
    try:
        home.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1_000):
            path = home / f"{record.calibrated_on}-{number:03d}.json"
            if not is_there(path):
                write_new(path, [text], force=False)
                return path
    except OSError as fault:
        raise Misuse(f"{home} cannot be written: {fault.strerror or fault}") from fault
    raise Misuse(f"{home} has a thousand records of that day: is the date right?")


def _home(folder: Path, model: str, serial: str) -> Path:
    """Named for people, and by a hash: two devices never share it, whatever their names are made of."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", f"{model}-{serial}").strip("-")[:60]
    digest = sha256(b"\0".join((model.encode(), serial.encode()))).hexdigest()[:8]
    return folder / FOLDER / f"{words}-{digest}"


def _read(path: Path) -> tuple[Path, CalibrationRecord]:
    try:
        refuse_pipe(path)
        return path, CalibrationRecord.model_validate_json(path.read_bytes())
    except OSError as fault:
        raise InputInvalid(str(path), [Problem("file", None, f"cannot be read: {fault.strerror or fault}")]) from None
    except ValidationError as fault:
        allowed = "is no calibration record any more: restore it, or move it out of its folder"
        raise InputInvalid(str(path), [Problem(_where(each), each.get("input"), f"{each['msg']}; the file {allowed}")
                                       for each in fault.errors()]) from None  # fmt: skip


def _where(error: Any) -> str:
    return ".".join(map(str, error["loc"])) or "record"
