"""Where needles are, and between which two a current may flow.

`points` reads the table of points, `placement` is one needle, `spot` judges the words of an Ashi point, `pairs`
decides about two needles, `writing` makes what people write comparable.
"""

from stimctl.anatomy.pairs import BACK, LIMBS, TRUNK_BELOW_CHEST, check_pair, sites, warnings
from stimctl.anatomy.placement import Placement, place
from stimctl.anatomy.points import ASHI, PAIRED_SIDES, POINTS, PREGNANCY_POINTS, Point, Region, Side, find

__all__ = [
    "ASHI",
    "BACK",
    "LIMBS",
    "PAIRED_SIDES",
    "POINTS",
    "PREGNANCY_POINTS",
    "TRUNK_BELOW_CHEST",
    "Placement",
    "Point",
    "Region",
    "Side",
    "check_pair",
    "find",
    "place",
    "sites",
    "warnings",
]
