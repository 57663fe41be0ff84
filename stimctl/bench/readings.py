"""The readings of a session's channels, ten times a second, and what they come to while the amplitude was steady."""

import csv
from collections.abc import Callable, Sequence
from io import BytesIO, TextIOWrapper
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from stimctl.errors import Misuse
from stimctl.new_file import check_new, new_file
from stimctl.units import US_PER_S
from stimctl.wire.codec import Channel
from stimctl.wire.codes import NOT_MEASURED_OHM, SATURATED_OHM

FORMS = (".csv", ".parquet")
_MOST_AT_ONCE = 10_000  # rows that a live plot looks through


class LoadReading(NamedTuple):
    """One reading of one channel: `t_s` by the host, from the first reading on; charge of first phases, and net."""

    step: int
    t_s: float
    device_time_us: int
    channel: int
    target_ua: int
    applied_ua: int
    measured_ua: int
    ohm: int
    pulses: int
    charge_pc: int
    net_charge_pc: int
    flags: int


class SteadyFigures(NamedTuple):
    """Of one channel while its amplitude was the one asked for. Medians; None where the device measures none."""

    channel: int
    asked_ua: int
    applied_ua: int
    readings: int
    measured_ua: int | None
    least_ua: int | None
    most_ua: int | None
    ohm: int | None


class ReadingLog:
    """Keeps every reading of one run or of the steps of a sweep, and hands each on to who looks."""

    def __init__(self, look: Callable[[LoadReading], None] | None = None) -> None:
        self.rows: list[LoadReading] = []
        self.step = 1
        self._began_us: int | None = None
        self._look = look

    def take(self, reading: Channel, now_us: int) -> None:
        """A session's reading, by the port's time."""
        if self._began_us is None:
            self._began_us = now_us
        row = LoadReading(
            self.step,
            (now_us - self._began_us) / US_PER_S,
            reading.device_time_us,
            reading.channel,
            reading.target_ua,
            reading.applied_ua,
            reading.measured_ua,
            reading.ohm,
            reading.pulses_0 + reading.pulses_1,
            reading.charge_0_pc + reading.charge_1_pc,
            reading.net_charge_pc,
            reading.flags,
        )
        self.rows.append(row)
        if self._look is not None:
            self._look(row)

    def next_step(self) -> None:
        """What comes from now on belongs to the next step, whose time begins anew."""
        self.step += 1
        self._began_us = None

    def last(self, channel: int, span_s: float) -> list[LoadReading]:
        """The channel's readings of the last `span_s` of this step."""
        mine = [row for row in self.rows[-_MOST_AT_ONCE:] if row.step == self.step and row.channel == channel]
        return [row for row in mine if row.t_s >= mine[-1].t_s - span_s]

    def steady(self, channel: int, asked_ua: int) -> SteadyFigures:
        """The channel's figures in this step, while the highest amplitude that was reached was applied."""
        mine = [row for row in self.rows if row.step == self.step and row.channel == channel]
        applied_ua = max((row.applied_ua for row in mine), default=0)
        there = [row for row in mine if applied_ua and row.applied_ua == applied_ua]
        measured = [row.measured_ua for row in there if row.measured_ua]
        ohms = [row.ohm for row in there if row.ohm not in (NOT_MEASURED_OHM, SATURATED_OHM)]
        return SteadyFigures(
            channel,
            asked_ua,
            applied_ua,
            len(there),
            round(median(measured)) if measured else None,
            min(measured, default=None),
            max(measured, default=None),
            round(median(ohms)) if ohms else None,
        )


def check_telemetry_file(path: Path) -> None:
    """Raise `Misuse` for a file that is there already, or of a form that is not written here."""
    if path.suffix.lower() not in FORMS:
        raise Misuse(f"{path}: telemetry is written as {' or '.join(FORMS)}; name a file that ends so")
    check_new(path, "telemetry")
    if path.suffix.lower() == ".parquet":
        _polars()


def write_telemetry(path: Path, rows: Sequence[LoadReading]) -> None:
    """All readings, as CSV or Parquet, by the file's ending. Raises `Misuse`, as the check does too."""
    with new_file(path, force=False) as raw:
        if path.suffix.lower() == ".parquet":
            in_memory = BytesIO()  # polars has words of its own for a full disk
            _polars().DataFrame(rows, schema=list(LoadReading._fields), orient="row").write_parquet(in_memory)
            raw.write(in_memory.getbuffer())
            return
        with TextIOWrapper(raw, encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(LoadReading._fields)
            writer.writerows(rows)


def _polars() -> Any:
    try:
        import polars
    except ImportError:
        raise Misuse("Parquet needs polars: install it with `pip install 'stimctl[bench]'`, or write .csv") from None
    return polars
