"""The results of a plan: what is finished stays, what was cut short is driven again, and nothing is mixed."""

import json
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


def begun(folder: Path) -> Path:
    with PlanResults(folder, HEAD) as results:
        results.finish("01", {"verdict": "holds"})
        results.finish("02", {"verdict": "fails"})
    return folder / "results.jsonl"


def test_it_goes_on_from_what_is_done(tmp_path: Path) -> None:
    begun(tmp_path)
    with PlanResults(tmp_path, HEAD) as results:
        assert results.done == {"01": {"verdict": "holds"}, "02": {"verdict": "fails"}}
        results.finish("03", {"verdict": "holds"})
    with PlanResults(tmp_path, HEAD) as results:
        assert list(results.done) == ["01", "02", "03"]


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_a_line_that_was_cut_short_is_dropped(cut: int, tmp_path: Path) -> None:
    path = begun(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    with PlanResults(tmp_path, HEAD) as results:
        assert list(results.done) == ["01"]
        results.finish("02", {"verdict": "holds"})
    found = read_results(path)
    assert found is not None
    assert found[1]["02"] == {"verdict": "holds"}


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
    path.write_bytes(lines[0] + b"{rubbish\n" + lines[2])
    with pytest.raises(InputInvalid, match="line 2: line: is no line of a plan's results"), PlanResults(tmp_path, HEAD):
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
                results.finish("03", {"verdict": "holds"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with PlanResults(tmp_path, HEAD) as results:
        assert list(results.done) == ["01", "02"]


def test_captures_of_nobody_are_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "captures").mkdir()
    (tmp_path / "captures" / "01.npz").write_bytes(b"")
    with pytest.raises(Misuse, match="captures and no results"), PlanResults(tmp_path, HEAD):
        pass
