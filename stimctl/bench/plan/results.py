"""The results of a plan: a folder with a line a finished point, and its captures. A plan goes on from there.

A line is on the disk before the next point begins. One that was cut short by a crash is dropped, and its point is
driven again. The folder belongs to one plan's file, by its SHA-256, to one device, and to one way of judging.
"""

import json
import os
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from stimctl.errors import InputInvalid, Misuse, Problem, WrongDevice
from stimctl.lock_file import ProcessLock, sync_folder
from stimctl.look import is_file, is_there
from stimctl.new_file import open_growing

FORMAT = "stimctl bench plan results 1"
_FILE, _LOCK, _CAPTURES = "results.jsonl", "results.lock", "captures"
_NEW = "name a new folder with -o"
# What the report and a calibration look for in each point.
_OF_POINT = {"point", "title", "kind", "channels", "asked_ua", "ohm", "verdict", "rows", "capture", "reference"}
_SAME = {
    "plan_sha256": f"the plan's file has changed since it was begun: take the change back, or {_NEW}",
    "tolerances_sha256": f"the tolerances have changed since it was begun: {_NEW}",
    "instrument": f"the oscilloscope was declared otherwise when it was begun: {_NEW}",
    "scope": f"it was begun with another oscilloscope: take that one, or {_NEW}",
    "simulated": f"it was begun with simulated and real parts the other way round: {_NEW}",
}


class PlanResults:
    """The folder, for this process alone. `head` is what is the same for all points, `done` what is finished, by key.

    Raises `Misuse` where another process has it or something else has changed, `WrongDevice` for another device,
    `InputInvalid` for a file that was damaged.
    """

    def __init__(self, folder: Path, head: dict[str, Any]) -> None:
        self.folder = folder
        self.head = head
        self.done: dict[str, dict[str, Any]] = {}
        self._file: BinaryIO

    def __enter__(self) -> Self:
        try:
            (self.folder / _CAPTURES).mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            said = fault.strerror or str(fault)
            raise Misuse(f"the folder {self.folder} cannot be made: {said}; name another with -o") from None
        self._lock = ProcessLock(self.folder / _LOCK)
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _open(self) -> None:
        path = self.folder / _FILE
        there = read_results(path) if is_there(path) else None
        if there is None:
            if any((self.folder / _CAPTURES).iterdir()):
                raise Misuse(f"{self.folder} has captures and no results: {_NEW}")
            path.unlink(missing_ok=True)  # a head that was cut short
            self._file = open_growing(path)
            self._append({"format": FORMAT, **self.head})
            sync_folder(self.folder)
            return
        head, self.done, whole_bytes = there
        _check(path, head, self.head)
        for record in self.done.values():
            self._check_capture(record["capture"])
            self._check_capture(record["reference"])
        self.head = head
        self._file = path.open("r+b")
        self._file.truncate(whole_bytes)
        self._file.seek(0, os.SEEK_END)

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what a full disk would not take is told of already
            self._file.close()
        self._lock.release()

    def _check_capture(self, capture: dict[str, str] | None) -> None:
        """A figure stands on the file that it was measured in, or is none."""
        if capture is None:
            return
        path = self.folder / capture["file"]
        try:
            with path.open("rb") as stream:
                same = file_digest(stream, "sha256").hexdigest() == capture["sha256"]
        except OSError as fault:
            raise Misuse(f"{path} cannot be read: {fault.strerror or fault}; put it back, or {_NEW}") from None
        if not same:
            raise Misuse(f"{path} has changed since it was judged: put it back, or {_NEW}")

    def capture(self, name: str) -> Path:
        """Where a capture goes. One of a point that was never finished is in nobody's results, and goes."""
        path = self.folder / _CAPTURES / f"{name}.npz"
        path.unlink(missing_ok=True)
        return path

    def reference(self, name: str) -> tuple[Path, bool]:
        """Where a capture with the outputs disabled is, and whether it is there; one serves many points."""
        path = self.folder / _CAPTURES / f"reference-{name}.npz"
        return path, is_there(path)

    def require_device(self, device: dict[str, Any]) -> None:
        """Raises `WrongDevice` for another than the one that it was begun with."""
        _check_device(self.folder / _FILE, self.head["device"], device)

    def finish(self, key: str, record: dict[str, Any]) -> None:
        """A point is done: durable when this returns."""
        self._append({"point": key, **record})
        self.done[key] = record

    def _append(self, record: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as fault:
            raise Misuse(f"{self.folder / _FILE} cannot be written: {fault.strerror or fault}") from fault


def read_results(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]], int] | None:
    """The head, the finished points by key, and how many bytes are whole lines; None where not even a head is.

    Raises `InputInvalid` for a file that is something else or was damaged.
    """
    if is_there(path) and not is_file(path):  # a pipe would be waited for
        raise InputInvalid(str(path), [Problem("file", None, "is no plain file")])
    try:
        content = path.read_bytes()
    except OSError as fault:
        raise InputInvalid(str(path), [Problem("file", None, fault.strerror or str(fault))]) from None
    whole = content[: content.rfind(b"\n") + 1]
    lines = whole.splitlines()
    records = [_record(path, number, line) for number, line in enumerate(lines, start=1)]
    if not records:
        return None
    if records[0].get("format") != FORMAT:
        raise InputInvalid(str(path), [Problem("format", records[0].get("format"), f"must be {FORMAT!r}", 1)])
    return records[0], {each.pop("point"): each for each in records[1:]}, len(whole)


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or not (number == 1 or record.keys() >= _OF_POINT):
        allowed = "is no line of a plan's results: it was damaged; take another folder"
        raise InputInvalid(str(path), [Problem("line", None, allowed, number)])
    return record


def _check(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    for name, text in _SAME.items():
        if name not in before or before[name] != now[name]:
            raise Misuse(f"{path}: {text}")
    _check_device(path, before.get("device"), now["device"])


def _check_device(path: Path, before: Any, now: dict[str, Any]) -> None:
    for name in ("model", "serial", "firmware"):
        was, is_ = before.get(name) if isinstance(before, dict) else None, now[name]
        if was != is_:
            raise WrongDevice(f"{path}: it was begun with a device whose {name} is {was!r}; at the port is {is_!r}")
