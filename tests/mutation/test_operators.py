"""Each kind of change is made where it should be, and nowhere else."""

import ast

import pytest

from tests.mutation.operators import changes


def edits(source: str) -> list[str]:
    """The changed sources."""
    data = source.encode()
    return [(data[: made.start] + made.text.encode() + data[made.end :]).decode() for made in changes(source)]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("x = a < b", {"x = a <= b", "x = a >= b"}),
        ("x = a not in b", {"x = a in b"}),
        ("x = (a) == (b)", {"x = (a) != (b)"}),
        ("x = a if b else c", {"x = a if True else c", "x = a if False else c"}),
        ("x = 5", {"x = 6", "x = 4"}),
        ("x = 0", {"x = 1", "x = (-1)"}),
        ("x = 30.0", {"x = 30.3", "x = 29.7"}),
        ("x = 0.0", {"x = 1.0", "x = -1.0"}),
        ("x = True", {"x = False"}),
        ("x = a + b", {"x = a - b"}),
        ("x = a // b", {"x = a * b"}),
        ("x = not a", {"x = a"}),
        ("x = a and b", {"x = True and b", "x = a and True", "x = a or b"}),
        ("x = a or b", {"x = False or b", "x = a or False", "x = a and b"}),
        ("x = min(a, b)", {"x = max(a, b)"}),
        ("x = {'a': b}", {"x = {'a~': b}"}),
        ("x = {A.b: C.d, A.e: C.f}", {"x = {**{}, A.e: C.f}", "x = {A.b: C.d, **{}}"}),
        ("x = (a, b)", {"x = (*(), b)", "x = (a, *())"}),
        ("def f():\n    g()", {"def f():\n    pass"}),
        ("def f():\n    raise E", {"def f():\n    pass"}),
        ("def f():\n    self.a = b", {"def f():\n    pass"}),
        ("def f():\n    self.a += b", {"def f():\n    pass", "def f():\n    self.a -= b"}),
        ("def f():\n    yield a", {"def f():\n    yield from ()"}),
        ("def f():\n    return a", {"def f():\n    return None"}),
        ("def f() -> bool:\n    return a", {"def f() -> bool:\n    return not (a)"}),
        ("def f() -> bool:\n    return True", {"def f() -> bool:\n    return False"}),
        ("def f():\n    if a:\n        b = c", {f"def f():\n    if {said}:\n        b = c" for said in (True, False)}),
        ("def f(a=1): ...", {"def f(a=2): ...", "def f(a=0): ..."}),
    ],
)
def test_what_is_changed(source: str, wanted: set[str]) -> None:
    made = set(edits(source))
    assert wanted <= made
    if "A.b" not in source:
        assert made == wanted


@pytest.mark.parametrize(
    "source",
    [
        'x = "text"',
        'x = f"{a + 1} text"',
        "assert a < b",
        "import a",
        "@d(1)\ndef f(): ...",
        "def f(a: int | None) -> b | c: ...",
        'def f():\n    """Text."""',
        "def f():\n    return None",
    ],
)
def test_what_is_left_alone(source: str) -> None:
    assert edits(source) == []


def test_a_change_knows_its_function_and_what_runs_at_import_has_none() -> None:
    source = "x = 1\nclass A:\n    y = 2\n    def f(self, z=3):\n        def g():\n            return 4\n"
    found = {source[made.start : made.end]: made.function for made in changes(source)}
    assert found == {"1": "", "2": "", "3": "", "4": "A.f"}


def test_every_change_is_a_program_and_another_one() -> None:
    source = "def f(ü, b):\n    # ü\n    return [ü < b for c in (1, 2) if not (c and 'ü')] or max(ü, b) % 3\n"
    made = edits(source)
    assert len(set(made)) == len(made) > 10
    for text in made:
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(source))
