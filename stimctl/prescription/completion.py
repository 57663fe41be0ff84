"""Compares a prescription with its profile, and asks for a clinician's name wherever the profile leaves a gap.

A value that the profile gives has to be kept. A value that it leaves unspecified has to be named by a
clinician, who says so by name: a gap is never filled in silence.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from stimctl.errors import Problem
from stimctl.prescription.plan import GAPS, PrescriptionFields, Terminal, is_text
from stimctl.profile import Profile
from stimctl.units import UA_PER_MA, US_PER_MIN


def profile_problems(fields: PrescriptionFields) -> Iterator[Problem]:
    """Where the prescription leaves what the profile says, or a gap that nobody answers for."""
    stimulation = fields.protocol.stimulation
    if stimulation is None or fields.protocol.kind == "bench":
        yield from _completion_problems(fields, frozenset())
        return
    minutes, amplitude = stimulation.minutes.value, stimulation.amplitude_ma.value
    if minutes is not None:
        low, high = minutes.scaled(US_PER_MIN)
        if not low <= fields.stimulation_us <= high:
            given = f"{fields.stimulation_us / US_PER_MIN:g} min"
            yield Problem("stimulation_us", given, f"{fields.protocol.id} says {minutes} minutes")
    if amplitude is not None:
        low, high = amplitude.scaled(UA_PER_MA)
        said = f"{fields.protocol.id} says {amplitude} mA"
        if fields.ceiling_ua > high:
            yield Problem("ceiling_ua", fields.ceiling_ua, said)
        for index, plan in enumerate(fields.channels):
            if not fields.titrate and not low <= plan.amplitude_ua <= high:
                yield Problem(f"channels[{index}].amplitude_ua", plan.amplitude_ua, said)
    yield from _completion_problems(fields, named_by_clinician(fields))


def named_by_clinician(fields: PrescriptionFields) -> frozenset[str]:
    """What the profile leaves open, or the prescription does otherwise."""
    placed = [plan.ends for plan in fields.channels if not isinstance(plan.first, Terminal)]
    return left_open(fields.protocol, [{end.point for end in ends} for ends in placed])


def left_open(profile: Profile, pairs: Iterable[Set[str]]) -> frozenset[str]:
    """What a profile leaves open, or these pairs of points do otherwise: a clinician answers for it."""
    said = profile.stimulation.pairs.value if profile.stimulation is not None else None
    others = said is not None and any(pair not in [set(each) for each in said] for pair in pairs)
    return frozenset({*profile.gaps, "pairs"} if others else profile.gaps)


_MEANING: Mapping[str, str] = {
    "pairs": "which needles are a pair",
    "amplitude_ma": "the amplitude, or the ceiling of a titration",
    "minutes": "how long",
}


def _completion_problems(fields: PrescriptionFields, wanted: frozenset[str]) -> Iterator[Problem]:
    clinician = fields.clinician
    given: Any = () if clinician is None else clinician.completes
    if not isinstance(given, tuple) or not all(isinstance(name, str) and name in GAPS for name in given):
        yield Problem("clinician.completes", given, f"must be a list of {', '.join(GAPS)}")
        return
    if clinician is not None and not (isinstance(clinician.name, str) and is_text(clinician.name)):
        yield Problem("clinician.name", clinician.name, "must name the clinician who answers for it")
    if missing := sorted(wanted - set(given)):
        whole = ", ".join(f'"{name}"' for name in sorted(wanted | set(given)))
        meant = ", ".join(_MEANING[name] for name in missing)
        allowed = f"{fields.protocol.id} does not settle {meant}; a clinician who does writes under [clinician]"
        yield Problem("clinician.completes", list(given) or None, f"{allowed}: completes = [{whole}]")
    for name in sorted(set(given) - wanted):
        yield Problem("clinician.completes", list(given), f"holds {name!r}, which the profile settles; take it out")
