"""The table of points: whole, each found however it is written, and none found that is not there."""

from collections import Counter

import pytest

from stimctl.anatomy import ASHI, POINTS, PREGNANCY_POINTS, Region, find
from stimctl.anatomy.writing import key
from stimctl.errors import Misuse

# How many points each meridian has in the WHO standard, counted there.
MERIDIANS = {
    **{"LU": 11, "LI": 20, "ST": 45, "SP": 21, "HT": 9, "SI": 19, "BL": 67},
    **{"KI": 27, "PC": 9, "TE": 23, "GB": 44, "LR": 14, "GV": 28, "CV": 24},
}
SOURCE_POINTS = [
    "BL-17", "BL-18", "BL-20", "BL-23", "BL-25", "BL-40", "BL-60", "CV-12", "GB-8", "GB-20", "GB-34", "GB-43",
    "GV-3", "GV-4", "GV-20", "HT-7", "KI-3", "KI-7", "LI-4", "LR-2", "LR-3", "PC-6", "SP-6", "SP-9", "SP-10",
    "ST-35", "ST-36", "ST-40", "Taiyang", "Yintang", "Xiyan", "Ashi",
]  # fmt: skip


def test_the_361_points_are_there_each_meridian_without_a_gap() -> None:
    assert sum(MERIDIANS.values()) == 361
    codes = {f"{meridian}-{number}" for meridian, count in MERIDIANS.items() for number in range(1, count + 1)}
    assert codes <= set(POINTS)
    extra = set(POINTS) - codes - {"Ashi", "Taiyang", "Yintang", "Xiyan"}
    assert all(code.startswith("EX-") for code in extra)
    families = Counter(code.split("-")[1].rstrip("0123456789") for code in extra)
    # With the three by name; without EX-LE5, which is two points; EX-B2 has a row for each of 17 vertebrae.
    assert families == {"HN": 15 - 2, "CA": 1, "B": 9 - 1 + 17, "UE": 11, "LE": 12 - 2}


def test_every_point_of_the_source_and_of_the_pregnancy_list_is_known() -> None:
    assert set(SOURCE_POINTS) <= set(POINTS)
    assert {"LI-4", "SP-6", "BL-60", "BL-67", "BL-31", "BL-32", "BL-33", "BL-34"} == PREGNANCY_POINTS
    assert set(POINTS) >= PREGNANCY_POINTS


def test_only_the_two_midline_vessels_and_a_few_extra_points_are_on_the_midline() -> None:
    midline = {code for code, point in POINTS.items() if not point.paired}
    of_vessels = {code for code in midline if code.split("-")[0] in ("GV", "CV")}
    assert len(of_vessels) == 28 + 24
    assert all(code == "Yintang" or code.startswith("EX-") for code in midline - of_vessels)


@pytest.mark.parametrize(
    ("codes", "region"),
    [
        ("LI-4 LI-11 PC-6 HT-7 TE-5 SI-3 LU-7 EX-UE9", Region.ARM),
        ("ST-36 SP-6 GB-34 BL-40 BL-60 KI-3 LR-3 Xiyan EX-LE10", Region.LEG),
        ("BL-23 BL-25 BL-54 GB-30 GV-4 EX-B2-L3 EX-B7", Region.LOWER_BACK),
        ("BL-17 BL-21 BL-43 GB-21 SI-11 LI-15 GV-12 EX-B2-T12", Region.UPPER_BACK),
        ("ST-25 SP-15 KI-16 CV-6 CV-12 GB-26 LR-13", Region.ABDOMEN),
        ("LU-1 ST-18 SP-21 KI-27 PC-1 HT-1 LR-14 GB-24 CV-17", Region.CHEST),
        ("GB-20 ST-9 LI-18 BL-10 GV-14 CV-22 TE-17", Region.NECK),
        ("GV-20 GB-8 ST-6 BL-2 Taiyang Yintang CV-24", Region.HEAD),
    ],
)
def test_a_point_is_in_its_region(codes: str, region: Region) -> None:
    assert {POINTS[code].region for code in codes.split()} == {region}


@pytest.mark.parametrize(
    "written",
    [
        *("BL-23", "BL23", "bl 23", " bl-23 ", "Bl_23", "BL.23", "BL\u201123", "BL\u201323", "BL\u221223"),
        *(
            "\uff22\uff2c\uff12\uff13",
            "BL-023",
            "UB-23",
            "ub23",
            "Shenshu",
            "sh\u00e8n sh\u016b",
            "\u80be\u4fde",
            "\u80be\u4fde\u7a74",
        ),
    ],
)
def test_a_point_is_found_however_it_is_written(written: str) -> None:
    assert find(written).code == "BL-23"


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("Du-3", "GV-3"),
        ("Ren 12", "CV-12"),
        ("SJ5", "TE-5"),
        ("Liv-3", "LR-3"),
        ("EX-LE4", "Xiyan"),
        ("ex hn 3", "Yintang"),
    ],
)
def test_other_names_of_a_point_lead_to_its_code(written: str, code: str) -> None:
    assert find(written).code == code


def test_every_code_and_every_name_leads_to_its_point() -> None:
    for code, point in POINTS.items():
        assert find(code) is point
        sharing = [each for each in POINTS.values() if key(each.name) == key(point.name)]
        if len(sharing) == 1:
            assert find(point.name) is point
            assert point is ASHI or find(point.chinese) is point


def test_a_name_that_two_points_have_is_not_guessed() -> None:
    with pytest.raises(Misuse, match="name of LI-18 and of ST-32: write a code"):
        find("Futu")


@pytest.mark.parametrize("written", ["BL-99", "BL-68", "B23", "", "BL-", "23", "LI-21", "EX-LE5"])
def test_an_unknown_point_is_refused_by_name(written: str) -> None:
    with pytest.raises(Misuse, match=f"point '{written}' is not known"):
        find(written)


def test_a_near_miss_is_told_what_may_be_meant() -> None:
    with pytest.raises(Misuse, match="did you mean ST-36"):
        find("Zusanlli")


@pytest.mark.parametrize("written", [None, 23, b"BL-23", ["BL-23"]])
def test_what_is_no_text_names_no_point(written: object) -> None:
    with pytest.raises(Misuse, match="named by text"):
        find(written)  # type: ignore[arg-type]
