"""Nothing that a command was called with reaches a terminal, a log or a file as an order to it."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main

ORDERS = {"escape": "\x1b[31mX", "turned": "a\u202eb", "unseen": "a\u200bb", "bell": "a\x07", "no text": "a\udcff"}
CALLS = (
    "info --port", "run bench-2hz --port", "run bench-2hz --device", "run", "run bench-2hz --port sim:// --save",
    "stop", "profile show", "profile check", "profile new -o", "preview", "prescription check", "log show",
    "log backup", "log note latest", "log export latest -o", "course show", "bench run --port", "bench watch --port",
    "traffic show", "replay", "conformance --port", "scenario run", "soak --again", "sim --load", "nothing", "--none",
)  # fmt: skip


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_what_is_not_printable_is_refused_wherever_it_stands(order: str, home: Path) -> None:
    for words in CALLS:
        result = CliRunner().invoke(main, [*words.split(), order])
        assert result.exit_code == codes.INVALID, (words, result.output)
        assert "must be printable, and is 'a?" in result.stderr or "is '?[31mX'" in result.stderr
        assert order not in result.output
    assert not home.exists()


def test_the_end_of_a_line_is_a_blank(home: Path) -> None:
    result = CliRunner().invoke(main, ["log", "show", "a\nError: b\r\n c"])
    assert result.exit_code != codes.DONE
    assert result.output.count("\n") == 1


def test_a_blank_of_another_width_is_one(home: Path, tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["course", "new", "P-17", "low-back-pain", "--simulated"]).exit_code == codes.DONE
    noted = CliRunner().invoke(main, ["course", "note", "P-17", "\u75bc\u75db\u3000less,\u00a0by half"])
    assert noted.exit_code == codes.DONE, noted.output
    assert "\u75bc\u75db less, by half" in CliRunner().invoke(main, ["course", "show", "P-17"]).output
    file = tmp_path / "my\u3000file.toml"
    assert CliRunner().invoke(main, ["profile", "new", "-o", str(file)]).exit_code == codes.DONE
    assert file.is_file()


def test_a_folder_that_the_environment_names_is_refused_too_and_stops_no_stop(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STIMCTL_DATA", "/tmp/\x1b[31m")
    result = CliRunner().invoke(main, ["log", "list"])
    assert (result.exit_code, result.stderr) == (
        codes.INVALID,
        "Error: STIMCTL_DATA must be printable, and is '/tmp/?[31m' (a ? for what is not)\n",
    )
    assert "nothing was stopped" in CliRunner().invoke(main, ["stop"]).output.lower()


def test_what_needs_no_other_form_is_left_to_click_which_expands_it_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(click.Group, "main", lambda _self, args, **_more: seen.append(args))
    monkeypatch.setattr("sys.argv", ["stimctl", "profile", "check", "*.toml"])
    main.main()
    monkeypatch.setattr("sys.argv", ["stimctl", "log", "note", "latest", "a\nb"])
    main.main()
    assert seen == [None, ["log", "note", "latest", "a b"]]
