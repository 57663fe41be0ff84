"""Who the simulated stimulator says it is. It says that it is a simulator, always."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from firmware_sim import gate, output
from stimctl.wire.codes import CHANNELS, Capability
from stimctl.wire.messages import Firmware, Maker, Ranges

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
    """The hash that stands for a firmware image: over this package's sources, names and bytes, in order."""
    digest = sha256()
    here = Path(__file__).parent
    for source in sorted(here.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.digest()


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
        dac_step_na=output.DAC_STEP_NA,
        readback_accuracy_ua=output.READBACK_ACCURACY_UA,
        readback_accuracy_permille=output.READBACK_ACCURACY_PERMILLE,
        net_charge_floor_pc=output.NET_CHARGE_FLOOR_PC,
        compliance_mv=output.COMPLIANCE_MV,
        watchdog_ms=gate.WATCHDOG_US // 1000,
    )
