"""The words of a report, in the language that was asked for."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from stimctl.label import printable

FOLDER = Path(__file__).with_name("words")


class ReportWords:
    """One language's table. A text is called by its table and name: `words("label.id")`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._table = _table(language)

    def __call__(self, name: str, **places: object) -> str:
        """One text, its places filled. Raises `KeyError` for one that is not in the table."""
        table, _, key = name.partition(".")
        text: str = self._table[table][key]
        return text.format(**{place: printable(value) for place, value in places.items()}) if places else text

    def of(self, table: str, value: object) -> str:
        """A word of the log in this language; as the log has it where the table does not know it, empty for none."""
        return "" if value is None else str(self._table.get(table, {}).get(str(value), printable(value)))


@cache
def _table(language: str) -> dict[str, Any]:
    return tomllib.loads(FOLDER.joinpath(f"{language}.toml").read_text("utf-8"))
