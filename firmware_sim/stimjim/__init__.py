"""StimJim (open-ephys), simulated from its published protocol: three firmware dialects of one text protocol.

No code of theirs is in here. What was seen on the published firmware and what was only read from it is said
at the head of each dialect's module.
"""

from firmware_sim.stimjim.device import StimJim
from firmware_sim.stimjim.dialect_a import DialectA
from firmware_sim.stimjim.dialect_b import DialectB
from firmware_sim.stimjim.dialect_c import DialectC

DIALECTS: dict[str, type[StimJim]] = {"a": DialectA, "b": DialectB, "c": DialectC}

__all__ = ["DIALECTS", "StimJim"]
