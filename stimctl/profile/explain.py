"""Explains a profile in words: each value with its source, and the gaps."""

from dataclasses import dataclass
from typing import Any

from stimctl.anatomy import POINTS
from stimctl.profile.model import PointPattern, Profile, ProfileNote, ProfilePoint, values
from stimctl.profile.sourced import Origin, Range, Sourced

_MARK = {
    Origin.SOURCE: "[source]",
    Origin.DEFAULT: "[choice]",
    Origin.CLINICIAN: "[clinician]",
    Origin.UNSPECIFIED: "[unspecified]",
}
_UNITS = {
    "sessions_per_week": "sessions a week",
    "course_weeks": "weeks",
    "course_sessions": "sessions",
    "spacing_days": "days between sessions",
    "lasts_months": "months",
    "amplitude_ma": "mA",
    "minutes": "minutes",
    "width_2hz_ms": "ms",
    "width_100hz_ms": "ms",
    "interphase_gap_us": "us",
    "dwell_2hz_s": "s",
    "dwell_100hz_s": "s",
    "ramp_ma_per_s": "mA a second",
    "ramp_down_s": "s",
}
_NAMES = {
    "sessions_per_week": "how often",
    "course_weeks": "course",
    "course_sessions": "sessions in a course",
    "spacing_days": "spacing",
    "follow_up": "after the course",
    "expected_by_session": "a response is to be expected by session",
    "reassess_by_session": "think again without one by session",
    "lasts_months": "lasts",
    "rules": "rule",
    "pairs": "electrode pairs",
    "amplitude_ma": "amplitude",
    "minutes": "time",
    "to_tolerance": "raised to the patient's tolerance",
    "amplitude_means": "amplitude means",
    "shape": "pulse shape",
    "width_2hz_ms": "first phase at 2 Hz",
    "width_100hz_ms": "first phase at 100 Hz",
    "second_phase_ratio_2hz": "second phase at 2 Hz, times as wide",
    "second_phase_ratio_100hz": "second phase at 100 Hz, times as wide",
    "interphase_gap_us": "gap between the phases",
    "dwell_2hz_s": "2 Hz band",
    "dwell_100hz_s": "100 Hz band",
    "first_band": "band that comes first",
    "ramp_ma_per_s": "rise",
    "ramp_down_s": "fall at the end",
    "polarity": "polarity",
    "needle": "needle",
    "mode": "frequency",
    "no_stimulation": "no stimulation",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One headed part of an explanation."""

    title: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([self.title, *(f"  {line}" for line in self.lines)])


def explain(profile: Profile) -> tuple[Section, ...]:
    """The profile in words, section by section; sections that would be empty are left out."""
    sections = [
        Section("Profile", _identity(profile)),
        Section("Points", tuple(_point(point) for point in profile.points)),
        Section("Stimulation", _sourced_under(profile, "stimulation", "no_stimulation", "variants")),
        Section("Schedule", _sourced_under(profile, "schedule")),
        Section("Response", _sourced_under(profile, "response")),
        Section("Patterns that add points", tuple(_pattern(pattern) for pattern in profile.patterns)),
        Section("Left unspecified", _unspecified(profile)),
        Section("To know", tuple(_note(note) for note in profile.notes)),
    ]
    return tuple(section for section in sections if section.lines)


def _identity(profile: Profile) -> tuple[str, ...]:
    lines = [f"{profile.title} ({profile.id} {profile.version}, {profile.kind})", f"SHA-256 {profile.sha256}"]
    if profile.source is not None:
        lines.append(f"[source] is: {profile.source.title}; {profile.source.section}")
    if profile.no_stimulation is not None:
        lines.append("nothing to stimulate: points and schedule only")
    if profile.gaps:
        state = "locked" if profile.locked else "incomplete"
        lines.append(f"{state} until a clinician names: {', '.join(_NAMES[name] for name in profile.gaps)}")
    if profile.kind == "bench":
        lines.append("for dummy loads and simulators only: no condition is treated by it")
    return tuple(lines)


def _point(point: ProfilePoint) -> str:
    said = f" {_quoted(point.quote, point.section)}" if point.quote else f" {point.note}" if point.note else ""
    return f"{point.code} ({POINTS[point.code].name}), {point.role}: {point.use} {_MARK[point.origin]}{said}"


def _pattern(pattern: PointPattern) -> str:
    said = f' "{pattern.quote}"' if pattern.quote else ""
    added = ", ".join(pattern.add)
    return f"{pattern.name} ({pattern.signs}): add {added}. {pattern.aim} {_MARK[pattern.origin]}{said}"


def _note(note: ProfileNote) -> str:
    parts = [f"{note.about}:", *([note.text] if note.text else []), _MARK[note.origin]]
    parts += [_quoted(note.quote, note.section)] if note.quote else []
    parts += [f"[lit] {note.citation}"] if note.citation else []
    parts += [f"But: {note.slip}"] if note.slip else []
    return " ".join(parts)


def _quoted(quote: str, section: str | None) -> str:
    """The source's words, and their section where it is not the profile's own."""
    return f'"{quote}"' + (f" (under {section})" if section else "")


def _sourced_under(profile: Profile, *roots: str) -> tuple[str, ...]:
    return tuple(
        _sourced(_name(path), part)
        for path, part in values(profile)
        if path.partition(".")[0].partition("[")[0] in roots and isinstance(part, Sourced) and part.value is not None
    )


def _unspecified(profile: Profile) -> tuple[str, ...]:
    return tuple(
        f"{_NAMES[_name(path)]}: {part.note}" + (f'. The source: "{part.quote}"' if part.quote else "")
        for path, part in values(profile)
        if isinstance(part, Sourced) and part.value is None
    )


def _name(path: str) -> str:
    return path.rpartition(".")[2].partition("[")[0]


def _sourced(name: str, part: Sourced[Any]) -> str:
    words = [f"{_NAMES[name]}: {value_text(name, part.value)} {_MARK[part.origin]}"]
    words += [_quoted(part.quote, part.section)] if part.quote else []
    words += [f"({part.note})"] if part.note else []
    words += [f"But: {part.slip}"] if part.slip else []
    return " ".join(words)


def value_text(name: str, value: object) -> str:
    """A value of a profile as people read it, with its unit."""
    if isinstance(value, tuple):
        return ", ".join(f"{first} to {second}" for first, second in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    unit = _UNITS.get(name)
    return f"{shown} {unit}" if unit and isinstance(value, int | float | Range) else shown
