"""Whether the words that say where an Ashi point is agree with the side and region that are declared for it.

An Ashi point is no way round the table: a spot that names a point, another side, another region, or that holds a word
which is not in `words.toml`, is refused. It is a check of words. No software can see the needle.
"""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files

from stimctl.anatomy.points import ASHI, BY_KEY, Region, Side
from stimctl.anatomy.writing import parts

MAX_CHARACTERS = 80
_LONGEST_PHRASE = 5
_EXAMPLE = 'as in "beside L4" or "middle of the forearm, outer side"'
_SIDES = {"left": Side.LEFT, "right": Side.RIGHT, "leftward": Side.LEFT, "rightward": Side.RIGHT}
# The vertebrae that a letter and a number name, and the region that each is in.
_VERTEBRAE = {
    "c": (7, Region.NECK),
    "t": (12, Region.UPPER_BACK),
    "th": (12, Region.UPPER_BACK),
    "l": (5, Region.LOWER_BACK),
    "s": (5, Region.LOWER_BACK),
}
_ORDINALS = ("st", "nd", "rd", "th")


def _vocabulary() -> dict[tuple[str, ...], frozenset[Region]]:
    """For each word or phrase the regions in which it may stand: all, some or none."""
    data = tomllib.loads(files(__package__).joinpath("words.toml").read_text(encoding="utf-8"))
    allowed: dict[tuple[str, ...], frozenset[Region]] = {parts(word): frozenset(Region) for word in data["neutral"]}
    allowed |= {parts(word): frozenset() for word in data["nowhere"]}
    for region, words in data["regions"].items():
        for word in words:
            phrase = parts(word)
            allowed[phrase] = allowed.get(phrase, frozenset()) | {Region(region)}
    return allowed


_ALLOWED: Mapping[tuple[str, ...], frozenset[Region]] = _vocabulary()


def problems_in(spot: str, side: Side, region: Region) -> Iterator[str]:
    """Why `spot` cannot be the place of an Ashi point on this side of this region; nothing when it can."""
    words = parts(spot[: MAX_CHARACTERS + 1])
    if not words or len(spot) > MAX_CHARACTERS or not spot.isprintable():
        yield f"must say the place in words of 1 to {MAX_CHARACTERS} printable characters, {_EXAMPLE}"
        return
    named = _point_in(words)
    if named is not None:
        yield f'names the point {named}: write point = "{named}" with its side, instead of an Ashi point'
        return
    at = 0
    while at < len(words):
        length, wrong = _judged(words[at:], side, region)
        if wrong:
            yield wrong
        at += length


def _point_in(words: tuple[str, ...]) -> str | None:
    """The code of a point that stands among the words, however it is spaced."""
    for start in range(len(words)):
        for end in range(start + 1, min(len(words), start + _LONGEST_PHRASE) + 1):
            for point in BY_KEY.get("".join(words[start:end]), ()):
                if point is not ASHI and not _is_vertebra(words[start:end]):
                    return point.code
    return None


def _is_vertebra(words: tuple[str, ...]) -> bool:
    if len(words) != 2 or not words[1].isdecimal():
        return False
    return words[0] in _VERTEBRAE and 1 <= int(words[1]) <= _VERTEBRAE[words[0]][0]


def _judged(words: tuple[str, ...], side: Side, region: Region) -> tuple[int, str | None]:
    """How many of the words belong together, and what is wrong with them."""
    if _is_vertebra(words[:2]):
        return 2, _elsewhere("".join(words[:2]).upper(), frozenset({_VERTEBRAE[words[0]][1]}), region)
    for length in range(min(len(words), _LONGEST_PHRASE), 0, -1):
        if words[:length] in _ALLOWED:
            return length, _elsewhere(" ".join(words[:length]), _ALLOWED[words[:length]], region)
    word = words[0]
    if word in _SIDES:
        return 1, None if _SIDES[word] is side else f"says {word}, and the side that is declared is {side}"
    if word.isdecimal() or (word[:-2].isdecimal() and word.endswith(_ORDINALS)):
        return 1, None
    return 1, f"holds {word!r}, which is not known here and cannot be checked: say it in plain words, {_EXAMPLE}"


def _elsewhere(words: str, allowed: frozenset[Region], region: Region) -> str | None:
    if region in allowed:
        return None
    if not allowed:
        return f"says {words!r}, where no needle of a pair may be"
    return f"says {words!r}, which is {' or '.join(sorted(allowed))}, and the region that is declared is {region}"
