"""Faults as data: tables and back, what is refused and in which words, and the page that lists them."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.faults import CATALOGUE, Fault, FaultSetup, as_mapping, fault_from, read_setting
from firmware_sim.faults.__main__ import DOCUMENT, main, table
from firmware_sim.faults.catalogue import TOLD
from firmware_sim.faults.model import FaultKind, WordOption
from stimctl.errors import InputInvalid
from stimctl.wire.codes import DeviceState


def options_of(kind: FaultKind) -> st.SearchStrategy[dict[str, Any]]:
    """Some of its options, each with a value that is allowed."""
    values: dict[str, st.SearchStrategy[Any]] = {
        name: st.sampled_from(option.choices)
        if isinstance(option, WordOption)
        else st.integers(option.low, option.high)
        for name, option in kind.options.items()
    }
    if kind.name == "device.wrong_echo":
        told = st.sampled_from([(message, name) for message, names in TOLD.items() for name in names])
        return st.builds(lambda pair, add: {"message": pair[0], "field": pair[1], "add": add}, told, values["add"])
    return st.fixed_dictionaries({}, optional=values)


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    """Any fault that a file may hold."""
    kind = CATALOGUE[draw(st.sampled_from(list(CATALOGUE)))]
    times = st.integers(1, 10**12)
    return Fault(
        kind.name,
        at_us=draw(st.just(0) | times),
        for_us=draw(st.none() | times) if kind.lasts else None,
        after=draw(st.none() | st.sampled_from(list(DeviceState.__members__))),
        channel=draw(st.none() | st.integers(1, 4)) if kind.channels else None,
        options=draw(options_of(kind)),
    )


@given(faults())
def test_a_fault_comes_back_from_its_table(fault: Fault) -> None:
    assert fault_from(as_mapping(fault), "test", "fault[0]") == fault


def test_seconds_are_exact_to_the_microsecond(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\nkind = "line.loss"\nat_s = 1234567.000001\nfor_s = 0.1\n')
    [fault] = read_setting(path).faults
    assert (fault.at_us, fault.for_us) == (1_234_567_000_001, 100_000)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, r"fault\[0\]\.kind: must be one of line\.loss, .*host\.killed"),
        (
            {"kind": "line.lossy"},
            r"fault\[0\]\.kind is 'line.lossy': must be one of line\.loss, line\.flip(?!.*device)",
        ),
        ({"kind": 3}, r"kind is 3: must be one of"),
        ({"kind": "line.loss", "permille": 1_001}, "permille is 1001: must be a whole number from 0 to 1000"),
        ({"kind": "line.loss", "permille": True}, "permille is True"),
        ({"kind": "line.loss", "permille": 0.5}, "permille is 0.5"),
        ({"kind": "line.loss", "direction": "up"}, "direction is 'up': must be one of both, to_device, from_device"),
        ({"kind": "line.loss", "chance": 1}, "chance is 1: line.loss has no such option; there are kind, .*permille"),
        ({"kind": "line.loss", "channel": 1}, "channel is 1: line.loss is not of a channel: leave it out"),
        ({"kind": "load.open", "channel": 5}, "channel is 5: must be a whole number from 1 to 4"),
        ({"kind": "line.loss", "at_s": -1}, "at_s is -1: must be seconds from 0"),
        ({"kind": "line.loss", "at_s": "1"}, "at_s is '1': must be seconds"),
        ({"kind": "line.loss", "at_s": float("inf")}, "at_s is inf: must be seconds"),
        ({"kind": "line.loss", "at_s": 0.1234567}, "at_s is 0.1234567: .* six decimals at most"),
        ({"kind": "line.loss", "for_s": 0}, "for_s is 0: .* and not 0"),
        ({"kind": "device.reset", "for_s": 1}, "for_s is 1: device.reset happens at one moment: leave it out"),
        ({"kind": "line.loss", "after": "running"}, "after is 'running': must be one of IDLE, .*ENDED"),
        (
            {"kind": "device.wrong_echo", "message": "Armed", "field": "boot_id"},
            "field is 'boot_id': Armed has no such number; there are purpose, channel_mask",
        ),
        ("line.loss", r"fault\[0\] is 'line.loss': must be a table"),
    ],
)
def test_what_is_wrong_is_said(table: Any, says: str) -> None:
    with pytest.raises(InputInvalid, match=says) as refused:
        fault_from(table, "faults.toml", "fault[0]")
    assert str(refused.value).startswith("faults.toml:\n")


def test_a_file_is_refused_with_all_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('seed = -1\nload = "wet"\n[[fault]]\nkind = "x"\n[[fault]]\nkind = "line.loss"\nat_s = "x"\n')
    with pytest.raises(InputInvalid) as refused:
        read_setting(path)
    assert [problem.field for problem in refused.value.problems] == ["seed", "load", "fault[0].kind", "fault[1].at_s"]
    for text, says in (("x", "is not TOML"), ("fault = 3\n", "fault is 3: must be tables that begin with")):
        path.write_text(text)
        with pytest.raises(InputInvalid, match=says):
            read_setting(path)
    with pytest.raises(InputInvalid, match="No such file"):
        read_setting(tmp_path / "none.toml")


def test_what_else_is_in_a_file_is_another_matter(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    text = 'title = "x"\nseed = 7\nload = "dry,2=open"\n[prescription]\nprofile = "y"\n[[action]]\ndo = "stop"\n'
    for encoding in ("utf-8", "utf-8-sig"):  # as editors on Windows begin a file
        path.write_text(text, encoding)
        assert read_setting(path) == FaultSetup((), "dry,2=open", 7)


def test_a_fault_under_a_name_that_nobody_reads_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('laod = "dry"\n[[faults]]\nkind = "line.loss"\n')
    with pytest.raises(InputInvalid, match="fields are fault, load, seed") as refused:
        read_setting(path)
    assert [problem.field for problem in refused.value.problems] == ["laod", "faults"]


def test_the_page_is_what_the_catalogue_says(tmp_path: Path) -> None:
    assert main(["--check"]) == 0, "docs/faults.md is stale: run `python -m firmware_sim.faults --write`"
    stale = tmp_path / "faults.md"
    stale.write_text(DOCUMENT.read_text("utf-8").replace("| `line.loss` |", "| `line.lost` |"), "utf-8")
    assert main(["--check", "--document", str(stale)]) == 1
    assert main(["--write", "--document", str(stale)]) == 0
    assert stale.read_text("utf-8") == DOCUMENT.read_text("utf-8")
    stale.write_text("nothing")
    with pytest.raises(InputInvalid, match="no place in the document"):
        main(["--check", "--document", str(stale)])


def test_the_table_has_every_kind_and_option() -> None:
    rows = table()
    for kind in CATALOGUE.values():
        [row] = [line for line in rows.splitlines() if line.startswith(f"| `{kind.name}` |")]
        assert row.count("|") == 6
        assert all(f"`{name}` = " in row for name in kind.options)


def test_the_example_of_the_page_is_a_file(tmp_path: Path) -> None:
    block = re.search(r"    # faults\.toml\n((?:    .*\n|\n)+)", DOCUMENT.read_text("utf-8"))
    assert block is not None
    path = tmp_path / "faults.toml"
    path.write_text("\n".join(line[4:] for line in block[1].splitlines()))
    setting = read_setting(path)
    assert [fault.kind for fault in setting.faults] == ["line.loss", "load.open"]
    assert setting.seed == 7


def test_defaults_are_allowed() -> None:
    for kind in CATALOGUE.values():
        for name, option in kind.options.items():
            assert option.holds(option.default), (kind.name, name)
