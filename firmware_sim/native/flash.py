"""The device's non-volatile memory: boots, arms, session numbers, and the record of one session.

`Flash` models battery-backed memory: while a session is open it knows how to fetch the newest counts from
the running firmware, so that a reset loses nothing. `FileFlash` is the same as JSON in a file that no other
simulator can have meanwhile. Whatever the device says is in the file before it is said, so that a killed process
loses nothing that was ever told; changes of state, and the counts once a second, are on the disk as well.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from firmware_sim.slot_file import SlotFile, SlotFileTaken
from stimctl.wire.codes import CHANNELS, EndReason

FORMAT = 2
_NOT_ENDED = EndReason.NONE  # looking up an enum's member costs 0.2 us, at each keepalive


class FlashUnusable(ValueError):
    """A flash file that cannot be read, written or understood."""


class Totals(NamedTuple):
    """The totals of one channel in a session: plain integers, in the order of the wire."""

    pulses_0: int = 0
    pulses_1: int = 0
    charge_0_pc: int = 0
    charge_1_pc: int = 0
    measured_0_pc: int = 0
    measured_1_pc: int = 0
    net_charge_pc: int = 0
    max_amplitude_ua: int = 0
    compliance_hits: int = 0
    energy_nj: int = 0


NOTHING = (Totals(),) * CHANNELS


@dataclass(slots=True)
class StoredSession:
    """The session that is open or ended last, until its counters are acknowledged."""

    number: int
    boot_id: int
    ceiling_ua: int
    channel_mask: int
    limit_us: int
    digest_head: int
    nonce: int
    end_reason: int = EndReason.NONE
    stimulation_us: int = 0
    segment_0_us: int = 0
    segment_1_us: int = 0
    totals: tuple[Totals, ...] = NOTHING

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.end_reason == _NOT_ENDED


class Flash:
    """Memory that outlives the firmware's run: hand the same one to the next `Device`, and it has rebooted."""

    saves_to_file = False

    def __init__(self) -> None:
        self.boots = 0
        self.sessions = 0
        self.arms = 0
        self.session: StoredSession | None = None
        self.memory = b""  # of a device that keeps bytes: the firmware in C
        # Brings `session` up to date from the running firmware; set while a session is open.
        self.collect: Callable[[], None] | None = None

    def boot(self) -> int:
        """Count a boot and return its number. A session that was open ended with the reset."""
        self.refresh()
        self.collect = None
        if self.session is not None and self.session.open:
            self.session.end_reason = EndReason.RESET
        self.boots += 1
        self.save()
        return self.boots

    def refresh(self) -> None:
        """Fetch the newest counts of an open session."""
        if self.collect is not None:
            self.collect()

    def save(self) -> None:
        """Make everything durable. Memory already is."""
        self.refresh()

    def note(self) -> None:
        """Make sure that everything outlives this process."""

    def close(self) -> None:
        """Release it for another device."""


class FileFlash(Flash):
    """`Flash` in a file. Raises `FlashUnusable` when the file cannot be had, is no such file, or is in use."""

    saves_to_file = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._load()

    def save(self) -> None:
        """Bring everything to the disk."""
        self._write(sync=True)

    def note(self) -> None:
        """Write everything down, to the disk when the system likes."""
        self._write(sync=False)

    def close(self) -> None:
        """Let another simulator have the file."""
        self._file.close()

    def _write(self, *, sync: bool) -> None:
        self.refresh()
        stored = {
            "format": FORMAT,
            "boots": self.boots,
            "sessions": self.sessions,
            "arms": self.arms,
            "session": None if self.session is None else asdict(self.session),
        }
        try:
            self._file.write(json.dumps(stored), sync=sync)
        except OSError as problem:
            raise FlashUnusable(f"the flash file {self._path} cannot be written: {problem.strerror}") from None

    def _load(self) -> None:
        try:
            self._file = SlotFile(self._path)
        except SlotFileTaken:
            raise FlashUnusable(
                f"the flash file {self._path} is in use by another simulator: end that one, or name another file"
            ) from None
        except OSError as problem:
            raise FlashUnusable(f"the flash file {self._path} cannot be opened: {problem.strerror}") from None
        except ValueError as problem:
            raise self._strange(problem) from None
        if self._file.text is None:
            return
        try:
            stored = json.loads(self._file.text)
            if stored["format"] != FORMAT:
                raise ValueError(f"format {stored['format']!r} is not {FORMAT}")
            self.boots, self.sessions = _count(stored["boots"]), _count(stored["sessions"])
            self.arms = _count(stored["arms"])
            self.session = _session(stored["session"])
        except (ValueError, KeyError, TypeError) as problem:
            self._file.close()
            raise self._strange(problem) from None

    def _strange(self, problem: Exception) -> FlashUnusable:
        return FlashUnusable(
            f"{self._path} is no flash file of this simulator ({problem!r}); "
            "name another file, or remove this one to begin with a new device"
        )


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _session(stored: Any) -> StoredSession | None:
    if stored is None:
        return None
    names = {field.name for field in fields(StoredSession)} - {"totals"}
    totals = tuple(Totals(*(_whole(value) for value in channel)) for channel in stored["totals"])
    if set(stored) != names | {"totals"} or len(totals) != CHANNELS:
        raise ValueError("the session's fields are not those of this version")
    return StoredSession(**{name: _count(stored[name]) for name in names}, totals=totals)


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r} is not a whole number")
    return value
