"""Sees which functions a test calls, in its own process and in those that it starts: SAFETY.md names a test beside a
function because it sees that function act.

A call is noted in a file at once, because a process that is killed tells nothing afterwards. Looking ends with the
last function that was waited for, so it costs little.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = f"{Path(__file__).parents[2]}{os.sep}"
VARIABLE = "STIMCTL_TEST_ACTS"  # tells a process that is started what to look for, and where to note it
Function = tuple[str, str]  # a file of the project and a name in it


def look(wanted: set[Function], report: Path) -> None:
    """From now on note each of `wanted` that is called in this process."""
    left, known = set(wanted), dict[CodeType, Function]()

    def called(frame: FrameType, event: str, _argument: Any) -> None:
        if not left:
            sys.setprofile(None)
        elif event == "call":
            code = frame.f_code
            found = known.get(code)
            if found is None:
                path = code.co_filename.removeprefix(ROOT).replace(os.sep, "/")
                found = known[code] = path, code.co_qualname
            if found in left:
                left.discard(found)
                with report.open("a", encoding="utf-8") as file:
                    file.write(f"{json.dumps(found)}\n")

    threading.setprofile(called)
    sys.setprofile(called)


def look_as_told() -> None:
    """The same in a process that a test starts; nothing where no test looks."""
    told = os.environ.get(VARIABLE)
    if told:
        report, wanted = json.loads(told)
        look({(path, name) for path, name in wanted}, Path(report))


@contextmanager
def watched(wanted: set[Function], report: Path) -> Iterator[None]:
    """Look while the block runs. What was called stands in `report` then, see `acted`."""
    before = {name: os.environ.get(name) for name in (VARIABLE, "PYTHONPATH")}
    child = str(Path(__file__).with_name("child"))
    os.environ[VARIABLE] = json.dumps([str(report), sorted(wanted)])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [child, before["PYTHONPATH"]]))
    look(wanted, report)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def acted(report: Path) -> set[Function]:
    """What was called, in any process."""
    lines = report.read_text("utf-8").splitlines() if report.exists() else []
    return {(path, name) for path, name in map(json.loads, lines)}
