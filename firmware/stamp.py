"""Put an image's SHA-256 into it: over its bytes as they are flashed, the 32 in which it stands being zero (R-88).

python stamp.py build/firmware/stimulator.elf      (writes .hex beside it, too)
"""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

MARK = b"<image's SHA-256 is put in here>"


def stamp(elf: Path) -> None:
    """Stamp the ELF file, and write its image as .hex."""
    image = elf.with_suffix(".bin")
    sections = ["-R", ".eeprom", "-R", ".fuse", "-R", ".lock", "-R", ".signature"]
    subprocess.run(["avr-objcopy", "-O", "binary", *sections, elf, image], check=True)
    flashed, whole = image.read_bytes(), elf.read_bytes()
    if flashed.count(MARK) != 1 or whole.count(MARK) != 1:
        sys.exit(f"{elf}: the place for its SHA-256 is not there exactly once")
    digest = sha256(flashed.replace(MARK, bytes(len(MARK)))).digest()
    elf.write_bytes(whole.replace(MARK, digest))
    subprocess.run(["avr-objcopy", "-O", "ihex", *sections, elf, elf.with_suffix(".hex")], check=True)
    image.write_bytes(flashed.replace(MARK, digest))
    sys.stdout.write(f"{image.name} says of itself: SHA-256 {digest.hex()}\n")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        stamp(Path(name))
