"""The picture and the terminal text of what a program will ask for, to be looked at before anything is started.

The libraries that draw are extras (`plot`), loaded on first use.
"""

from pathlib import Path

from stimctl.errors import Misuse
from stimctl.look import is_folder
from stimctl.report.preview_model import PreviewInput

_NO_DRAWING = "{} is not installed, which draws the preview: pip install 'stimctl[plot]'"


def picture(preview: PreviewInput, path: Path) -> bytes:
    """The picture as it is to stand at `path`, PNG or SVG by its ending. The same plan gives the same bytes.

    Raises `Misuse` for another ending, for a folder that is not there, and where matplotlib is not installed.
    """
    if path.suffix.lower() not in (".png", ".svg"):
        raise Misuse(f"{path.name}: a preview is written as .png or .svg")
    if not is_folder(path.parent):
        raise Misuse(f"{path}: the folder {path.parent} does not exist")
    try:
        from stimctl.report import preview_figure
    except ModuleNotFoundError:
        raise Misuse(_NO_DRAWING.format("matplotlib")) from None
    return preview_figure.picture(preview, path.suffix.lower().removeprefix("."))


def text(preview: PreviewInput, *, width: int = 100) -> str:
    """The picture for a terminal, without colours, at most `width` columns (and no wider than the terminal).

    Raises `Misuse` where plotext is not installed.
    """
    try:
        from stimctl.report import preview_terminal
    except ModuleNotFoundError:
        raise Misuse(_NO_DRAWING.format("plotext")) from None
    return preview_terminal.text(preview, width)
