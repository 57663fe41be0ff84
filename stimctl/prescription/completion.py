"""Compares a prescription with its profile, and asks for a clinician's name wherever the profile leaves a gap.

A value that the profile gives has to be kept. A value that it leaves unspecified has to be named by a
clinician, who says so by name: a gap is never filled in silence.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from stimctl.errors import Problem
from stimctl.label import is_label
from stimctl.prescription.plan import GAPS, PrescriptionFields, Terminal
from stimctl.units import UA_PER_MA, US_PER_MIN, whole


def profile_problems(fields: PrescriptionFields) -> Iterator[Problem]:
    """Where the prescription leaves what the profile says, or a gap that nobody answers for."""
    stimulation = fields.protocol.stimulation
    if stimulation is None or fields.protocol.kind == "bench":
        yield from _completion_problems(fields, frozenset())
        return
    minutes, amplitude = stimulation.minutes.value, stimulation.amplitude_ma.value
    if minutes is not None:
        low, high = (_scaled(bound, US_PER_MIN) for bound in (minutes.low, minutes.high))
        if not low <= fields.stimulation_us <= high:
            given = f"{fields.stimulation_us / US_PER_MIN:g} min"
            yield Problem("stimulation_us", given, f"{fields.protocol.id} says {minutes} minutes")
    if amplitude is not None:
        low, high = (_scaled(bound, UA_PER_MA) for bound in (amplitude.low, amplitude.high))
        said = f"{fields.protocol.id} says {amplitude} mA"
        if fields.ceiling_ua > high:
            yield Problem("ceiling_ua", fields.ceiling_ua, said)
        for index, plan in enumerate(fields.channels):
            if not fields.titrate and not low <= plan.amplitude_ua <= high:
                yield Problem(f"channels[{index}].amplitude_ua", plan.amplitude_ua, said)
    yield from _completion_problems(fields, named_by_clinician(fields))


def _scaled(value: float, factor: int) -> int:
    return whole(value, factor, name="a profile's bound", unit="its unit")


def named_by_clinician(fields: PrescriptionFields) -> frozenset[str]:
    """What the profile leaves open, or the prescription does otherwise: the clinician answers for it."""
    stimulation = fields.protocol.stimulation
    named = set(fields.protocol.gaps)
    if stimulation is not None and stimulation.pairs.value is not None:
        said = {frozenset(pair) for pair in stimulation.pairs.value}
        used = [plan.ends for plan in fields.channels if not isinstance(plan.first, Terminal)]
        if any(frozenset(end.point for end in ends) not in said for ends in used):
            named.add("pairs")
    return frozenset(named)


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
    if clinician is not None and not (isinstance(clinician.name, str) and is_label(clinician.name)):
        yield Problem("clinician.name", clinician.name, "must name the clinician who answers for it")
    if missing := sorted(wanted - set(given)):
        whole = ", ".join(f'"{name}"' for name in sorted(wanted | set(given)))
        meant = ", ".join(_MEANING[name] for name in missing)
        allowed = f"{fields.protocol.id} does not settle {meant}; a clinician who does writes under [clinician]"
        yield Problem("clinician.completes", list(given) or None, f"{allowed}: completes = [{whole}]")
    for name in sorted(set(given) - wanted):
        yield Problem("clinician.completes", list(given), f"holds {name!r}, which the profile settles; take it out")
