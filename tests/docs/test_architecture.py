"""docs/architecture.md leads where it says: its picture is fresh, its names exist, its journeys are travelled."""

import ast
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from stimctl import Ledger, Session
from stimctl.cli.run.keys import PosixKeys
from stimctl.cli.run.operator import FrontEnd, OperatorGone
from stimctl.prescription import from_file
from stimlab.play.play import play
from stimlab.scenario.reader import load_scenario
from tests.docs import architecture
from tests.docs.architecture import layers, picture, shared

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
AMPLITUDE, KEEPALIVE, STOP, SCENARIO = JOURNEYS = (
    "An amplitude, from TOML to the wire", "A keepalive, to the ledger", "A stop, from key to wire",
    "A scenario, to the load",
)  # fmt: skip
Step = tuple[str, str]  # a file and a name in it


def journey(title: str) -> list[Step]:
    section = TEXT.split(f"### {title}\n")[1].split("\n#", maxsplit=1)[0]
    return re.findall(r"^\d+\. `([^`]+\.py)` `([\w.]+)`:", section, re.MULTILINE)


def mentioned(text: str) -> Iterator[Step]:
    """Each name in code type, with the file named last before it in the same line."""
    for line in text.splitlines():
        path = ""
        for span in re.findall(r"`([^`]+)`", line):
            if span.endswith(".py"):
                path = span
            elif path and re.fullmatch(r"[A-Za-z_][\w.]*", span):
                yield path, span


@cache
def names_in(path: str) -> frozenset[str]:
    """What a file defines: classes, functions, constants, and `Class.method`."""

    def defined(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from defined(node.body, f"{prefix}{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else []
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))

    return frozenset(defined(ast.parse((ROOT / path).read_text("utf-8")).body, ""))


def calls_of(steps: set[Step], do: Callable[[], Any]) -> list[Step]:
    """Which of `steps` are called while something is done, in any thread, in order."""
    calls: list[Step] = []
    known: dict[CodeType, Step | None] = {}

    def called(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code not in known:
                step = code.co_filename.removeprefix(f"{ROOT}{os.sep}").replace(os.sep, "/"), code.co_qualname
                known[code] = step if step in steps else None
            if (found := known[code]) is not None:
                calls.append(found)

    before = sys.getprofile()
    threading.setprofile(called)
    sys.setprofile(called)
    try:
        do()
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    return calls


def lost_at(steps: list[Step], calls: list[Step]) -> Step | None:
    """The first step that does not come after the one before it; None when all do."""
    left = iter(calls)
    return next((step for step in steps if step not in left), None)


def travelled(title: str, do: Callable[[], Any]) -> Step | None:
    steps = journey(title)
    return lost_at(steps, calls_of(set(steps), do))


@pytest.mark.parametrize("title", JOURNEYS)
def test_every_function_of_a_journey_exists(title: str) -> None:
    steps = journey(title)
    assert len(steps) >= 10
    assert [step for step in steps if step[1] not in names_in(step[0])] == []


def test_every_name_in_the_table_exists() -> None:
    table = TEXT.split("## Where to look")[1].split("\n## ", maxsplit=1)[0]
    names = list(mentioned(table))
    assert len(names) >= 10
    assert [(path, name) for path, name in names if name not in names_in(path)] == []


@pytest.fixture
def prescription_file(tmp_path: Path) -> Path:
    """Twenty seconds at 0.7 mA: long enough for a sample of all channels."""
    file = tmp_path / "prescription.toml"
    file.write_text(
        'format = 1\nprofile = "bench-100hz"\nsubject = "simulator"\noperator = "bench"\npseudonym = "load-1"\n'
        "seconds = 20\nceiling_ma = 1.0\n[[channels]]\nchannel = 1\namplitude_ma = 0.7\n"
        'first = { point = "terminal 1" }\nsecond = { point = "terminal 2" }\n'
        'needle = { diameter_mm = 0.30, inserted_mm = 25, coating = "none" }\n'
    )
    return file


@pytest.mark.parametrize("title", [AMPLITUDE, KEEPALIVE])
def test_a_session_travels(title: str, tmp_path: Path, prescription_file: Path) -> None:
    def session() -> None:
        prescription = from_file(prescription_file)
        with Ledger(tmp_path / "ledger.sqlite") as ledger, Session("sim://?seed=1", prescription, ledger) as opened:
            opened.run()

    assert travelled(title, session) is None


def test_a_scenario_travels() -> None:
    file = ROOT / "stimlab" / "scenario" / "shipped" / "load-short.toml"
    assert travelled(SCENARIO, lambda: play(load_scenario(file))) is None


class Nothing:
    """A display that shows nothing."""

    def show(self, *_: Any) -> None: ...


@pytest.mark.realtime
def test_a_key_travels(tmp_path: Path, prescription_file: Path) -> None:
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    master, slave = pty.openpty()
    os.write(master, b"s\n")

    def session() -> None:
        prescription = from_file(prescription_file)
        with (
            Ledger(tmp_path / "ledger.sqlite") as ledger,
            Session("sim://?pace=real", prescription, ledger, front_end=True) as opened,
        ):
            opened.start()
            FrontEnd(opened, [1], Nothing(), PosixKeys(slave), OperatorGone()).run()

    try:
        assert travelled(STOP, session) is None
    finally:
        os.close(master)
        os.close(slave)


def test_a_journey_in_another_order_is_noticed() -> None:
    steps = [("a.py", "f"), ("a.py", "g"), ("b.py", "h")]
    assert lost_at(steps, [steps[0], steps[2], steps[1], steps[2]]) is None
    assert lost_at(steps, [steps[1], steps[0], steps[2]]) == steps[1]


# --- the picture -------------------------------------------------------------------------------------


def test_a_stale_picture_fails_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "architecture.svg"
    document.write_text(picture().replace("stimlab", "lab"), "utf-8")
    arguments = ["--document", str(document)]
    assert architecture.main(["--check", *arguments]) == 1
    assert "python -m tests.docs.architecture --write" in capsys.readouterr().err
    assert architecture.main(["--write", *arguments]) == 0
    assert architecture.main(["--check", *arguments]) == 0


def test_the_picture_shows_every_part_and_what_is_shared() -> None:
    parts = [part for package in ("stimctl", "firmware_sim", "stimlab") for line in layers(package) for part in line]
    assert [part for part in parts if f">{part}</text>" not in picture()] == []
    assert shared("firmware_sim") == {"wire", "errors"}
    assert shared("stimlab.conformance") == {"wire", "errors", "port", "traffic", "capture", "bench"}


def test_a_contract_that_changes_changes_the_picture() -> None:
    open_to_all = [{**each, "forbidden_modules": []} if each["type"] == "forbidden" else each
                   for each in architecture.CONTRACTS]  # fmt: skip
    assert picture(open_to_all) != picture()
