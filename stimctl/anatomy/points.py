"""The points that can be named: the 361 of the WHO standard, its extra points, and Ashi.

`points.csv` has a row for each: code, name in pinyin and in Chinese, region, side rule, and what else it is called.
Codes and names are those of the WHO Standard Acupuncture Point Locations in the Western Pacific Region (2008) and,
for the extra points, of the Proposed Standard International Acupuncture Nomenclature (WHO, 1991). Which region a
point counts as is this project's reading of those locations [choice]: where one lies between two regions, it is in
the one that is refused. So a thoracic back point counts as upper back, a point of the shoulder too, the armpit as
chest, the hip and the gluteal fold as lower back.

Three extra points keep the names by which the source document calls them: Taiyang (EX-HN5), Yintang (EX-HN3) and
Xiyan, its "Medial Eye of the Knee" (EX-LE4). EX-LE5, which is EX-LE4 and ST-35 together, is no needle's place and is
left out; EX-B2, seventeen places to a side, has a row for each vertebra. Of the other sets (such as EX-UE9, four to a
hand) one needle to a side can be named.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from importlib.resources import files

from stimctl.anatomy.writing import key
from stimctl.errors import Misuse


class Region(StrEnum):
    """A part of the body, as far as the path of a current is concerned."""

    HEAD = "head"
    NECK = "neck"
    CHEST = "chest"
    UPPER_BACK = "upper back"  # down to T12, the shoulders and shoulder blades with it
    ABDOMEN = "abdomen"
    LOWER_BACK = "lower back"  # from L1 down, with the sacrum, the buttocks and the hips
    ARM = "arm"  # from below the shoulder to the hand
    LEG = "leg"  # from below the hip to the foot


class Side(StrEnum):
    """Which side of the body."""

    LEFT = "left"
    RIGHT = "right"
    MIDLINE = "midline"


PAIRED_SIDES = frozenset({Side.LEFT, Side.RIGHT})


@dataclass(frozen=True, slots=True)
class Point:
    """One point: its code, its name, where it is, and whether there is one on each side or one on the midline."""

    code: str
    name: str
    region: Region | None  # None: an Ashi point is where it is tender, and its region has to be declared
    paired: bool
    chinese: str = ""
    also: tuple[str, ...] = ()

    def sides(self) -> frozenset[Side]:
        """The sides on which this point exists."""
        return PAIRED_SIDES if self.paired else frozenset({Side.MIDLINE})


def _table() -> Iterator[Point]:
    table = files(__package__).joinpath("points.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(table.splitlines()):
        also = tuple(row["also"].split("|")) if row["also"] else ()
        paired = {"paired": True, "midline": False}[row["side"]]
        yield Point(row["code"], row["name"], Region(row["region"]), paired, row["chinese"], also)


ASHI = Point("Ashi", "tender point", None, True, "阿是")
POINTS: dict[str, Point] = {point.code: point for point in (*_table(), ASHI)}

# Not to be needled in pregnancy, by guidelines [lit].
PREGNANCY_POINTS = frozenset({"LI-4", "SP-6", "BL-60", "BL-67", "BL-31", "BL-32", "BL-33", "BL-34"})

# Other ways in which books abbreviate the meridians.
_ABBREVIATIONS = {
    "UB": "BL", "DU": "GV", "DM": "GV", "REN": "CV", "RN": "CV", "RM": "CV", "SJ": "TE", "TB": "TE", "TH": "TE",
    "TW": "TE", "LIV": "LR", "LV": "LR", "KID": "KI", "KD": "KI", "HE": "HT", "CO": "LI", "BLAD": "BL",
}  # fmt: skip


def _index() -> dict[str, tuple[Point, ...]]:
    found: dict[str, tuple[Point, ...]] = {}
    for point in POINTS.values():
        meridian, _, number = point.code.partition("-")
        others = [f"{other}{number}" for other, standard in _ABBREVIATIONS.items() if standard == meridian]
        chinese = (point.chinese, f"{point.chinese}穴") if point.chinese else ()
        for written in {key(each) for each in (point.code, point.name, *chinese, *point.also, *others)}:
            found[written] = (*found.get(written, ()), point)
    return found


BY_KEY = _index()


def find(written: str) -> Point:
    """The point written as `BL-23`, `BL23`, `bl 23`, `UB-23`, `Shenshu` or 肾俞.

    Raises `Misuse` for what is no text, for a point that is not known here, and for a name that two points have.
    """
    if not isinstance(written, str):
        raise Misuse(f"a point is named by text, as in 'BL-23', not by {written!r}")
    found = BY_KEY.get(key(written), ())
    if len(found) > 1:
        raise Misuse(f"point {written!r} is the name of {' and of '.join(point.code for point in found)}: write a code")
    if not found:
        raise Misuse(f"point {written!r} is not known here{_hint(written)}")
    return found[0]


def _hint(written: str) -> str:
    close = get_close_matches(key(written), BY_KEY, n=1)
    if close:
        return f"; did you mean {BY_KEY[close[0]][0].code}?"
    return '; write its WHO code, as in BL-23, its name in pinyin, or "Ashi" for a tender point'
