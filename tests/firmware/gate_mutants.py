"""The C gate and its limits, each broken in turn: which test sees it.

    python -m tests.firmware.gate_mutants --write      (docs/firmware.md, the table of killers)

A mutant is the source with one operator, one limit or one condition changed, compiled with its own neighbours. The
killers are the cases of `test_gate.py`, by name.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.chip.built import HERE
from tests.firmware.gate_cases import CASES, CUTS, Gate, killers

CORE = HERE / "firmware" / "core"
_OPERATORS = {"<=": "<", ">=": ">", " < ": " <= ", " > ": " >= ", "==": "!=", "&&": "||", "||": "&&"}
_IN_LIMITS = (
    "MAX_AMPLITUDE_UA", "MAX_CHARGE_PC", "MIN_WIDTH_US", "MAX_WIDTH_US", "MAX_GAP_US", "MAX_SECOND_WIDTH_US",
    "MAX_RISE_UA", "OVER_CURRENT_UA", "OVER_CURRENT_MARGIN_UA", "CHECK_UA",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change of one place in one file."""

    file: str
    line: int
    before: str
    after: str
    text: str


def mutants() -> Iterator[Mutant]:
    """Every mutant of gate.c, and of each limit that it holds."""
    source = (CORE / "gate.c").read_text("utf-8")
    for number, line in enumerate(source.splitlines(), 1):
        if line.startswith("#"):
            continue
        for old, new in _OPERATORS.items():
            for found in re.finditer(re.escape(old), line):
                if old.strip() in {"<", ">"} and line[found.start() : found.end() + 1].strip() in {"<=", ">="}:
                    continue
                changed = line[: found.start()] + new + line[found.end() :]
                yield Mutant("gate.c", number, old.strip(), new.strip(), _with(source, number, changed))
        if "return false" in line:
            changed = line.replace("return false", "return true")
            yield Mutant("gate.c", number, "return false", "return true", _with(source, number, changed))
    limits = (CORE / "limits.h").read_text("utf-8")
    for name in _IN_LIMITS:
        for number, line in enumerate(limits.splitlines(), 1):
            if line.startswith(f"#define {name} "):
                value = re.search(r" (\d+)(u\w*|ul|ull)? ", line + " ")
                assert value is not None, line
                for other in (int(value[1]) + 1, int(value[1]) - 1):
                    changed = line.replace(value[1], str(other), 1)
                    yield Mutant("limits.h", number, f"{name} {value[1]}", str(other), _with(limits, number, changed))


# These do the same as the original, each for its reason.
EQUIVALENT = {
    ("tenth_ua > OVER_CURRENT_MARGIN_UA", ">="): "where both are alike it does not matter which is taken",
    ("most_ua < OVER_CURRENT_UA", "<="): "where both are alike it does not matter which is taken",
    ("MAX_CHARGE_PC 1200000", "1200001"): "2 000 uA and 600 us, each held by itself, come to no more than 1 200 000 pC",
}


def is_equivalent(mutant: Mutant) -> bool:
    """Whether it cannot be told from the original."""
    line = mutant.text.splitlines()[mutant.line - 1]
    if mutant.file == "limits.h":
        return (mutant.before, mutant.after) in EQUIVALENT
    return any(
        mutant.after == after and before.replace(f" {mutant.before} ", f" {after} ") in line
        for before, after in EQUIVALENT
    )


def _with(source: str, number: int, line: str) -> str:
    lines = source.splitlines(keepends=True)
    return "".join((*lines[: number - 1], line + "\n", *lines[number:]))


def built(folder: Path, mutant: Mutant | None) -> Path:
    """The gate as a shared library of its own, with the mutant in it."""
    for name in ("gate.c", "gate.h", "limits.h", "board.h", "codes.h"):
        (folder / name).write_text((CORE / name).read_text("utf-8"), "utf-8")
    if mutant is not None:
        (folder / mutant.file).write_text(mutant.text, "utf-8")
    library = folder / "libgate.so"
    order = ["gcc", "-std=c11", "-O0", "-shared", "-fPIC", f"-I{folder}", "-o", str(library), str(folder / "gate.c")]
    subprocess.run(order, check=True, timeout=60, capture_output=True)
    return library


def killed(mutant: Mutant | None) -> tuple[Mutant | None, list[str]]:
    """A mutant and the cases that see it."""
    with tempfile.TemporaryDirectory() as folder:
        return mutant, killers(Gate(built(Path(folder), mutant)))


def campaign() -> list[tuple[Mutant, list[str]]]:
    """Every mutant with its killers."""
    with ThreadPoolExecutor(1) as pool:
        return [(mutant, names) for mutant, names in pool.map(killed, mutants()) if mutant is not None]


def report() -> list[str]:
    """The table for a page."""
    done = campaign()
    same = [mutant for mutant, names in done if not names and is_equivalent(mutant)]
    dead = sum(bool(names) for _, names in done)
    lines = [
        f"{len(done)} mutants: {dead} killed by {len(CASES) + len(CUTS)} cases, {len(same)} that do the same as the "
        f"original, {len(done) - dead - len(same)} alive.", "",
    ]  # fmt: skip
    lines += ["| file, line | was | is | killed by |", "|---|---|---|---|"]
    lines += [
        f"| {each.file} {each.line} | `{_cell(each.before)}` | `{_cell(each.after)}` "
        f"| {', '.join(names[:3]) or 'does the same'} |"
        for each, names in done
    ]
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print("\n".join(report()))
