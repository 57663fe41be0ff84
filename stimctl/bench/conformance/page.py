"""A run as one HTML page that needs nothing else: no script, no file beside it, nothing from the network."""

from pathlib import Path

from stimctl.bench.conformance.report import document
from stimctl.bench.conformance.result import Run

TEMPLATE = Path(__file__).with_name("page.html.j2")


def as_html(run: Run) -> str:
    """The page as text. What the device says is shown as text, whatever is in it."""
    # Here, because nothing else of stimctl needs it.
    from jinja2 import Environment, StrictUndefined

    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page: str = made.from_string(TEMPLATE.read_text("utf-8")).render(run=document(run))
    return page
