"""What the device says of itself: its hash is of what it is made of, and of nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

import firmware_sim
from firmware_sim.native.identity import firmware_modules, firmware_sha256

PACKAGE = Path(firmware_sim.__file__).parent
# What no firmware can change, and the record of it.
WORLD = {f"firmware_sim.analog.{name}" for name in ("load", "load_changes", "needle_pair", "recorder", "record_rate")}
PACKAGES = {"firmware_sim.native", "firmware_sim.analog"}


def test_every_module_of_the_firmware_is_hashed() -> None:
    hashed = {name for name in firmware_modules() if name.startswith("firmware_sim.native.")}
    assert hashed == {f"firmware_sim.native.{path.stem}" for path in PACKAGE.glob("native/[!_]*.py")}
    assert {"stimctl.wire.framing", "stimctl.wire.codec", "stimctl.wire.codes"} <= set(firmware_modules())
    assert {"firmware_sim.analog.converter", "firmware_sim.analog.electrodes"} <= set(firmware_modules())


def test_it_is_what_python_itself_loads_for_a_device() -> None:
    """All of this package that an interpreter has loaded after `import firmware_sim.native.device`, no more."""
    code = "import sys, firmware_sim.native.device; print(*(n for n in sys.modules if n.startswith('firmware_sim.')))"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    hashed = {name for name in firmware_modules() if name.startswith("firmware_sim.")}
    assert hashed == loaded - WORLD - PACKAGES


@pytest.mark.parametrize(
    ("module", "counts"),
    [
        ("native/gate", True),
        ("native/monitor", True),
        ("analog/converter", True),
        ("cli", False),
        ("analog/load", False),
    ],
)
def test_the_hash_changes_with_the_firmware_and_not_with_the_command_line(
    module: str, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (PACKAGE / f"{module}.py").is_file()
    before, read = firmware_sha256(), Path.read_bytes

    def changed(path: Path) -> bytes:
        return read(path) + (b"# changed\n" if path == PACKAGE / f"{module}.py" else b"")

    monkeypatch.setattr(Path, "read_bytes", changed)
    assert (firmware_sha256.__wrapped__() != before) is counts
