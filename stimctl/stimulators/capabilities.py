"""Words a device's capabilities, and those that it lacks, for screen, log and documentation."""

from collections.abc import Iterable

from stimctl.stimulators.base import Identity
from stimctl.wire.codes import Capability

# A device that may be used on a person does all of this by itself, its watchdog within 1 s.
PERSON_NEEDS = Capability.MEASURES_CURRENT | Capability.WATCHDOG | Capability.SESSION_TIMER | Capability.HOLDS_LIMITS

# What each stands for, and what it means that it is missing.
WORDS: dict[Capability, tuple[str, str]] = {
    Capability.MEASURES_CURRENT: ("measures the current that flows", "no measurement of the current that flows"),
    Capability.MEASURES_IMPEDANCE: ("measures impedance", "no impedance: contact is not measured in ohms"),
    Capability.WATCHDOG: ("ends its output when the host falls silent",
                          "no watchdog: a lease of at most 3 s runs to its end when the host dies"),
    Capability.SESSION_TIMER: ("ends a session by its own timer", "no session timer: the host's own ends the session"),
    Capability.HOLDS_LIMITS: ("holds amplitude, charge and balance limits",
                              "no limits of its own: the host's are the only ones"),
    Capability.ALTERNATES: ("alternates between two bands",
                            "no alternation: the host changes bands between leases, with a gap"),
    Capability.RAMPS: ("ramps", "no ramp: the host gives it as a succession of short leases"),
    # Asked for only where current is to flow on more than one limb at once: without it nothing is missing.
    Capability.ISOLATED_OUTPUTS: ("has outputs that are isolated from each other", ""),
}  # fmt: skip
CUTS = "a stop may end a pulse in its middle: at most one phase is then left unbalanced, and logged"
MISSING = {flag: missing for flag, (_can, missing) in WORDS.items() if missing}


def lacking(identity: Identity) -> tuple[str, ...]:
    """What this device cannot do by itself, and what nobody would notice, a sentence each."""
    missing = tuple(text for flag, text in MISSING.items() if flag not in identity.capabilities)
    return missing + ((CUTS,) if identity.by_lease and identity.stops_mid_pulse else ()) + identity.unnoticed


def table(identities: Iterable[Identity]) -> str:
    """A Markdown table of what each device can do by itself, for the documentation."""
    devices = list(identities)
    rows = [
        ["", *(identity.model for identity in devices)],
        ["---", *("---" for _ in devices)],
        ["channels", *(str(identity.channels) for identity in devices)],
        ["smallest step, uA", *(f"{identity.dac_step_na / 1_000:g}" for identity in devices)],
        ["watchdog", *(f"{each.watchdog_ms} ms" if each.watchdog_ms else "no" for each in devices)],
        *(
            [text, *("yes" if flag in identity.capabilities else "no" for identity in devices)]
            for flag, (text, _missing) in WORDS.items()
            if flag is not Capability.WATCHDOG
        ),
        ["output is given in leases of 3 s at most", *("yes" if identity.by_lease else "no" for identity in devices)],
        ["a stop may end a pulse in its middle", *("yes" if each.stops_mid_pulse else "no" for each in devices)],
        [
            "may be used on a person",
            *("no" if PERSON_NEEDS & ~each.capabilities else "see SAFETY.md" for each in devices),
        ],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
