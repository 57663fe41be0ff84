"""A mutant keeps its name while the file round it changes, and no two have the same."""

from pathlib import Path

import pytest

from tests.mutation.mutants import MODULE, Name, UnknownFunction, mutants_of

SOURCE = """\
LIMIT = 5  # why


def f(a):
    if a > LIMIT:  # too much
        return
    g(
        a,
    )
"""


def names(tmp_path: Path, source: str, functions: tuple[str, ...] = ()) -> list[Name]:
    (tmp_path / "m.py").write_text(source)
    return [mutant.name for mutant in mutants_of(tmp_path, "m.py", functions)]


def test_a_name_is_the_line_before_and_after_without_its_comment(tmp_path: Path) -> None:
    found = names(tmp_path, SOURCE)
    assert Name("m.py", MODULE, "LIMIT = 5", "LIMIT = 6") in found
    assert Name("m.py", "f", "if a > LIMIT:", "if a >= LIMIT:") in found
    assert Name("m.py", "f", "g( a, )", "pass") in found


def test_a_name_does_not_depend_on_lines_above_or_on_comments(tmp_path: Path) -> None:
    moved = "# new\n\n" + SOURCE.replace("too much", "far too much")
    assert names(tmp_path, moved) == names(tmp_path, SOURCE)


def test_the_same_line_twice_is_told_apart(tmp_path: Path) -> None:
    found = names(tmp_path, "def f(a):\n    g(a)\n    g(a)\n")
    assert [name.nth for name in found] == [1, 2]
    assert len(set(found)) == len(found)


def test_only_the_functions_that_are_named(tmp_path: Path) -> None:
    assert {name.function for name in names(tmp_path, SOURCE, ("f",))} == {"f"}


def test_a_function_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownFunction, match=r"m\.py has no function h"):
        names(tmp_path, SOURCE, ("h",))


def test_a_difference_for_people(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(SOURCE)
    mutant = mutants_of(tmp_path, "m.py")[0]
    assert f"-{SOURCE.splitlines()[0]}\n+{mutant.source(SOURCE).splitlines()[0]}" in mutant.diff(SOURCE)
