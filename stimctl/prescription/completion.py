"""What the profile says of a prescription, and who answers for what the profile leaves open.

A value that the profile gives has to be kept. A value that it leaves unspecified has to be named by a
clinician, who says so by name: a gap is never filled in silence. So has an amount below the profile's range, which is
the safer side of it; above its range nobody can go.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from stimctl.errors import Problem
from stimctl.prescription.asked import Asked
from stimctl.prescription.plan import GAPS, LOWERED, Terminal, is_text
from stimctl.profile import Range
from stimctl.units import UA_PER_MA, US_PER_MIN, whole


def profile_problems(asked: Asked) -> Iterator[Problem]:
    """Where the prescription leaves what the profile says, or what nobody answers for."""
    bench = asked.protocol.stimulation is None or asked.protocol.kind == "bench"
    lowers_is_a_list = isinstance(_lowers(asked), tuple)
    if not bench and lowers_is_a_list:
        yield from _range_problems(asked)
    yield from _clinician_problems(asked, frozenset() if bench else named_by_clinician(asked))


def _range_problems(asked: Asked) -> Iterator[Problem]:
    minutes, amplitude = _range(asked, "minutes"), _range(asked, "amplitude_ma")
    if minutes is not None:
        said = f"{asked.protocol.id} says {minutes} minutes"
        given = f"{asked.stimulation_us / US_PER_MIN:g} min"
        for wrong in _outside(asked, "minutes", asked.stimulation_us, minutes, US_PER_MIN):
            yield Problem("stimulation_us", given, f"{said}{wrong}")
    if amplitude is None:
        return
    said = f"{asked.protocol.id} says {amplitude} mA"
    for wrong in _outside(asked, "amplitude_ma", asked.ceiling_ua, amplitude, UA_PER_MA):
        yield Problem("ceiling_ua", asked.ceiling_ua, f"{said}{wrong}")
    for index, plan in enumerate(() if asked.titrate else asked.channels):
        for wrong in _outside(asked, "amplitude_ma", plan.amplitude_ua, amplitude, UA_PER_MA):
            yield Problem(f"channels[{index}].amplitude_ua", plan.amplitude_ua, f"{said}{wrong}")


def _outside(asked: Asked, name: str, value: int, said: Range, factor: int) -> Iterator[str]:
    """Nothing where an amount keeps the profile's range, or is below it and a clinician answers for that."""
    if value > _scaled(said.high, factor):
        yield ""
    if value < _scaled(said.low, factor) and name not in _lowers(asked):
        yield f'; a clinician who chooses less writes under [clinician]: lowers = ["{name}"]'


def _lowers(asked: Asked) -> Any:
    return () if asked.clinician is None else asked.clinician.lowers


def _range(asked: Asked, name: str) -> Range | None:
    found: Range | None = getattr(asked.protocol.stimulation, name).value
    return found


def _scaled(value: float, factor: int) -> int:
    return whole(value, factor, name="a profile's bound", unit="its unit")


def lowered(asked: Asked) -> Mapping[str, str]:
    """Which amounts are below the profile's range, each with what is asked and what the profile says."""
    if asked.protocol.stimulation is None or asked.protocol.kind == "bench":
        return {}
    found = {}
    minutes, amplitude = _range(asked, "minutes"), _range(asked, "amplitude_ma")
    if minutes is not None and asked.stimulation_us < _scaled(minutes.low, US_PER_MIN):
        found["minutes"] = f"{asked.stimulation_us / US_PER_MIN:g} minutes, and {asked.protocol.id} says {minutes}"
    lowest_ua = min(asked.ceiling_ua if asked.titrate else plan.amplitude_ua for plan in asked.channels)
    if amplitude is not None and lowest_ua < _scaled(amplitude.low, UA_PER_MA):
        found["amplitude_ma"] = f"{lowest_ua / UA_PER_MA:g} mA, and {asked.protocol.id} says {amplitude}"
    return found


def named_by_clinician(asked: Asked) -> frozenset[str]:
    """What the profile leaves open, or the prescription does otherwise: the clinician answers for it.

    Between the terminals of a load there are no pairs to name.
    """
    stimulation = asked.protocol.stimulation
    named = set(asked.protocol.gaps)
    used = [plan.ends for plan in asked.channels if not isinstance(plan.first, Terminal)]
    if not used:
        named.discard("pairs")
    elif stimulation is not None and stimulation.pairs.value is not None:
        said = {frozenset(pair) for pair in stimulation.pairs.value}
        if any(frozenset(end.point for end in ends) not in said for ends in used):
            named.add("pairs")
    return frozenset(named)


_MEANING: Mapping[str, str] = {
    "pairs": "which needles are a pair",
    "amplitude_ma": "the amplitude, or the ceiling of a titration",
    "minutes": "how long",
}


def _clinician_problems(asked: Asked, gaps: frozenset[str]) -> Iterator[Problem]:
    clinician = asked.clinician
    completes: Any = () if clinician is None else clinician.completes
    for name, given, known in (("completes", completes, GAPS), ("lowers", _lowers(asked), LOWERED)):
        if not isinstance(given, tuple) or not all(isinstance(each, str) and each in known for each in given):
            yield Problem(f"clinician.{name}", given, f"must be a list of {', '.join(known)}")
            return
    if clinician is not None and not (isinstance(clinician.name, str) and is_text(clinician.name)):
        yield Problem("clinician.name", clinician.name, "must name the clinician who answers for it")
    yield from _completion_problems(asked.protocol.id, completes, gaps)
    for name in sorted(set(_lowers(asked)) - lowered(asked).keys()):
        allowed = f"holds {name!r}, which is not below what the profile says; take it out"
        yield Problem("clinician.lowers", list(_lowers(asked)), allowed)


def _completion_problems(profile_id: str, given: Collection[str], wanted: frozenset[str]) -> Iterator[Problem]:
    if missing := sorted(wanted - set(given)):
        whole_list = ", ".join(f'"{name}"' for name in sorted(wanted | set(given)))
        meant = ", ".join(_MEANING[name] for name in missing)
        allowed = f"{profile_id} does not settle {meant}; a clinician who does writes under [clinician]"
        yield Problem("clinician.completes", list(given) or None, f"{allowed}: completes = [{whole_list}]")
    for name in sorted(set(given) - wanted):
        yield Problem("clinician.completes", list(given), f"holds {name!r}, which the profile settles; take it out")
