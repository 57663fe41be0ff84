"""Finding profiles and reading them: the packaged ones, and a folder of the user's own.

A profile is used only when every file in both folders is whole: two files with one id, or one that cannot be
read, is an error that names the file, never a silent choice.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from stimctl import anatomy, limits
from stimctl.errors import InputInvalid, Misuse, Problem, Unsafe
from stimctl.limits import Limit
from stimctl.profile.model import Profile, ProfileFile, Range, Stimulation, Variant
from stimctl.profile.toml_text import read_file, validated
from stimctl.units import UA_PER_MA, US_PER_MIN, US_PER_MS, US_PER_S, whole
from stimctl.waveform import Program, Segment, segments_for

FOLDER_VARIABLE = "STIMCTL_PROFILES"


def packaged_folder() -> Path:
    """The profiles that come with stimctl: inside the wheel, or `profiles/` of a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_profiles"
    return inside if inside.is_dir() else package.parent / "profiles"


def examples_folder() -> Path:
    """The example prescriptions that come with stimctl."""
    return packaged_folder() / "examples"


def user_folder() -> Path:
    """The user's own profiles: `STIMCTL_PROFILES`, or `profiles` in stimctl's configuration folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else platformdirs.user_config_path("stimctl") / "profiles"


def load_profiles(extra_dir: Path | None = None) -> dict[str, Profile]:
    """All profiles by id, from the packaged folder and `extra_dir` (by default the user's folder).

    Raises `InputInvalid` for files that are wrong and for an id that two files have.
    """
    own = extra_dir if extra_dir is not None else user_folder()
    if not own.is_dir() and (extra_dir is not None or os.environ.get(FOLDER_VARIABLE)):
        raise InputInvalid(str(own), [Problem("folder", None, "is no folder; profiles were to be looked for in it")])
    profiles: dict[str, Profile] = {}
    faults: list[InputInvalid] = []
    for path in _files(packaged_folder(), own):
        try:
            _add(profiles, load_file(path))
        except InputInvalid as fault:
            faults.append(fault)
    if faults:
        raise _all_of(faults)
    return profiles


def load(name: str, extra_dir: Path | None = None) -> Profile:
    """The profile with this id. Raises `Misuse` when there is none, `InputInvalid` as `load_profiles` does."""
    return choose(load_profiles(extra_dir), name)


def choose(profiles: dict[str, Profile], name: str) -> Profile:
    """The profile with this id. Raises `Misuse`, naming those there are."""
    if name not in profiles:
        raise Misuse(f"no profile has the id {name!r}; there are {', '.join(sorted(profiles))}")
    return profiles[name]


def load_file(path: Path) -> Profile:
    """One profile. Raises `InputInvalid` with every problem: line, field, value and what is allowed."""
    text = read_file(path)
    content = validated(ProfileFile, text)
    parts = {name: getattr(content, name) for name in ProfileFile.model_fields}
    profile = Profile(**parts, sha256=text.sha256, path=str(path))
    problems = _broken_limits(profile)
    if problems:
        raise text.invalid(problems)
    return profile


def _files(*folders: Path) -> Iterator[Path]:
    seen: set[Path] = set()
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def _add(profiles: dict[str, Profile], profile: Profile) -> None:
    other = profiles.setdefault(profile.id, profile)
    if other is not profile:
        raise InputInvalid(profile.path, [Problem("id", profile.id, f"is also the id of {other.path}; change one")])


def _all_of(faults: list[InputInvalid]) -> InputInvalid:
    if len(faults) == 1:
        return faults[0]
    problems = [
        Problem(f"{fault.source}: {problem.field}", problem.value, problem.allowed, problem.line)
        for fault in faults
        for problem in fault.problems
    ]
    return InputInvalid(f"{len(faults)} profiles", problems)


# --- from values that people write to integers --------------------------------------------------------


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


def _broken_limits(profile: Profile) -> list[Problem]:
    """Where a file asks for more than any session may give."""
    if profile.stimulation is None:
        return []
    problems: list[Problem] = []
    for amount in _AMOUNTS:
        value = getattr(profile.stimulation, amount.name).value
        for part, number in _numbers(value):
            problems += _amount_problems(f"stimulation.{amount.name}.value{part}", number, amount)
    for index, pair in enumerate(profile.stimulation.pairs.value or ()):
        problems += _pair_problems(f"stimulation.pairs.value[{index}]", pair)
    if not problems:  # with the amounts in order, what is wrong is in how they go together
        for index, variant in enumerate(profile.variants):
            problems += _program_problems(profile, index, variant)
    return problems


def _numbers(value: float | Range | None) -> list[tuple[str, float]]:
    if value is None:
        return []
    return [(".low", value.low), (".high", value.high)] if isinstance(value, Range) else [("", value)]


def _amount_problems(field: str, number: float, amount: _Amount) -> Iterator[Problem]:
    try:
        scaled = whole(number, amount.factor, name=field, unit=amount.unit)
    except Misuse as inexact:
        yield Problem(field, number, str(inexact).removeprefix(f"{field}: "))
        return
    if not amount.limit.allows(scaled):
        low, high = amount.limit.low / amount.factor, amount.limit.high / amount.factor
        yield Problem(field, number, f"must be {low:g} to {high:g} {amount.written} ({amount.limit.why})")


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


def _program_problems(profile: Profile, index: int, variant: Variant) -> Iterator[Problem]:
    """What only the whole pattern shows: phases that do not balance, a dwell too short for its pulses."""
    try:
        Program(segments(profile, variant), channels=(1, 2, 3))
    except Unsafe as broken:
        for problem in broken.problems:
            yield Problem(f"variants[{index}]", None, str(problem))
    except Misuse:
        return  # an amount that is not whole was named above; an unspecified one is a gap, not an error


def _whole(stimulation: Stimulation, name: str) -> int:
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
