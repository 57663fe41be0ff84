"""PulsePal (Sanworks), simulated from its published protocol: firmware 21 and 22.

No code of theirs is in here. What was seen on the published firmware and what was only read is said in `device`.
"""

from firmware_sim.pulsepal.device import PulsePalDevice
from firmware_sim.pulsepal.firmwares import PulsePalFirmware21, PulsePalFirmware22

FIRMWARES: dict[str, type[PulsePalDevice]] = {"21": PulsePalFirmware21, "22": PulsePalFirmware22}

__all__ = ["FIRMWARES", "PulsePalDevice"]
