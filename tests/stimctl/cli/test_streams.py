"""Streams of every encoding, closed ones, and those that nobody reads."""

import codecs
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stimctl.bench.plan.file import EXAMPLE as PLAN
from stimctl.cli import codes, streams
from stimctl.entries import NoteTaken
from stimctl.ledger import Ledger
from stimctl.profile import examples_folder
from tests.stimctl.cli.terminal import STIMCTL

BENCH = str(examples_folder() / "bench-2-100hz.toml")
RUN = ("run", "bench-2-100hz", "--port", "sim://", "--prescription", BENCH)
ENCODINGS = ["ascii", "latin-1", "cp1252", "cp437", "koi8-r", "shift-jis"]

streams.prepare()


def printed(text: str, encoding: str) -> str:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="stimctl-in-ascii")
    out.write(text)
    out.flush()
    return out.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_drawing_keeps_its_columns(encoding: str) -> None:
    for number in (*range(0x2010, 0x2028), *range(0x2190, 0x2194), *range(0x2500, 0x2900)):
        found = printed(f"|{chr(number)}|", encoding)
        assert found.startswith("|")
        assert found.endswith("|")
        assert len(found) == 3 or number < 0x2190


@pytest.mark.parametrize(
    ("text", "ascii_text"),
    [
        ("J\u00f6rg, 5 \u00b5A \u2014 \u201cso\u201d", 'Jorg, 5 uA - "so"'),
        ("\u256d\u2500\u256e\u2502\u2588\u2502", "+-+|#|"),
        ("\u91dd\udcff", "??"),
        ("stra\u00dfe \u2264 \u2026", "strasse < ..."),
    ],
)
def test_what_ascii_lacks_is_shown_in_it(text: str, ascii_text: str) -> None:
    assert printed(text, "ascii") == printed(text, "stimctl_ascii") == ascii_text


def test_what_an_encoding_has_is_shown_as_it_is() -> None:
    assert printed("J\u00f6rg \u2588", "latin-1") == "J\u00f6rg #"
    assert printed("J\u00f6rg \u2588 \u91dd", "utf-8") == "J\u00f6rg \u2588 \u91dd"


def test_ascii_goes_by_a_name_that_click_takes_as_it_is() -> None:
    assert codecs.lookup("stimctl_ascii").name != codecs.lookup("ascii").name


def stimctl(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*STIMCTL, *arguments], env={**os.environ, **environment}, capture_output=True, check=False, timeout=60
    )


C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.realtime
@pytest.mark.parametrize("environment", [*({"PYTHONIOENCODING": name} for name in ENCODINGS), C_LOCALE], ids=str)
def test_every_encoding_is_drawn_in(environment: dict[str, str]) -> None:
    done = stimctl("preview", "low-back-pain", **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    if environment.get("PYTHONIOENCODING") not in ("cp437", "shift-jis", "koi8-r"):  # which have signs to draw with
        assert done.stdout.isascii()


@pytest.mark.realtime
@pytest.mark.parametrize("command", [("profile", "show", "migraine"), RUN], ids=["profile", "run"])
def test_other_commands_too(command: tuple[str, ...]) -> None:
    done = stimctl(*command, **C_LOCALE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


@pytest.mark.realtime
@pytest.mark.parametrize("environment", [C_LOCALE, {"PYTHONIOENCODING": "latin-1"}], ids=str)
def test_what_could_stand_in_a_file_is_the_same_on_a_pipe_in_every_locale(
    environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(Path(BENCH).read_text("utf-8").replace("example-009", "\u60a3-17"), "utf-8")
    assert stimctl(*RUN[:-1], str(ours)).returncode == codes.DONE
    for number, command in enumerate(["log export latest --format csv", "prescription from-log latest", "profile new"]):
        file = tmp_path / f"file{number}"
        assert stimctl(*command.split(), "-o", str(file)).returncode == 0
        assert stimctl(*command.split(), **environment).stdout == file.read_bytes()


# --- closed, and read no more -------------------------------------------------------------------------


def in_shell(line: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of a shell, with `stimctl` in it."""
    script = f"stimctl() {{ '{sys.executable}' -c 'from stimctl.cli import main; main()' \"$@\"; }}\n{line}"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.realtime
@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell's words")
class TestInAShell:
    @pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    def test_a_session_with_closed_streams_is_logged_like_any_other(self, closed: str, home: Path) -> None:
        done = in_shell(f"stimctl {' '.join(RUN)} {closed}")
        assert done.returncode == codes.DONE, done.stderr
        assert "Traceback" not in done.stderr
        assert in_shell("stimctl log verify").returncode == 0
        listed = json.loads(in_shell("stimctl log list --json").stdout)
        assert [each["state"] for each in listed] == ["closed"]

    @pytest.mark.parametrize("command", ["profile show migraine", "--help", "run --help", "nonsense"])
    def test_who_reads_one_line_and_leaves_has_made_no_mistake_of_ours(self, command: str) -> None:
        """The far end leaves before anything is written, which `head` does only now and then."""
        done = in_shell(f"stimctl {command} 2>&1 | true; echo ${{PIPESTATUS[0]}}")
        assert done.stdout.strip() != str(codes.UNEXPECTED)

    @pytest.mark.parametrize("how", ["--tcp 0", "--pty"])
    def test_a_simulator_whose_url_nobody_reads_or_that_finds_no_room_blames_no_line(self, how: str) -> None:
        done = in_shell(
            f"{{ sleep 0.3; stimctl sim {how}; echo $? >&2; }} | true; stimctl sim {how} > /dev/full; echo $?"
        )
        assert done.stderr == "141\nError: what this command prints cannot be written: No space left on device\n"
        assert done.stdout.strip() == str(codes.INVALID)

    def test_unread_output_has_a_code_of_its_own(self) -> None:
        done = in_shell("{ sleep 0.3; stimctl profile show migraine; echo $? >&2; } | true")
        assert done.stderr.strip() == str(codes.UNREAD) == "141"

    @pytest.mark.parametrize(
        "command",
        [
            "scenario run load-short",  # which rich prints, and not click
            "scenario list",
            "course due",
            "log report --help",
            f"bench plan {PLAN} --check",
            "bench sweep width --port sim:// --ohm 1000 --at 100us --seconds 1",
            "conformance --port sim:// --only R-02 --no-full-range",
            "soak --sessions 1 --jobs 1",
        ],
    )
    def test_whatever_is_printed_unread_has_that_code(self, command: str, home: Path) -> None:
        done = in_shell(f"{{ sleep 0.3; stimctl {command} 2>/dev/null; echo $? >&2; }} | true")
        assert done.stderr.strip() == str(codes.UNREAD)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full, as Linux has one")
    @pytest.mark.parametrize(
        "command",
        [
            "--version",
            "run --help",
            "profile list --json",
            "scenario run load-short",
            "log list",
            "nonsense 2>/dev/full",
        ],
    )
    def test_output_to_a_full_disk_is_a_sentence(self, command: str, home: Path) -> None:
        done = in_shell(f"stimctl {command} >/dev/full")
        assert "Traceback" not in done.stderr
        if "2>" not in command:
            wrong = "Error: what this command prints cannot be written: No space left on device\n"
            assert (done.returncode, done.stderr) == (codes.INVALID, wrong)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full, as Linux has one")
    def test_a_session_whose_summary_finds_no_room_is_in_the_log_to_its_end(self, home: Path) -> None:
        done = in_shell(f"stimctl {' '.join(RUN)} --json >/dev/full")
        assert (done.returncode, "Traceback" in done.stderr) == (codes.DONE, False)
        document = json.loads(done.stderr.partition("What belongs there:\n")[2])
        assert document["session"]["head"]["end_reason"] == "timer"
        (session,) = json.loads(in_shell("stimctl log list --json").stdout)
        assert (session["state"], session["end_reason"]) == ("closed", "timer")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full, as Linux has one")
    @pytest.mark.parametrize("unread", [">/dev/full", "| true"])
    @pytest.mark.parametrize(
        ("command", "said"),
        [
            ("log note latest words", "as entry {next}."),
            ("log adverse latest fainted", "as entry {next}."),
            ("log score latest --when after --pain 1", "as entry {next}."),
            ("log correct 1 right", "Entry 1 is corrected by entry {next}."),
            ("log backup {folder}/copy.sqlite", "copied to"),
            ("log export latest --format csv -o {folder}/dose.csv", "written to"),
            ("log subject P-17 -o {folder}/all.json", "written to"),
            ("log report latest --html {folder}/page.html", "written to"),
            ("course new P-17 low-back-pain --simulated", "P-17 follows"),
            ("course due --ics {folder}/due.ics", "holds no course that goes on"),
            ("course due --ics {folder}/due.ics", "The calendar is"),
            ("log report latest --html {folder}/page.html --pdf {folder}/page.pdf", "page.html"),
            ("profile new -o {folder}/mine.toml", "is written"),
            ("preview low-back-pain -o {folder}/plan.svg", "The picture is"),
        ],
    )
    def test_what_was_done_is_told_where_it_can_be_and_its_code_is_that_of_what_was_done(
        self, command: str, said: str, unread: str, home: Path, tmp_path: Path
    ) -> None:
        with Ledger(home / "ledger.sqlite") as ledger:
            ledger.append("s-1", "opened", 0, {"pseudonym": "P-17"})
            entry = ledger.add("s-1", NoteTaken(text="wrong"))
        done = in_shell(f"{{ sleep 0.3; stimctl {command.format(folder=tmp_path)}; echo $? >&2; }} {unread}")
        assert done.stderr.splitlines()[-1] == str(codes.DONE), done.stderr
        assert said.format(next=entry + 1) in done.stderr

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full, as Linux has one")
    @pytest.mark.parametrize("full", [">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full"])
    def test_each_thing_that_was_done_is_told_on_the_stream_that_takes_it(self, full: str) -> None:
        """As `stop` tells of each session, and of the one whose zero is not known on standard error."""
        said = "echo_done('one'); echo_done('two', err=True); echo_done('three', err=True); echo_done('four')"
        done = in_shell(f'{sys.executable} -c "from stimctl.cli.done import echo_done; {said}" {full}')
        told = [line for line in (done.stdout + done.stderr).splitlines() if "cannot be written" not in line]
        assert (done.returncode, told) == (0, [] if full.count("full") > 1 else ["one", "two", "three", "four"])
