"""Pages that need nothing else: no file beside them and nothing from the network. Every text in them is escaped."""

from pathlib import Path
from typing import Any


def rendered(template: Path, **context: Any) -> str:
    """The page that a template makes of its context, with those beside it that it includes.

    A name that it does not find is a mistake and raises.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FileSystemLoader(template.parent),
    )  # fmt: skip
    page: str = made.get_template(template.name).render(**context)
    return page
