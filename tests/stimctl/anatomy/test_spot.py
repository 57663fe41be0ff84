"""An Ashi point is no way round the table of points."""

import pytest

from stimctl.anatomy import ASHI, POINTS, Region, Side, check_pair, find, place
from stimctl.anatomy.spot import problems_in
from stimctl.errors import InputInvalid, Misuse

LEFT, RIGHT = Side.LEFT, Side.RIGHT
STIMULATED = [Region.ABDOMEN, Region.LOWER_BACK, Region.ARM, Region.LEG]


def refusals(spot: str, region: Region, side: Side = LEFT) -> str:
    return "; ".join(problems_in(spot, side, region))


@pytest.mark.parametrize(
    ("spot", "region"),
    [
        ("beside L4", Region.LOWER_BACK),
        ("2 cm lateral to the L5 spinous process", Region.LOWER_BACK),
        ("3 cm from the midline, level of L3", Region.LOWER_BACK),
        ("upper outer quadrant of the buttock", Region.LOWER_BACK),
        ("over the left sacroiliac joint", Region.LOWER_BACK),
        ("most tender point in the quadratus lumborum", Region.LOWER_BACK),
        ("two finger widths below the navel", Region.ABDOMEN),
        ("middle of the forearm, outer side", Region.ARM),
        ("lateral epicondyle, 1 cm distal", Region.ARM),
        ("back of the hand", Region.ARM),
        ("calf,  middle", Region.LEG),
        ("back of the knee", Region.LEG),
        ("just below the head of the fibula", Region.LEG),
        ("biceps femoris, long head", Region.LEG),
        ("base of the 5th metatarsal", Region.LEG),
        ("above the knee, inner side", Region.LEG),
    ],
)
def test_a_place_in_plain_words_is_taken(spot: str, region: Region) -> None:
    assert refusals(spot, region) == ""


@pytest.mark.parametrize("region", STIMULATED)
@pytest.mark.parametrize(
    "spot",
    [
        *(
            "LI-4",
            "GB-20 base of skull",
            "BL23",
            "bl 23",
            "B L 2 3",
            "near BL-023.",
            "\uff22\uff2c\uff12\uff13",
            "BL\u201123",
        ),
        *(
            "UB-23",
            "Du 4",
            "SP-6",
            "Shenshu",
            "sh\u00e8n-sh\u016b",
            "zu san li",
            "\u80be\u4fde",
            "\u5408\u8c37\u7a74",
            "Taiyang",
            "EX-LE4",
        ),
        *("GB 2 0", "the hegu point", "st36", "ST-\u0663\u0666", "Futu"),
    ],
)
def test_a_spot_that_names_a_point_is_refused(spot: str, region: Region) -> None:
    assert "names the point" in refusals(spot, region)


def test_no_point_of_the_table_can_be_an_ashi_spot_by_code_name_or_chinese() -> None:
    for point in (each for each in POINTS.values() if each is not ASHI):
        for written in (
            point.code,
            point.code.replace("-", ""),
            point.code.lower().replace("-", " "),
            point.name,
            point.chinese,
        ):
            for region in STIMULATED:
                assert refusals(f"beside {written}", region), written


@pytest.mark.parametrize(
    ("spot", "region"),
    [
        ("base of the skull", Region.LEG),
        ("carotid, front of neck", Region.ABDOMEN),
        ("chest, 5th rib", Region.LOWER_BACK),
        ("over the heart", Region.LOWER_BACK),
        ("left breast", Region.ABDOMEN),
        ("under the rib margin", Region.ABDOMEN),
        ("upper back", Region.LOWER_BACK),
        ("middle of the back", Region.LOWER_BACK),
        ("beside T8", Region.LOWER_BACK),
        ("C5", Region.LOWER_BACK),
        ("beside L3", Region.ABDOMEN),
        ("shoulder blade", Region.LOWER_BACK),
        ("temple", Region.ARM),
        ("behind the ear", Region.ARM),
        ("hand", Region.LEG),
        ("sole of the foot", Region.ARM),
        ("thigh", Region.LOWER_BACK),
        ("forearm", Region.ABDOMEN),
        ("perineum", Region.ABDOMEN),
        ("both knees", Region.LEG),
        ("on the midline", Region.LOWER_BACK),
        ("\uff2e\uff25\uff23\uff2b", Region.ARM),
        ("n\u00e9ck", Region.ARM),
        ("head", Region.LEG),
    ],
)
def test_a_spot_that_names_another_part_of_the_body_is_refused(spot: str, region: Region) -> None:
    assert "says" in refusals(spot, region)


def test_a_spot_that_names_the_other_side_is_refused() -> None:
    assert "says right, and the side that is declared is left" in refusals("right hand", Region.ARM)
    assert "says left" in refusals("left calf", Region.LEG, RIGHT)
    assert refusals("right calf", Region.LEG, RIGHT) == ""


@pytest.mark.parametrize(
    "spot",
    [
        "x",
        "k7 pulse",
        "Hals",
        "B23",
        "P6",
        "H 7",
        "S36",
        "L6",
        "T13",
        "\u0412L-23",
        "\u5fc3\u53e3",
        "nearBL23",
        "r i g h t",
        "nec k",
        "9" * 5,
    ],
)
def test_what_cannot_be_checked_is_refused(spot: str) -> None:
    wrong = refusals(spot, Region.LOWER_BACK)
    assert wrong == "" if spot.isdecimal() else "not known here" in wrong or "names the point" in wrong


@pytest.mark.parametrize(
    "spot", ["", "  ", "...", "beside L3\u200b", "a\x1b[2J", "calf\n", "calf " * 40, "9" * 5_000, "b" * 100_000]
)
def test_a_spot_is_printable_and_short(spot: str) -> None:
    with pytest.raises((InputInvalid, Misuse)) as caught:
        place("Ashi", LEFT, Region.LEG, spot + "calf\u200b" if spot == "calf\n" else spot)
    assert len(str(caught.value)) < 400


def test_two_spots_that_differ_in_writing_alone_are_one_needle() -> None:
    first = place("Ashi", LEFT, Region.LOWER_BACK, "beside L3")
    for written in ("beside L3.", "Beside  l-3", "beside L03", "beside \uff2c\uff13"):
        assert check_pair(first, place("Ashi", LEFT, Region.LOWER_BACK, written)) == "both needles are the same one"


def test_a_pair_along_the_forearm_needs_no_ashi_point() -> None:
    assert check_pair(place("LI-4", LEFT), place("LI-11", LEFT)) is None
    assert find("Quchi").code == "LI-11"
