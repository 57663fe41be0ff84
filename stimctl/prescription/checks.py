"""Checks a prescription against the limits of `limits.py`, the pairs and the subject's rules.

All problems are collected, so that a person sees them together. The figures are taken at the session's
ceiling, not only at the target: an operator may raise as far as that.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from stimctl import limits
from stimctl.anatomy import ASHI, PREGNANCY_POINTS, Placement, check_pair
from stimctl.errors import Misuse, Problem, Unsafe
from stimctl.label import Label, is_label
from stimctl.limits import Limit
from stimctl.prescription.completion import profile_problems
from stimctl.prescription.plan import (
    NEEDLE_DIAMETER,
    NEEDLE_INSERTED,
    OHM_MAX,
    ChannelPlan,
    Clinician,
    PrescriptionFields,
    Subject,
    Terminal,
    is_whole,
)
from stimctl.profile import Profile, ramps, segments
from stimctl.screening import Screening
from stimctl.units import US_PER_S, ma_text
from stimctl.waveform import Program, Segment, reached


def checked_program(fields: PrescriptionFields, *, screened: bool) -> Program:
    """The program that is asked for. Raises `Unsafe` with every problem of the whole prescription.

    Without `screened` a person's screening is not missed: it is asked when there is a session.
    """
    problems = list(_kind_problems(fields))
    if problems:
        raise Unsafe(problems)
    program, program_problems = _program(fields)
    problems += program_problems
    if screened:
        problems += _screening_problems(fields)
    for check in (_subject_problems, _text_problems, _amplitude_problems, _channel_problems, profile_problems):
        problems += check(fields)
    if program is not None:
        problems += _charge_problems(fields, program)
    if problems or program is None:
        raise Unsafe(problems)
    if not fields.ramp_only and (mostly_ramp := list(_plateau_problems(fields, program))):
        raise Unsafe(mostly_ramp)
    return program


def _broken(field: str, value: int, limit: Limit) -> Iterator[Problem]:
    if not limit.allows(value):
        yield Problem(field, value, limit.allowed())


# --- what kind of thing stands in each field -----------------------------------------------------------


def _kind_problems(fields: PrescriptionFields) -> Iterator[Problem]:
    """Fields that hold something else than their kind: nothing further can be said of them."""
    plans = fields.channels
    kinds: tuple[tuple[str, bool, str], ...] = (
        ("subject", isinstance(fields.subject, Subject), f"must be one of {', '.join(Subject)}"),
        ("operator", isinstance(fields.operator, str), "must be text"),
        ("pseudonym", isinstance(fields.pseudonym, str), "must be text"),
        ("protocol", isinstance(fields.protocol, Profile), "must be a profile that was loaded"),
        ("variant", isinstance(fields.variant, str), "must be text"),
        ("titrate", isinstance(fields.titrate, bool), "must be true or false"),
        ("ramp_only", isinstance(fields.ramp_only, bool), "must be true or false"),
        ("ceiling_ua", is_whole(fields.ceiling_ua), "must be a whole number of uA"),
        ("stimulation_us", is_whole(fields.stimulation_us), "must be a whole number of us"),
        ("segments", _are_segments(fields.segments), "must be a list of segments of whole us"),
        ("declared_ohm", fields.declared_ohm is None or is_whole(fields.declared_ohm), "must be a whole number of ohm"),
        ("approval", fields.approval is None or isinstance(fields.approval, str), "must be text"),
        ("pregnant", fields.pregnant is None or isinstance(fields.pregnant, bool), "must be true or false"),
        ("clinician", fields.clinician is None or isinstance(fields.clinician, Clinician), "must be a clinician"),
        ("screening", fields.screening is None or isinstance(fields.screening, Screening), "must be asked, not given"),
        (
            "channels",
            isinstance(plans, tuple) and bool(plans) and all(isinstance(plan, ChannelPlan) for plan in plans),
            "must be at least one channel plan",
        ),
    )
    for field, holds, allowed in kinds:
        if not holds:
            yield Problem(field, getattr(fields, field), allowed)


def _are_segments(given: object) -> bool:
    if not isinstance(given, tuple):
        return given is None
    return all(isinstance(each, Segment) and all(map(is_whole, asdict(each).values())) for each in given)


# --- who is stimulated, and by whom ---------------------------------------------------------------------


def _subject_problems(fields: PrescriptionFields) -> Iterator[Problem]:
    subject = fields.subject
    if fields.protocol.kind == "bench" and subject in (Subject.PERSON, Subject.ANIMAL):
        yield Problem("subject", subject.value, "a bench profile is for dummy loads and simulators only [choice]")
    if fields.protocol.kind != "bench" and fields.segments is not None:
        yield Problem("segments", len(fields.segments), "a clinical profile's pulses are its own; name a bench profile")
    if subject is Subject.PERSON and fields.pregnant:
        yield Problem("pregnant", True, "pregnancy is a hard stop; there is no override")
    if subject is Subject.ANIMAL:
        if not is_label(fields.approval):
            yield Problem("approval", fields.approval, "an animal needs the approval's number")
        if fields.pregnant is None:
            yield Problem("pregnant", None, "must be declared for an animal, true or false")
    elif fields.approval is not None:
        yield Problem("approval", fields.approval, "only an animal has one")
    if subject is Subject.DUMMY_LOAD:
        if fields.declared_ohm is None or not 0 <= fields.declared_ohm <= OHM_MAX:
            yield Problem("declared_ohm", fields.declared_ohm, f"a dummy load's ohms are declared, 0 to {OHM_MAX}")
    elif fields.declared_ohm is not None:
        yield Problem("declared_ohm", fields.declared_ohm, "only a dummy load has it")


def _screening_problems(fields: PrescriptionFields) -> Iterator[Problem]:
    if fields.subject is not Subject.PERSON:
        if fields.screening is not None:
            yield Problem("screening", None, "only a person is screened")
    elif fields.screening is None:
        yield Problem("screening", None, "a person is screened anew for each session; ask the questions")
    else:
        yield from fields.screening.problems(fields.pseudonym)


def _text_problems(fields: PrescriptionFields) -> Iterator[Problem]:
    for field, text in (("operator", fields.operator), ("pseudonym", fields.pseudonym)):
        if not is_label(text):
            yield Problem(field, text, f"must be 1 to {Label.LONGEST} printable characters")


# --- amplitude, charge, density -------------------------------------------------------------------------


def _amplitude_problems(fields: PrescriptionFields) -> Iterator[Problem]:
    yield from _broken("ceiling_ua", fields.ceiling_ua, limits.CEILING)
    for index, plan in enumerate(fields.channels):
        field, target_ua = f"channels[{index}].amplitude_ua", plan.amplitude_ua
        if fields.titrate and target_ua != 0:
            yield Problem(field, target_ua, "must be 0 where the operator titrates: it begins at zero")
        if not fields.titrate:
            yield from _broken(field, target_ua, limits.TARGET)
        if target_ua > fields.ceiling_ua:
            yield Problem(field, target_ua, f"must be at most the session's ceiling of {fields.ceiling_ua} uA")


def _charge_problems(fields: PrescriptionFields, program: Program) -> Iterator[Problem]:
    """At the ceiling, in the band with the most charge a phase; and amplitudes that balance exactly."""
    charge_pc = max(segment.charge_pc(fields.ceiling_ua) for segment in program.segments)
    if not limits.CHARGE_PER_PHASE.allows(charge_pc):
        yield Problem("ceiling_ua", fields.ceiling_ua, f"gives {charge_pc} pC: {limits.CHARGE_PER_PHASE.allowed()}")
    quantum_ua = program.quantum_ua
    for index, plan in enumerate(fields.channels):
        if plan.amplitude_ua % quantum_ua:
            allowed = f"must be a multiple of {quantum_ua} uA: both phases' areas are equal in whole numbers"
            yield Problem(f"channels[{index}].amplitude_ua", plan.amplitude_ua, allowed)
        if charge_pc > 0:
            yield from _needle_problems(f"channels[{index}].needle", plan, charge_pc)


def _plateau_problems(fields: PrescriptionFields, program: Program) -> Iterator[Problem]:
    """A plan that is mostly ramp: the amplitude that it names is not what it would give."""
    total_us = program.stimulation_us
    for index, plan in enumerate(fields.channels):
        if fields.titrate:
            field, value, held_us = "stimulation_us", total_us, total_us - min(total_us, program.ramp_down_us)
            said = "the fall at the end takes"
        else:
            comes = reached(program, plan.channel, plan.amplitude_ua)
            field, value, held_us = f"channels[{index}].amplitude_ua", plan.amplitude_ua, comes.plateau_us
            said = f"{ma_text(comes.amplitude_ua)} is reached; the ramps take"
        if held_us * 2 < total_us:
            of = f"{(total_us - held_us) / US_PER_S:.1f} of {total_us / US_PER_S:g} s"
            yield Problem(field, value, f"{said} {of}; give more time, or ramp_only = true where that is meant")


def _needle_problems(field: str, plan: ChannelPlan, charge_pc: int) -> Iterator[Problem]:
    needle = plan.needle
    if needle is None:
        if not all(isinstance(end, Terminal) for end in plan.ends):
            yield Problem(field, None, "must be declared; only between a dummy load's terminals is there none")
        return
    unbelievable = [
        *_broken(f"{field}.diameter_um", needle.diameter_um, NEEDLE_DIAMETER),
        *_broken(f"{field}.inserted_um", needle.inserted_um, NEEDLE_INSERTED),
    ]
    yield from unbelievable
    if unbelievable:
        return
    density, k = needle.density_uc_per_cm2(charge_pc), needle.shannon_k(charge_pc)
    if not density <= limits.DENSITY_UC_PER_CM2:
        allowed = f"must be at most {limits.DENSITY_UC_PER_CM2:g} uC/cm2 a phase at the ceiling [choice]"
        yield Problem(field, f"{density:.1f} uC/cm2", f"{allowed}; lower the ceiling or insert deeper")
    if not k <= limits.SHANNON_K:
        allowed = f"must be at most {limits.SHANNON_K:g} at the ceiling (damage line 1.85 [lit]) [choice]"
        yield Problem(field, f"Shannon k {k:.2f}", f"{allowed}; lower the ceiling or insert deeper")


# --- pairs ----------------------------------------------------------------------------------------------


def _channel_problems(fields: PrescriptionFields) -> Iterator[Problem]:
    for index, plan in enumerate(fields.channels):
        yield from _pair_problems(f"channels[{index}]", plan, fields.subject)
        if fields.pregnant:
            for end in plan.ends:
                if end.point in PREGNANCY_POINTS:
                    yield Problem(f"channels[{index}]", str(end), "is not needled in pregnancy [lit]")
                elif end.point == ASHI.code:
                    # "The web of the thumb" is LI-4, and no list of words tells every such place.
                    said = "could be a point that is not needled in pregnancy [lit]: name a point of the table [choice]"
                    yield Problem(f"channels[{index}]", str(end), said)
    needles = Counter(end.needle for plan in fields.channels for end in plan.ends if isinstance(end, Placement))
    for index, plan in enumerate(fields.channels):
        for name, end in (("first", plan.first), ("second", plan.second)):
            if isinstance(end, Placement) and needles[end.needle] > 1:
                yield Problem(f"channels[{index}].{name}", str(end), "stands more than once: a needle is in one pair")


def _pair_problems(field: str, plan: ChannelPlan, subject: Subject) -> Iterator[Problem]:
    first, second = plan.first, plan.second
    if isinstance(first, Placement) and isinstance(second, Placement):
        reason = check_pair(first, second)
        if reason is not None:
            yield Problem(field, f"{first} to {second}", f"refused: {reason}")
    elif subject not in (Subject.DUMMY_LOAD, Subject.SIMULATOR):
        yield Problem(field, f"{first} to {second}", f"terminals are a dummy load's; a {subject} has needles at points")
    elif not (isinstance(first, Terminal) and isinstance(second, Terminal)) or first == second:
        yield Problem(field, f"{first} to {second}", "must be terminal 1 to terminal 2, or two needles")


# --- the pulses ---------------------------------------------------------------------------------------


def _program(fields: PrescriptionFields) -> tuple[Program | None, list[Problem]]:
    profile = fields.protocol
    try:
        variant = profile.variant(fields.variant)
    except Misuse as none:
        return None, [Problem("variant", fields.variant or None, str(none))]
    try:
        slope, ramp_down_us = ramps(profile)
        channels = tuple(plan.channel for plan in fields.channels)
        pulses = segments(profile, variant) if fields.segments is None else fields.segments
        return Program(pulses, channels, slope, ramp_down_us, fields.stimulation_us), []
    except Unsafe as broken:
        return None, list(broken.problems)
    except Misuse as gap:
        return None, [Problem("profile", profile.id, str(gap))]
