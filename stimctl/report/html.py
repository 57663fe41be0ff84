"""Pages that need nothing else: no file beside them and nothing from the network. Every text in them is escaped.

One that runs from right to left is set apart, so that it turns no figure around.
"""

from pathlib import Path
from typing import Any

from stimctl.label import isolated


def rendered(template: Path, **context: Any) -> str:
    """The page that a template makes of its context, with those beside it that it includes.

    A name that it does not find is a mistake and raises.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FileSystemLoader(template.parent), finalize=_set_apart,
    )  # fmt: skip
    page: str = made.get_template(template.name).render(**context)
    return page


def _set_apart(value: object) -> object:
    return isolated(value) if type(value) is str else value  # what is markup already is another type
