"""The fonts of a PDF: which are on this machine, and what they can show. A character that none has is never a box.

Letters of the West are those of DejaVu Sans, which comes with matplotlib. A Chinese font is not brought along: it would
be ten times as large as all of this project. It is the first of `CHINESE` that is on the machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stimctl.errors import Misuse
from stimctl.report.pdf import compiler

WESTERN = "DejaVu Sans"
# Openly licensed ones first, then what Windows and macOS bring along [choice].
CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "PingFang SC",
    "SimSun",
)
_HAN = (("\u2e80", "\u9fff"), ("\uff00", "\uff60"), ("\U00020000", "\U0003ffff"))
_GET_ONE = (
    "install one, such as Noto Sans CJK (Debian: apt-get install fonts-noto-cjk) or the smaller WenQuanYi Micro Hei "
    "(fonts-wqy-microhei), or write HTML, which is shown in the reader's own fonts"
)


@dataclass(frozen=True, slots=True)
class FontChoice:
    """Families in order of preference, folders to look in beside the system's, and characters that none of them has."""

    families: tuple[str, ...]
    folders: tuple[Path, ...]
    missing: frozenset[str]


def fonts_for(text: str, *, chinese: bool) -> FontChoice:
    """Fonts that show `text`. Raises `Misuse` where it holds Chinese and the machine has no font for it."""
    folders = _brought_along()
    known = compiler().Fonts(font_paths=list(folders)).fonts()
    families = [WESTERN]
    han = next((name for name in CHINESE if any(each.family == name for each in known)), None)
    if chinese and han is None:
        raise Misuse(f"a PDF in Chinese needs a Chinese font, and this machine has none: {_GET_ONE}")
    families += [han] if han else []
    missing = set(text) - set("\n") - _covered(known, families)
    if missing:
        for family in dict.fromkeys(each.family for each in known if _may_stand_in(each, folders)):
            if found := missing & _covered(known, [family]):
                families.append(family)
                missing -= found
    if han is None and any(map(_is_han, missing)):
        some = "".join(sorted(filter(_is_han, missing)))[:8]
        raise Misuse(f"the report holds {some}, and this machine has no font for that: {_GET_ONE}")
    return FontChoice(tuple(families), folders, frozenset(missing))


def _may_stand_in(font: Any, folders: tuple[Path, ...]) -> bool:
    """A font that shows characters as they are. Those for formulas do not, and one of last resort is all boxes."""
    return bool(font.path) and Path(font.path).parent not in folders and not font.family.startswith("Last Resort")


def _is_han(character: str) -> bool:
    return any(first <= character <= last for first, last in _HAN)


def _brought_along() -> tuple[Path, ...]:
    import matplotlib as mpl

    return (Path(mpl.get_data_path(), "fonts", "ttf"),)


def _covered(known: Iterable[Any], families: list[str]) -> set[str]:
    """The characters that these families have, each by its first font on the machine."""
    found: set[str] = set()
    for family in families:
        font = next((each for each in known if each.family == family and each.path), None)
        if font is not None:
            found |= _characters(Path(font.path), font.index)
    return found


def _characters(path: Path, index: int) -> set[str]:
    from fontTools.ttLib import TTFont

    with TTFont(path, fontNumber=index, lazy=True) as font:
        return {chr(code) for code in font.getBestCmap() or ()}
