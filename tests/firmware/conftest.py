"""Builds of the firmware, made once a run; where the toolchain is not there, what needs it is skipped and says why."""

import shutil
import subprocess
from pathlib import Path

import pytest

from firmware_sim.chip.built import BUILD, CHIP, EMULATOR, HERE, HOST

_NEEDS = {"host": ("gcc",), "sanitized": ("gcc",), "chip": ("avr-gcc",), "emulator": ("gcc",)}


def _made(target: str) -> None:
    missing = [tool for tool in _NEEDS[target] if shutil.which(tool) is None]
    if target == "emulator" and not Path("/usr/include/simavr/sim_avr.h").is_file():
        missing.append("libsimavr-dev")
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install gcc gcc-avr avr-libc libsimavr-dev libelf-dev")
    done = subprocess.run(
        ["make", "-C", str(HERE / "firmware"), target], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def host_library() -> Path:
    """The portable core as a shared library."""
    _made("host")
    return HOST


@pytest.fixture(scope="session")
def chip_image() -> Path:
    """The image for the emulator, and the emulator."""
    _made("chip")
    _made("emulator")
    assert EMULATOR.is_file()
    return CHIP


@pytest.fixture(scope="session")
def build_folder() -> Path:
    """Where builds lie."""
    return BUILD
