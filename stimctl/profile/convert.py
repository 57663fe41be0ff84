"""From the values of a profile, as people write them, to integers within the limits, and to a program's segments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from stimctl import anatomy, limits
from stimctl.errors import Misuse, Problem, Unsafe
from stimctl.limits import Limit
from stimctl.profile.amounts import limit_text
from stimctl.profile.model import Profile, StimulationSettings, Variant
from stimctl.units import UA_PER_MA, US_PER_MIN, US_PER_MS, US_PER_S, whole
from stimctl.waveform import Program, Segment, segments_for


@dataclass(frozen=True, slots=True)
class _Amount:
    """How a field of the stimulation becomes an integer, and the limit that it has to keep."""

    name: str
    written: str
    factor: int
    unit: str
    limit: Limit


_AMOUNTS = (
    _Amount("amplitude_ma", "mA", UA_PER_MA, "uA", limits.CEILING),
    _Amount("minutes", "min", US_PER_MIN, "us", limits.STIMULATION),
    _Amount("width_2hz_ms", "ms", US_PER_MS, "us", limits.WIDTH),
    _Amount("width_100hz_ms", "ms", US_PER_MS, "us", limits.WIDTH),
    _Amount("interphase_gap_us", "us", 1, "us", limits.INTERPHASE_GAP),
    _Amount("dwell_2hz_s", "s", US_PER_S, "us", limits.DWELL),
    _Amount("dwell_100hz_s", "s", US_PER_S, "us", limits.DWELL),
    _Amount("ramp_ma_per_s", "mA/s", UA_PER_MA, "uA/s", limits.RAMP_SLOPE),
    _Amount("ramp_down_s", "s", US_PER_S, "us", limits.RAMP_DOWN),
)
_BY_NAME = {amount.name: amount for amount in _AMOUNTS}


def broken_limits(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Where a file asks for more than any session may give, as far as it can be read: other parts may be wrong."""
    for amount in _AMOUNTS:
        for part, number in _numbers(_value(values, amount.name)):
            yield from _amount_problems(f"stimulation.{amount.name}.value{part}", number, amount)
    pairs = _value(values, "pairs")
    for index, pair in enumerate(pairs if isinstance(pairs, list) else ()):
        if (
            isinstance(pair, list)
            and len(pair) == 2
            and all(isinstance(point, str) and point in anatomy.POINTS for point in pair)
        ):
            yield from _pair_problems(f"stimulation.pairs.value[{index}]", (pair[0], pair[1]))


def _value(values: Mapping[str, Any], name: str) -> Any:
    """What stands as `stimulation.NAME.value`, if those are tables and it does."""
    found: Any = values
    for part in ("stimulation", name, "value"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _numbers(value: Any) -> list[tuple[str, float]]:
    parts: list[tuple[str, Any]] = [("", value)]
    if isinstance(value, Mapping):
        parts = [(f".{end}", value.get(end)) for end in ("low", "high")]
    return [(part, number) for part, number in parts if _is_number(number)]


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and isfinite(value))


def _amount_problems(field: str, number: float, amount: _Amount) -> Iterator[Problem]:
    try:
        scaled = whole(number, amount.factor, name=field, unit=amount.unit)
    except Misuse as inexact:
        yield Problem(field, number, str(inexact).removeprefix(f"{field}: "))
        return
    if not amount.limit.allows(scaled):
        yield Problem(field, number, limit_text(amount.limit, amount.factor, amount.written))


def _pair_problems(field: str, pair: tuple[str, str]) -> Iterator[Problem]:
    """A pair that no choice of sides makes legal. An Ashi point's region is only known once it is declared."""
    if anatomy.ASHI.code in pair:
        return
    first, second = (anatomy.find(code) for code in pair)
    reasons = [
        anatomy.check_pair(anatomy.place(first.code, side), anatomy.place(second.code, other_side))
        for side in sorted(first.sides())
        for other_side in sorted(second.sides())
    ]
    if None not in reasons:
        yield Problem(field, pair, f"is refused on every side: {reasons[0]}")


def program_problems(profile: Profile, index: int, variant: Variant) -> Iterator[Problem]:
    """What only the whole pattern shows: phases that do not balance, a dwell too short for its pulses."""
    try:
        Program(segments(profile, variant), channels=(1, 2, 3))
    except Unsafe as broken:
        for problem in broken.problems:
            yield Problem(f"variants[{index}]", None, str(problem))
    except Misuse:
        return  # an amount that is not whole was named above; an unspecified one is a gap, not an error


def _whole(stimulation: StimulationSettings, name: str) -> int:
    amount, value = _BY_NAME[name], getattr(stimulation, name).value
    if value is None:
        raise Misuse(f"the profile leaves {name} unspecified")
    return whole(value, amount.factor, name=name, unit=amount.unit)


def _ratio(value: int | None) -> int:
    if value is None:
        raise Misuse("the profile leaves the second phase's width unspecified")
    return value


def segments(profile: Profile, variant: Variant) -> tuple[Segment, ...]:
    """The integer segments of one variant. Raises `Misuse` when the profile leaves a part of them open."""
    asked = profile.stimulation
    if asked is None or variant.mode.value is None or asked.first_band.value is None:
        raise Misuse(f"{profile.id} leaves the pattern unspecified")
    return segments_for(
        variant.mode.value,
        dwell_low_us=_whole(asked, "dwell_2hz_s"),
        dwell_high_us=_whole(asked, "dwell_100hz_s"),
        width_low_us=_whole(asked, "width_2hz_ms"),
        width_high_us=_whole(asked, "width_100hz_ms"),
        gap_us=_whole(asked, "interphase_gap_us"),
        second_ratio_low=_ratio(asked.second_phase_ratio_2hz.value),
        second_ratio_high=_ratio(asked.second_phase_ratio_100hz.value),
        low_first=asked.first_band.value == "2 Hz",
    )


def ramps(profile: Profile) -> tuple[int, int]:
    """The rise in uA/s and the fall at the end in us. Raises `Misuse` when the profile leaves one open."""
    if profile.stimulation is None:
        raise Misuse(f"{profile.id} has nothing to stimulate")
    return _whole(profile.stimulation, "ramp_ma_per_s"), _whole(profile.stimulation, "ramp_down_s")
