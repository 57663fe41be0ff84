"""Decides whether this subject may be connected to this device, and whether a contact is good enough to start."""

from stimctl import limits
from stimctl.errors import Problem, WrongDevice
from stimctl.prescription import PaperPrescription, Prescription, Subject
from stimctl.prescription.plan import LIVING
from stimctl.stimulators.base import Identity
from stimctl.stimulators.capabilities import MISSING, PERSON_NEEDS
from stimctl.units import ma_text
from stimctl.waveform import CHECK_PULSES
from stimctl.wire.codec import Impedance
from stimctl.wire.codes import Capability, ohm_text, simulator_or_hardware

# Of a declared dummy load: how far the measured resistance may lie from it [choice].
DECLARED_PERCENT = 20
CONDUCTS_PERCENT = 80  # less of the test pulses' current than this is an open electrode [choice]


def no_front_end(subject: Subject) -> Problem:
    """Why a person's or an animal's session needs an operator's terminal or page."""
    return Problem("subject", str(subject), "needs an operator at a terminal or page; a script may run a dummy load")


def check_device(prescription: Prescription, identity: Identity) -> None:
    """Raise `WrongDevice` when this device may not be used for this subject.

    A simulator refuses to be called anything else, and hardware refuses to be called a simulator.
    """
    check_kind(prescription.subject, identity, rehearsal=prescription.rehearsal)
    check_fit(prescription, identity)


def check_kind(subject: Subject, identity: Identity, *, rehearsal: bool) -> None:
    """Raise `WrongDevice` for a simulator where hardware is meant, and the other way; known before any question."""
    if (subject is Subject.SIMULATOR or rehearsal) != identity.simulator:
        kind = ("a " if identity.simulator else "") + simulator_or_hardware(identity.simulator)
        meant = "session is a rehearsal" if rehearsal else f"subject is {subject}"
        raise WrongDevice(f"the prescription's {meant}, but {identity.model} says that it is {kind}")
    _check_alive(subject, identity)


def check_fit(prescription: PaperPrescription, identity: Identity) -> None:
    """Raise `WrongDevice` where the device cannot play what is prescribed, or not on these limbs at once."""
    _check_sites(prescription, identity)
    _check_program(prescription, identity)


def _check_alive(subject: Subject, identity: Identity) -> None:
    """What a living subject needs of a device."""
    has_watchdog = Capability.WATCHDOG in identity.capabilities
    in_time = 0 < identity.watchdog_ms <= limits.WATCHDOG_US // 1_000
    if subject is Subject.PERSON:
        missing = PERSON_NEEDS & ~identity.capabilities
        if missing or not in_time:
            lacks = "; ".join(MISSING[flag] for flag in missing) or "no watchdog of 1 s or less"
            raise WrongDevice(f"{identity.model} may not be used on a person: {lacks}")
    if subject is Subject.ANIMAL and not has_watchdog and not identity.by_lease:
        raise WrongDevice(f"{identity.model} has no watchdog: on an animal it may be used by leases of 3 s at most")
    if subject is Subject.ANIMAL and has_watchdog and not in_time:
        raise WrongDevice(f"{identity.model} may not be used on an animal: no watchdog of 1 s or less")


def _check_sites(prescription: PaperPrescription, identity: Identity) -> None:
    """Between outputs that are not isolated current may flow from limb to limb, through the trunk."""
    if (
        prescription.subject in LIVING
        and len(prescription.sites) > 1
        and Capability.ISOLATED_OUTPUTS not in identity.capabilities
    ):
        where = " and ".join(sorted(prescription.sites))
        told = f"{identity.model} does not say that its outputs are isolated from each other"
        raise WrongDevice(f"{told}: current on {where} at once is refused; prescribe one limb a session")


def _check_program(prescription: PaperPrescription, identity: Identity) -> None:
    """What a prescription needs of a device, whoever the subject is. By leases the host ramps and alternates."""
    if not identity.by_lease and Capability.RAMPS not in identity.capabilities:
        raise WrongDevice(f"{identity.model} does not ramp, and every session begins with a ramp")
    alternates = identity.by_lease or Capability.ALTERNATES in identity.capabilities
    if len(prescription.program.segments) > 1 and not alternates:
        raise WrongDevice(f"the prescription has two bands; {identity.model} does not alternate between bands")
    highest = max(plan.channel for plan in prescription.channels)
    if highest > identity.channels:
        raise WrongDevice(f"the prescription uses channel {highest}; {identity.model} has {identity.channels}")
    if prescription.ceiling_ua > identity.max_amplitude_ua:
        raise WrongDevice(f"{identity.model} has a ceiling of {identity.max_amplitude_ua} uA, below the prescription's")


def contact_problems(result: Impedance, prescription: Prescription, identity: Identity | None) -> list[str]:
    """What is wrong with a channel's contact, in words; empty when it may be armed."""
    channel, ohm = result.channel, result.ohm
    if result.pulses > CHECK_PULSES or result.amplitude_ua > limits.RAISE_STEP_UA:
        allowed = f"{CHECK_PULSES} pulses of {ma_text(limits.RAISE_STEP_UA)}"
        return [f"channel {channel}: the impedance check went beyond {allowed}"]
    if identity is not None and Capability.MEASURES_IMPEDANCE not in identity.capabilities:
        return _conduction_problems(result)
    return _impedance_problems(channel, ohm, prescription)


def _impedance_problems(channel: int, ohm: int, prescription: Prescription) -> list[str]:
    if ohm == 0:
        return [f"channel {channel}: no impedance was measured"]
    if ohm > limits.LEAD_OFF_OHM:
        return [f"channel {channel}: no contact: {ohm_text(ohm)}, more than {limits.LEAD_OFF_OHM} ohm"]
    if ohm < limits.SHORT_OHM:
        return [f"channel {channel}: short circuit ({ohm} ohm, under {limits.SHORT_OHM})"]
    declared = prescription.declared_ohm
    if declared is not None and abs(ohm - declared) * 100 > declared * DECLARED_PERCENT:
        return [f"channel {channel}: {ohm} ohm measured where a dummy load of {declared} ohm is declared"]
    return []


def _conduction_problems(result: Impedance) -> list[str]:
    """Of a device that tells no impedance: whether its test pulses flowed, where it measures current at all."""
    least_ua = result.amplitude_ua * CONDUCTS_PERCENT // 100
    if result.pulses and result.measured_ua < least_ua:
        found = f"{result.measured_ua} of {result.amplitude_ua} uA"
        return [f"channel {result.channel}: no contact ({found} flowed in the test pulses)"]
    return []
