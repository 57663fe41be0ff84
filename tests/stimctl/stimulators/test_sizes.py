"""No class of a leased device's adapter holds more than a reader can keep in mind, and its tables are whole."""

import ast
from pathlib import Path

import pytest

import stimctl.stimulators
from stimctl.stimulators.stimjim import adapter

MOST = 15
FOLDER = Path(stimctl.stimulators.__file__).parent
FILES = sorted(file for part in ("lease", "stimjim", "pulsepal") for file in (FOLDER / part).glob("*.py"))


def attributes(body: ast.ClassDef) -> set[str]:
    """What a class assigns to itself, and the fields of a dataclass."""
    found = {
        each.target.id for each in body.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    for node in ast.walk(body):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            found |= {node.attr} if node.value.id == "self" else set()
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_class_holds_over_15_attributes(file: Path) -> None:
    classes = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.ClassDef)]
    assert {each.name: len(attributes(each)) for each in classes if len(attributes(each)) > MOST} == {}


def test_the_count_counts() -> None:
    source = "class A:\n    x: int = 0\n    def f(self):\n        self.y, self.z = 1, 2\n        self.y = 3\n"
    (body,) = ast.parse(source).body
    assert isinstance(body, ast.ClassDef)
    assert attributes(body) == {"x", "y", "z"}


def test_each_row_of_the_stimjim_table_has_somebody_who_takes_it() -> None:
    takers = set(adapter._TABLE.values())
    for dialect in adapter.DIALECTS.values():
        assert all(callable(getattr(dialect, name)) for name in takers)
    assert {state for state, _said in adapter._TABLE} == set(adapter.State) - {adapter.State.UNKNOWN}
