"""Reads a prescription from a file, or from answers, in the units that people write.

Two steps, as errors go: `InputInvalid` for what cannot be read as a prescription at all, then `Unsafe` for
what can be read and must not be done. Each lists everything it found, with lines where there is a file.
A screening never stands in a file: it is asked, and handed over at the call.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field

from stimctl import limits
from stimctl.anatomy import Placement, Region, Side, place
from stimctl.errors import InputInvalid, Misuse, Problem, Unsafe
from stimctl.label import Label
from stimctl.prescription.core import PaperPrescription, Prescription
from stimctl.prescription.plan import (
    NEEDLE_DIAMETER,
    NEEDLE_INSERTED,
    OHM_MAX,
    ChannelPlan,
    Clinician,
    Coating,
    Needle,
    PrescriptionFields,
    Subject,
    Terminal,
    is_whole,
)
from stimctl.prescription.written import UnsafeFile, as_written
from stimctl.profile import Profile, Profiles, load_profiles
from stimctl.profile.amounts import limit_text
from stimctl.profile.sourced import Slug, Strict
from stimctl.profile.toml_text import TomlText, check, read_file
from stimctl.screening import Screening
from stimctl.units import UA_PER_MA, US_PER_MIN, US_PER_S, whole
from stimctl.waveform import Segment

T = TypeVar("T", bound=PaperPrescription)
UM_PER_MM = 1_000
TERMINALS = {"terminal 1": 1, "terminal 2": 2}
ABSURD = 1_000_000  # in the unit that people write: no amount comes near it
_ALLOWED = {
    "minutes": limit_text(limits.STIMULATION, US_PER_MIN, "min"),
    "seconds": limit_text(limits.STIMULATION, US_PER_S, "s"),
    "ceiling_ma": limit_text(limits.CEILING, UA_PER_MA, "mA"),
    "amplitude_ma": limit_text(limits.TARGET, UA_PER_MA, "mA"),
    "diameter_mm": limit_text(NEEDLE_DIAMETER, UM_PER_MM, "mm"),
    "inserted_mm": limit_text(NEEDLE_INSERTED, UM_PER_MM, "mm"),
}


def _as_label(text: str) -> str:
    """As a label where it can be one; else as it is, for the checks to name with all else that is wrong."""
    try:
        return Label(text)
    except ValueError:
        return text


Name = Annotated[str, AfterValidator(_as_label)]


class NeedleFile(Strict):
    """The needles of a pair, both alike."""

    diameter_mm: float = Field(description="of the shaft, as in 0.30")
    inserted_mm: float = Field(description="how much of it is in tissue")
    coating: Annotated[Coating, Field(strict=False)] = Field(description=f"one of {', '.join(Coating)}")


class PlacementFile(Strict):
    """Where one needle is: a point and its side; an Ashi point with region and spot; or a load's terminal."""

    point: Name = Field(description='as in "BL-23"; "terminal 1" and "terminal 2" on a dummy load')
    side: Annotated[Side | None, Field(strict=False)] = None
    region: Annotated[Region | None, Field(strict=False)] = Field(None, description="of an Ashi point")
    spot: Annotated[str, AfterValidator(lambda text: text and Label(text))] = Field(
        "", description="an Ashi point's place in words"
    )


class ChannelFile(Strict):
    channel: int = Field(description="1 to 4")
    first: PlacementFile
    second: PlacementFile
    amplitude_ma: float | None = Field(None, description="0.5 up to the ceiling; left out where titrate is true")
    needle: NeedleFile | None = Field(None, description="has to be declared, but for a load's terminals")


class SegmentFile(Strict):
    """A bench's own pulses: both phases of one area, at a steady period."""

    period_us: int = Field(description="10000 for 100 Hz to 1000000 for 1 Hz")
    width_us: int = Field(description="of the first phase, 100 to 600")
    interphase_gap_us: int = 0
    second_width_us: int | None = Field(None, description="as the first where it is left out")
    dwell_us: int = Field(0, description="how long before the other segment, where there are two")


class ClinicianFile(Strict):
    """The clinician who fills the profile's gaps, and answers for less than it says."""

    name: Name
    completes: tuple[Literal["pairs", "amplitude_ma", "minutes"], ...] = ()
    lowers: tuple[Literal["amplitude_ma", "minutes"], ...] = Field((), description="what is below the profile's range")


class PrescriptionFile(Strict):
    """The content of a prescription's file."""

    format: Literal[1] = Field(description="the format of the file, 1")
    profile: Slug = Field(description="a profile's id")
    variant: Slug | None = Field(None, description="needed where a profile has more than one")
    profile_version: str | None = Field(None, description="refuse another version of the profile")
    profile_sha256: str | None = Field(None, description="refuse a profile with another hash")
    subject: Annotated[Subject, Field(strict=False)] = Field(description=f"one of {', '.join(Subject)}")
    operator: Name
    pseudonym: Name
    minutes: float | None = Field(None, description="of stimulation; or give seconds")
    seconds: float | None = Field(None, description="of stimulation; or give minutes")
    ceiling_ma: float = Field(description="no pulse goes above it; 0.5 to 2.0")
    titrate: bool = Field(False, description="true: begin at zero, the operator raises to tolerance")
    ramp_only: bool = Field(False, description="true: a session that is mostly ramp is meant")
    segments: Annotated[tuple[SegmentFile, ...] | None, Field(min_length=1, max_length=2)] = Field(
        None, description="of a bench profile only: pulses in place of the profile's"
    )
    declared_ohm: int | None = Field(None, description=f"of a dummy load, 0 to {OHM_MAX}")
    approval: Name | None = Field(None, description="number of the approval, for an animal")
    pregnant: bool | None = None
    channels: Annotated[tuple[ChannelFile, ...], Field(min_length=1)]
    clinician: ClinicianFile | None = None


def from_file(
    path: Path, profiles: Mapping[str, Profile] | None = None, *, screening: Screening | None = None
) -> Prescription:
    """The prescription in a TOML file. `profiles` are those of `load_profiles` unless given.

    Raises `InputInvalid` or `Unsafe`, with every problem and its line.
    """
    return _of_file(Prescription, path, profiles, screening)


def paper_from_file(path: Path, profiles: Mapping[str, Profile] | None = None) -> PaperPrescription:
    """The same of a file for a person who is not screened yet, to be checked and shown."""
    return _of_file(PaperPrescription, path, profiles, None)


def _of_file(kind: type[T], path: Path, profiles: Mapping[str, Profile] | None, screening: Screening | None) -> T:
    text = read_file(path)
    try:
        _check_kind(text)
        return _of_values(kind, text.values, profiles, str(path), screening)
    except InputInvalid as invalid:
        if invalid.source != str(path):
            raise  # a profile's file is at fault, and has its own lines
        raise text.invalid(invalid.problems) from None
    except Unsafe as unsafe:
        raise UnsafeFile(str(path), text.located(unsafe.problems)) from None


def from_mapping(
    values: Mapping[str, Any],
    profiles: Mapping[str, Profile] | None = None,
    *,
    source: str = "prescription",
    screening: Screening | None = None,
) -> Prescription:
    """The same from values as a file would hold them: what a page or a program asked a person for."""
    return _of_values(Prescription, values, profiles, source, screening)


def paper_from_mapping(
    values: Mapping[str, Any], profiles: Mapping[str, Profile] | None = None, *, source: str = "prescription"
) -> PaperPrescription:
    """The same before the screening."""
    return _of_values(PaperPrescription, values, profiles, source, None)


def fields_of(
    values: Mapping[str, Any], profiles: Mapping[str, Profile], *, source: str = "prescription"
) -> PrescriptionFields:
    """What the values say, with nothing of it checked against a limit yet. Raises `InputInvalid`."""
    return PrescriptionFields(**_fields(values, profiles, source))


def _fields(values: Mapping[str, Any], profiles: Mapping[str, Profile] | None, source: str) -> dict[str, Any]:
    problems, file = check(PrescriptionFile, values)
    if file is None:
        raise InputInvalid(source, problems)
    return _PrescriptionReader(source).fields(file, load_profiles() if profiles is None else profiles)


def _of_values(
    kind: type[T],
    values: Mapping[str, Any],
    profiles: Mapping[str, Profile] | None,
    source: str,
    screening: Screening | None,
) -> T:
    fields = _fields(values, profiles, source)
    try:
        return kind(**fields, screening=screening)
    except Unsafe as unsafe:
        raise Unsafe(as_written(unsafe.problems, values)) from None


def subject_of(path: Path) -> tuple[Subject, str]:
    """Subject and pseudonym of a file, to know whether a screening has to be asked first, and of whom."""
    text = read_file(path)
    _check_kind(text)
    problems, file = check(PrescriptionFile, text.values)
    if file is None:
        raise text.invalid(problems)
    return file.subject, file.pseudonym


def values_in(path: Path) -> dict[str, Any]:
    """What stands in a file, as `from_mapping` takes it. Raises `InputInvalid` for what is no prescription's file."""
    text = read_file(path)
    _check_kind(text)
    return text.values


def _check_kind(text: TomlText) -> None:
    """Raise `InputInvalid` for a profile that is given for a prescription, and for numbers that read otherwise."""
    if "kind" in text.values and "channels" not in text.values:
        allowed = f"is a profile and not a prescription, which names it with profile = {text.values.get('id')!r}"
        raise text.invalid([Problem("file", None, f"{allowed}; stimctl profile check FILE reads a profile", 1)])
    if problems := text.numeral_problems():
        raise text.invalid(problems)


class _PrescriptionReader:
    """From the file's shape to integers, collecting what does not convert."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._problems: list[Problem] = []

    def fields(self, file: PrescriptionFile, profiles: Mapping[str, Profile]) -> dict[str, Any]:
        """Those of `PrescriptionFields`, but for the screening. Raises `InputInvalid`."""
        profile = self._profile(file, profiles)
        stimulation_us = self._stimulation_us(file)
        ceiling_ua = self._whole("ceiling_ma", file.ceiling_ma, UA_PER_MA, "uA")
        plans = [self._plan(f"channels[{i}]", channel, file.titrate) for i, channel in enumerate(file.channels)]
        self._count("declared_ohm", file.declared_ohm, f"a dummy load has 0 to {OHM_MAX}")
        if self._problems:
            raise InputInvalid(self._source, self._problems)
        assert profile is not None
        return {
            "subject": file.subject,
            "operator": file.operator,
            "pseudonym": file.pseudonym,
            "protocol": profile,
            "variant": _variant_id(file, profile),
            "channels": tuple(plan for plan in plans if plan is not None),
            "ceiling_ua": ceiling_ua,
            "stimulation_us": stimulation_us,
            "titrate": file.titrate,
            "ramp_only": file.ramp_only,
            "segments": None if file.segments is None else tuple(_segment(each) for each in file.segments),
            "declared_ohm": file.declared_ohm,
            "approval": file.approval,
            "pregnant": file.pregnant,
            "clinician": None if file.clinician is None else Clinician(**file.clinician.model_dump()),
        }

    def _say(self, field: str, value: object, allowed: str) -> None:
        self._problems.append(Problem(field, value, allowed))

    def _profile(self, file: PrescriptionFile, profiles: Mapping[str, Profile]) -> Profile | None:
        profile = profiles.get(file.profile)
        if profile is None:
            if isinstance(profiles, Profiles) and file.profile in profiles.refused:
                raise profiles.refused[file.profile]
            self._say("profile", file.profile, f"no profile has this id; there are {', '.join(sorted(profiles))}")
            return None
        for name, wanted in (("version", file.profile_version), ("sha256", file.profile_sha256)):
            found = getattr(profile, name)
            if wanted is not None and wanted != found:
                self._say(f"profile_{name}", wanted, f"the profile that was found has {found}: check which is meant")
        return profile

    def _stimulation_us(self, file: PrescriptionFile) -> int:
        if (file.minutes is None) == (file.seconds is None):
            self._say("minutes", file.minutes, "give minutes or seconds, one of the two")
        if file.minutes is not None:
            return self._whole("minutes", file.minutes, US_PER_MIN, "us")
        return self._whole("seconds", file.seconds or 0, US_PER_S, "us")

    def _whole(self, field: str, value: float, factor: int, unit: str) -> int:
        """`value` in whole numbers of `unit`, `factor` of them each; what cannot be is said, and is 0 here."""
        if abs(value) <= ABSURD:
            try:
                return whole(value, factor, name=field, unit=unit)
            except Misuse as inexact:
                self._say(field, value, str(inexact).removeprefix(f"{field}: "))
        else:
            self._say(field, value, f"is beyond anything that can be given; {_ALLOWED[field.rpartition('.')[2]]}")
        return 0

    def _count(self, field: str, value: int | None, allowed: str) -> None:
        if value is not None and not is_whole(value):
            self._say(field, value, f"is beyond anything that can be; {allowed}")

    def _plan(self, field: str, file: ChannelFile, titrate: bool) -> ChannelPlan | None:
        if file.amplitude_ma is None and not titrate:
            self._say(f"{field}.amplitude_ma", None, "is missing: give it, or titrate = true to begin at zero")
        amplitude_ua = self._whole(f"{field}.amplitude_ma", file.amplitude_ma or 0, UA_PER_MA, "uA")
        needle = None if file.needle is None else self._needle(f"{field}.needle", file.needle)
        first, second = self._end(f"{field}.first", file.first), self._end(f"{field}.second", file.second)
        self._count(f"{field}.channel", file.channel, "channels are 1 to 4")
        if self._problems:
            return None
        assert first is not None
        assert second is not None
        return ChannelPlan(file.channel, first, second, amplitude_ua, needle)

    def _needle(self, field: str, file: NeedleFile) -> Needle:
        diameter_um = self._whole(f"{field}.diameter_mm", file.diameter_mm, UM_PER_MM, "um")
        inserted_um = self._whole(f"{field}.inserted_mm", file.inserted_mm, UM_PER_MM, "um")
        return Needle(diameter_um, inserted_um, file.coating)

    def _end(self, field: str, file: PlacementFile) -> Placement | Terminal | None:
        terminal = TERMINALS.get(file.point)
        if terminal is not None:
            for name in _body_fields(file):
                self._say(f"{field}.{name}", getattr(file, name), "a terminal has none")
            return Terminal(terminal)
        try:
            return place(file.point, file.side, file.region, file.spot)
        except InputInvalid as invalid:
            for problem in invalid.problems:
                self._say(f"{field}.{problem.field}", problem.value, problem.allowed)
        except Misuse as unknown:
            self._say(f"{field}.point", file.point, str(unknown))
        return None


def _segment(file: SegmentFile) -> Segment:
    second_width_us = file.width_us if file.second_width_us is None else file.second_width_us
    return Segment(file.period_us, file.width_us, file.interphase_gap_us, second_width_us, file.dwell_us)


def _body_fields(file: PlacementFile) -> Iterator[str]:
    return (name for name in ("side", "region", "spot") if getattr(file, name))


def _variant_id(file: PrescriptionFile, profile: Profile) -> str:
    """The variant's id, the only one's when none is named; empty when that is not settled, which is refused."""
    try:
        return profile.variant(file.variant).id
    except Misuse:
        return file.variant or ""
