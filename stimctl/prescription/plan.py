"""The parts of a prescription: its subject, its channels and needles, and the figures of a needle.

Charge density, Shannon's k and rms density come from the bare cylinder of the declared needle: pi times
diameter times inserted length. They are derived and shown; only charge and amplitude are exact.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import pi, sqrt

from stimctl.anatomy import Placement
from stimctl.errors import InputInvalid, Problem
from stimctl.limits import Limit, shannon_k
from stimctl.profile import Profile
from stimctl.screening import Screening
from stimctl.units import LARGEST, PC_PER_UC, UA_PER_MA
from stimctl.waveform import Segment

UM_PER_CM = 10_000

# A needle declared larger than it is would hide its charge density: what is believable is bounded.
NEEDLE_DIAMETER = Limit("diameter_um", 100, 500, "D", "needles of 0.10-0.50 mm [choice]")
NEEDLE_INSERTED = Limit("inserted_um", 1_000, 75_000, "D", "1-75 mm in tissue [choice]")


class Subject(StrEnum):
    """The subject of stimulation. No subject lifts any limit."""

    PERSON = "person"
    ANIMAL = "animal"
    DUMMY_LOAD = "dummy_load"
    SIMULATOR = "simulator"


LIVING = (Subject.PERSON, Subject.ANIMAL)  # who needs an operator, and hardware


class Coating(StrEnum):
    """The coating of a needle. A shaft with insulation is not listed: its bare area is not known."""

    NONE = "none"
    SILICONE = "silicone"
    GOLD = "gold"
    SILVER = "silver"


OHM_MAX = 10_000_000  # an open load has a figure too
GAPS = ("pairs", "amplitude_ma", "minutes")  # what a clinician may be asked to name
LOWERED = ("amplitude_ma", "minutes")  # what a clinician may choose below the profile's range


def is_whole(value: object) -> bool:
    """Whether `value` is an int that a quantity can have, and not a bool that passes for one."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST


def _require(what: str, *checks: tuple[str, object, bool, str]) -> None:
    problems = [Problem(field, value, allowed) for field, value, holds, allowed in checks if not holds]
    if problems:
        raise InputInvalid(what, problems)


@dataclass(frozen=True, slots=True)
class Needle:
    """The needles of a pair, both alike. Raises `InputInvalid` for anything but whole um and a known coating."""

    diameter_um: int
    inserted_um: int
    coating: Coating

    def __post_init__(self) -> None:
        _require(
            "needle",
            ("diameter_um", self.diameter_um, is_whole(self.diameter_um), "must be a whole number of um"),
            ("inserted_um", self.inserted_um, is_whole(self.inserted_um), "must be a whole number of um"),
            ("coating", self.coating, isinstance(self.coating, Coating), f"must be one of {', '.join(Coating)}"),
        )

    @property
    def area_cm2(self) -> float:
        """The inserted part's surface, as a bare cylinder."""
        return pi * (self.diameter_um / UM_PER_CM) * (self.inserted_um / UM_PER_CM)

    def density_uc_per_cm2(self, charge_pc: int) -> float:
        return charge_pc / PC_PER_UC / self.area_cm2

    def shannon_k(self, charge_pc: int) -> float:
        """Shannon's k of one phase of more than zero charge."""
        return shannon_k(charge_pc, self.density_uc_per_cm2(charge_pc))

    def rms_ma_per_cm2(self, segment: Segment, amplitude_ua: int) -> float:
        """Rms current density of a steady train: both phases, over the whole period."""
        first_ma = amplitude_ua / UA_PER_MA
        second_ma = first_ma * segment.width_us / segment.second_width_us
        squares = first_ma**2 * segment.width_us + second_ma**2 * segment.second_width_us
        return sqrt(squares / segment.period_us) / self.area_cm2


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal of a dummy load, where no needle is in anybody. Reads like a placement."""

    number: int
    side: str = "none"
    region: str = "dummy load"
    spot: str = ""

    def __post_init__(self) -> None:
        _require(
            "terminal",
            ("terminal", self.number, is_whole(self.number) and self.number in (1, 2), "must be 1 or 2"),
            ("terminal", self.region, (self.side, self.region, self.spot) == ("none", "dummy load", ""), "is no place"),
        )

    @property
    def point(self) -> str:
        """Its name, where a placement has its point."""
        return f"terminal {self.number}"

    def __str__(self) -> str:
        return self.point


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """One channel: its pair, its needles (None between a load's terminals) and its target (0 when it is titrated)."""

    channel: int
    first: Placement | Terminal
    second: Placement | Terminal
    amplitude_ua: int
    needle: Needle | None = None

    def __post_init__(self) -> None:
        _require(
            "channel",
            ("channel", self.channel, is_whole(self.channel), "must be a whole number"),
            ("first", None, isinstance(self.first, Placement | Terminal), "must be a placement"),
            ("second", None, isinstance(self.second, Placement | Terminal), "must be a placement"),
            ("amplitude_ua", self.amplitude_ua, is_whole(self.amplitude_ua), "must be a whole number of uA"),
            ("needle", None, self.needle is None or isinstance(self.needle, Needle), "must be a needle"),
        )

    @property
    def ends(self) -> tuple[Placement | Terminal, Placement | Terminal]:
        """Both ends of the pair."""
        return (self.first, self.second)


@dataclass(frozen=True, slots=True)
class Clinician:
    """The clinician who answers: for which gaps of the profile, and for which amounts below what it says."""

    name: str
    completes: tuple[str, ...] = ()
    lowers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileRef:
    """The profile that a prescription follows, exactly."""

    id: str
    version: str
    sha256: str
    title: str
    variant: str


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that is shown and logged, and stops nothing."""

    name: str
    text: str
    channel: int | None = None

    def __str__(self) -> str:
        return self.text if self.channel is None else f"channel {self.channel}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrescriptionFields:
    """The fields that a prescription is given, without those that it derives. Nothing here has been checked yet.

    `segments` are a bench's own pulses, in place of those of its profile.
    """

    subject: Subject
    operator: str
    pseudonym: str
    protocol: Profile
    variant: str
    channels: tuple[ChannelPlan, ...]
    ceiling_ua: int
    stimulation_us: int
    titrate: bool = False
    ramp_only: bool = False
    segments: tuple[Segment, ...] | None = None
    declared_ohm: int | None = None
    approval: str | None = None
    pregnant: bool | None = None
    clinician: Clinician | None = None
    screening: Screening | None = None
