"""The results of a plan: what is finished stays, what was cut short is driven again, and nothing is mixed."""

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from stimctl.bench.plan.results import FORMAT, PlanResults, read_results
from stimctl.errors import InputInvalid, Misuse, WrongDevice

HEAD: dict[str, Any] = {
    "plan_sha256": "a", "tolerances_sha256": "b", "instrument": {"gain": 0.03}, "simulated": True, "title": "one",
    "scope": "RIGOL,1",
    "device": {"model": "M", "serial": "1", "firmware": "1.0"},
}  # fmt: skip


def point(verdict: str, **more: Any) -> dict[str, Any]:
    """A point that is done, as a plan keeps it."""
    kept = {"title": "t", "kind": "amplitude", "channels": [1], "asked_ua": 500, "ohm": 1_000, "rows": []}
    return {**kept, "verdict": verdict, "capture": None, "reference": None, **more}


HOLDS, FAILS = point("holds"), point("fails")


def begun(folder: Path) -> Path:
    with PlanResults(folder, HEAD) as results:
        results.finish("01", HOLDS)
        results.finish("02", FAILS)
    return folder / "results.jsonl"


def test_it_goes_on_from_what_is_done(tmp_path: Path) -> None:
    begun(tmp_path)
    with PlanResults(tmp_path, HEAD) as results:
        assert results.done == {"01": HOLDS, "02": FAILS}
        results.finish("03", HOLDS)
    with PlanResults(tmp_path, HEAD) as results:
        assert list(results.done) == ["01", "02", "03"]


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_a_line_that_was_cut_short_is_dropped(cut: int, tmp_path: Path) -> None:
    path = begun(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    with PlanResults(tmp_path, HEAD) as results:
        assert list(results.done) == ["01"]
        results.finish("02", HOLDS)
    found = read_results(path)
    assert found is not None
    assert found[1]["02"] == HOLDS


def test_a_head_that_was_cut_short_is_written_anew(tmp_path: Path) -> None:
    path = begun(tmp_path)
    path.write_bytes(path.read_bytes()[:20])
    with PlanResults(tmp_path, HEAD) as results:
        assert not results.done


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"plan_sha256": "c"}, Misuse, "the plan's file has changed"),
        ({"tolerances_sha256": "c"}, Misuse, "the tolerances have changed"),
        ({"instrument": {"gain": 0.01}}, Misuse, "declared otherwise"),
        ({"simulated": False}, Misuse, "simulated and real"),
        ({"scope": "RIGOL,2"}, Misuse, "another oscilloscope"),
        ({"device": {"model": "M", "serial": "2", "firmware": "1.0"}}, WrongDevice, "whose serial is '1'"),
    ],
)
def test_what_has_changed_is_refused(change: dict[str, Any], error: Any, words: str, tmp_path: Path) -> None:
    path = begun(tmp_path)
    before = path.read_bytes()
    with pytest.raises(error, match=words), PlanResults(tmp_path, {**HEAD, **change}):
        pass
    assert path.read_bytes() == before
    with PlanResults(tmp_path, HEAD):
        pass


def test_a_file_that_was_damaged_or_is_held(tmp_path: Path) -> None:
    path = begun(tmp_path)
    with PlanResults(tmp_path, HEAD), pytest.raises(Misuse, match="held by another"), PlanResults(tmp_path, HEAD):
        pass
    lines = path.read_bytes().splitlines(keepends=True)
    for wrong in (b"{rubbish\n", b'{"point": "01", "verdict": "holds"}\n'):
        path.write_bytes(lines[0] + wrong + lines[2])
        with pytest.raises(InputInvalid, match="line 2: line: is no line of a plan's"), PlanResults(tmp_path, HEAD):
            pass


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "results.jsonl")
    with pytest.raises(InputInvalid, match="is no plain file"), PlanResults(tmp_path, HEAD):
        pass


@pytest.mark.parametrize("kind", ["capture", "reference"])
def test_a_figure_stands_on_its_capture_or_is_none(kind: str, tmp_path: Path) -> None:
    with PlanResults(tmp_path, HEAD) as results:
        capture = results.capture("01")
        capture.write_bytes(b"measured")
        kept = {"file": "captures/01.npz", "sha256": sha256(b"measured").hexdigest()}
        results.finish("01", point("holds", **{kind: kept}))
    with PlanResults(tmp_path, HEAD) as results:
        assert list(results.done) == ["01"]
    capture.write_bytes(b"otherwise")
    with pytest.raises(Misuse, match=r"01\.npz has changed since it was judged"), PlanResults(tmp_path, HEAD):
        pass
    capture.unlink()
    with pytest.raises(Misuse, match=r"01\.npz cannot be read: No such file"), PlanResults(tmp_path, HEAD):
        pass


@pytest.mark.parametrize("lost", ["plan_sha256", "device"])
def test_a_head_that_has_lost_something_is_refused(lost: str, tmp_path: Path) -> None:
    head = {"format": FORMAT, **{name: each for name, each in HEAD.items() if name != lost}}
    (tmp_path / "results.jsonl").write_text(json.dumps(head) + "\n")
    with pytest.raises((Misuse, WrongDevice), match="begun"), PlanResults(tmp_path, HEAD):
        pass


def test_a_disk_that_is_full_is_said_and_the_point_is_open(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="no limit of a file's size here")
    size = begun(tmp_path).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with PlanResults(tmp_path, HEAD) as results:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, before[1]))
            with pytest.raises(Misuse, match="cannot be written"):
                results.finish("03", HOLDS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with PlanResults(tmp_path, HEAD) as results:
        assert list(results.done) == ["01", "02"]


def test_captures_of_nobody_are_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "captures").mkdir()
    (tmp_path / "captures" / "01.npz").write_bytes(b"")
    with pytest.raises(Misuse, match="captures and no results"), PlanResults(tmp_path, HEAD):
        pass
