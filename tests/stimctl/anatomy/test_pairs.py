"""Every pair is decided, and what is allowed stays on one limb or on one side of the trunk below the chest."""

from itertools import combinations_with_replacement

import pytest

from stimctl.anatomy import (
    ASHI,
    POINTS,
    Placement,
    Region,
    Side,
    check_pair,
    place,
    sites,
    warnings,
)
from stimctl.errors import InputInvalid

LEFT, RIGHT, MIDLINE = Side.LEFT, Side.RIGHT, Side.MIDLINE


def everywhere() -> list[Placement]:
    """Every point on every side; an Ashi point in every region as well."""
    ashi = [place("Ashi", side, region, "here") for side in (LEFT, RIGHT) for region in Region]
    return ashi + [place(p.code, side) for p in POINTS.values() if p is not ASHI for side in sorted(p.sides())]


def test_every_pair_is_decided_and_an_allowed_one_is_on_one_limb_or_one_trunk_side() -> None:
    allowed = 0
    for first, second in combinations_with_replacement(everywhere(), 2):
        reason = check_pair(first, second)
        assert reason == check_pair(second, first)
        if reason is not None:
            assert len(reason) > 20
            continue
        allowed += 1
        assert first.needle != second.needle
        assert first.side is second.side
        assert first.side is not MIDLINE
        assert {first.region, second.region} in (
            {Region.ARM},
            {Region.LEG},
            {Region.LOWER_BACK},
            {Region.ABDOMEN},
            {Region.ABDOMEN, Region.LOWER_BACK},
        )
    # On each side so many needles of the table and one Ashi point, any two of one group; the trunk has two Ashi points.
    legs, arms, trunk = 89 + 1, 71 + 1, 35 + 29 + 2
    assert allowed == 2 * sum(count * (count - 1) // 2 for count in (legs, arms, trunk))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (place("BL-23", LEFT), place("BL-25", LEFT)),
        (place("BL-23", RIGHT), place("BL-25", RIGHT)),
        (place("ST-35", LEFT), place("Xiyan", LEFT)),
        (place("ST-36", RIGHT), place("BL-60", RIGHT)),
        (place("LI-4", LEFT), place("HT-7", LEFT)),
        (place("BL-23", LEFT), place("Ashi", LEFT, Region.LOWER_BACK, "beside L4")),
        (
            place("Ashi", LEFT, Region.LOWER_BACK, "beside L4"),
            place("Ashi", LEFT, Region.LOWER_BACK, "beside L5"),
        ),
    ],
)
def test_legal_pairs_are_allowed(first: Placement, second: Placement) -> None:
    assert check_pair(first, second) is None


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (place("LI-4", LEFT), place("LI-4", RIGHT), "arm to arm"),
        (place("LI-4", LEFT), place("PC-6", RIGHT), "arm to arm"),
        (place("LI-4", LEFT), place("ST-36", LEFT), "arm to leg"),
        (place("LI-4", LEFT), place("ST-36", RIGHT), "arm to leg"),
        (place("ST-36", LEFT), place("ST-36", RIGHT), "leg to leg"),
        (place("BL-23", LEFT), place("BL-40", LEFT), "limb to trunk"),
        (place("LI-4", LEFT), place("BL-25", LEFT), "limb to trunk"),
        (place("BL-23", LEFT), place("BL-23", RIGHT), "each side of the trunk"),
        (place("BL-23", LEFT), place("BL-25", RIGHT), "each side of the trunk"),
        (place("GV-3"), place("GV-4"), "along the spinal cord"),
        (place("GV-4"), place("BL-23", LEFT), "midline"),
        (place("CV-12"), place("GV-4"), "midline"),
        (place("CV-12"), place("Ashi", LEFT, Region.ABDOMEN, "flank"), "midline"),
        (place("BL-18", LEFT), place("BL-20", LEFT), "upper back"),
        (place("BL-20", LEFT), place("BL-23", LEFT), "upper back"),
        (place("BL-17", LEFT), place("Ashi", LEFT, Region.CHEST, "rib"), "chest"),
        (place("Ashi", LEFT, Region.CHEST, "rib 4"), place("Ashi", LEFT, Region.CHEST, "rib 5"), "chest"),
        (place("Ashi", LEFT, Region.CHEST, "rib"), place("LI-4", LEFT), "chest"),
        (place("GB-20", LEFT), place("GB-20", RIGHT), "neck"),
        (place("GB-20", LEFT), place("BL-23", LEFT), "neck"),
        (place("Taiyang", LEFT), place("GB-8", LEFT), "head"),
        (place("Taiyang", LEFT), place("Taiyang", RIGHT), "head"),
        (place("GV-20"), place("Yintang"), "head"),
        (place("GV-20"), place("ST-36", LEFT), "head"),
        (place("ST-36", LEFT), place("ST-36", LEFT), "same"),
        (
            place("Ashi", LEFT, Region.LEG, "calf,  middle"),
            place("ashi", LEFT, Region.LEG, " Calf, middle"),
            "same",
        ),
    ],
)
def test_illegal_pairs_are_refused_with_their_reason(first: Placement, second: Placement, said: str) -> None:
    reason = check_pair(first, second)
    assert reason is not None
    assert said in reason


def test_an_ashi_point_needs_side_and_region_and_spot() -> None:
    with pytest.raises(InputInvalid) as caught:
        place("Ashi")
    assert [problem.field for problem in caught.value.problems] == ["side", "region"]
    with pytest.raises(InputInvalid, match="in words"):
        place("Ashi", LEFT, Region.LEG)


@pytest.mark.parametrize(
    "fields",
    [
        ("BL-23", MIDLINE, Region.LOWER_BACK),
        ("GV-3", LEFT, Region.LOWER_BACK),
        ("BL-23", LEFT, Region.LEG),
        ("BL-17", LEFT, Region.LOWER_BACK),
        ("BL-23", "left", Region.LOWER_BACK),
        ("BL-23", LEFT, "lower back"),
        ("BL-23", [LEFT], {}),
        ("bl23", LEFT, Region.LOWER_BACK),
        (None, None, None),
        ("BL-23", LEFT, Region.LOWER_BACK, "a spot"),
        ("Ashi", LEFT, Region.LEG, 7),
    ],
)
def test_a_placement_that_contradicts_itself_cannot_exist(fields: tuple[object, ...]) -> None:
    with pytest.raises(InputInvalid):
        Placement(*fields)  # type: ignore[arg-type]


def test_a_needle_on_each_side_of_the_cord_is_a_warning() -> None:
    left = (place("BL-23", LEFT), place("BL-25", LEFT))
    right = (place("BL-23", RIGHT), place("BL-25", RIGHT))
    assert warnings(left) == ()
    assert "both sides of the spinal cord" in warnings([*left, *right])[0]
    knees = [place(point, side) for side in (LEFT, RIGHT) for point in ("ST-35", "Xiyan")]
    assert warnings(knees) == ()


def test_a_declared_region_is_a_warning() -> None:
    pair = (place("BL-23", LEFT), place("Ashi", LEFT, Region.LOWER_BACK, "beside L4"))
    assert "as declared" in warnings(pair)[0]


def test_current_on_two_limbs_is_on_two_sites_and_the_trunk_is_one() -> None:
    arms = [place("LI-4", LEFT), place("LI-11", LEFT), place("PC-6", RIGHT)]
    assert sites(arms) == {"left arm", "right arm"}
    assert sites([place("ST-36", LEFT), place("SP-6", LEFT)]) == {"left leg"}
    assert sites([place("BL-23", LEFT), place("BL-25", RIGHT), place("ST-25", LEFT)]) == {"trunk"}
    assert len(sites([place("BL-23", LEFT), place("ST-36", LEFT)])) == 2
