"""A value and who says so: the source, this project, a clinician, or nobody yet."""

from enum import StrEnum
from typing import Annotated, Generic, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from stimctl.label import Prose

T = TypeVar("T")


def _filled(text: str) -> str:
    if not text.strip() or text.strip() == "?":
        raise ValueError("must be filled in")
    return text


Text = Annotated[str, AfterValidator(_filled), AfterValidator(Prose)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
SLUG_MEANING = "small letters, digits and hyphens"


class Origin(StrEnum):
    """The origin of a value."""

    SOURCE = "source"
    DEFAULT = "project default"
    CLINICIAN = "clinician"
    UNSPECIFIED = "unspecified"


FromField = Annotated[Origin, Field(strict=False, alias="from", description="who says so")]
Quote = Annotated[Text | None, Field(description="the source's own words")]
SectionName = Annotated[Text | None, Field(description="the source's section, where it is not the profile's own")]


def from_its_quote(origin: Origin, quote: str | None, value: object) -> None:
    """What is marked as the source's is quoted, and a text so marked is words of its quote, not of the profile."""
    if origin is not Origin.SOURCE:
        return
    if not quote:
        raise ValueError('from = "source" needs a quote: the source\'s own words')
    if isinstance(value, str) and _folded(value) not in _folded(quote):
        raise ValueError(f'{value!r} is not in its quote: from = "source" is for the source\'s own words')


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


class Strict(BaseModel):
    """Unknown keys, other types and later changes are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Range(Strict):
    """From low to high, both included."""

    low: float
    high: float

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low = {self.low:g} must not be above high = {self.high:g}")
        return self

    def __str__(self) -> str:
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"


class Sourced(Strict, Generic[T]):
    """One value and where it comes from. `slip` says where the source contradicts itself or its own sources."""

    value: T | None = Field(None, description="left out only where nobody has said it")
    origin: FromField
    quote: Quote = None
    section: SectionName = None
    note: Text | None = Field(None, description="why, or who")
    slip: Text | None = Field(None, description="what does not hold in what the source says")

    @model_validator(mode="after")
    def _accounted_for(self) -> Self:
        if (self.value is None) != (self.origin is Origin.UNSPECIFIED):
            raise ValueError('needs a value, or from = "unspecified" and no value')
        from_its_quote(self.origin, self.quote, self.value)
        if self.origin is not Origin.SOURCE and not self.note:
            raise ValueError(f'from = "{self.origin}" needs a note: why, or who')
        return self
