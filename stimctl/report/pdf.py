"""Paper: a document in Typst's markup becomes a PDF, by the compiler that the package `typst` brings along."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from stimctl.errors import Misuse

_SPECIAL = str.maketrans({each: f"\\{each}" for each in "\\#$*_`<>@[]~/\"'=-+"})


def escaped(text: object) -> str:
    """Text that stands in markup as it is, whatever is in it."""
    return str(text).translate(_SPECIAL)


def as_pdf(markup: str, pictures: Mapping[str, bytes] | None = None) -> bytes:
    """The PDF. `pictures` are files that the markup names. Raises `Misuse` where the package is not installed."""
    try:
        import typst
    except ImportError:
        raise Misuse("a PDF needs the package typst: install it with `pip install 'stimctl[pdf]'`") from None
    with TemporaryDirectory() as folder:
        for name, content in (pictures or {}).items():
            Path(folder, name).write_bytes(content)
        source = Path(folder, "document.typ")
        source.write_text(markup, "utf-8")
        made: bytes = typst.compile(str(source), root=folder)
        return made
