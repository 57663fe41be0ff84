"""SAFETY.md keeps its word: every hazard has its section, every function it names is there and decides by what it is
said to, every test it names exists. That a named test calls its function is seen when it runs: `tests/acts/plugin.py`.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stimlab.safety_page import Control, Malformed, hazards, misplaced, missing

ROOT = Path(__file__).parents[1]
SAFETY = (ROOT / "SAFETY.md").read_text("utf-8")
HAZARDS = hazards(SAFETY)
CONTROLS = [control for hazard in HAZARDS.values() for control in hazard.controls]
JUDGE = "`firmware_sim/native/monitor.py` `Monitor.judge`, by `LEAD_OFF_OHM`"


def test_every_hazard_has_its_section() -> None:
    assert list(HAZARDS) == [f"H{number:02d}" for number in range(1, 25)]


@pytest.mark.parametrize("identity", HAZARDS)
def test_every_section_is_whole(identity: str) -> None:
    hazard = HAZARDS[identity]
    assert hazard.severity in range(1, 6)
    assert hazard.title
    assert hazard.cause
    assert len(re.findall(r"[.](?: |$)", hazard.control)) <= 3
    assert all(control.does and control.tests for control in hazard.controls)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: f"{control.path} {control.name} {control.by}")
def test_every_function_is_there_and_decides_by_what_it_is_said_to(control: Control) -> None:
    assert misplaced(control, ROOT) is None


@pytest.mark.parametrize("test", sorted({test for control in CONTROLS for test in control.tests}))
def test_every_named_test_exists(test: str) -> None:
    assert not missing(test, ROOT)


def test_where_both_sides_hold_a_limit_both_are_named() -> None:
    held_twice = {"H01", "H02", "H03", "H06", "H07", "H08", "H09"}
    for identity in held_twice:
        assert {control.path.partition("/")[0] for control in HAZARDS[identity].controls} >= {"stimctl", "firmware_sim"}


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


# --- what is wrong is noticed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        ("`firmware_sim/native/output_stage.py` `Monitor.judge`, by `LEAD_OFF_OHM`", "has no Monitor.judge"),
        ("`firmware_sim/native/output_stage.py` `OutputStage.run`, by `LEAD_OFF_OHM`", "does not look at LEAD_OFF_OHM"),
        ("`firmware_sim/native/nowhere.py` `Monitor.judge`, by `LEAD_OFF_OHM`", "does not exist"),
        ("`firmware_sim/native/monitor.py` `Monitor.settle`, by `LEAD_OFF_OHM`", "does not look at LEAD_OFF_OHM"),
    ],
)
def test_a_module_that_does_not_hold_the_control_is_noticed(instead: str, said: str) -> None:
    assert JUDGE in SAFETY
    (control,) = (
        each for each in hazards(SAFETY.replace(JUDGE, instead))["H07"].controls if each.by == "LEAD_OFF_OHM"
        and each.path.startswith("firmware_sim")
    )  # fmt: skip
    assert said in str(misplaced(control, ROOT))


def test_a_test_that_does_not_exist_is_noticed() -> None:
    here = "tests/test_safety.py"
    assert not missing(f"{here}::test_every_hazard_has_its_section", ROOT)
    assert not missing("tests/test_conversation.py::TestDevice::test_it_runs_a_session", ROOT)
    for wrong in (
        f"{here}::test_nothing",
        "tests/test_gone.py::test_x",
        here,
        "Makefile::test_x",
        "tests/stimctl/session/test_both_sides.py::test_the_device_alone_holds_it[no such limit]",
    ):
        assert missing(wrong, ROOT), wrong


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("### H02 ", "### H01 ", "H01 stands twice"),
        ("Severity 2. ", "Severity: 2. ", "H08 is not written as the other hazards are"),
        ("`Monitor.judge`, by `SHORT_OHM`", "`Monitor.judge`", "H08: a control names its module"),
        ("  - [a short ends it at the third pulse](", "  - a short ends it at the third pulse (", "H08: a test of"),
        ("Not solved by software. ", "", "H24: says which functions act"),
    ],
)
def test_a_section_that_is_not_whole_is_noticed(line: str, instead: str, said: str) -> None:
    assert line in SAFETY
    with pytest.raises(Malformed, match=said):
        hazards(SAFETY.replace(line, instead))


def test_a_test_that_does_not_call_its_function_fails(tmp_path: Path) -> None:
    """The plugin by itself: one test calls what it is named for, one does in another process, and one does not."""
    tests = tmp_path / "test_named.py"
    tests.write_text(
        "import subprocess, sys\n"
        "from stimctl.limits import over_current_ua\n"
        "def test_calls(): over_current_ua(500)\n"
        "def test_calls_elsewhere():\n"
        "    code = 'from stimctl.limits import over_current_ua; over_current_ua(500)'\n"
        "    subprocess.run([sys.executable, '-c', code], check=True)\n"
        "def test_calls_nothing(): pass\n"
    )
    (tmp_path / "conftest.py").write_text(
        "from tests.acts.plugin import Acts\n"
        "def pytest_configure(config):\n"
        "    acts = Acts()\n"
        "    named = {('stimctl/limits.py', 'over_current_ua')}\n"
        "    names = ('test_calls', 'test_calls_elsewhere', 'test_calls_nothing')\n"
        "    acts.named = {f'test_named.py::{name}': named for name in names}\n"
        "    config.pluginmanager.register(acts)\n"
    )
    options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-o", f"pythonpath={ROOT}"]
    command = [sys.executable, "-m", "pytest", *options, str(tests)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert "1 failed, 2 passed" in said
    assert "SAFETY.md says that this test sees over_current_ua of stimctl/limits.py act" in said
