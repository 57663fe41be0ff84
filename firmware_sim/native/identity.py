"""The identity of the simulated stimulator. It always says that it is a simulator."""

import ast
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path

from firmware_sim.native import gate, output_stage
from stimctl.wire.codec import Firmware, Maker, Ranges
from stimctl.wire.codes import CHANNELS, Capability

# What no firmware can change, and the record of it.
_WORLD = {f"firmware_sim.analog.{name}" for name in ("load", "load_changes", "needle_pair", "recorder")}

_OURS = ("firmware_sim.", "stimctl.wire.")

MODEL = b"stimctl simulator"
VERSION = (0, 1, 0)
NEVER_CALIBRATED = 0  # nobody calibrates a simulation
CAPABILITIES = (
    Capability.MEASURES_CURRENT
    | Capability.MEASURES_IMPEDANCE
    | Capability.WATCHDOG
    | Capability.SESSION_TIMER
    | Capability.HOLDS_LIMITS
    | Capability.ALTERNATES
    | Capability.RAMPS
)


@cache
def firmware_sha256() -> bytes:
    """The hash that stands for a firmware image: over the sources of `firmware_modules`, names and bytes, in order."""
    digest = sha256()
    for name, source in sorted(firmware_modules().items()):
        digest.update(name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.digest()


def firmware_modules() -> dict[str, Path]:
    """The files of the modules that the device is made of, by name: `device`, and what each of them imports in turn.

    Not the load, nor the record of what flows in it, nor a port, a server or a command line: those are the world's.
    """
    found: dict[str, Path] = {}
    names = [f"{__package__}.device"]
    while names:
        name = names.pop()
        if name in found or name in _WORLD or (file := import_module(name).__file__) is None:
            continue
        found[name] = Path(file)
        names += _imported(found[name].read_text("utf-8"))
    return found


def _imported(source: str) -> list[str]:
    """Modules that a source imports; what is imported in a function, or for types alone, is no part of the device."""
    names = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module and f"{node.module}.".startswith(_OURS):
            is_package = hasattr(import_module(node.module), "__path__")
            names += [f"{node.module}.{each.name}" for each in node.names] if is_package else [node.module]
    return names


def maker(seed: int) -> Maker:
    """Identity, page 0. The serial number comes from the seed: two simulators are told apart by it."""
    return Maker(MODEL.ljust(24, b"\0"), f"SIM-{seed:08d}".encode()[:24].ljust(24, b"\0"))


def firmware() -> Firmware:
    """Identity, page 1."""
    return Firmware(*VERSION, firmware_sha256())


def ranges(calibrated_on: int = NEVER_CALIBRATED) -> Ranges:
    """Identity, page 2: what it can do, and how well it says it measures."""
    return Ranges(
        calibrated_on=calibrated_on,
        channels=CHANNELS,
        capabilities=CAPABILITIES,
        max_amplitude_ua=gate.MAX_AMPLITUDE_UA,
        dac_step_na=output_stage.DAC_STEP_NA,
        readback_accuracy_ua=output_stage.READBACK_ACCURACY_UA,
        readback_accuracy_permille=output_stage.READBACK_ACCURACY_PERMILLE,
        net_charge_floor_pc=output_stage.NET_CHARGE_FLOOR_PC,
        compliance_mv=output_stage.COMPLIANCE_MV,
        watchdog_ms=gate.WATCHDOG_US // 1000,
    )
