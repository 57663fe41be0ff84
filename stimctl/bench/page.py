"""The judgement as one HTML page."""

from pathlib import Path
from typing import Any

from stimctl.bench.document import limits, measured_text, shown
from stimctl.report.html import rendered

FOLDER = Path(__file__).parent


def as_html(document: dict[str, Any], pictures: list[str]) -> str:
    """The page of an acceptance; `pictures` are SVG, one a capture."""
    inside = [picture[picture.index("<svg") :] if "<svg" in picture else "" for picture in pictures]
    return rendered(
        FOLDER / "page.html.j2", document=document, measured=measured_text(document), pictures=inside, shown=shown,
        limits=limits,
    )  # fmt: skip
