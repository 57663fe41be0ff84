"""What the device says of itself: its hash is of what it is made of, and of nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from firmware_sim.native import identity
from firmware_sim.native.identity import firmware_modules, firmware_sha256

PACKAGE = Path(identity.__file__).parent
# What stands around the device: the world it is in, ways to it, and other devices.
AROUND = {"load", "load_changes", "pair", "record", "record_file", "record_rate", "serve", "running_clock", "commands",
          "sim_url", "protocol_sim", "which", "known_faults", "replies", "outlet", "line", "__init__"}  # fmt: skip


def test_every_module_of_the_package_is_the_firmware_or_around_it() -> None:
    hashed = {name.rpartition(".")[2] for name in firmware_modules() if name.startswith("firmware_sim.")}
    assert hashed == {path.stem for path in PACKAGE.glob("*.py")} - AROUND
    assert {"stimctl.wire.framing", "stimctl.wire.codec", "stimctl.wire.codes"} <= set(firmware_modules())


def test_it_is_what_python_itself_loads_for_a_device() -> None:
    """All of this package that an interpreter has loaded after `import firmware_sim.native.device`, no more."""
    code = "import sys, firmware_sim.native.device; print(*(n for n in sys.modules if n.startswith('firmware_sim.')))"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    hashed = {name for name in firmware_modules() if name.startswith("firmware_sim.")}
    assert hashed == {name for name in loaded if name.rpartition(".")[2] not in AROUND}


@pytest.mark.parametrize(
    ("module", "counts"), [("gate", True), ("monitor", True), ("commands", False), ("load", False)]
)
def test_the_hash_changes_with_the_firmware_and_not_with_the_command_line(
    module: str, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, read = firmware_sha256(), Path.read_bytes

    def changed(path: Path) -> bytes:
        return read(path) + (b"# changed\n" if path == PACKAGE / f"{module}.py" else b"")

    monkeypatch.setattr(Path, "read_bytes", changed)
    assert (firmware_sha256.__wrapped__() != before) is counts
