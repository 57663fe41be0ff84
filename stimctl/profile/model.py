"""The data of a profile: each value of a protocol with its source, or marked as unspecified.

A `Profile` may have gaps: "unspecified" is a state of a value, not a missing line. A prescription fills the
gaps; nothing here does. Amounts stand as people write them (mA, ms, minutes) and become integers on the way
to a program.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from stimctl import anatomy
from stimctl.errors import Misuse
from stimctl.profile.sourced import (
    SLUG_MEANING,
    FromField,
    Origin,
    Quote,
    Range,
    SectionName,
    Slug,
    Sourced,
    Strict,
    Text,
    from_its_quote,
)
from stimctl.waveform import Mode


def _known_point(code: str) -> str:
    try:
        if anatomy.find(code).code == code:
            return code
    except Misuse as unknown:
        raise ValueError(str(unknown)) from None
    raise ValueError(f"must be written {anatomy.find(code).code}")


PointCode = Annotated[str, AfterValidator(_known_point)]
Ratio = Annotated[int, Field(ge=1, le=12)]  # how many times as wide, and as low, the second phase is


class SourceDocument(Strict):
    """The document that the values marked "source" are taken from."""

    title: Text
    section: Text = Field(description="the section of values that name no other")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of its text, 64 hexadecimal digits")]


class ProfilePoint(Strict):
    """A point of the protocol, and what it is there for."""

    code: PointCode = Field(description="a point that stimctl knows, as in BL-23")
    role: Text = Field(description="primary, tender point, ...")
    use: Text = Field(description="what it is there for: words of its quote, where the source says so")
    origin: FromField
    quote: Quote = None
    section: SectionName = None
    note: Text | None = None

    @model_validator(mode="after")
    def _said_by_the_source(self) -> Self:
        from_its_quote(self.origin, self.quote, self.use)
        return self


class TreatmentSchedule(Strict):
    """How often and for how long."""

    sessions_per_week: Sourced[Range]
    course_weeks: Sourced[Range]
    course_sessions: Sourced[Range]
    spacing_days: Sourced[Range]
    follow_up: tuple[Sourced[Text], ...] = ()


class Response(Strict):
    """What to expect of a course, and when to think again."""

    expected_by_session: Sourced[Range]
    reassess_by_session: Sourced[Range]
    lasts_months: Sourced[Range]
    rules: tuple[Sourced[Text], ...] = ()


class PointPattern(Strict):
    """A pattern that adds points to the protocol."""

    name: Text
    signs: Text
    add: Annotated[tuple[PointCode, ...], Field(min_length=1)]
    aim: Text
    origin: FromField
    quote: Quote = None
    section: SectionName = None

    @model_validator(mode="after")
    def _said_by_the_source(self) -> Self:
        for said in (self.name, *self.signs.split(", "), *self.add, self.aim):
            from_its_quote(self.origin, self.quote, said)
        return self


class StimulationSettings(Strict):
    """The electrical part, common to all variants."""

    pairs: Sourced[tuple[tuple[PointCode, PointCode], ...]]
    amplitude_ma: Sourced[Range]
    to_tolerance: Sourced[bool] | None = Field(None, description="whether the amplitude is raised to tolerance")
    minutes: Sourced[Range]
    amplitude_means: Sourced[Text]
    shape: Sourced[Text]
    width_2hz_ms: Sourced[float]
    width_100hz_ms: Sourced[float]
    second_phase_ratio_2hz: Sourced[Ratio]
    second_phase_ratio_100hz: Sourced[Ratio]
    interphase_gap_us: Sourced[int]
    dwell_2hz_s: Sourced[float]
    dwell_100hz_s: Sourced[float]
    first_band: Sourced[Literal["2 Hz", "100 Hz"]]
    ramp_ma_per_s: Sourced[float]
    ramp_down_s: Sourced[float]
    polarity: Sourced[Text]
    needle: Sourced[Text]


class Variant(Strict):
    """One way in which the protocol may be stimulated."""

    id: Slug = Field(description=SLUG_MEANING)
    title: Text
    mode: Sourced[Annotated[Mode, Field(strict=False)]]


class ProfileNote(Strict):
    """Something to know that is no setting. One about under-dosing is shown with every prescription."""

    about: Literal["evidence", "under-dosing", "mechanism", "spacing", "adjunct", "caution", "locked", "use"]
    text: Text | None = Field(None, description="left out where the quote says it")
    origin: FromField
    quote: Quote = None
    section: SectionName = None
    citation: Text | None = Field(None, description="literature beyond the source document")
    slip: Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        from_its_quote(self.origin, self.quote, self.text)
        if not (self.text or self.quote):
            raise ValueError("needs a text, or a quote")
        return self

    @property
    def wording(self) -> str:
        """Its text, or the source's words."""
        return self.text or self.quote or ""


class ProfileFile(Strict):
    """The content of a profile's file."""

    format: Literal[1] = Field(description="the format of the file, 1")
    id: Slug = Field(description=SLUG_MEANING)
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = Field(description="three numbers, as in 1.0.0")
    title: Text
    kind: Literal["clinical", "bench"]
    include: tuple[Slug, ...] = Field((), description="parts of _common.toml that it takes in")
    source: SourceDocument | None = None
    points: tuple[ProfilePoint, ...] = ()
    schedule: TreatmentSchedule | None = None
    response: Response | None = None
    patterns: tuple[PointPattern, ...] = ()
    no_stimulation: Sourced[Text] | None = Field(None, description="why there is nothing to stimulate")
    stimulation: StimulationSettings | None = None
    variants: tuple[Variant, ...] = ()
    notes: tuple[ProfileNote, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.stimulation is None) == (self.no_stimulation is None):
            raise ValueError("needs a [stimulation] table or no_stimulation with its reason, one of the two")
        if (self.stimulation is None) != (not self.variants):
            raise ValueError("needs [[variants]] where, and only where, it has a [stimulation] table")
        ids = [variant.id for variant in self.variants]
        if len(set(ids)) < len(ids):
            raise ValueError("each variant needs an id of its own")
        if self.source is None and any(origin is Origin.SOURCE for origin in _origins(self)):
            raise ValueError('has values from = "source" and no [source] table')
        return self


class Profile(ProfileFile):
    """A profile as loaded: the file's content, its SHA-256 and where it was."""

    sha256: str
    path: str
    shared: tuple[str, ...] = ()  # the files whose parts it takes in; the hash is over their bytes too

    @property
    def gaps(self) -> tuple[str, ...]:
        """What a clinician has to name before this can be prescribed. A bench profile has none."""
        if self.stimulation is None or self.kind == "bench":
            return ()
        named = ("pairs", "amplitude_ma", "minutes")
        return tuple(name for name in named if getattr(self.stimulation, name).value is None)

    @property
    def locked(self) -> bool:
        """Whether not even the pairs are known, so that nothing can be started without a clinician."""
        return "pairs" in self.gaps

    def variant(self, variant_id: str | None) -> Variant:
        """One variant; the only one when none is named. Raises `Misuse` when that does not settle it."""
        for variant in self.variants:
            if variant_id == variant.id or (variant_id is None and len(self.variants) == 1):
                return variant
        if self.no_stimulation is not None:
            raise Misuse(f"{self.id} has nothing to stimulate: {self.no_stimulation.value}")
        raise Misuse(f"{self.id} needs a variant: one of {', '.join(variant.id for variant in self.variants)}")


def values(model: BaseModel, path: str = "") -> Iterator[tuple[str, BaseModel]]:
    """Each part of a profile that says where it comes from, with its path."""
    if hasattr(model, "origin"):
        yield path, model
        return
    for name in type(model).model_fields:
        item, here = getattr(model, name), f"{path}.{name}" if path else name
        parts = [(f"{here}[{i}]", part) for i, part in enumerate(item)] if isinstance(item, tuple) else [(here, item)]
        for part_path, part in parts:
            if isinstance(part, BaseModel):
                yield from values(part, part_path)


def _origins(model: BaseModel) -> Iterator[Origin]:
    for _, part in values(model):
        yield part.origin  # type: ignore[attr-defined]
