"""What a device can do by itself, and what is missing, in words for screen, log and documentation."""

from stimctl.stimulators.base import Identity
from stimctl.wire.codes import Capability

CAN: dict[Capability, str] = {
    Capability.MEASURES_CURRENT: "measures the current that flows",
    Capability.MEASURES_IMPEDANCE: "measures impedance",
    Capability.WATCHDOG: "ends its output when the host falls silent",
    Capability.SESSION_TIMER: "ends a session by its own timer",
    Capability.HOLDS_LIMITS: "holds amplitude, charge and balance limits",
    Capability.ALTERNATES: "alternates between two bands",
    Capability.RAMPS: "ramps",
}

MISSING: dict[Capability, str] = {
    Capability.MEASURES_CURRENT: "no measurement of the current that flows",
    Capability.MEASURES_IMPEDANCE: "no impedance: contact is not measured in ohms",
    Capability.WATCHDOG: "no watchdog: a lease of at most 3 s runs to its end when the host dies",
    Capability.SESSION_TIMER: "no session timer: the host's own ends the session",
    Capability.HOLDS_LIMITS: "no limits of its own: the host's are the only ones",
    Capability.ALTERNATES: "no alternation: the host changes bands between leases, with a gap",
    Capability.RAMPS: "no ramp: the host gives it as a succession of short leases",
}


def lacking(identity: Identity) -> tuple[str, ...]:
    """What this device cannot do by itself, a sentence each; nothing where it can do all."""
    return tuple(text for flag, text in MISSING.items() if flag not in identity.capabilities)
