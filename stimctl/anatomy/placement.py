"""Where one needle is: a point and its side; an Ashi point with its region and its place in words."""

from dataclasses import dataclass

from stimctl.anatomy.points import ASHI, POINTS, Region, Side, find
from stimctl.anatomy.spot import problems_in
from stimctl.anatomy.writing import parts
from stimctl.errors import InputInvalid, Misuse, Problem
from stimctl.label import Label


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one needle is. Build it with `place`; one that contradicts itself cannot exist."""

    point: str
    side: Side
    region: Region
    spot: str = ""  # an Ashi point's place in words, which is what tells two of them apart

    def __post_init__(self) -> None:
        problems = _placement_problems(self)
        if problems:
            raise InputInvalid("placement", problems)

    @property
    def needle(self) -> tuple[str, Side, Region, str]:
        """What tells this needle from another: two placements with the same value are one needle."""
        return (self.point, self.side, self.region, " ".join(parts(self.spot)))

    def __str__(self) -> str:
        words = [self.point]
        if self.spot:
            words.append(f"({self.spot}, {self.region})")
        return " ".join([*words, self.side.value])


def _placement_problems(placement: Placement) -> list[Problem]:
    point = POINTS.get(placement.point) if isinstance(placement.point, str) else None
    if point is None:
        return [Problem("point", placement.point, "must be a point's code as stimctl writes it, as in BL-23")]
    problems = []
    if not isinstance(placement.side, Side) or placement.side not in point.sides():
        allowed = " or ".join(sorted(point.sides()))
        problems.append(Problem("side", placement.side, f"{point.code} is on {allowed}"))
    if not isinstance(placement.region, Region):
        problems.append(Problem("region", placement.region, f"must be one of {', '.join(Region)}"))
    elif point is not ASHI and placement.region is not point.region:
        problems.append(Problem("region", placement.region, f"{point.code} is in the region {point.region}"))
    if point is not ASHI and placement.spot != "":
        problems.append(Problem("spot", placement.spot, "only an Ashi point takes one"))
    if point is ASHI and not problems:
        problems += _spot_problems(placement)
    return problems


def _spot_problems(placement: Placement) -> list[Problem]:
    if not (isinstance(placement.spot, str) and placement.spot.strip()):
        return [Problem("spot", placement.spot, "an Ashi point needs its place in words")]
    try:
        Label(placement.spot)
    except ValueError as wrong:
        return [Problem("spot", placement.spot, str(wrong))]
    found = problems_in(placement.spot, placement.side, placement.region)
    return [Problem("spot", placement.spot, said) for said in found]


def place(code: str, side: Side | None = None, region: Region | None = None, spot: str = "") -> Placement:
    """A needle at a point. A midline point needs no side; an Ashi point needs side, region and spot.

    Raises `InputInvalid`, with every problem, or `Misuse` for an unknown point.
    """
    point = find(code)
    if not isinstance(spot, str):
        raise Misuse(f"a spot is said in words, not by {spot!r}")
    if side is None and not point.paired:
        side = Side.MIDLINE
    if point is not ASHI and region is None:
        region = point.region
    problems = [
        Problem(name, None, f"is missing: {point.code} needs one of {', '.join(allowed)}")
        for name, value, allowed in (("side", side, sorted(point.sides())), ("region", region, list(Region)))
        if value is None
    ]
    if side is None or region is None:
        raise InputInvalid("placement", problems)
    return Placement(point.code, side, region, spot.strip())
