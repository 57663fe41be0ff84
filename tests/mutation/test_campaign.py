"""The whole machinery on a small project of its own: killed, surviving and endless mutants, and when it refuses."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = """\
LIMIT = 3
UNUSED = 7


def count(to):
    done = 0
    while done < to:
        done += 1
    return done


def within(value) -> bool:
    return value < LIMIT


def nobody():
    return 1
"""
TESTS = """\
from stimctl.small import count, within


def test_count(): assert count(5) == 5
def test_inside(): assert within(2)
def test_outside(): assert not within(4)
"""
SCRIPT = """\
import json, sys
from pathlib import Path
from tests.mutation.campaign import Campaign, OutOfTime, RedBaseline
from tests.mutation.suite import start
from tests.mutation.targets import Target
target = Target("small", "stimctl/small.py", ("tests/test_small.py",))
campaign = Campaign(Path.cwd(), [target], 2, float(sys.argv[1]), lambda what, done, of: None)
try:
    start(campaign.run, least_s=0.2)
except (OutOfTime, RedBaseline) as failed:
    print(json.dumps({"refused": type(failed).__name__, "said": str(failed)}))
else:
    named = [(campaign.jobs[at].mutant.name, told) for at, told in campaign.outcomes.items()]
    print(json.dumps([[name.function, name.after, told.fate, told.said] for name, told in named]))
"""


def run(tmp_path: Path, tests: str, bound_s: float = 60) -> Any:
    """Run a campaign over the small project with these tests, in a process of its own."""
    for name, text in {"stimctl/__init__.py": "", "stimctl/small.py": CODE, "tests/test_small.py": tests}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\naddopts = --import-mode=importlib\n")
    environment = {"PYTHONPATH": f"{tmp_path}:{REPOSITORY}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-c", SCRIPT, str(bound_s)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def fates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """What became of each mutant of the small project."""
    found = run(tmp_path_factory.mktemp("small"), TESTS)
    return {f"{function}: {after}": (fate, said) for function, after, fate, said in found}


def test_a_mutant_of_a_function_is_killed_by_the_test_that_notices(fates: dict[str, tuple[str, str]]) -> None:
    fate, said = fates["within: return not (value < LIMIT)"]
    assert fate == "killed"
    assert "test_small.py::test_" in said


def test_a_boundary_that_no_test_touches_survives(fates: dict[str, tuple[str, str]]) -> None:
    assert fates["within: return value <= LIMIT"] == ("survived", "")
    assert fates["within: return value >= LIMIT"][0] == "killed"


def test_a_mutant_of_a_constant_is_seen_by_whoever_imports_it(fates: dict[str, tuple[str, str]]) -> None:
    assert fates["(module): LIMIT = 2"][0] == "killed"
    assert fates["(module): UNUSED = 8"][0] == "survived"


def test_a_mutant_that_runs_for_ever_is_ended_and_told(fates: dict[str, tuple[str, str]]) -> None:
    assert fates["count: done -= 1"][0] == "timed out"


def test_a_function_that_no_test_reaches_is_told(fates: dict[str, tuple[str, str]]) -> None:
    assert fates["nobody: return 2"] == ("survived", "no test reaches it")


def test_nothing_is_said_when_the_tests_fail_without_a_mutant(tmp_path: Path) -> None:
    said = run(tmp_path, TESTS + "def test_red(): assert within(3)\n")
    assert said["refused"] == "RedBaseline"
    assert "test_small.py::test_red" in said["said"]


def test_the_bound_of_time_is_kept(tmp_path: Path) -> None:
    said = run(tmp_path, TESTS, bound_s=0.01)
    assert said == {"refused": "OutOfTime", "said": "the tests on the unmutated program were not done within 0.01 s"}
