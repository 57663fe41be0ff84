"""Builds of the firmware, made once a run; where the toolchain is not there, what needs it is skipped and says why."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from firmware_sim.chip.built import BUILD, CHIP, EMULATOR, HERE, HOST, SANITIZED

_NEEDS = {
    "host": ("gcc",), "sanitized": ("gcc",), "replay": ("gcc",), "fuzzer": ("gcc", "clang"), "chip": ("avr-gcc",),
    "emulator": ("gcc",),
}  # fmt: skip
_PACKAGES = "gcc gcc-avr avr-libc libsimavr-dev libelf-dev"


def _made(target: str) -> None:
    missing = [tool for tool in _NEEDS[target] if shutil.which(tool) is None]
    if target == "emulator" and not Path("/usr/include/simavr/sim_avr.h").is_file():
        missing.append("libsimavr-dev")
    if target == "fuzzer" and not list(Path("/usr/lib").glob("llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a")):
        missing.append("clang libclang-rt-14-dev")
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: apt-get install {_PACKAGES}")
    done = subprocess.run(
        ["make", "-C", str(HERE / "firmware"), target], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def host_library() -> Path:
    """The portable core as a shared library; in a process under the sanitizers, the one that they watch."""
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        return SANITIZED
    _made("host")
    return HOST


@pytest.fixture(scope="session")
def sanitized_library() -> Path:
    """The same, watched by the sanitizers: for a process that has their library before Python."""
    _made("sanitized")
    return SANITIZED


@pytest.fixture(scope="session")
def replay_program(host_library: Path) -> Path:
    """A program that plays inputs of the fuzzer under the sanitizers."""
    _made("replay")
    return BUILD / "replay"


@pytest.fixture(scope="session")
def fuzzer_program(host_library: Path) -> Path:
    """The fuzzer."""
    _made("fuzzer")
    return BUILD / "fuzzer"


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
