"""Where the firmware's builds lie, and what to do where one is missing."""

import struct
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
BUILD = HERE / "build" / "firmware"
HOST = BUILD / "libstimulator.so"
SANITIZED = BUILD / "libstimulator-sanitized.so"
CHIP = BUILD / "stimulator-emulated.elf"
EMULATOR = BUILD / "emulator"  # simavr
SECOND = BUILD / "second" / "chip.mjs"  # avr8js: `make -C firmware second`

_HEADER = struct.Struct("<18xH5I6H")  # of an ELF file with addresses of 32 bits
_ATMEGA328P = 83, 5


class NotBuilt(ValueError):
    """A build of the firmware that is not there. The message says how to make it."""


def is_image(path: Path) -> bool:
    """Whether it is a whole ELF file for an ATmega328P: an AVR of type 5."""
    data = path.read_bytes()
    if len(data) < _HEADER.size or data[:6] != b"\x7fELF\x01\x01":
        return False
    machine, _, _, _, sections_at, flags, _, _, _, size, count, _ = _HEADER.unpack_from(data)
    return (machine, flags & 0x7F) == _ATMEGA328P and 0 < count * size <= len(data) - sections_at


def built_image(path: Path) -> Path:
    """The path of an image for the chip. Raises `NotBuilt` where it is missing, cut off, or another chip's."""
    if is_image(built(path)):
        return path
    raise NotBuilt(
        f"{path.name} is no image for an ATmega328P, or is cut off: `make -B firmware` in {HERE} makes it anew"
    )


def built(path: Path) -> Path:
    """The path of a build. Raises `NotBuilt` where it is missing."""
    if path.is_file():
        return path
    if not (HERE / "firmware" / "Makefile").is_file():
        raise NotBuilt("the firmware is not part of an installed package: use a checkout, and `make firmware` there")
    how = "make -C firmware second" if path == SECOND else "make firmware"
    raise NotBuilt(f"{path.name} is not built: `{how}` in {HERE} makes it")
