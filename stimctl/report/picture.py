"""A figure as the bytes of a picture, in which a person's text stands as it was written: no formula, and never a box.

Made without pyplot: there is no window and no global state.
"""

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from matplotlib import font_manager, rc_context
from matplotlib.figure import Figure

from stimctl.errors import Misuse
from stimctl.report.fonts import CHINESE, WESTERN

_NO_GLYPH = re.compile(r"Glyph (\d+) ")  # as matplotlib warns of a character for which it draws a box
_ISOLATES = "\N{FIRST STRONG ISOLATE}\N{POP DIRECTIONAL ISOLATE}"


def picture_of(draw: Callable[[], Figure], kind: str) -> bytes:
    """What `draw` makes, as `png` or `svg`; no date and no random ids are in it.

    Raises `Misuse` for a character that no font here has.
    """
    here = set(font_manager.get_font_names())
    settings: dict[Any, Any] = {
        "svg.hashsalt": "stimctl",
        "text.parse_math": False,  # a dollar is a dollar
        "font.family": [WESTERN, *(name for name in CHINESE if name in here)],
    }
    file = BytesIO()
    with rc_context(settings), _without_remarks(), warnings.catch_warnings():
        warnings.filterwarnings("error", message=_NO_GLYPH.pattern)
        try:
            draw().savefig(file, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
        except UserWarning as warning:
            found = _NO_GLYPH.match(str(warning))
            raise (Misuse(_sentence(chr(int(found[1])))) if found else warning) from None
    return file.getvalue()


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Without a line on standard error for each text whose font has no bold face."""
    log = logging.getLogger("matplotlib.font_manager")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _sentence(character: str) -> str:
    if character in _ISOLATES:
        return "a picture with text that runs from right to left needs matplotlib 3.11 or later"
    return (
        f"the picture holds {character!r}, and matplotlib finds no font for that on this machine: install one (for "
        "Chinese fonts-wqy-microhei, say, on Debian), or draw in the terminal"
    )
