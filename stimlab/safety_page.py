"""Reads SAFETY.md as data: its hazards, the functions that control each, and the tests that see those functions act.

A hazard is a section of the page:

    ### H08 Short

    Severity 2. The clips of a pair touch.

    The control, in a sentence or two.

    - `path/to/module.py` `Class.function`, by `SYMBOL`: what it does
      - [words of a test's name](tests/path/to/test_module.py)

`SYMBOL` is the limit or the outcome that the function decides by. Tables between marks are made, see `safety_table`.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

NOT_SOFTWARE = "Not solved by software"
_SECTION = re.compile(r"^### (H\d\d) (.+)\n\nSeverity (\d)\. (.+)\n\n(.+)\n((?:\n- .+(?:\n  - .+)+)*)", re.MULTILINE)
_CONTROL = re.compile(r"^- `(.+?)` `(.+?)`, by `(.+?)`: (.+)((?:\n  - .+)+)", re.MULTILINE)
_TEST = re.compile(r"^  - \[(.+)\]\((.+)\)$", re.MULTILINE)


class Malformed(ValueError):
    """A section of the page that has not the form above. The message names it."""


class Control(NamedTuple):
    """A function that acts, the symbol it decides by, what it does, and the tests that see it, as pytest names them."""

    path: str
    name: str
    by: str
    does: str
    tests: tuple[str, ...]


class Hazard(NamedTuple):
    """One section. `severity` is 1 to 5; without `controls` it is not solved by software."""

    identity: str
    title: str
    severity: int
    cause: str
    control: str
    controls: tuple[Control, ...]

    @property
    def anchor(self) -> str:
        """Its heading as a link writes it."""
        heading = f"{self.identity} {self.title}".lower()
        return re.sub(r"[^\w -]", "", heading).replace(" ", "-")


def hazards(text: str) -> dict[str, Hazard]:
    """The page's hazards by their number. Raises `Malformed`."""
    found: dict[str, Hazard] = {}
    for match in _SECTION.finditer(text):
        identity, title, severity, cause, control, acting = match.groups()
        if identity in found:
            raise Malformed(f"{identity} stands twice")
        controls = tuple(_controls(identity, acting))
        if bool(controls) is control.startswith(NOT_SOFTWARE):
            raise Malformed(f"{identity}: says which functions act, or that it is not solved by software")
        found[identity] = Hazard(identity, title, int(severity), cause, control, controls)
    for heading in re.findall(r"^### (H\d\d)", text, re.MULTILINE):
        if heading not in found:
            raise Malformed(f"{heading} is not written as the other hazards are")
    return found


def _controls(identity: str, acting: str) -> Iterator[Control]:
    found = list(_CONTROL.finditer(acting))
    if len(found) != len(re.findall("^- ", acting, re.MULTILINE)):
        raise Malformed(f"{identity}: a control names its module, its function, what it decides by, and tests")
    for match in found:
        tests = _TEST.findall(match[5])
        if len(tests) != match[5].count("\n"):
            raise Malformed(f"{identity}: a test of {match[2]} is not a link to a file in tests/")
        path, name, by, does = match.group(1, 2, 3, 4)
        yield Control(path, name, by, does, tuple(test_id(words, file) for words, file in tests))


def test_id(words: str, path: str) -> str:
    """A test as pytest names it, from a link: its name without `test_` and with spaces; class before, case behind.

    >>> test_id("TestDevice: it runs [fast]", "tests/test_x.py")
    'tests/test_x.py::TestDevice::test_it_runs[fast]'
    """
    words, bracket, case = words.partition(" [")
    group, colon, name = words.rpartition(": ")
    return f"{path}::{group}{'::' if colon else ''}test_{name.replace(' ', '_')}{bracket.strip()}{case}"


# --- what is wrong with a control --------------------------------------------------------------------


def misplaced(control: Control, root: Path) -> str | None:
    """Why this module cannot be where the control is: no such function, or one that does not look at `by`."""
    module = root / control.path
    if not module.is_file():
        return f"{control.path} does not exist"
    function = _functions(module).get(control.name)
    if function is None:
        return f"{control.path} has no {control.name}"
    if control.by not in _symbols(function):
        return f"{control.name} in {control.path} does not look at {control.by}"
    return None


def missing(test: str, root: Path) -> bool:
    """Whether a test's file does not define it. Of a case, its words have to stand in the file."""
    path, _, name = test.partition("::")
    name, _, case = name.partition("[")
    file = root / path
    if not (path.startswith("tests/") and file.is_file() and name.rpartition("::")[2].startswith("test_")):
        return True
    return name.replace("::", ".") not in _functions(file) or case.removesuffix("]") not in file.read_text("utf-8")


@cache
def _functions(path: Path) -> dict[str, ast.FunctionDef]:
    """Each function of a file by its name, a method by `Class.name`."""

    def defined(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
        for node in body:
            if isinstance(node, ast.FunctionDef):
                yield prefix + node.name, node
            elif isinstance(node, ast.ClassDef):
                yield from defined(node.body, f"{prefix}{node.name}.")

    return dict(defined(ast.parse(path.read_text("utf-8")).body, ""))


def _symbols(function: ast.FunctionDef) -> set[str]:
    """Every name and attribute that a function speaks of."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found
