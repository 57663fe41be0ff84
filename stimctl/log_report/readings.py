"""A session's readings over time: current, impedance, charge and bands, as they stand in the log.

Times are minutes of the session's own clock. Nothing is made up between two readings, and what the device does not
measure is not there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stimctl.ledger import Entry
from stimctl.log_report.figures import mapping
from stimctl.units import PC_PER_UC, UA_PER_MA, US_PER_MIN
from stimctl.wire.codes import NOT_MEASURED_OHM, SATURATED_OHM

Series = dict[int, list[tuple[float, float]]]  # minutes and a value, by channel


@dataclass(frozen=True, slots=True)
class BandShare:
    """Each band's part of the time between two readings, by its pulses; from 0 to 1."""

    from_min: float
    to_min: float
    shares: tuple[float, ...]


@dataclass(slots=True)
class SessionReadings:
    """The series of one session. Current in mA, impedance in kohm, charge in uC."""

    by_lease: bool = False
    applied: Series = field(default_factory=dict)
    target: Series = field(default_factory=dict)
    measured: Series = field(default_factory=dict)
    impedance: Series = field(default_factory=dict)
    charge: Series = field(default_factory=dict)
    bands: list[BandShare] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CoursePoint:
    """One session in the plots of a course, `number` in its tables. What is not known is None."""

    number: int
    pain_before: float | None
    pain_after: float | None
    reached_ma: float | None
    charge_uc: float | None
    confirmed: bool
    uncertain: bool

    @property
    def empty(self) -> bool:
        """True where there is nothing to plot of it."""
        return (self.pain_before, self.pain_after, self.reached_ma, self.charge_uc) == (None, None, None, None)


def readings_of(entries: Iterable[Entry]) -> SessionReadings:
    """The readings of one session's entries, in order. What does not read as a reading is left out."""
    found = SessionReadings()
    periods_us: list[int] = []
    begun_us, before = 0, (0.0, (0, 0))
    for entry in entries:
        body, minute = entry.body, (entry.at_us - begun_us) / US_PER_MIN
        if entry.kind == "opened":
            begun_us, periods_us = entry.at_us, _periods_us(body)
            found.by_lease = bool(mapping(body.get("device")).get("by_lease"))
        elif entry.kind == "sample":
            _take_sample(found, minute, body)
            before = _take_share(found, minute, body, before, periods_us)
        elif entry.kind in ("held", "started"):
            before = (minute, before[1])
        elif entry.kind == "impedance":
            _take_ohm(found, minute, body.get("channel"), body.get("ohm"))
        elif entry.kind == "lease":
            _take_lease(found, minute, body)
    return found


def _take_sample(found: SessionReadings, minute: float, body: Mapping[str, Any]) -> None:
    for number, told in mapping(body.get("channels")).items():
        reading, channel = mapping(told), _channel(number)
        _put(found.applied, channel, minute, reading.get("applied_ua"), UA_PER_MA)
        _put(found.target, channel, minute, reading.get("target_ua"), UA_PER_MA)
        if not found.by_lease:  # by lease these two are not readings of a device
            _put(found.measured, channel, minute, reading.get("measured_ua"), UA_PER_MA)
            _take_ohm(found, minute, channel, reading.get("ohm"))
        charges = [charge for band in (0, 1) if isinstance(charge := reading.get(f"charge_{band}_pc"), int)]
        if len(charges) == 2:
            _put(found.charge, channel, minute, sum(charges), PC_PER_UC)


def _take_ohm(found: SessionReadings, minute: float, channel: object, ohm: object) -> None:
    if ohm not in (NOT_MEASURED_OHM, SATURATED_OHM):  # an open circuit has no figure
        _put(found.impedance, _channel(channel), minute, ohm, 1_000)


def _take_share(
    found: SessionReadings, minute: float, body: Mapping[str, Any], before: Any, periods_us: list[int]
) -> Any:
    """The bands' shares since the reading before; gives this reading for the next."""
    from_min, pulses_before = before
    each = [mapping(reading) for reading in mapping(body.get("channels")).values()]
    counts = ([one.get(f"pulses_{band}") for one in each] for band in (0, 1))
    pulses = tuple(max((number for number in of_band if isinstance(number, int)), default=0) for of_band in counts)
    lasted = [(now - was) * period for now, was, period in zip(pulses, pulses_before, periods_us, strict=False)]
    if sum(lasted) > 0 and min(lasted) >= 0 and minute > from_min:
        found.bands.append(BandShare(from_min, minute, tuple(one / sum(lasted) for one in lasted)))
    return minute, pulses


def _take_lease(found: SessionReadings, minute: float, body: Mapping[str, Any]) -> None:
    means = body.get("measured_ua")
    for one in means if isinstance(means, list) else ():
        if isinstance(one, list) and len(one) == 3 and one[1] == 0:  # channel, phase, mean current
            _put(found.measured, _channel(one[0]), minute, one[2], UA_PER_MA)


def _periods_us(body: Mapping[str, Any]) -> list[int]:
    segments = mapping(mapping(body.get("prescription")).get("program")).get("segments")
    periods = [mapping(each).get("period_us") for each in segments] if isinstance(segments, list) else []
    return [period for period in periods if isinstance(period, int)]


def _put(series: Series, channel: int | None, minute: float, value: object, unit: int) -> None:
    if channel is not None and isinstance(value, int | float) and minute >= 0:
        series.setdefault(channel, []).append((minute, value / unit))


def _channel(number: object) -> int | None:
    return int(number) if isinstance(number, int) or (isinstance(number, str) and number.isdecimal()) else None
