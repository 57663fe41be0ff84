"""The names in the code keep to docs/glossary.md: no retired word comes back, and no class name stands twice."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("stimctl", "firmware_sim", "stimlab")
GLOSSARY = (ROOT / "docs/glossary.md").read_text("utf-8")
TERMS, _, _REST = GLOSSARY.partition("## Names that stand twice")
TWICE, _, RETIRED_TABLE = _REST.partition("## Retired words")
RETIRED = frozenset(re.findall(r"^\| `(\w+)` \|", RETIRED_TABLE, re.MULTILINE))
MODULES = {path: path.read_text("utf-8") for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))}


def names(path: Path, text: str) -> Iterator[tuple[str, str]]:
    """Each name of a module, with its kind: the module's own, its classes, functions and parameters."""
    yield "module", path.stem if path.stem != "__init__" else path.parent.name
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            yield "class", node.name
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield "function", node.name
        elif isinstance(node, ast.arg):
            yield "parameter", node.arg


def retired(kind: str, name: str, words: frozenset[str] = RETIRED) -> bool:
    """Whether a word with a capital is this class's name, or one without is this name, whatever it names."""
    bare = name.strip("_")
    return bare.lower() in words if kind != "class" else bare in words or bare.lower() in words


def classes() -> dict[str, list[str]]:
    found = defaultdict(list)
    for path, text in MODULES.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(str(path.relative_to(ROOT)))
    return found


def test_the_glossary_retires_words() -> None:
    assert {"onward", "overheard", "telling", "mouth", "hands", "ways", "told_rules", "which"} <= RETIRED


def test_no_retired_word_has_come_back() -> None:
    found = [
        f"{path.relative_to(ROOT)}: the {kind} {name}"
        for path, text in MODULES.items()
        for kind, name in names(path, text)
        if retired(kind, name)
    ]
    assert found == [], "docs/glossary.md says what to call it instead"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("class", "class Onward: ..."),
        ("class", "class _Onward: ..."),
        ("class", "class Turn: ..."),
        ("function", "def _told(): ..."),
        ("function", "async def overheard(): ..."),
        ("parameter", "def f(*, held): ..."),
        ("parameter", "g = lambda which: which"),
    ],
)
def test_a_retired_word_would_be_seen(kind: str, text: str) -> None:
    assert any(retired(each, name) for each, name in names(ROOT / "stimctl/new.py", text) if each == kind)
    assert not any(retired(each, name) for each, name in names(ROOT / "stimctl/new.py", "def turn(step): ..."))
    assert any(retired(*each) for each in names(ROOT / "stimctl/outgoing.py", ""))


def test_class_names_are_unique_or_the_glossary_says_why() -> None:
    twice = {name: where for name, where in classes().items() if len(where) > 1 and f"`{name}`" not in TWICE}
    assert twice == {}


def test_what_the_glossary_calls_a_class_is_one() -> None:
    written = set(re.findall(r"`([A-Z][a-z]\w*)`", TERMS)) | set(re.findall(r"`([A-Z][a-z]+[A-Z]\w*)`", RETIRED_TABLE))
    assert written - classes().keys() == set()


def test_no_term_is_explained_twice() -> None:
    terms = re.findall(r"^\| ([^|`]+?) \|", TERMS, re.MULTILINE)
    explained = [term for term in terms if term not in ("term", "---")]
    assert len(explained) == len(set(explained)) > 50
