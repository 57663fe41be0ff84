"""The body's points and regions, and the rule which two needles may carry a current between them.

Two needles are a pair that may be stimulated only when both are on one limb, or both on one side of the
trunk below the chest. That is the whole allow-list; every other pair is refused, and the reason says which
path the current would take. Which points there are comes from the source document, plus the points that
guidelines name for pregnancy [lit]. Which region a point counts as is this project's reading of the usual
atlases [choice]: a thoracic back point (BL-17, BL-18, BL-20) counts as upper back and is refused.

Software cannot see a needle: the check is of what was declared.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from stimctl.errors import InputInvalid, Misuse, Problem
from stimctl.label import Label, is_label


class Region(StrEnum):
    """A part of the body, as far as the path of a current is concerned."""

    HEAD = "head"
    NECK = "neck"
    CHEST = "chest"
    UPPER_BACK = "upper back"  # down to T12, the shoulders and shoulder blades with it
    ABDOMEN = "abdomen"
    LOWER_BACK = "lower back"  # from L1 down, with the sacrum and the buttocks
    ARM = "arm"  # from below the shoulder to the hand
    LEG = "leg"  # from below the hip to the foot


class Side(StrEnum):
    """The side of the body, or its midline."""

    LEFT = "left"
    RIGHT = "right"
    MIDLINE = "midline"


LIMBS = frozenset({Region.ARM, Region.LEG})
TRUNK_BELOW_CHEST = frozenset({Region.ABDOMEN, Region.LOWER_BACK})
BACK = frozenset({Region.UPPER_BACK, Region.LOWER_BACK})
PAIRED_SIDES = frozenset({Side.LEFT, Side.RIGHT})


@dataclass(frozen=True, slots=True)
class Point:
    """One point: its code, its name, where it is, and whether there is one on each side or one on the midline."""

    code: str
    name: str
    region: Region | None  # None: an Ashi point is where it is tender, and its region has to be declared
    paired: bool
    where: str

    def sides(self) -> frozenset[Side]:
        """The sides on which this point exists."""
        return PAIRED_SIDES if self.paired else frozenset({Side.MIDLINE})


def _table(region: Region, paired: bool, *rows: tuple[str, str, str]) -> list[Point]:
    return [Point(code, name, region, paired, where) for code, name, where in rows]


ASHI = Point("Ashi", "tender point", None, True, "where it is most tender; region and side are declared")
_ALL = [
    *_table(
        Region.LOWER_BACK, True,
        ("BL-23", "Shenshu", "1.5 cun lateral to the lower border of the L2 spinous process"),
        ("BL-25", "Dachangshu", "1.5 cun lateral to the L4 spinous process"),
        ("BL-31", "Shangliao", "first sacral foramen"),
        ("BL-32", "Ciliao", "second sacral foramen"),
        ("BL-33", "Zhongliao", "third sacral foramen"),
        ("BL-34", "Xialiao", "fourth sacral foramen"),
    ),
    *_table(
        Region.LOWER_BACK, False,
        ("GV-3", "Yaoyangguan", "on the midline at L4"),
        ("GV-4", "Mingmen", "on the midline at L2"),
    ),
    *_table(
        Region.UPPER_BACK, True,
        ("BL-17", "Geshu", "lateral to the T7 spinous process"),
        ("BL-18", "Ganshu", "lateral to the T9 spinous process"),
        ("BL-20", "Pishu", "lateral to the T11 spinous process"),
    ),
    *_table(Region.ABDOMEN, False, ("CV-12", "Zhongwan", "on the midline of the upper abdomen")),
    *_table(
        Region.LEG, True,
        ("BL-40", "Weizhong", "center of the popliteal crease"),
        ("BL-60", "Kunlun", "between the lateral malleolus and the Achilles tendon"),
        ("BL-67", "Zhiyin", "little toe"),
        ("GB-34", "Yanglingquan", "below the knee, outer side"),
        ("GB-43", "Xiaxi", "foot, between the fourth and fifth toes"),
        ("KI-3", "Taixi", "ankle, inner side"),
        ("KI-7", "Fuliu", "lower leg, inner side"),
        ("LR-2", "Xingjian", "foot, between the first and second toes"),
        ("LR-3", "Taichong", "between the first and second metatarsals"),
        ("SP-6", "Sanyinjiao", "lower leg, inner side"),
        ("SP-9", "Yinlingquan", "below the knee, inner side"),
        ("SP-10", "Xuehai", "thigh, above the knee, inner side"),
        ("ST-35", "Dubi", "knee, outer side of the patellar tendon"),
        ("ST-36", "Zusanli", "below the knee"),
        ("ST-40", "Fenglong", "lower leg, outer side"),
        ("Xiyan", "medial eye of the knee", "knee, inner side of the patellar tendon"),
    ),
    *_table(
        Region.ARM, True,
        ("HT-7", "Shenmen", "wrist, little finger's side"),
        ("LI-4", "Hegu", "first dorsal interosseous muscle, between thumb and index finger"),
        ("PC-6", "Neiguan", "forearm, palm side, above the wrist"),
    ),
    *_table(
        Region.HEAD, True,
        ("GB-8", "Shuaigu", "above the ear's apex"),
        ("Taiyang", "temple", "temple"),
    ),
    *_table(
        Region.HEAD, False,
        ("GV-20", "Baihui", "vertex of the skull"),
        ("Yintang", "hall of impression", "between the eyebrows"),
    ),
    *_table(Region.NECK, True, ("GB-20", "Fengchi", "base of the skull, between two neck muscles")),
    ASHI,
]  # fmt: skip
POINTS: dict[str, Point] = {point.code: point for point in _ALL}

# Not to be needled in pregnancy, by guidelines [lit].
PREGNANCY_POINTS = frozenset({"LI-4", "SP-6", "BL-60", "BL-67", "BL-31", "BL-32", "BL-33", "BL-34"})


def _bare(code: str) -> str:
    return re.sub(r"[\s-]", "", code).casefold()


_BY_BARE_CODE = {_bare(code): point for code, point in POINTS.items()}


def find(code: str) -> Point:
    """The point written as `BL-23`, `BL23` or `bl 23`. Raises `Misuse` when this project does not know it."""
    point = _BY_BARE_CODE.get(_bare(code))
    if point is None:
        raise Misuse(f"point {code!r} is not known here; known are {', '.join(sorted(POINTS))}")
    return point


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
        return (self.point, self.side, self.region, " ".join(self.spot.casefold().split()))

    def __str__(self) -> str:
        words = [self.point]
        if self.spot:
            words.append(f"({self.spot}, {self.region})")
        return " ".join([*words, self.side.value])


def _placement_problems(placement: Placement) -> list[Problem]:
    point = POINTS.get(placement.point) if isinstance(placement.point, str) else None
    if point is None:
        return [Problem("point", placement.point, f"must be one of {', '.join(sorted(POINTS))}")]
    problems = []
    if not isinstance(placement.side, Side) or placement.side not in point.sides():
        allowed = " or ".join(sorted(point.sides()))
        problems.append(Problem("side", placement.side, f"{point.code} is on {allowed}"))
    if not isinstance(placement.region, Region):
        problems.append(Problem("region", placement.region, f"must be one of {', '.join(Region)}"))
    elif point is not ASHI and placement.region is not point.region:
        problems.append(Problem("region", placement.region, f"{point.code} is in the region {point.region}"))
    if point is ASHI and not (isinstance(placement.spot, str) and placement.spot.strip()):
        problems.append(Problem("spot", placement.spot, "an Ashi point needs its place in words"))
    elif placement.spot and not is_label(placement.spot):
        problems.append(Problem("spot", placement.spot, f"must be 1 to {Label.LONGEST} printable characters"))
    if point is not ASHI and placement.spot != "":
        problems.append(Problem("spot", placement.spot, "only an Ashi point takes one"))
    return problems


def place(code: str, side: Side | None = None, region: Region | None = None, spot: str = "") -> Placement:
    """A needle at a point. A midline point needs no side; an Ashi point needs side, region and spot.

    Raises `InputInvalid`, with every problem, or `Misuse` for an unknown point.
    """
    point = find(code)
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


def check_pair(first: Placement, second: Placement) -> str | None:
    """None when a current may flow between the two needles; otherwise why not. Refused unless allowed here."""
    if first.needle == second.needle:
        return "both needles are the same one"
    one_side = first.side is second.side and first.side in PAIRED_SIDES
    if one_side and first.region is second.region and first.region in LIMBS:
        return None
    if one_side and first.region in TRUNK_BELOW_CHEST and second.region in TRUNK_BELOW_CHEST:
        return None
    return _why_refused(first, second)


# In order of what could be hurt: the first that a needle is in gives the reason.
_REFUSED_REGIONS = (
    (Region.HEAD, "a needle on the head: nothing is stimulated across or through head, eyes or mouth"),
    (Region.NECK, "a needle on the neck: nothing is stimulated there"),
    (Region.CHEST, "a needle on the chest: the path could cross the heart"),
    (Region.UPPER_BACK, "a needle on the upper back: the path could cross the chest"),
)
_ALLOWED = "allowed are two needles on one limb, or on one side of the trunk below the chest"


def _why_refused(first: Placement, second: Placement) -> str:
    regions = {first.region, second.region}
    for region, reason in _REFUSED_REGIONS:
        if region in regions:
            return f"{reason}; {_ALLOWED}"
    return f"{_path(first, second, regions)}; {_ALLOWED}"


def _path(first: Placement, second: Placement, regions: set[Region]) -> str:
    midline = [placement.side for placement in (first, second)].count(Side.MIDLINE)
    reasons = (
        (regions == {Region.ARM}, "arm to arm: the path crosses the chest"),
        (regions == LIMBS, "arm to leg: the path runs through the trunk"),
        (regions == {Region.LEG}, "leg to leg: the path runs through the pelvis"),
        (bool(regions & LIMBS), "limb to trunk: the path leaves the limb"),
        (midline == 2 and regions == {Region.LOWER_BACK}, "midline to midline: the path runs along the spinal cord"),
        (midline > 0, "a needle on the midline is on neither side"),
        (first.side is not second.side, "one needle on each side of the trunk: the path crosses the midline"),
    )
    return next((reason for applies, reason in reasons if applies), "not a pair that is allowed here")


def warnings(pairs: Iterable[tuple[Placement, Placement]]) -> tuple[str, ...]:
    """What to tell the operator of pairs that are allowed: shown and logged, not a stop."""
    placements = [placement for pair in pairs for placement in pair]
    found = []
    if {placement.side for placement in placements if placement.region in BACK} >= PAIRED_SIDES:
        found.append("needles on both sides of the spinal cord: each channel stays on its own side")
    if any(placement.point == ASHI.code for placement in placements):
        found.append("region and side of an Ashi point are as declared: no software can see the needle")
    return tuple(found)
