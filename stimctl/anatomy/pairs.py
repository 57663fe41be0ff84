"""Which two needles may carry a current between them, and on how many parts of the body a current flows at once.

Two needles are a pair that may be stimulated only when both are on one limb, or both on one side of the trunk below
the chest. That is the whole allow-list; every other pair is refused, and the reason says which path the current would
take. Software cannot see a needle: the check is of what was declared.
"""

from collections.abc import Collection, Iterable

from stimctl.anatomy.placement import Placement
from stimctl.anatomy.points import ASHI, PAIRED_SIDES, Region, Side

LIMBS = frozenset({Region.ARM, Region.LEG})
TRUNK_BELOW_CHEST = frozenset({Region.ABDOMEN, Region.LOWER_BACK})
BACK = frozenset({Region.UPPER_BACK, Region.LOWER_BACK})


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


def warnings(placements: Collection[Placement]) -> tuple[str, ...]:
    """What to tell the operator of pairs that are allowed: shown and logged, not a stop."""
    found = []
    if {placement.side for placement in placements if placement.region in BACK} >= PAIRED_SIDES:
        found.append("needles on both sides of the spinal cord: each channel stays on its own side")
    if any(placement.point == ASHI.code for placement in placements):
        found.append("region and side of an Ashi point are as declared: no software can see the needle")
    return tuple(found)


def sites(placements: Iterable[Placement]) -> frozenset[str]:
    """The limbs, each by its side, and the trunk: more than one with current at once needs isolated outputs."""
    return frozenset(
        f"{placement.side} {placement.region}" if placement.region in LIMBS else "trunk" for placement in placements
    )
