"""SAFETY.md keeps its word: every hazard is there, and every test it names exists."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
SAFETY = (ROOT / "SAFETY.md").read_text("utf-8")
NOT_SOFTWARE = "not software"


class Row(NamedTuple):
    hazard: str
    severity: str
    control: str
    where: str
    tests: tuple[str, ...]


def rows_of(text: str) -> dict[str, Row]:
    """The hazard table, by id. Raises when a line of it has not six cells or an id comes twice."""
    table = text.split("<!-- hazards -->")[1].split("<!-- end -->", maxsplit=1)[0]
    rows: dict[str, Row] = {}
    for line in table.strip().splitlines()[2:]:
        identity, hazard, severity, control, where, shown_by = (cell.strip() for cell in line.strip("|").split("|"))
        assert identity not in rows, f"{identity} stands twice"
        rows[identity] = Row(hazard, severity, control, where, tuple(re.findall(r"`([^`]+)`", shown_by)))
    return rows


@cache
def defined_in(path: Path) -> frozenset[str]:
    """`name` and `Class::name` of every test in a file, without importing it."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            names.add(node.name)
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            names |= {node.name} | {
                f"{node.name}::{each.name}"
                for each in node.body
                if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
            }
    return frozenset(names)


def missing(tests: tuple[str, ...]) -> list[str]:
    """Those of `path::name` that name no test."""
    gone = []
    for test in tests:
        path, _, name = test.partition("::")
        file = ROOT / path
        if not (path.startswith("tests/") and file.is_file() and name in defined_in(file)):
            gone.append(test)
    return gone


ROWS = rows_of(SAFETY)


def test_every_hazard_is_in_the_table() -> None:
    assert list(ROWS) == [f"H{number:02d}" for number in range(1, 25)]


@pytest.mark.parametrize("identity", ROWS)
def test_every_row_is_whole(identity: str) -> None:
    row = ROWS[identity]
    assert row.hazard
    assert row.severity in "12345"
    assert row.control
    assert row.where


@pytest.mark.parametrize("identity", ROWS)
def test_every_named_test_exists(identity: str) -> None:
    assert missing(ROWS[identity].tests) == []


@pytest.mark.parametrize("identity", ROWS)
def test_every_control_in_software_is_shown_by_a_test(identity: str) -> None:
    assert ROWS[identity].tests or ROWS[identity].where == NOT_SOFTWARE


@pytest.mark.parametrize("identity", ROWS)
def test_every_named_module_exists(identity: str) -> None:
    where = ROWS[identity].where
    for path in re.findall(r"`([^`]+)`", where):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("name", ["README.md", "SAFETY.md"])
def test_the_first_lines_say_what_it_is_not(name: str) -> None:
    start = " ".join((ROOT / name).read_text("utf-8").splitlines()[:15])
    assert "bench, research and simulation software" in start.lower()
    assert "not a medical device" in start.lower()


@pytest.mark.parametrize("name", ["README.md", "SAFETY.md", "docs/protocol.md"])
def test_no_conformity_is_claimed(name: str) -> None:
    text = (ROOT / name).read_text("utf-8").lower()
    assert not re.search(r"compl(y|ies|iant) with", text)
    assert not re.search(r"conforms to (iec|iso|en) ", text)


def test_a_test_that_does_not_exist_is_noticed() -> None:
    here = "tests/test_safety.py"
    assert missing((f"{here}::test_every_hazard_is_in_the_table",)) == []
    for wrong in (f"{here}::test_nothing", "tests/test_gone.py::test_x", here, "Makefile::test_x"):
        assert missing((wrong,)) == [wrong]


def test_a_hazard_that_stands_twice_is_noticed() -> None:
    doubled = SAFETY.replace("| H02 |", "| H01 |")
    with pytest.raises(AssertionError, match="H01 stands twice"):
        rows_of(doubled)
