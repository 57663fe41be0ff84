"""CSV, a block at a time: the library parses, this finds the lines and says what is wrong with one.

A block is cut at the end of a line, so a file of any size needs the memory of one block. gzip is read as it is.
"""

import codecs
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple
from zlib import error as zlib_error

import numpy as np

from stimctl.capture.beside import one_ahead
from stimctl.capture.header import Header, read_header
from stimctl.capture.model import Block, Capture, Samples
from stimctl.capture.search import step_of
from stimctl.capture.timebase import TimeBase, Times, found_in
from stimctl.errors import InputInvalid, Misuse, Problem

HEAD_BYTES = 1 << 16
BLOCK_BYTES = 1 << 22  # stay in the processor's cache from the disk to the numbers
BLOCK_SAMPLES = 1 << 21  # at least are handed on together: hum is told from a while of them
FIRST_BYTES = 1 << 20  # enough to know the rate by
_GZIP = b"\x1f\x8b"
_INFINITE = "∞".encode()


def open_text(path: Path, *, partial: bool = False) -> Capture:
    """A text file's capture. Raises `InputInvalid` where its header or its first block make no sense.

    With `partial` fewer samples than the header says are fine: some exports hold only the screen.
    """
    return _Text(path, partial=partial).capture()


class _Part(NamedTuple):
    """Whole lines, and how much of the file is read with them."""

    lines: bytes
    done: float


@dataclass(frozen=True, slots=True)
class _Text:
    path: Path
    partial: bool

    def capture(self) -> Capture:
        with _opened(self.path) as stream:
            head = _read(self.path, stream, HEAD_BYTES)
        head = head if len(head) < HEAD_BYTES else head[: head.rfind(b"\n") + 1]
        header = read_header(_decoded(head))
        if header is None or not header.places:
            allowed = "no row of numbers was found in its first 64 KB: is it the CSV that an oscilloscope exports?"
            raise InputInvalid(str(self.path), [Problem("rows", None, allowed, 1)])
        first = next(self._parts(header, FIRST_BYTES))
        values, times = self._parsed(header, first.lines, header.lines + 1, header.places)
        self._analog(values, times)
        self._in_place(header, values, times)
        base = found_in(header, str(self.path), times, _time_texts(header, first.lines))
        return Capture(
            source=str(self.path),
            form=f"{header.maker} CSV",
            interval_s=base.interval_s,
            start_s=base.start_s,
            columns=tuple(
                replace(column, resolution=step_of(each, len(each)))
                for column, each in zip(header.columns, values, strict=True)
            ),
            blocks=lambda numbers: self._blocks(header, base, numbers),
            notes=(*header.notes, *base.notes),
            probe_said=header.probe,
            interval_part=base.part,
        )

    def _analog(self, values: list[Samples], times: Times | None) -> None:
        """Raise where there are logic levels, a row for each of their changes."""
        steps = np.diff(times) if times is not None else np.zeros(0)
        uneven = len(steps) > 1 and np.ptp(steps) > steps.mean() / 2 > 0
        if uneven and all(np.isin(each, (0, 1)).all() for each in values):
            allowed = "these are logic levels, a row a change, and have no height: export the analog samples"
            raise InputInvalid(str(self.path), [Problem("values", "0 and 1", allowed)])

    def _in_place(self, header: Header, values: list[Samples], times: Times | None) -> None:
        """Raise where what was taken for time goes back and another column is what rises."""
        if times is None or not (np.diff(times) < 0).any():
            return
        for place, each in zip(header.places, values, strict=True):
            if each[-1] > each[0] and (np.diff(each) >= 0).all():
                allowed = (
                    f"was taken for time and does not rise, field {place + 1} does: put the time first, or name the"
                    " columns in a line above the numbers, such as Volt,Second"
                )
                raise InputInvalid(str(self.path), [Problem(f"field {header.time_place + 1}", None, allowed)])

    def _blocks(self, header: Header, base: TimeBase, numbers: tuple[int, ...]) -> Iterator[Block]:
        places = tuple(header.places[number] for number in numbers)
        follow = replace(base)
        read, line = 0, header.lines + 1
        together: list[list[Samples]] = []
        for values, times, done in one_ahead(self._tables(header, places)):
            if times is not None:
                follow.check(times, line)
            read, line = read + len(values[0]), line + len(values[0])
            together.append(values)
            if sum(len(each[0]) for each in together) >= BLOCK_SAMPLES:
                yield _joined(together, done)
                together = []
        if together:
            yield _joined(together, 1.0)
        if header.samples is not None and read < header.samples and not self.partial:
            allowed = (
                f"the header says {header.samples} samples and the file ends after {read}: export it again, or say"
            )
            raise InputInvalid(
                str(self.path), [Problem("samples", read, f"{allowed} --partial if only a part was exported", line - 1)]
            )

    def _tables(self, header: Header, places: tuple[int, ...]) -> Iterator[tuple[list[Samples], Times | None, float]]:
        """The columns at those places, the time column where there is one, and how much of the file is read."""
        line = header.lines + 1
        for part in self._parts(header, BLOCK_BYTES):
            values, times = self._parsed(header, part.lines, line, places)
            yield values, times, part.done
            line += len(values[0])

    def _parts(self, header: Header, size: int) -> Iterator[_Part]:
        """The file's lines below the header, cut at line ends."""
        with _opened(self.path) as stream:
            whole = self.path.stat().st_size
            for _ in range(header.lines):
                stream.readline()
            last = b""
            while lines := _read(self.path, stream, size):
                lines += _read(self.path, stream, None)
                cut = lines.rfind(b"\n") + 1
                if cut == len(lines):
                    last = lines
                    yield _Part(lines, min(1.0, _position(stream) / whole))
                    continue
                # The last row of the file has no end.
                if cut:
                    last = lines[:cut]
                    yield _Part(last, 1.0)
                if lines[cut:].strip():
                    self._whole(header, lines[cut:], last)
                    yield _Part(lines[cut:], 1.0)

    def _whole(self, header: Header, line: bytes, before: bytes) -> None:
        """Raise where the last row has no end and a number in it is shorter than in any of the rows before."""
        cells = [_last_cell(each, header) for each in [*before.splitlines()[-200:], line]]
        if len(cells) > 3 and 0 < len(cells[-1]) < min(map(len, cells[:-1])):
            allowed = f"such as {cells[-2]} stands in the row before: the file stops in the middle of a number"
            raise InputInvalid(str(self.path), [Problem("last value", cells[-1], allowed, self._lines())])

    def _lines(self) -> int:
        """How many lines the file has."""
        with _opened(self.path) as stream:
            return sum(1 for _ in stream)

    def _parsed(
        self, header: Header, lines: bytes, first_line: int, places: tuple[int, ...]
    ) -> tuple[list[Samples], Times | None]:
        """The columns at those places, and the time column where there is one."""
        pl = _library()
        wanted = [*places, header.time_place] if header.time_place >= 0 else [*places]
        try:
            frame = _frame(header, lines, wanted)
        except pl.exceptions.PolarsError as fault:
            if _INFINITE in lines:
                return self._parsed(header, lines.replace(_INFINITE, b"inf"), first_line, places)
            raise self._wrong(header, lines, first_line, wanted, str(fault)) from None
        if any(column.null_count() for column in frame):
            if lines.rstrip() != lines.removesuffix(b"\n").removesuffix(b"\r"):
                return self._parsed(header, lines.rstrip() + b"\n", first_line, places)
            raise self._wrong(header, lines, first_line, wanted, "a value is missing")
        values = [frame[_column(place)].to_numpy() for place in places]
        if header.time_place < 0:
            return values, None
        times = frame[_column(header.time_place)].to_numpy()
        if not np.isfinite(times).all():
            at = int(np.argmin(np.isfinite(times)))
            allowed = "a time has to be a number: it stops here"
            raise InputInvalid(str(self.path), [Problem("time", f"{times[at]:g}", allowed, first_line + at)])
        return values, times

    def _wrong(self, header: Header, lines: bytes, first_line: int, wanted: list[int], fault: str) -> InputInvalid:
        """The first line that the library could not read, and what was expected there."""
        for number, raw in enumerate(lines.rstrip().split(b"\n")):
            line = raw.decode("latin-1").rstrip("\r")
            cells = line.split(header.separator)
            where = first_line + number
            if not line.strip():
                allowed = "expected a row of numbers, found an empty line: it stops here"
                return InputInvalid(str(self.path), [Problem("row", line, allowed, where)])
            if not max(wanted) < len(cells) <= header.fields:
                allowed = f"expected {header.fields} fields as in the first row, found {len(cells)}: it stops here"
                return InputInvalid(str(self.path), [Problem("row", line, allowed, where)])
            for place in wanted:
                if not _is_number(cells[place], header):
                    allowed = "expected a number as in the rows before: it stops here"
                    return InputInvalid(str(self.path), [Problem(f"field {place + 1}", cells[place], allowed, where)])
        return InputInvalid(str(self.path), [Problem("rows", None, f"cannot be read: {fault}", first_line)])


def _joined(parts: list[list[Samples]], done: float) -> Block:
    return Block([np.concatenate(column) for column in zip(*parts, strict=True)], done)


def _last_cell(line: bytes, header: Header) -> str:
    cells = line.decode("latin-1").split(header.separator)
    return cells[max(header.places)].strip() if len(cells) > max(header.places) else ""


def _column(place: int) -> str:
    """The library's own name for a column of a file without names."""
    return f"column_{place + 1}"


def _time_texts(header: Header, lines: bytes) -> list[str]:
    """Some times as they are written, the last one too, to see how many digits they have."""
    rows = lines.strip().split(b"\n")
    cells = [line.decode("latin-1").split(header.separator) for line in [*rows[:: max(1, len(rows) // 50)], rows[-1]]]
    return [cell[header.time_place].strip('" ') for cell in cells if 0 <= header.time_place < len(cell)]


def _frame(header: Header, lines: bytes, wanted: list[int]) -> Any:
    pl = _library()
    types = {place: pl.Float64 if place == header.time_place else pl.Float32 for place in wanted}
    schema = {_column(place): types.get(place, pl.String) for place in range(header.fields)}
    return pl.read_csv(
        lines, has_header=False, separator=header.separator, schema=schema, columns=[*map(_column, sorted(wanted))],
        decimal_comma=header.decimal_comma, quote_char='"' if b'"' in lines[:1_000] else None, raise_if_empty=False,
    )  # fmt: skip


def _is_number(cell: str, header: Header) -> bool:
    try:
        float(cell.strip().strip('"').replace(",", ".") if header.decimal_comma else cell.strip().strip('"'))
    except ValueError:
        return False
    return True


def utf_16(head: bytes) -> str:
    """Which kind of UTF-16 a file is by its first bytes; empty where it is none."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    few = head[: len(head) // 2 * 2][:64]
    if few and not any(few[1::2]) and all(few[::2]):
        return "utf-16-le"
    return "utf-16-be" if few and not any(few[::2]) and all(few[1::2]) else ""


def _decoded(head: bytes) -> str:
    try:
        return head.decode("utf-8-sig")
    except UnicodeDecodeError:
        return head.decode("latin-1")


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile | codecs.StreamRecoder:
    """The file's bytes as they would be in UTF-8, unpacked where it is packed."""
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
    stream = gzip.GzipFile(path) if packed else path.open("rb")
    kind = utf_16(_read(path, stream, 64))
    stream.seek(0)
    return codecs.EncodedFile(stream, "utf-8", kind) if kind else stream


def _read(path: Path, stream: IO[bytes] | gzip.GzipFile | codecs.StreamRecoder, size: int | None) -> bytes:
    """So many bytes, or without a number what is left of a line."""
    try:
        return stream.readline() if size is None else stream.read(size)
    except (EOFError, gzip.BadGzipFile, zlib_error) as fault:
        allowed = f"expected the rest of a gzip file: it is cut off or damaged ({fault})"
        raise InputInvalid(str(path), [Problem("gzip", None, allowed)]) from None


def _position(stream: IO[bytes] | gzip.GzipFile | codecs.StreamRecoder) -> int:
    """How much of the file on the disk is read."""
    raw = getattr(stream, "fileobj", None)
    return int(raw.tell() if raw is not None else stream.tell())


def _library() -> Any:
    try:
        import polars
    except ImportError:
        raise Misuse("reading CSV needs polars: install it with `pip install 'stimctl[bench]'`") from None
    return polars
