"""Paper: a document in Typst's markup becomes a PDF, by the compiler that the package `typst` brings along."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stimctl.errors import Misuse
from stimctl.label import isolated

_SPECIAL = str.maketrans({each: f"\\{each}" for each in "\\#$*_`<>@[]~/\"'=-+"})


def escaped(text: object) -> str:
    """Text that stands in markup as it is, whatever is in it."""
    return isolated(str(text)).translate(_SPECIAL)


def compiler() -> Any:
    """The package `typst`. Raises `Misuse` where it is not installed."""
    try:
        import typst
    except ImportError:
        raise Misuse("a PDF needs the package typst: install it with `pip install 'stimctl[pdf]'`") from None
    return typst


def as_pdf(markup: str, pictures: Mapping[str, bytes] | None = None, folders: Iterable[Path] = ()) -> bytes:
    """The PDF. `pictures` are files that the markup names, `folders` have fonts beside the system's.

    Raises `Misuse` where the package is not installed.
    """
    made: bytes = _compiled(markup, pictures or {}, folders)
    return made


def as_pictures(
    markup: str, pictures: Mapping[str, bytes], folders: Iterable[Path], dots_per_inch: float
) -> list[bytes]:
    """Each page as PNG."""
    made = _compiled(markup, pictures, folders, format="png", ppi=dots_per_inch)
    return made if isinstance(made, list) else [made]


def _compiled(markup: str, pictures: Mapping[str, bytes], folders: Iterable[Path], **options: Any) -> Any:
    typst = compiler()
    with TemporaryDirectory() as folder:
        for name, content in pictures.items():
            Path(folder, name).write_bytes(content)
        source = Path(folder, "document.typ")
        source.write_text(markup, "utf-8")
        return typst.compile(str(source), root=folder, font_paths=[str(each) for each in folders], **options)
