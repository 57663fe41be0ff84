"""PulsePal (Sanworks), simulated from its published protocol: firmware 21 and 22.

No code of theirs is in here. What was seen on the published firmware and what was only read is said in `pal`.
"""

from firmware_sim.pulsepal.device import PulsePal
from firmware_sim.pulsepal.firmwares import Firmware21, Firmware22

FIRMWARES: dict[str, type[PulsePal]] = {"21": Firmware21, "22": Firmware22}

__all__ = ["FIRMWARES", "PulsePal"]
