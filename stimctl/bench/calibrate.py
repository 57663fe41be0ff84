"""Commanded against measured, by channel, over all loads: a line by ordinary least squares, and how sure it is.

The points are those of a plan's captures, or were typed into a CSV. What the device itself says that it measured is no
calibration of it.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stimctl.bench.plan.results import read_results
from stimctl.calibration import CalibrationPoint, ChannelCalibration
from stimctl.errors import InputInvalid, Problem
from stimctl.session.states import End
from stimctl.units import UA_PER_MA

# A point that is further off than that is a unit, a probe or a slip of the pen more often than a device; and a whole
# line that is further off than that is a device to repair, not to calibrate [choice].
POINT_PART, GAIN_PART = (0.2, 5.0), (0.5, 2.0)
FEWEST = 3  # amplitudes: a line through two has no residuals
_KINDS = ("amplitude", "loads")
_COMMANDED = {"asked_ma": UA_PER_MA, "asked_ua": 1, "commanded_ma": UA_PER_MA, "commanded_ua": 1}
_MEASURED = {"measured_ma": UA_PER_MA, "measured_ua": 1}
_OF_SWEEP = {"applied_ua", "session_id", "readings"}
# Student's t of 97.5 %, by degrees of freedom from 1 to 30; beyond, within 2 % of 1.96 + 2.5 / freedom [calc].
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


class CalibrationData(NamedTuple):
    """Points, the file that they are from, and the device's identity and whether it was simulated, where it says so."""

    points: tuple[CalibrationPoint, ...]
    source: Path
    device: Mapping[str, Any] | None
    simulated: bool


def points_of_plan(folder: Path) -> CalibrationData:
    """The amplitude and load steps of a plan that was driven. Raises `InputInvalid`."""
    path = folder / "results.jsonl"
    found = read_results(path)
    if found is None:
        raise InputInvalid(str(path), [Problem("file", None, "holds no result: drive the plan first")])
    head, done, _ = found
    whole = [each for each in done.values() if each["kind"] in _KINDS and each["end"] == End.TIMER]
    points = tuple(point for record in whole for point in _measured(record))
    if not points:
        allowed = f"no step of kind {' or '.join(_KINDS)} came to its end with a measured amplitude"
        raise InputInvalid(str(path), [Problem("steps", None, allowed)])
    return CalibrationData(points, path, head["device"], bool(head["simulated"]))


def _measured(record: Mapping[str, Any]) -> Iterator[CalibrationPoint]:
    for row in record["rows"]:
        if row["name"] != "amplitude, median" or row["value"] is None:
            continue
        channel = int(row["where"].removeprefix("ch").partition(",")[0])
        yield CalibrationPoint(
            channel=channel, commanded_ua=record["asked_ua"], measured_ua=row["value"], ohm=record["ohm"],
            uncertainty_ua=row["uncertainty"],
        )  # fmt: skip


def points_of_csv(path: Path) -> CalibrationData:
    """A typed file: channel, asked_ma, measured_ma, and ohm where it is known. Raises `InputInvalid` with each line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            commanded, measured = _columns(path, columns)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise InputInvalid(str(path), [Problem("file", None, f"cannot be read: {fault}")]) from None
    points, problems = [], []
    for line, row in enumerate(rows, start=2):
        try:
            _whole_row(row)
            point = CalibrationPoint(
                channel=_whole(row, "channel"),
                commanded_ua=_number(row, commanded) * _COMMANDED[commanded],
                measured_ua=_number(row, measured) * _MEASURED[measured],
                ohm=_number(row, "ohm") if row.get("ohm") else None,
            )
            _likely(point, measured)
            points.append(point)
        except _Bad as bad:
            problems.append(Problem(bad.field, row.get(bad.field), bad.allowed, line))
        except ValueError:
            problems.append(
                Problem("row", None, "channel is 1 to 4, what was asked over 0 and up to 10 mA, ohm over 0", line)
            )
    if problems:
        raise InputInvalid(str(path), problems)
    return CalibrationData(tuple(points), path, None, simulated=False)


class _Bad(Exception):
    def __init__(self, field: str, allowed: str) -> None:
        super().__init__(allowed)
        self.field, self.allowed = field, allowed


def _likely(point: CalibrationPoint, measured: str) -> None:
    part = point.measured_ua / point.commanded_ua
    if not POINT_PART[0] <= part <= POINT_PART[1]:
        unit = measured.rpartition("_")[2].replace("ua", "uA").replace("ma", "mA")
        raise _Bad(
            measured,
            f"is {part:.3g} times what was asked: is it in {unit}, and was the probe's ratio in it? Measure that point "
            "again; what a device really does so far off is to be repaired, not calibrated",
        )


def _columns(path: Path, columns: Any) -> tuple[str, str]:
    if _OF_SWEEP & set(columns):
        allowed = "is a sweep's own table: what the device says of itself is no calibration of it; use an instrument's"
        raise InputInvalid(str(path), [Problem("columns", None, allowed, 1)])
    asked = [each for each in columns if each in _COMMANDED]
    got = [each for each in columns if each in _MEASURED]
    if len(asked) != 1 or len(got) != 1 or "channel" not in columns:
        allowed = "must be channel, asked_ma or asked_ua, measured_ma or measured_ua, and ohm if it is known"
        raise InputInvalid(str(path), [Problem("columns", ", ".join(columns), allowed, 1)])
    return asked[0], got[0]


def _whole_row(row: Mapping[Any, Any]) -> None:
    """A decimal comma makes two values of one: a row of another length is no row."""
    if None in row or None in row.values():
        raise _Bad("row", "has not as many values as there are columns; numbers have a decimal point")


def _number(row: Mapping[str, Any], name: str) -> float:
    try:
        value = float(row[name])
    except (TypeError, ValueError):
        raise _Bad(name, "must be a number, with a decimal point") from None
    if not np.isfinite(value):
        raise _Bad(name, "must be a finite number")
    return value


def _whole(row: Mapping[str, Any], name: str) -> int:
    value = _number(row, name)
    if value != int(value):
        raise _Bad(name, "must be a whole number")
    return int(value)


def fits(data: CalibrationData) -> tuple[ChannelCalibration, ...]:
    """A line for each channel. Raises `InputInvalid` where there are too few amplitudes for one."""
    by_channel: defaultdict[int, list[CalibrationPoint]] = defaultdict(list)
    for point in data.points:
        by_channel[point.channel].append(point)
    problems = [
        Problem(
            f"channel {channel}", None, f"needs {FEWEST} different amplitudes at least: a line has to be seen to fit"
        )
        for channel, points in sorted(by_channel.items())
        if len({point.commanded_ua for point in points}) < FEWEST
    ]
    if problems or not by_channel:
        raise InputInvalid(str(data.source), problems or [Problem("rows", None, "there is none")])
    found = tuple(fit(channel, points) for channel, points in sorted(by_channel.items()))
    far = [
        Problem(
            f"channel {each.channel}", f"{each.gain:.4g}",
            f"its gain has to lie from {GAIN_PART[0]:g} to {GAIN_PART[1]:g}: look at unit, probe and load of its "
            "points; a device that is further off is to be repaired, not calibrated",
        )
        for each in found if not GAIN_PART[0] <= each.gain <= GAIN_PART[1]
    ]  # fmt: skip
    if far:
        raise InputInvalid(str(data.source), far)
    return found


def fit(channel: int, points: list[CalibrationPoint]) -> ChannelCalibration:
    """Ordinary least squares; limits are of 95 % confidence, by Student's t."""
    x = np.array([point.commanded_ua for point in points], float)
    y = np.array([point.measured_ua for point in points], float)
    count, mean = len(x), float(x.mean())
    spread = float(((x - mean) ** 2).sum())
    gain = float(((x - mean) * (y - y.mean())).sum() / spread)
    offset = float(y.mean() - gain * mean)
    deviation = float(np.sqrt(((y - gain * x - offset) ** 2).sum() / (count - 2)))
    t = student_t(count - 2)
    farthest = float(np.abs(x - mean).max())
    loads = sorted({point.ohm for point in points if point.ohm is not None})
    return ChannelCalibration(
        channel=channel, points=count, gain=gain, gain_off=t * deviation / spread**0.5, offset_ua=offset,
        offset_off_ua=t * deviation * (1 / count + mean**2 / spread) ** 0.5, residual_ua=deviation,
        band_ua=t * deviation * (1 / count + farthest**2 / spread) ** 0.5, from_ua=float(x.min()),
        to_ua=float(x.max()), loads_ohm=tuple(loads),
    )  # fmt: skip


def student_t(freedom: int) -> float:
    """The quantile of 97.5 %."""
    return _T[freedom - 1] if freedom <= len(_T) else 1.96 + 2.5 / freedom


def residuals_ua(found: ChannelCalibration, data: CalibrationData) -> list[tuple[CalibrationPoint, float]]:
    """Each point of the channel, and how far it lies from the line."""
    mine = [point for point in data.points if point.channel == found.channel]
    return [(point, point.measured_ua - found.gain * point.commanded_ua - found.offset_ua) for point in mine]
