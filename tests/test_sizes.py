"""Nothing is larger than a reader can keep in mind: the figures are those of CONTRIBUTING.md."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("stimctl", "firmware_sim", "stimlab")
CONTRIBUTING = " ".join((ROOT / "CONTRIBUTING.md").read_text("utf-8").split())


def figure(words: str) -> int:
    """The number that stands in CONTRIBUTING.md where `words` have a `#`."""
    found = re.search(re.escape(words).replace(r"\#", r"([\d,]+)"), CONTRIBUTING)
    assert found is not None, f"CONTRIBUTING.md no longer says {words!r}"
    return int(found[1].replace(",", ""))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def modules(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"no modules in {folder}"
    return found


def lines(path: Path) -> int:
    return path.read_text("utf-8").count("\n")


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function's place and its length in lines."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def attributes(body: ast.ClassDef) -> set[str]:
    """What a class assigns to itself, and the fields of a dataclass."""
    found = {
        each.target.id for each in body.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }
    for node in ast.walk(body):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
            found |= {node.attr} if node.value.id == "self" else set()
    return found


def is_record(body: ast.ClassDef) -> bool:
    """Whether it never changes: a frozen dataclass, or a named tuple."""
    return any("frozen=True" in ast.unparse(each) for each in body.decorator_list) or any(
        ast.unparse(each) == "NamedTuple" for each in body.bases
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_are_small(package: str) -> None:
    most, half = figure("at most # lines"), figure("half of them under #")
    sizes = {str(path.relative_to(ROOT)): lines(path) for path in modules(package)}
    assert {path: size for path, size in sizes.items() if size > most} == {}, "two ideas: make two modules of it"
    assert median(sizes.values()) < half


def test_tests_are_small() -> None:
    most = figure("a test's at most #")
    assert {str(path): lines(path) for path in modules("tests") if lines(path) > most} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_short(package: str) -> None:
    most, share, usual = figure("function has at most #"), figure("# in a hundred at most"), figure("hundred at most #")
    sizes = dict(each for path in modules(package) for each in functions(path))
    assert {place: size for place, size in sizes.items() if size > most} == {}
    assert sum(size <= usual for size in sizes.values()) * 100 >= share * len(sizes)


@pytest.mark.parametrize("folder", ["stimctl/session", "stimctl/stimulators", "stimctl/port"])
def test_classes_hold_little(folder: str) -> None:
    most = figure("holds at most # attributes")
    held = {
        f"{path.relative_to(ROOT)} {node.name}": len(attributes(node))
        for path in modules(folder)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and not is_record(node)
    }
    assert {name: count for name, count in held.items() if count > most} == {}


def test_the_counts_count() -> None:
    (body,) = ast.parse(
        "class A:\n    x: int = 0\n    def f(self):\n        self.y, self.z = 1, 2\n        self.y = 3\n"
    ).body
    assert isinstance(body, ast.ClassDef)
    assert attributes(body) == {"x", "y", "z"}
    here = dict(functions(Path(__file__)))
    assert next(size for place, size in here.items() if place.endswith(" lines")) == 2
