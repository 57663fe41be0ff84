"""`stimctl bench calibrate`: commanded against measured, kept as a record of the device."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stimctl import __version__
from stimctl.cli import codes
from stimctl.cli.device_options import device_options, missing_port
from stimctl.cli.done import echo_done
from stimctl.cli.table import json_option, json_text, table
from stimctl.errors import Misuse

if TYPE_CHECKING:
    from stimctl.bench.calibrate import CalibrationData
    from stimctl.calibration import CalibrationRecord, ChannelCalibration
    from stimctl.stimulators.discovery import DeviceChoice

_DAY = click.DateTime(["%Y-%m-%d"])
_CODES = (codes.DONE, codes.USAGE, codes.INVALID, codes.DEVICE, codes.LINE, codes.INTERRUPTED)


@click.command(epilog=codes.help_text(_CODES))
@click.option(
    "--results", type=click.Path(file_okay=False, path_type=Path), help="Of a `bench plan` with amplitude steps."
)
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path),
    help="Typed: channel,asked_ma,measured_ma and ohm if known. The device is asked at --port who it is.",
)  # fmt: skip
@click.option("--date", "calibrated_on", type=_DAY, required=True, help="When it was measured, as in 2026-03-31.")
@click.option("--due", "due_on", type=_DAY, required=True, help="Until when that counts.")
@click.option("--operator", required=True, help="Who measured.")
@click.option("--instrument", required=True, help="With what: maker, model, serial number.")
@click.option("--certificate", required=True, help="The number of the instrument's own certificate.")
@json_option
@device_options(required=False)
@click.pass_context
def calibrate(
    ctx: click.Context, *, results: Path | None, csv_file: Path | None, calibrated_on: datetime, due_on: datetime,
    operator: str, instrument: str, certificate: str, as_json: bool, url: str | None, choice: "DeviceChoice",
) -> None:  # fmt: skip
    """Fit commanded against measured amplitudes, and keep that as the device's calibration record.

    Gain, offset, residuals and the 95 % band of each channel. `stimctl info` shows the record, each session logs it,
    and one that is past due is said before anything is armed. It is a record: it never changes what is commanded.

    \b
    Examples:
      stimctl bench calibrate --results plan --date 2026-03-31 --due 2027-03-31 --operator "A. Smith" \\
        --instrument "DS1104Z, DS1ZA0001" --certificate K-1234
      stimctl bench calibrate --csv typed.csv --port /dev/ttyACM0 --date 2026-03-31 --due 2027-03-31 ...
    """
    from stimctl.bench.calibrate import fits, points_of_csv, points_of_plan
    from stimctl.calibration import keep_record
    from stimctl.ledger.place import data_folder

    if (results is None) == (csv_file is None):
        raise click.UsageError("Say what was measured: --results FOLDER or --csv FILE, one of the two.")
    if calibrated_on.date() > datetime.now(UTC).astimezone().date():
        raise Misuse(f"--date {calibrated_on.date()} is still to come: it is the day on which it was measured")
    data = points_of_plan(results) if results is not None else points_of_csv(_given(csv_file))
    found = fits(data)
    if data.device is None and url is None:
        raise missing_port(ctx)
    record = _record(
        data, found, data.device or _who(url, choice), calibrated_on=calibrated_on.date(), due_on=due_on.date(),
        operator=operator, instrument=instrument, certificate=certificate,
    )  # fmt: skip
    path = keep_record(data_folder(), record)
    if as_json:
        echo_done(json_text({"file": str(path), **record.model_dump(mode="json")}))
    else:
        _show(data, record, path)


def _given(path: Path | None) -> Path:
    assert path is not None
    return path


def _who(url: str | None, choice: "DeviceChoice") -> dict[str, Any]:
    from stimctl.stimulators.discovery import identify

    assert url is not None
    return identify(url, choice).identity.record()


def _record(
    data: "CalibrationData", found: "tuple[ChannelCalibration, ...]", device: Any, **given: Any
) -> "CalibrationRecord":
    from hashlib import file_digest

    from pydantic import ValidationError

    from stimctl.calibration import CalibrationRecord

    with data.source.open("rb") as stream:
        digest = file_digest(stream, "sha256").hexdigest()
    try:
        return CalibrationRecord(
            model=device["model"], serial=device["serial"], firmware=device["firmware"],
            simulated=data.simulated or bool(device["simulator"]), source=str(data.source), source_sha256=digest,
            made_utc=datetime.now(UTC).isoformat(timespec="milliseconds"), software=f"stimctl {__version__}",
            channels=found, points=data.points, **given,
        )  # fmt: skip
    except ValidationError as wrong:
        problems = [f"{'.'.join(map(str, each['loc']))} {each['msg'].removeprefix('Value error, ')}".strip()
                    for each in wrong.errors()]  # fmt: skip
        raise Misuse("; ".join(problems)) from None


def _show(data: "CalibrationData", record: "CalibrationRecord", path: Path) -> None:
    from stimctl.bench.calibrate import residuals_ua

    rows = [
        (str(each.channel), f"{each.gain:.5f} ± {each.gain_off:.5f}",
         f"{each.offset_ua:.2f} ± {each.offset_off_ua:.2f}", f"{each.residual_ua:.2f}", f"{each.band_ua:.2f}",
         f"{each.from_ua:g} to {each.to_ua:g}", str(each.points))
        for each in record.channels
    ]  # fmt: skip
    who = f"{record.model} {record.serial}, firmware {record.firmware}{'  SIMULATED' if record.simulated else ''}"
    headers = ("CHANNEL", "GAIN (95 %)", "OFFSET, uA (95 %)", "RESIDUAL, uA", "BAND, uA", "RANGE, uA", "POINTS")
    by_channel = table(headers, rows)
    points = [
        (str(point.channel), "" if point.ohm is None else f"{point.ohm:g}", f"{point.commanded_ua:g}",
         f"{point.measured_ua:.1f}", f"{off:+.2f}")
        for each in record.channels
        for point, off in residuals_ua(each, data)
    ]  # fmt: skip
    by_point = table(("CHANNEL", "OHM", "COMMANDED, uA", "MEASURED, uA", "FROM THE LINE, uA"), points)
    off = max((point.uncertainty_ua for point in record.points if point.uncertainty_ua is not None), default=None)
    itself = (
        "how good the instrument is nobody said" if off is None else f"up to {off:.0f} uA (k = 2) by the instrument"
    )
    limits = f"The limits of the line are those of its scatter; each value is itself off by more: {itself}."
    kept = f"record  {path}\nIt is a record: nothing that is commanded changes."
    echo_done(f"{who}\n{by_channel}\n\n{by_point}\n\n{limits}\n{kept}")
