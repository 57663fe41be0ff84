"""Pages that need nothing else: no file beside them and nothing from the network. Every text in them is escaped."""

from pathlib import Path
from typing import Any


def rendered(template: Path, **context: Any) -> str:
    """The page that a template makes of its context. A name that it does not find is a mistake and raises."""
    from jinja2 import Environment, StrictUndefined

    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page: str = made.from_string(template.read_text("utf-8")).render(**context)
    return page
