"""The blocks a report is made of: what is said, and nothing of how it is set.

A cell may have several lines. What nobody knows is an empty cell.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FactList:
    """Names and values, a line each."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DataTable:
    """A table under its head. The `wide` columns share the room that is left; the `figures` are set to the right."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wide: frozenset[int]
    figures: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence or more. A `loud` one is a warning."""

    text: str
    loud: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture, drawn as SVG when the report is set, and the sentences that say what is in it."""

    draw: Callable[[], str]
    caption: str


@dataclass(frozen=True, slots=True)
class SignatureLines:
    """Lines to be signed by hand: the head of the columns, and who signs."""

    head: tuple[str, ...]
    roles: tuple[str, ...]


Block = FactList | DataTable | Passage | Plot | SignatureLines


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A heading and its blocks."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class LogReport:
    """A whole report. `marks` are printed across every page, largest first; `warnings` stand before all else."""

    language: str
    title: str
    subtitle: str
    marks: tuple[str, ...]
    said: tuple[str, ...]
    warnings: tuple[str, ...]
    sections: tuple[ReportSection, ...]
    page_of: str
    foot: tuple[str, ...]
