"""Finds and reads profiles: the packaged ones, and those in a folder of the user's own.

A file that is wrong, or two files with one id, is an error that names the files whenever that id is asked for,
never a silent choice; the other profiles can be used all the same.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from stimctl import anatomy, limits
from stimctl.errors import InputInvalid, Misuse, Problem, Unsafe
from stimctl.limits import Limit
from stimctl.profile.amounts import limit_text
from stimctl.profile.model import Profile, ProfileFile, StimulationSettings, Variant
from stimctl.profile.toml_text import TomlText, check, parse, read_file
from stimctl.units import UA_PER_MA, US_PER_MIN, US_PER_MS, US_PER_S, whole
from stimctl.user_folder import user_folder as folder_of_user
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
    """The user's own profiles: `STIMCTL_PROFILES`, or `profiles` in stimctl's configuration folder.

    Raises `Misuse` for a user who has neither.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else folder_of_user("config", FOLDER_VARIABLE) / "profiles"


class Profiles(dict[str, Profile]):
    """The profiles that can be used, by id. `faults` says which files cannot, `refused` which ids for that."""

    def __init__(self, profiles: Mapping[str, Profile], faults: Iterable[InputInvalid] = ()) -> None:
        super().__init__(profiles)
        self.faults = tuple(faults)
        self.refused: dict[str, InputInvalid] = {}

    def refuse(self, profile_id: str, fault: InputInvalid) -> None:
        """Let nobody have this id: its file is wrong, or it has two."""
        self.pop(profile_id, None)
        self.refused[profile_id] = fault


def load_profiles(extra_dir: Path | None = None) -> Profiles:
    """All profiles by id, from the packaged folder and `extra_dir` (by default the user's folder).

    Files that are wrong, and an id that two files have, are in its `faults`. Raises `InputInvalid` when the
    folder that was named is none.
    """
    own, unreadable = _own_files(extra_dir)
    found = [_File(path) for path in _once([*_toml_files(packaged_folder()), *own])]
    profiles = Profiles({each.profile.id: each.profile for each in found if each.profile is not None}, unreadable)
    claimed: dict[str, list[_File]] = {}
    for each in found:
        claimed.setdefault(each.id, []).append(each)
    for profile_id, files in claimed.items():
        faults = [each.fault for each in files if each.fault is not None]
        if len(files) > 1 and profile_id:
            faults = [_shared(each, [other for other in files if other is not each]) for each in files[1:]]
        profiles.faults += tuple(faults)
        if faults and profile_id:
            profiles.refuse(profile_id, _all_of(faults))
    return profiles


def load(name: str, extra_dir: Path | None = None) -> Profile:
    """The profile with this id. Raises `Misuse` when there is none, `InputInvalid` when its file is wrong."""
    return choose(load_profiles(extra_dir), name)


def choose(profiles: Mapping[str, Profile], name: str) -> Profile:
    """The profile with this id. Raises `Misuse`, naming those there are, and `InputInvalid` for a wrong file."""
    if name not in profiles:
        faults: tuple[InputInvalid, ...] = ()
        if isinstance(profiles, Profiles):
            if name in profiles.refused:
                raise profiles.refused[name]
            faults = profiles.faults
        wrong = f"; not usable: {', '.join(fault.source for fault in faults)}" if faults else ""
        raise Misuse(f"no profile has the id {name!r}; there are {', '.join(sorted(profiles))}{wrong}")
    return profiles[name]


def load_file(path: Path) -> Profile:
    """One profile. Raises `InputInvalid` with every problem: line, field, value and what is allowed."""
    return _of_text(read_file(path))


def load_text(content: bytes, source: str) -> Profile:
    """The same from the bytes of a file; `source` names it in errors."""
    return _of_text(parse(content, source))


def _of_text(text: TomlText) -> Profile:
    problems, content = check(ProfileFile, text.values)
    named = {problem.field for problem in problems}
    problems += [problem for problem in _broken_limits(text.values) if problem.field not in named]
    if content is None or problems:
        raise text.invalid(problems)
    parts = {name: getattr(content, name) for name in ProfileFile.model_fields}
    profile = Profile(**parts, sha256=text.sha256, path=text.source)
    # With the amounts in order, what is wrong is in how they go together.
    for index, variant in enumerate(profile.variants):
        problems += _program_problems(profile, index, variant)
    if problems:
        raise text.invalid(problems)
    return profile


class _File:
    """One file of a folder: its profile or what is wrong with it, and the id that it claims, "" if none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = ""
        self.profile: Profile | None = None
        self.fault: InputInvalid | None = None
        try:
            text = read_file(path)
            claimed = text.values.get("id")
            self.id = claimed if isinstance(claimed, str) else ""
            self.profile = _of_text(text)
        except InputInvalid as fault:
            self.fault = fault


def _shared(file: _File, others: list[_File]) -> InputInvalid:
    """A file whose id others have too: which of them is meant, nobody can know."""
    named = ", ".join(str(other.path) for other in others)
    shared = Problem("id", file.id, f"is also the id of {named}; change one")
    return InputInvalid(str(file.path), [shared, *(file.fault.problems if file.fault else ())])


def _toml_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix == ".toml")


def _own_files(extra_dir: Path | None) -> tuple[list[Path], list[InputInvalid]]:
    """The user's own, and what is wrong with their folder; it need not be there unless it was named."""
    try:
        folder = extra_dir if extra_dir is not None else user_folder()
    except Misuse:
        return [], []  # who has no home has no profiles in it
    try:
        return _toml_files(folder), []
    except OSError as fault:
        none = isinstance(fault, FileNotFoundError | NotADirectoryError)
        why = "is no folder" if none else f"cannot be looked into ({fault.strerror})"
        wrong = InputInvalid(str(folder), [Problem("folder", None, f"{why}; profiles were to be looked for in it")])
        if extra_dir is not None or os.environ.get(FOLDER_VARIABLE):
            raise wrong from fault
        return [], [] if none else [wrong]


def _once(paths: Iterable[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() not in seen:
            seen.add(path.resolve())
            yield path


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


def _broken_limits(values: Mapping[str, Any]) -> Iterator[Problem]:
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


def _program_problems(profile: Profile, index: int, variant: Variant) -> Iterator[Problem]:
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
