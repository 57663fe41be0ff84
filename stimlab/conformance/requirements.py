"""The requirements of docs/protocol.md as data, so that a report can say them without the document.

python -m stimlab.conformance.requirements --check     fail when the data are stale
python -m stimlab.conformance.requirements --write     bring them up to date
"""

import argparse
import json
import re
import sys
from functools import cache
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"
DATA = Path(__file__).with_name("requirements.json")
_SECTION = re.compile(r"^## (\d+ .+)$", re.MULTILINE)
_ITEM = re.compile(r"^- \*\*(R-\d\d)\*\* (.+(?:\n  \S.*)*)", re.MULTILINE)


@cache
def texts() -> dict[str, str]:
    """What each requirement says, by its number, in order."""
    return {number: entry["text"] for number, entry in _data().items()}


def section_of(requirement: str) -> str:
    """The section of the document that says it, number and title; empty for what is no requirement."""
    entry = _data().get(requirement)
    return "" if entry is None else entry["section"]


@cache
def _data() -> dict[str, dict[str, str]]:
    data: dict[str, dict[str, str]] = json.loads(DATA.read_text("utf-8"))
    return data


def read(document: str) -> dict[str, dict[str, str]]:
    """The requirements of the document's text: one paragraph each, without Markdown, and the section it stands in."""
    sections = _SECTION.split(document)
    found = {
        number: {"section": title, "text": re.sub(r"\*\*|`", "", " ".join(text.split()))}
        for title, body in zip(sections[1::2], sections[2::2], strict=True)
        for number, text in _ITEM.findall(body)
    }
    return {number: found[number] for number in sorted(found)}


def main(arguments: list[str] | None = None) -> int:
    """Check or write the data. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description="The requirements of docs/protocol.md, as the suite's reports say them."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="fail when the data are stale")
    what.add_argument("--write", action="store_true", help="bring the data up to date")
    options = parser.parse_args(arguments)
    wanted = json.dumps(read(DOCUMENT.read_text("utf-8")), indent=1) + "\n"
    if options.write:
        DATA.write_text(wanted, "utf-8")
    elif DATA.read_text("utf-8") != wanted:
        sys.stderr.write(f"{DATA} is stale: run `python -m stimlab.conformance.requirements --write`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
