"""A defect planted in a copy of the C sources, built for this machine and for the chip."""

import shutil
import subprocess
from pathlib import Path

from firmware_sim.chip.built import HERE


def planted(folder: Path, file: str, before: str, after: str, target: str) -> Path:
    """The firmware with `before` in `firmware/FILE` changed to `after`; what `target` is in its build's folder."""
    copy, build = folder / "firmware", folder / "build"
    shutil.copytree(HERE / "firmware", copy)
    text = (copy / file).read_text("utf-8")
    assert text.count(before) == 1, f"{file} has {before!r} {text.count(before)} times"
    (copy / file).write_text(text.replace(before, after), "utf-8")
    order = ["make", "-C", str(copy), f"BUILD={build}", str(build / target)]
    done = subprocess.run(order, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return build / target
