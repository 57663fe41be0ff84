"""Where the firmware's variables lie in the chip's RAM, by its image."""

import struct
from pathlib import Path

from firmware_sim.faults.schedule import FaultWindow

_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<3IBBH")
_SYMBOLS = 2  # the type of such a section
# By firmware/core/program.h: where in `struct program` its segments are, how long each is, and how many are given.
_SEGMENTS, _SEGMENT, PROGRAM_COUNT = 16, 14, 46
# There, and in `struct segment`: where a field lies, and how many bits it has.
_OF_PROGRAM = {"ramp_down_us": (0, 32), "ramp_slope_ua_per_s": (44, 16), "channel_mask": (47, 8)}
_OF_SEGMENT = {
    "period_us": (0, 32), "dwell_us": (4, 32), "width_us": (8, 16), "interphase_gap_us": (10, 16),
    "second_width_us": (12, 16),
}  # fmt: skip


def address_of(image: Path, name: str) -> int:
    """The address of a variable. The compiler may have put something behind its name. Raises `LookupError`."""
    data = image.read_bytes()
    (table,), (size, count) = struct.unpack_from("<I", data, 0x20), struct.unpack_from("<HH", data, 0x2E)
    sections = [_SECTION.unpack_from(data, table + number * size) for number in range(count)]
    for section in (each for each in sections if each[1] == _SYMBOLS):
        names = sections[section[6]][4]
        for at, value, *_ in _SYMBOL.iter_unpack(data[section[4] : section[4] + section[5]]):
            if data[names + at : data.index(b"\0", names + at)].partition(b".")[0] == name.encode():
                return int(value) & 0xFFFF
    raise LookupError(f"{image.name} has no variable {name}")


def bit_of(window: FaultWindow, segments: int) -> tuple[int, int]:
    """The byte of a program of so many segments that a `device.program_flip` strikes, and the bit in it as a mask."""
    name, place = window.word("field"), 0
    if name in _OF_SEGMENT:
        place = _SEGMENTS + min(window.number("segment"), segments - 1) * _SEGMENT
    at, bits = (_OF_SEGMENT | _OF_PROGRAM)[name]
    bit = window.number("bit") % bits
    return place + at + bit // 8, 1 << bit % 8
