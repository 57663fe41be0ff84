"""Compares a prescription with its profile, and asks for a clinician's name wherever the profile leaves a gap.

A value that the profile gives has to be kept. A value that it leaves unspecified has to be named by a
clinician, who says so by name: a gap is never filled in silence. So has an amount below the profile's range, which is
the safer side of it; above its range nobody can go.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from typing import Any

from stimctl.errors import Problem
from stimctl.label import is_label
from stimctl.limits import Limit
from stimctl.prescription.plan import GAPS, LOWERED, PrescriptionFields, Terminal
from stimctl.profile import Profile, Range
from stimctl.units import UA_PER_MA, US_PER_MIN, clock_text, counted, whole


def profile_problems(fields: PrescriptionFields) -> Iterator[Problem]:
    """Where the prescription leaves what the profile says, or what nobody answers for."""
    lowers_is_a_list = isinstance(_lowers(fields), tuple)
    if not _asks_nothing(fields) and lowers_is_a_list:
        yield from _range_problems(fields)
    yield from _clinician_problems(fields, frozenset() if _asks_nothing(fields) else named_by_clinician(fields))


def _asks_nothing(fields: PrescriptionFields) -> bool:
    return fields.protocol.stimulation is None or fields.protocol.kind == "bench"


def to_answer_for(fields: PrescriptionFields) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a clinician has to answer for by name: what is completed, and what is lowered."""
    if _asks_nothing(fields):
        return (), ()
    return tuple(sorted(named_by_clinician(fields))), tuple(sorted(lowered(fields)))


def choice_range(profile: Profile, name: str, limit: Limit, factor: int) -> tuple[int, int]:
    """From where to where a person may choose `name`, in the limit's unit: down to the limit, up to the profile.

    `factor` of that unit are one of the profile's.
    """
    value = None if profile.kind == "bench" else getattr(profile.stimulation, name).value
    return limit.low, limit.high if value is None else min(limit.high, _scaled(value.high, factor))


def _range_problems(fields: PrescriptionFields) -> Iterator[Problem]:
    minutes, amplitude = _range(fields, "minutes"), _range(fields, "amplitude_ma")
    if minutes is not None:
        said = f"{fields.protocol.id} says {minutes} minutes"
        given = f"{fields.stimulation_us / US_PER_MIN:g} min"
        for wrong in _outside(fields, "minutes", fields.stimulation_us, minutes, US_PER_MIN):
            yield Problem("stimulation_us", given, f"{said}{wrong}")
    if amplitude is None:
        return
    said = f"{fields.protocol.id} says {amplitude} mA"
    for wrong in _outside(fields, "amplitude_ma", fields.ceiling_ua, amplitude, UA_PER_MA):
        yield Problem("ceiling_ua", fields.ceiling_ua, f"{said}{wrong}")
    for index, plan in enumerate(() if fields.titrate else fields.channels):
        for wrong in _outside(fields, "amplitude_ma", plan.amplitude_ua, amplitude, UA_PER_MA):
            yield Problem(f"channels[{index}].amplitude_ua", plan.amplitude_ua, f"{said}{wrong}")


def _outside(fields: PrescriptionFields, name: str, value: int, allowed: Range, factor: int) -> Iterator[str]:
    """Nothing where an amount keeps the profile's range, or is below it and a clinician answers for that."""
    if value > _scaled(allowed.high, factor):
        yield ""
    if value < _scaled(allowed.low, factor) and name not in _lowers(fields):
        yield f'; a clinician who chooses less writes under [clinician]: lowers = ["{name}"]'


def _lowers(fields: PrescriptionFields) -> Any:
    return () if fields.clinician is None else fields.clinician.lowers


def _range(fields: PrescriptionFields, name: str) -> Range | None:
    found: Range | None = getattr(fields.protocol.stimulation, name).value
    return found


def _scaled(value: float, factor: int) -> int:
    return whole(value, factor, name="a profile's bound", unit="its unit")


def lowered(fields: PrescriptionFields) -> Mapping[str, str]:
    """Which amounts are below the profile's range, each with what is asked and what the profile says."""
    if _asks_nothing(fields):
        return {}
    found = {}
    minutes, amplitude = _range(fields, "minutes"), _range(fields, "amplitude_ma")
    if minutes is not None and fields.stimulation_us < _scaled(minutes.low, US_PER_MIN):
        whole_minutes, rest_us = divmod(fields.stimulation_us, US_PER_MIN)
        asked = f"{clock_text(fields.stimulation_us)} minutes" if rest_us else counted(whole_minutes, "minute")
        found["minutes"] = f"{asked}, and {fields.protocol.id} says {minutes}"
    lowest_ua = min(fields.ceiling_ua if fields.titrate else plan.amplitude_ua for plan in fields.channels)
    if amplitude is not None and lowest_ua < _scaled(amplitude.low, UA_PER_MA):
        found["amplitude_ma"] = f"{lowest_ua / UA_PER_MA:g} mA, and {fields.protocol.id} says {amplitude}"
    return found


def named_by_clinician(fields: PrescriptionFields) -> frozenset[str]:
    """What the profile leaves open, or the prescription does otherwise: the clinician answers for it.

    Between the terminals of a load there are no pairs to name.
    """
    placed = [plan.ends for plan in fields.channels if not isinstance(plan.first, Terminal)]
    if not placed:
        return frozenset(fields.protocol.gaps) - {"pairs"}
    return left_open(fields.protocol, [{end.point for end in ends} for ends in placed])


def left_open(profile: Profile, pairs: Iterable[Set[str]]) -> frozenset[str]:
    """What a profile leaves open, or these pairs of points do otherwise: a clinician answers for it."""
    own = profile.stimulation.pairs.value if profile.stimulation is not None else None
    others = own is not None and any(pair not in [set(each) for each in own] for pair in pairs)
    return frozenset({*profile.gaps, "pairs"} if others else profile.gaps)


_MEANING: Mapping[str, str] = {
    "pairs": "which needles are a pair",
    "amplitude_ma": "the amplitude, or the ceiling of a titration",
    "minutes": "how long",
}


def _clinician_problems(fields: PrescriptionFields, gaps: frozenset[str]) -> Iterator[Problem]:
    clinician = fields.clinician
    completes: Any = () if clinician is None else clinician.completes
    for name, given, known in (("completes", completes, GAPS), ("lowers", _lowers(fields), LOWERED)):
        if not isinstance(given, tuple) or not all(isinstance(each, str) and each in known for each in given):
            yield Problem(f"clinician.{name}", given, f"must be a list of {', '.join(known)}")
            return
    if clinician is not None and not (isinstance(clinician.name, str) and is_label(clinician.name)):
        yield Problem("clinician.name", clinician.name, "must name the clinician who answers for it")
    yield from _completion_problems(fields.protocol.id, completes, gaps)
    for name in sorted(set(_lowers(fields)) - lowered(fields).keys()):
        allowed = f"holds {name!r}, which is not below what the profile says; take it out"
        yield Problem("clinician.lowers", list(_lowers(fields)), allowed)


def _completion_problems(profile_id: str, given: Collection[str], wanted: frozenset[str]) -> Iterator[Problem]:
    if missing := sorted(wanted - set(given)):
        whole_list = ", ".join(f'"{name}"' for name in sorted(wanted | set(given)))
        meant = ", ".join(_MEANING[name] for name in missing)
        allowed = f"{profile_id} does not settle {meant}; a clinician who does writes under [clinician]"
        yield Problem("clinician.completes", list(given) or None, f"{allowed}: completes = [{whole_list}]")
    for name in sorted(set(given) - wanted):
        yield Problem("clinician.completes", list(given), f"holds {name!r}, which the profile settles; take it out")
