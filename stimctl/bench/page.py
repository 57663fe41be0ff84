"""Reports as one HTML page that needs nothing else: no file beside it and nothing from the network."""

from pathlib import Path
from typing import Any

from stimctl.bench.document import limits, shown

FOLDER = Path(__file__).parent


def as_html(document: dict[str, Any], pictures: list[str]) -> str:
    """The page of an acceptance; `pictures` are SVG, one a capture."""
    inside = [picture[picture.index("<svg") :] if "<svg" in picture else "" for picture in pictures]
    return rendered("page.html.j2", document=document, pictures=inside, shown=shown, limits=limits)


def rendered(template: str, **values: Any) -> str:
    """One of this folder's templates, filled in."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FileSystemLoader(FOLDER),
    )  # fmt: skip
    page: str = made.get_template(template).render(**values)
    return page
