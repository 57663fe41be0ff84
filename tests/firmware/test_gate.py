"""The C gate: each limit met and passed by one, every line and branch walked, and no mutant of it alive."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_sim.chip.built import HERE
from tests.firmware.gate_cases import CASES, CUTS, Case, Gate, killers
from tests.firmware.gate_mutants import CORE, built, campaign, is_equivalent


@pytest.fixture(scope="module")
def gate(host_library: Path) -> Gate:
    return Gate(host_library)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_may_leave(gate: Gate, case: Case) -> None:
    assert gate.permits(case) == case.passes


@pytest.mark.parametrize(("applied_ua", "cut_ua"), CUTS)
def test_what_is_cut(gate: Gate, applied_ua: int, cut_ua: int) -> None:
    assert gate.cut_ua(applied_ua) == cut_ua


@pytest.mark.slow
def test_no_mutant_lives(host_library: Path) -> None:
    done = campaign()
    assert len(done) > 50
    alive = [each for each, names in done if not names and not is_equivalent(each)]
    assert [(each.file, each.line, each.before, each.after) for each in alive] == []


def test_every_line_and_branch_is_walked(host_library: Path, tmp_path: Path) -> None:
    if shutil.which("gcov") is None:
        pytest.skip("needs gcov: apt-get install gcc")
    built(tmp_path, None)
    order = ["gcc", "-std=c11", "-O0", "--coverage", "-shared", "-fPIC", f"-I{CORE}", "-o", "libgate.so", "gate.c"]
    subprocess.run(order, check=True, cwd=tmp_path, timeout=60)
    walk = (
        "from pathlib import Path\nfrom tests.firmware.gate_cases import Gate, killers\n"
        f"assert killers(Gate(Path({str(tmp_path / 'libgate.so')!r}))) == []\n"
    )
    subprocess.run([sys.executable, "-c", walk], check=True, cwd=HERE, timeout=60)
    notes = next(tmp_path.glob("*.gcno"))
    told = subprocess.run(
        ["gcov", "-b", "-c", str(notes)], check=True, cwd=tmp_path, capture_output=True, text=True, timeout=60
    ).stdout
    of_gate = told[told.index("gate.c'") :]
    shares = re.findall(r"(Lines executed|Taken at least once):([\d.]+)%", of_gate)[:2]
    assert shares == [("Lines executed", "100.00"), ("Taken at least once", "100.00")], told


def test_a_bug_that_is_planted_is_seen(host_library: Path, tmp_path: Path) -> None:
    source = (CORE / "gate.c").read_text("utf-8")
    broken = source.replace("first_pc <= MAX_CHARGE_PC && first_pc == second_pc", "first_pc <= MAX_CHARGE_PC")
    assert broken != source
    built(tmp_path, None)
    (tmp_path / "gate.c").write_text(broken, "utf-8")
    order = [
        "gcc",
        "-std=c11",
        "-shared",
        "-fPIC",
        f"-I{tmp_path}",
        "-o",
        str(tmp_path / "x.so"),
        str(tmp_path / "gate.c"),
    ]
    subprocess.run(order, check=True, timeout=60)
    assert killers(Gate(tmp_path / "x.so"))
