"""docs/clinical-sources.md: every value of the clinical profiles, the source's sentence for it, and the verdict.

python -m tests.stimctl.profile.clinical_table --write     renew the tables of the page
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stimctl.profile import Origin, Profile, Sourced, packaged_folder, value_text
from stimctl.profile.include import beside, with_parts
from stimctl.profile.model import PointPattern, ProfileNote, ProfilePoint, values
from stimctl.profile.toml_text import read_file
from tests.stimctl.profile.source_document import Quoted, Source, kept, problems, profiles, quoted, sentence_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "clinical-sources.md"
BEGIN, END = "<!-- generated -->\n", "<!-- end generated -->"
HEAD = "| value | in the profile | the source's sentence, and its section | verdict |\n|---|---|---|---|\n"


def page(text: str, source: Source) -> str:
    """The page with its tables as the profiles are now."""
    before, rest = text.split(BEGIN)
    tables = "\n".join(_tables(source))
    return f"{before}{BEGIN}\n{tables}\n{END}{rest.split(END)[1]}"


def _tables(source: Source) -> Iterator[str]:
    shared: dict[str, str] = {}
    for profile in profiles().values():
        sentences = {each.path: _sentence(source, each) for each in quoted(profile)}
        wrong = problems(profile, source)
        moved = _moved(profile)
        rows = []
        for path, part in values(profile):
            row = _row(path, part, sentences.get(path), [each for each in wrong if f" {path}: " in each])
            there = next((f"{to}{path[len(at) :]}" for at, to in moved.items() if _within(path, at)), None)
            if there is None:
                rows.append(row)
            else:
                shared[there] = row
        taken = ", ".join(profile.include)
        title = f"### {profile.title} (`{profile.id}` {profile.version})\n\nWith the shared parts {taken}."
        yield f"{title}\n\n{HEAD}{''.join(rows)}"
    yield f"### Shared parts (`profiles/_common.toml`)\n\n{HEAD}{''.join(shared.values())}"


def _within(path: str, at: str) -> bool:
    return path == at or path.startswith((f"{at}.", f"{at}["))


def _moved(profile: Profile) -> dict[str, str]:
    own = Path(profile.path)
    return dict(with_parts(read_file(own), beside(own.parent, packaged_folder())).moved)


def _sentence(source: Source, each: Quoted) -> str:
    return f"“{sentence_of(source, each).removeprefix('- ')}” ({each.section})"


def _row(path: str, part: Any, sentence: str | None, wrong: list[str]) -> str:
    cells = [f"`{path}`", _said(path, part), sentence or "none", _verdict(part, wrong)]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def _said(path: str, part: Any) -> str:
    if isinstance(part, ProfilePoint):
        return f"{part.code}, {part.role}: {part.use}"
    if isinstance(part, PointPattern):
        return f"{part.name} ({part.signs}): add {', '.join(part.add)}. {part.aim}"
    if isinstance(part, ProfileNote):
        return f"{part.about}: {part.text or part.quote}"
    assert isinstance(part, Sourced)
    name = path.rpartition(".")[2].partition("[")[0]
    return "left open" if part.value is None else value_text(name, part.value)


def _verdict(part: Any, wrong: list[str]) -> str:
    slip, note = getattr(part, "slip", None), getattr(part, "note", None)
    if wrong:
        return f"WRONG: {'; '.join(wrong)}"
    if part.origin is Origin.SOURCE:
        return f"the source says so; but {slip}" if slip else "the source says so"
    if part.origin is Origin.UNSPECIFIED:
        return f"nobody has said it: {note}"
    cited = getattr(part, "citation", None)
    return "the project's own [choice]" + (f": {note}" if note else f", from {cited} [lit]" if cited else "")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), kept()), encoding="utf-8")
