"""What the documents name is there: every path in code type, every link, every heading that a link goes to, every
target of the Makefile, and every module that is run.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_PATH = re.compile(r"(?:stimctl|firmware_sim|stimlab|tests|docs|benchmarks|profiles|examples)/[\w./-]*")


def gone(text: str) -> list[str]:
    """Paths in code type that are nowhere. A word in capitals stands for a name of the reader's own."""
    named = {span.partition("::")[0] for span in re.findall(r"`([^`\n]+)`", text)}
    paths = [span for span in named if _PATH.fullmatch(span) and not re.search(r"\b[A-Z]{2,}\b", span)]
    return sorted(path for path in paths if not (ROOT / path).exists())


def not_runnable(text: str) -> list[str]:
    """Targets of `make` that are in no Makefile of ours, and modules for `python -m` that are nowhere."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    made = set(re.findall(r"(?:^    |`)make ([a-z][a-z-]*)", text, re.MULTILINE))
    modules = re.findall(r"python3? -m ((?:stimctl|firmware_sim|stimlab|tests|benchmarks)[\w.]*)", text)
    files = {each: ROOT / each.replace(".", "/") for each in modules}
    nowhere = [
        each
        for each, file in files.items()
        if not (file.with_suffix(".py").exists() or (file / "__main__.py").exists())
    ]
    return sorted([*(made - targets), *nowhere])


def headings(document: Path) -> set[str]:
    """As a link writes them."""
    lines = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def broken(document: Path, text: str) -> list[str]:
    """Links within the project that lead nowhere."""
    wrong = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, heading = link.partition("#")
        there = (document.parent / path).resolve() if path else document
        if not there.exists() or (heading and heading not in headings(there)):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text("utf-8")
    # A change log speaks of what was.
    assert document.name == "CHANGELOG.md" or gone(text) + not_runnable(text) == []
    assert broken(document, text) == []


def test_what_is_not_there_is_noticed() -> None:
    assert gone("`stimctl/limits.py`, `stimctl/nowhere.py`, `firmware_sim/NAME/`, `tests/x.py::test_y`") == [
        "stimctl/nowhere.py",
        "tests/x.py",
    ]
    assert not_runnable("    make tea\n`make run PORT=x`, `python -m tests.agree`, python -m stimlab.nowhere") == [
        "stimlab.nowhere",
        "tea",
    ]
    here = ROOT / "README.md"
    assert broken(here, "[a](SAFETY.md#intended-use) [b](SAFETY.md#nothing) [c](docs/no.md)") == [
        "SAFETY.md#nothing",
        "docs/no.md",
    ]
