"""The judgement as one HTML page that needs nothing else: no file beside it and nothing from the network."""

from pathlib import Path
from typing import Any

from stimctl.bench.document import limits, shown

TEMPLATE = Path(__file__).with_name("page.html.j2")


def as_html(document: dict[str, Any], pictures: list[str]) -> str:
    """The page; `pictures` are SVG, one a capture."""
    from jinja2 import Environment, StrictUndefined

    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    inside = [picture[picture.index("<svg") :] if "<svg" in picture else "" for picture in pictures]
    page: str = made.from_string(TEMPLATE.read_text("utf-8")).render(
        document=document, pictures=inside, shown=shown, limits=limits
    )
    return page
