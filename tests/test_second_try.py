"""Tests that failed beside others: which are tried again, and what is said of them."""

import json
from pathlib import Path

import pytest

from tests import second_try

FLAKY = """
from pathlib import Path
def test_flaky():
    first = not Path("ran").exists()
    Path("ran").touch()
    assert not first
def test_broken():
    assert False
"""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "test_it.py").write_text(FLAKY, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    (tmp_path / second_try.LAST_FAILED).parent.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def failed(*names: str) -> None:
    second_try.LAST_FAILED.write_text(json.dumps({f"test_it.py::{name}": True for name in names}), "utf-8")


def test_one_that_passes_by_itself_is_named(there: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (there / "ran").touch()
    failed("test_flaky")
    assert second_try.main([]) == 0
    said = capfd.readouterr().out.splitlines()[-1]
    assert said.startswith("SECOND TRY of 1, passed by themselves: look at why")
    assert said.endswith(": test_it.py::test_flaky")


def test_one_that_fails_again_has_failed(there: Path, capfd: pytest.CaptureFixture[str]) -> None:
    failed("test_broken")
    assert second_try.main([]) == 1
    assert "SECOND TRY of 1, failed by themselves too: test_it.py::test_broken" in capfd.readouterr().out


@pytest.mark.parametrize("names", [(), ("a", "b", "c", "d")])
def test_none_and_many_are_not_tried_again(
    names: tuple[str, ...], there: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    failed(*names)
    assert second_try.main([]) == 1
    assert f"no second try: {len(names)} tests failed" in capfd.readouterr().out
