"""The list has to be complete, and true in both directions."""

import tomllib
from pathlib import Path

import pytest

from tests.mutation import survivors
from tests.mutation.mutants import Name
from tests.mutation.targets import TARGETS

A = Name("m.py", "f", "a < b", "a <= b")
B = Name("m.py", "f", "b", 'say("c")', 2)


def written(tmp_path: Path, *names: Name, reason: str = "the same by symmetry") -> Path:
    file = tmp_path / "survivors.toml"
    text = "\n".join(survivors.entry(name) for name in names)
    file.write_text(text.replace('reason = ""', f'reason = "{reason}"'))
    return file


def test_what_is_printed_for_a_survivor_can_be_pasted_into_the_list(tmp_path: Path) -> None:
    assert survivors.read(written(tmp_path, A, B)) == dict.fromkeys((A, B), "the same by symmetry")


@pytest.mark.parametrize("reason", ["", "  "])
def test_no_entry_without_a_reason(tmp_path: Path, reason: str) -> None:
    with pytest.raises(survivors.BadList, match="survivor 1"):
        survivors.read(written(tmp_path, A, reason=reason))


def test_no_entry_with_another_key_and_none_that_lacks_one(tmp_path: Path) -> None:
    file = tmp_path / "survivors.toml"
    for text in ('[[survivor]]\nfile = "m.py"\n', written(tmp_path, A).read_text() + '\nwhy = "x"\n'):
        file.write_text(text)
        with pytest.raises(survivors.BadList, match="survivor 1"):
            survivors.read(file)


def test_no_entry_twice(tmp_path: Path) -> None:
    with pytest.raises(survivors.BadList, match="twice"):
        survivors.read(written(tmp_path, A, A))


def test_a_survivor_that_is_not_listed_fails() -> None:
    verdict = survivors.judge({A: "why"}, [A, B], [A, B])
    assert (verdict.unlisted, verdict.good) == ((B,), False)


def test_an_entry_whose_mutant_is_killed_now_fails() -> None:
    verdict = survivors.judge({A: "why"}, [], [A, B])
    assert (verdict.killed, verdict.gone, verdict.good) == ((A,), (), False)


def test_an_entry_whose_mutant_is_gone_fails() -> None:
    verdict = survivors.judge({A: "why"}, [], [B])
    assert (verdict.killed, verdict.gone, verdict.good) == ((), (A,), False)


def test_exactly_the_listed_ones_pass() -> None:
    assert survivors.judge({A: "why"}, [A], [A, B]).good


def test_the_shipped_list_names_only_what_is_mutated() -> None:
    assert {name.file for name in survivors.read()} <= {target.file for target in TARGETS}
    assert tomllib.loads(survivors.LIST.read_text(encoding="utf-8"))


def test_every_file_that_is_mutated_is_there_and_so_are_its_tests() -> None:
    root = Path(__file__).parents[2]
    named = {file for target in TARGETS for file in (target.file, *target.tests)}
    assert [file for file in sorted(named) if not (root / file).is_file()] == []
