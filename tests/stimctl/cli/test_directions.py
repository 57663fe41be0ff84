"""A text that runs from right to left, or is wide, moves no figure that stands beside it."""

from pathlib import Path

from click.testing import CliRunner

from stimctl.cli import codes, main
from stimctl.cli.table import table
from stimctl.label import columns
from stimctl.profile import examples_folder

WHO = "\u05d3\u05e0\u05d4-12"


def test_it_is_set_apart_on_the_terminal_in_pages_and_in_calendars(home: Path, tmp_path: Path) -> None:
    def good(*words: str) -> str:
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        assert result.exit_code == codes.DONE, result.output
        return result.output

    file = tmp_path / "r.toml"
    text = (examples_folder() / "bench-2hz.toml").read_text("utf-8")
    lines = [f'pseudonym = "{WHO}"' if line.startswith("pseudonym") else line for line in text.splitlines()]
    file.write_text("\n".join(lines), "utf-8")
    good("run", "bench-2hz", "--port", "sim://", "--prescription", str(file))
    begun = good("course", "new", WHO, "low-back-pain", "--simulated")
    good("log", "report", "latest", "--html", str(tmp_path / "r.html"))
    told = [
        begun,
        good("course", "show", WHO),
        good("course", "due"),
        good("course", "due", WHO),
        CliRunner().invoke(main, ("course", "trend", WHO)).output,  # an error, that there is no session of it
        good("log", "list"),
        good("log", "show", "latest"),
        (tmp_path / "r.html").read_text("utf-8"),
    ]
    for each in told:
        before, after = (part for part in each.split(WHO, 1))
        line = f"{before.splitlines()[-1]}{WHO}{after.splitlines()[0]}"
        assert line.index("\u2068") < line.index(WHO) < line.index("\u2069"), line
    assert "\\u05d3" in good("log", "list", "--json"), "JSON is ASCII"


def test_columns_of_a_table_stand_below_each_other_whatever_is_in_them() -> None:
    lines = table(("WHO", "DOSE"), [("P-17", "412"), ("\u60a3\u8005-17", "412"), (WHO, "412")]).splitlines()
    assert {columns(line[: line.index("412")]) for line in lines[1:]} == {9}
