"""Captures in zip files: the simulator's record of a load, NumPy's `.npz`, and sigrok's `.sr`.

Members are read a block at a time out of the archive, so that a long capture needs no more memory than a short one.
"""

import re
from collections.abc import Iterator
from configparser import ConfigParser, Error
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile
from zlib import error as zlib_error

import numpy as np

from stimctl.capture.model import Block, Capture, Column, Samples
from stimctl.errors import InputInvalid, Problem

RECORD = "stimctl load record 1"
BLOCK_SAMPLES = 1 << 22
_AGREE = 0.01  # as of a time column and a header
_TIMES = ("time", "times", "t", "seconds", "time_s")
_RATES = ("rate_hz", "sample_rate", "samplerate", "fs", "rate")
_INTERVALS = ("interval_s", "dt", "sample_interval")
_PREFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


def open_archive(path: Path) -> Capture:
    """A zip file's capture. Raises `InputInvalid` where it is none that is known, or damaged."""
    with _damage_told(path):
        capture = _opened(path)
    return replace(capture, blocks=lambda numbers: _whole(path, capture.blocks(numbers)))


def _opened(path: Path) -> Capture:
    with ZipFile(path) as archive:
        names = archive.namelist()
        if "version" in names and "metadata" in names:
            return _sigrok(path, archive)
        small = {name[:-4]: _small(archive, name) for name in names if name.endswith(".npy")}
    if not small:
        allowed = "expected arrays (.npz) or a sigrok session (.sr) in this zip file"
        raise InputInvalid(str(path), [Problem("archive", names[:3], allowed)])
    return _record(path, small) if str(small.get("format")) == RECORD else _arrays(path, small)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Turn what a damaged archive raises, at its begin or in its middle, into an `InputInvalid`."""
    try:
        yield
    except (BadZipFile, zlib_error, EOFError, ValueError) as fault:
        raise InputInvalid(str(path), [Problem("archive", None, f"is damaged or cut off: {fault}")]) from None


def _whole(path: Path, blocks: Iterator[Block]) -> Iterator[Block]:
    with _damage_told(path):
        yield from blocks


def _small(archive: ZipFile, name: str) -> Any:
    """An array of one value as that value, a longer one as how long it is and what its first are."""
    with archive.open(name) as member:
        shape, _, dtype = _npy_header(member)
        if len(shape) == 0 or (len(shape) == 1 and shape[0] <= 64):
            return np.frombuffer(member.read(), dtype).reshape(shape)
        return _Long(name, shape[0] if len(shape) == 1 else -1, np.frombuffer(member.read(2 * dtype.itemsize), dtype))


@dataclass(frozen=True, slots=True)
class _Long:
    name: str
    length: int
    first: Any

    def __str__(self) -> str:
        return f"{self.length} numbers"


def _npy_header(member: Any) -> tuple[tuple[int, ...], bool, "np.dtype[Any]"]:
    version = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(member)


# --- the simulator's record --------------------------------------------------------------------------


def _record(path: Path, metadata: dict[str, Any]) -> Capture:
    """See docs/simulator.md: pieces of nA by channel; those in which nothing flowed are left out."""
    piece, rate_hz = int(metadata["piece_samples"]), int(metadata["rate_hz"])
    channels = [int(channel) for channel in np.atleast_1d(metadata["channels"])]
    pieces = {channel: _pieces(metadata, channel) for channel in channels}
    ends = [number * piece + (each.length if isinstance(each, _Long) else len(each))
            for found in pieces.values() for number, each in found.items()]  # fmt: skip

    # It ends where the last current did; a moment of none after that shows that its last pulse is whole.
    end = max(ends, default=0) + rate_hz // 100

    def blocks(numbers: tuple[int, ...]) -> Iterator[Block]:
        with ZipFile(path) as archive:
            for number in range(-(-end // piece)):
                size = min(piece, end - number * piece)
                yield Block(
                    [_piece(archive, channels[each], number, size) for each in numbers], (number + 1) * piece / end
                )

    notes = () if int(metadata["complete"]) else ("the record was full before its end: what came later is not in it",)
    return Capture(
        source=str(path), form="record of a simulated load", interval_s=1 / rate_hz, start_s=0.0,
        columns=tuple(Column(f"ch{channel}", str(metadata["unit"]), resolution=1.0) for channel in channels),
        blocks=blocks, notes=notes, simulated=True,
    )  # fmt: skip


def _pieces(metadata: dict[str, Any], channel: int) -> dict[int, Any]:
    found = {re.fullmatch(rf"ch{channel}_(\d+)", name): value for name, value in metadata.items()}
    return {int(name[1]): value for name, value in found.items() if name}


def _piece(archive: ZipFile, channel: int, number: int, size: int) -> Samples:
    samples = np.zeros(size, np.float32)
    name = f"ch{channel}_{number:05}.npy"
    if name in archive.namelist():
        with archive.open(name) as member:
            _, _, dtype = _npy_header(member)
            flowed = np.frombuffer(member.read(), dtype)
            samples[: len(flowed)] = flowed[:size]
    return samples


# --- plain arrays ------------------------------------------------------------------------------------


def _arrays(path: Path, metadata: dict[str, Any]) -> Capture:
    """Arrays of one length, with `time` beside them, or `rate_hz` or `dt`."""
    longs = {name: value for name, value in metadata.items() if isinstance(value, _Long) and value.length > 0}
    time = next((longs[name] for name in _TIMES if name in longs), None)
    columns = {name: value for name, value in longs.items() if value is not time}
    lengths = {value.length for value in longs.values()}
    if not columns or len(lengths) != 1:
        allowed = "expected one-dimensional arrays of one length, over 64 samples"
        raise InputInvalid(str(path), [Problem("arrays", {name: each.length for name, each in longs.items()}, allowed)])
    interval_s, start_s = _array_time(path, metadata, time, lengths.pop())
    names = list(columns)
    for name in names:
        if columns[name].first.dtype.kind not in "fiu":
            allowed = "samples have to be real numbers"
            raise InputInvalid(str(path), [Problem(name, str(columns[name].first.dtype), allowed)])

    def blocks(numbers: tuple[int, ...]) -> Iterator[Block]:
        # An archive stays open as long as one of its members is.
        with ZipFile(path) as archive, ExitStack() as members_open:
            members = [members_open.enter_context(archive.open(columns[names[number]].name)) for number in numbers]
            dtypes = [_npy_header(member)[2] for member in members]
            whole, read = columns[names[0]].length, 0
            while read < whole:
                parts = [np.frombuffer(member.read(BLOCK_SAMPLES * dtype.itemsize), dtype)
                         for member, dtype in zip(members, dtypes, strict=True)]  # fmt: skip
                read += len(parts[0])
                if not len(parts[0]):
                    raise InputInvalid(str(path), [Problem("samples", read, f"expected {whole}: it stops here")])
                yield Block(
                    [part if part.dtype.kind == "f" else part.astype(np.float32) for part in parts], read / whole
                )

    unit, resolution = str(metadata.get("unit", "")), float(np.atleast_1d(metadata.get("resolution", 0.0))[0])
    return Capture(
        source=str(path), form="NumPy arrays", interval_s=interval_s, start_s=start_s,
        columns=tuple(Column(name, unit, resolution) for name in names), blocks=blocks,
    )  # fmt: skip


def _array_time(path: Path, metadata: dict[str, Any], time: _Long | None, length: int) -> tuple[float, float]:
    said = {
        name: 1 / _figure(path, name, metadata[name]) if name in _RATES else _figure(path, name, metadata[name])
        for name in (*_RATES, *_INTERVALS)
        if name in metadata
    }
    start_s = 0.0
    if time is not None:
        said[time.name.removesuffix(".npy")], start_s = _even(path, time, length)
    if not said:
        allowed = f"expected one of {', '.join((*_RATES, *_INTERVALS, *_TIMES))}: nothing says the rate"
        raise InputInvalid(str(path), [Problem("rate", None, allowed)])
    if max(said.values()) > min(said.values()) * (1 + _AGREE):
        allowed = "they have to say one and the same rate"
        raise InputInvalid(str(path), [Problem(" and ".join(said), None, allowed)])
    if "start_s" in metadata:
        start_s = _number(metadata["start_s"])
        if not np.isfinite(start_s):
            raise InputInvalid(str(path), [Problem("start_s", str(metadata["start_s"]), "must be a number of seconds")])
    return next(iter(said.values())), start_s


def _even(path: Path, time: _Long, length: int) -> tuple[float, float]:
    """How far apart the times of a column are, and the first of them."""
    with ZipFile(path) as archive, archive.open(time.name) as member:
        _, _, dtype = _npy_header(member)
        times = np.frombuffer(member.read(), dtype).astype(np.float64)
    interval_s = float(times[-1] - times[0]) / (length - 1)
    wrong = np.flatnonzero(~(np.abs(np.diff(times) - interval_s) <= 0.35 * abs(interval_s)))  # of no number too
    if interval_s <= 0 or len(wrong):
        at = int(wrong[0]) + 1 if len(wrong) else 1
        allowed = f"samples have to be even, {interval_s:g} s apart: they stop being so at sample {at}"
        raise InputInvalid(str(path), [Problem("time", float(times[at]), allowed)])
    return interval_s, float(times[0])


def _number(value: Any) -> float:
    """One number; not a number where there are more, or something else."""
    try:
        return float(value) if np.size(value) == 1 else float("nan")
    except (TypeError, ValueError):
        return float("nan")


def _figure(path: Path, name: str, value: Any) -> float:
    figure = _number(value)
    if not 0 < figure < np.inf:
        allowed = "must be a number over 0: samples a second, or seconds"
        raise InputInvalid(str(path), [Problem(name, str(value), allowed)])
    return figure


# --- sigrok ------------------------------------------------------------------------------------------


def _sigrok(path: Path, archive: ZipFile) -> Capture:
    metadata = ConfigParser(strict=False)
    try:
        metadata.read_string(archive.read("metadata").decode("utf-8"))
        device = dict(metadata["device 1"])
    except (Error, KeyError, UnicodeDecodeError) as fault:
        raise InputInvalid(str(path), [Problem("metadata", None, f"expected a section [device 1]: {fault}")]) from None
    analog = {int(name[6:]): value for name, value in device.items() if re.fullmatch(r"analog\d+", name)}
    members = {number: _chunks(archive, number) for number in analog}
    members = {number: found for number, found in members.items() if found}
    rate = re.fullmatch(r"([\d.]+) ?([kMG]?)(?:Hz)?", device.get("samplerate", "").strip(), re.IGNORECASE)
    if not members or rate is None:
        allowed = "expected analog channels and a samplerate; logic channels have no height"
        raise InputInvalid(str(path), [Problem("samplerate", device.get("samplerate"), allowed)])
    order = list(members)
    whole = sum(archive.getinfo(name).file_size for name in members[order[0]])

    def blocks(numbers: tuple[int, ...]) -> Iterator[Block]:
        with ZipFile(path) as opened:
            read = 0
            for names in zip(*(members[order[number]] for number in numbers), strict=True):
                values = [np.frombuffer(opened.read(name), "<f4") for name in names]
                if len({len(value) for value in values}) != 1:
                    raise InputInvalid(str(path), [Problem("chunk", names[0], "its channels are not of one length")])
                read += values[0].nbytes
                yield Block(values, read / whole)

    return Capture(
        source=str(path), form="sigrok session", start_s=0.0,
        interval_s=1 / (float(rate[1]) * _PREFIXES[rate[2].lower()]),
        columns=tuple(Column(analog[number], "V") for number in order), blocks=blocks,
    )  # fmt: skip


def _chunks(archive: ZipFile, number: int) -> list[str]:
    named = {name: re.fullmatch(rf"analog-1-{number}-(\d+)", name) for name in archive.namelist()}
    return sorted((name for name, found in named.items() if found), key=lambda name: int(name.rpartition("-")[2]))
