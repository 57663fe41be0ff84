"""Writes and reads the file of `--record FILE` and `?record=FILE`: the current in the load, as samples.

It is a NumPy archive (a zip file of `.npy` arrays, whatever its name ends in), compressed, of

    format            "stimctl load record 1"
    rate_hz           samples a second
    unit              "nA": samples are whole nA, signed as the current flowed, first phases positive
    channels          the channels that have samples
    piece_samples     how many samples a piece has; the last one of a channel may have fewer
    complete          1; 0 when the file was full before the end: what came later is not in it
    ch1_00012         piece 12 of channel 1: sample n of it is the current (12 * piece_samples + n) / rate_hz
                      seconds after power-on

Pieces in which nothing flowed are left out, so that a device that waits costs no disk.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, Self
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt

from firmware_sim.analog.record_rate import RATE_HZ
from firmware_sim.analog.recorder import Recorder

Samples = npt.NDArray[np.int32]

FORMAT = "stimctl load record 1"
UNIT = "nA"
PIECE_S = 10
MOST_BYTES = 256_000_000  # of one file: a day of four channels at 100 Hz, sampled at 100 kHz [choice]
_LEVEL = 6
_US_PER_S = 1_000_000


class NotALoadRecord(ValueError):
    """A file that is not a record. The message names it."""


class LoadRecordFile:
    """A file of samples, open for reading. Raises `NotALoadRecord`, and `OSError` where it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        try:
            self._file = np.load(self._stream)
            if str(self._file["format"]) != FORMAT:
                raise NotALoadRecord(f"{path} has the format {self._file['format']}, not {FORMAT!r}")
            self.rate_hz = int(self._file["rate_hz"])
            self.unit = str(self._file["unit"])
            self.channels = tuple(int(channel) for channel in self._file["channels"])
            self.piece_samples = int(self._file["piece_samples"])
            self.complete = bool(self._file["complete"])
        except (ValueError, KeyError, IndexError, EOFError, BadZipFile) as problem:
            self._stream.close()
            raise NotALoadRecord(f"{path} is no record of a load: {problem}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._stream.close()

    def pieces(self, channel: int) -> Iterator[tuple[int, Samples]]:
        """Each piece of a channel in which anything flowed, with the number of its first sample."""
        for name in sorted(name for name in self._file.files if name.startswith(f"ch{channel}_")):
            yield int(name.partition("_")[2]) * self.piece_samples, self._file[name]

    def end_us(self, channel: int) -> int:
        """When the last current ended, in us since power-on; 0 when nothing flowed."""
        end_us = 0
        for first, samples in self.pieces(channel):
            flowing = np.flatnonzero(samples)
            if len(flowing):
                end_us = (first + int(flowing[-1]) + 1) * _US_PER_S // self.rate_hz
        return end_us


class FileRecorder(Recorder):
    """A recorder whose `close` writes its samples, `rate_hz` a second, to the file `path`."""

    def __init__(self, path: Path, rate_hz: int) -> None:
        super().__init__()
        self._path = path
        self._rate_hz = rate_hz

    def close(self) -> Path | None:
        """Write the file, and return it."""
        write_record(self, self._path, self._rate_hz)
        return self._path


def open_recorder(path: Path | str, rate_hz: int = RATE_HZ) -> Recorder:
    """A recorder whose `close` writes the file `path`."""
    return FileRecorder(Path(path), rate_hz)


def write_record(recorder: Recorder, path: Path, rate_hz: int = RATE_HZ, *, most_bytes: int = MOST_BYTES) -> None:
    """Write what a recorder has, in memory of one piece. Past `most_bytes` nothing more is written."""
    size, complete = PIECE_S * rate_hz, True
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for channel in recorder.channels:
            for number, part in enumerate(recorder.samples(channel, rate_hz, chunk=size)):
                if not part.any():
                    continue
                complete = complete and _written(archive) < most_bytes
                if complete:
                    _put(archive, f"ch{channel}_{number:05}", part.astype("<i4", copy=False))
        heads = {
            "format": FORMAT, "rate_hz": rate_hz, "unit": UNIT, "channels": recorder.channels,
            "piece_samples": size, "complete": int(complete),
        }  # fmt: skip
        for name, value in heads.items():
            _put(archive, name, np.asarray(value))


def _put(archive: ZipFile, name: str, array: "npt.NDArray[np.generic]") -> None:
    with archive.open(f"{name}.npy", "w") as member:
        np.lib.format.write_array(member, array, allow_pickle=False)


def _written(archive: ZipFile) -> int:
    stream: IO[bytes] | None = archive.fp
    return stream.tell() if stream is not None else 0


class SampleIntegral(NamedTuple):
    """The pulses that samples show. Exact where each edge falls on a sample, and no phase is on the rail."""

    pulses: int
    first_fc: int
    second_fc: int


def integrate(path: Path, channel: int = 1) -> SampleIntegral:
    """Count a channel's pulses in a file of samples, and integrate their first and second phases."""
    with LoadRecordFile(path) as record:
        return integral(record.pieces(channel), record.rate_hz)


def integral(pieces: Iterable[tuple[int, Samples]], rate_hz: int) -> SampleIntegral:
    """The same of samples that are at hand: each piece with the number of its first sample."""
    pulses, first, second, last, after = 0, 0, 0, 0, -1
    for begin, part in pieces:
        forward = part > 0
        went_on = begin == after and last > 0
        pulses += int(np.count_nonzero(forward[1:] & ~forward[:-1])) + int(forward[0] and not went_on)
        first += int(part.sum(where=forward, dtype=np.int64))
        second -= int(part.sum(where=part < 0, dtype=np.int64))
        last, after = int(part[-1]), begin + len(part)
    return SampleIntegral(pulses, first * _US_PER_S // rate_hz, second * _US_PER_S // rate_hz)
