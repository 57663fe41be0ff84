"""The judgement as one HTML page."""

from pathlib import Path
from typing import Any

from stimctl.bench.document import limits, shown
from stimctl.report.html import rendered

TEMPLATE = Path(__file__).with_name("page.html.j2")


def as_html(document: dict[str, Any], pictures: list[str]) -> str:
    """The page; `pictures` are SVG, one a capture."""
    inside = [picture[picture.index("<svg") :] if "<svg" in picture else "" for picture in pictures]
    return rendered(TEMPLATE, document=document, pictures=inside, shown=shown, limits=limits)
