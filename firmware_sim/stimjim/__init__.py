"""StimJim (open-ephys), simulated from its published protocol: three firmware dialects of one text protocol.

No code of theirs is in here. What was seen on the published firmware and what was only read from it is said
at the head of each dialect's module.
"""

from firmware_sim.stimjim.device import StimJimDevice
from firmware_sim.stimjim.dialect_a import StimJimFirmwareA
from firmware_sim.stimjim.dialect_b import StimJimFirmwareB
from firmware_sim.stimjim.dialect_c import StimJimFirmwareC

DIALECTS: dict[str, type[StimJimDevice]] = {"a": StimJimFirmwareA, "b": StimJimFirmwareB, "c": StimJimFirmwareC}

__all__ = ["DIALECTS", "StimJimDevice"]
