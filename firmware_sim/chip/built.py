"""Where the firmware's builds lie, and what to do where one is missing."""

from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
BUILD = HERE / "build" / "firmware"
HOST = BUILD / "libstimulator.so"
SANITIZED = BUILD / "libstimulator-sanitized.so"
CHIP = BUILD / "stimulator-emulated.elf"
EMULATOR = BUILD / "emulator"  # simavr
SECOND = BUILD / "second" / "chip.mjs"  # avr8js: `make -C firmware second`


class NotBuilt(ValueError):
    """A build of the firmware that is not there. The message says how to make it."""


def built(path: Path) -> Path:
    """The path of a build. Raises `NotBuilt` where it is missing."""
    if path.is_file():
        return path
    if not (HERE / "firmware" / "Makefile").is_file():
        raise NotBuilt("the firmware is not part of an installed package: use a checkout, and `make firmware` there")
    how = "make -C firmware second" if path == SECOND else "make firmware"
    raise NotBuilt(f"{path.name} is not built: `{how}` in {HERE} makes it")
