"""The command as a whole: quick, documented, and every error a sentence with its exit code."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from stimctl import errors
from stimctl.bench.plan.file import EXAMPLE
from stimctl.cli import codes, main, plugins
from stimctl.cli.errors import exit_code
from stimctl.profile import packaged_folder

JSON_HELP = "Print one JSON document on standard output; words go to standard error."
HEAVY = ("numpy", "pydantic", "rich", "serial", "matplotlib", "importlib.metadata", "stimctl.session")


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom stimctl.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"sys.stderr.write(','.join(name for name in {HEAVY!r} if name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    for name in ("ports", "info", "profile", "preview", "run", "stop", "log", "traffic", "sim"):
        assert f"\n  {name} " in done.stdout


def every_command() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(main, info_name="stimctl")
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        yield from walk(name, command)


def walk(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from walk(f"{path} {name}", each)


@pytest.mark.parametrize("path", [path for path, _ in every_command()])
def test_every_commands_help_shows_an_example_and_its_exit_codes(path: str) -> None:
    shown = CliRunner().invoke(main, [*path.split(), "--help"])
    assert shown.exit_code == 0
    assert f"stimctl {path.partition(' ')[0]}" in shown.output.partition("Example")[2], "no example"
    assert "Exit codes:" in shown.output
    assert "\n      0  " in shown.output.partition("Exit codes:")[2]


# What has no document to print, and why.
WITHOUT_JSON = {
    "preview": "draws; `profile show --json` and `run --json` have the figures",
    "profile new": "writes a file in TOML",
    "prescription new": "writes a file in TOML",
    "prescription check": "says good or what is wrong, file by file",
    "prescription from-log": "writes a file in TOML",
    "scenario show": "prints a file in TOML",
    "scenario check": "says good or what is wrong, file by file",
    "log export": "has formats, JSON among them",
    "log report": "writes pages; `log show --json` has the figures",
    "bench capture": "writes a file of samples",
    "log subject": "prints JSON alone",
    "course trend": "draws; `course show --json` has the figures",
    **dict.fromkeys(
        ("log note", "log adverse", "log score", "log correct", "log sign"), "adds an entry, and says its number"
    ),
    **dict.fromkeys(
        (f"course {word}" for word in ("new", "correct", "note", "adverse", "end")),
        "adds an entry, and says its number",
    ),
    "bench watch": "tells as it goes; `log show --json` has the session",
    "bench wiring": "asks a person, and keeps the answers in a file",
    **dict.fromkeys(("log backup", "log restore", "log recover", "log keygen"), "writes files, and says which"),
    "sim": "serves a line",
}


@pytest.mark.parametrize("path", [path for path, command in every_command() if not isinstance(command, click.Group)])
def test_json_is_one_rule_for_all_commands(path: str) -> None:
    """A flag, in the same words; never a file: that is what a shell's > is for."""
    command = dict(every_command())[path]
    found = [option for option in command.params if "--json" in option.opts]
    if path in WITHOUT_JSON:
        assert not found
        return
    (option,) = found
    assert isinstance(option, click.Option)
    assert (option.name, option.is_flag, option.help) == ("as_json", True, JSON_HELP)


EXAMPLES = packaged_folder() / "examples"
SAYING_JSON = [
    "ports",
    "info --port sim://",
    "profile list",
    "profile show low-back-pain",
    f"profile check {packaged_folder() / 'low-back-pain.toml'}",
    f"run bench-2hz --port sim:// --prescription {EXAMPLES / 'bench-2hz.toml'}",
    "bench run --port sim:// --ohm 1000 --seconds 20",
    "bench sweep width --port sim:// --ohm 1000 --at 100us --at 0.2ms --seconds 1",
    "bench accept --capture CAPTURE --load 500 --profile bench-100hz",
    f"bench plan {EXAMPLE} --check",
    "bench calibrate --csv TYPED --port sim:// --date 2026-03-31 --due 2027-03-31 --operator A --instrument B "
    "--certificate C",
    f"prescription show {EXAMPLES / 'bench-2hz.toml'}",
    "stop",
    "log list",
    "log show latest",
    "log verify",
    "course due",
    "course show P-17",
    "scenario list",
    "scenario run line-loss-mild",
    "soak --sessions 1 --jobs 1",
    "conformance --port sim:// --only R-02 --no-full-range",
    f"replay {Path(__file__).parents[2] / 'recordings' / 'native-sim.traffic'}",
    f"traffic show {Path(__file__).parents[2] / 'recordings' / 'native-sim.traffic'}",
]


def typed_file(folder: Path) -> str:
    """Three amplitudes, as a person measured them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "typed.csv").write_text("channel,asked_ma,measured_ma\n1,0.5,0.5\n1,1,1.01\n1,2,2.01\n")
    return str(folder / "typed.csv")


def pulses_file(folder: Path) -> str:
    """A second of pulses of 1 mA at 100 Hz over 500 ohm, as an oscilloscope would have taken them."""
    volts = np.zeros(100_000)
    for start in range(500, 100_000, 1_000):
        volts[start : start + 20], volts[start + 20 : start + 40] = 0.5, -0.5
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "pulses.npz", ch1=volts, rate_hz=100_000.0)
    return str(folder / "pulses.npz")


@pytest.mark.parametrize("words", SAYING_JSON)
def test_one_document_alone_is_on_standard_output(words: str, home: Path) -> None:
    if words.startswith("log"):
        session = f"run bench-2hz --port sim:// --prescription {EXAMPLES / 'bench-2hz.toml'}"
        assert CliRunner().invoke(main, session.split()).exit_code == 0
    if words.startswith("course"):
        assert CliRunner().invoke(main, ["course", "new", "P-17", "low-back-pain"]).exit_code == 0
    result = CliRunner().invoke(main, [*_with_files(words, home).split(), "--json"])
    assert result.stdout.isascii()
    json.loads(result.stdout)


def _with_files(words: str, home: Path) -> str:
    return words.replace("CAPTURE", pulses_file(home)).replace("TYPED", typed_file(home))


def test_every_command_that_has_json_was_tried() -> None:
    tried = {path for path, _ in every_command() for words in SAYING_JSON if f"{words} ".startswith(f"{path} ")}
    having = {path for path, command in every_command() if any("--json" in option.opts for option in command.params)}
    assert having - tried == {"log sync"}, "which needs a PostgreSQL: tests/stimctl/sync/test_sync_command.py"


ERRORS = [
    (errors.Misuse("x"), codes.INVALID),
    (errors.InputInvalid("file", []), codes.INVALID),
    (errors.IllegalEvent("x"), codes.INVALID),
    (errors.Unsafe([errors.Problem("ceiling_ua", 3000, "must be less")]), codes.UNSAFE),
    (errors.DeviceFault("x"), codes.DEVICE),
    (errors.CommandRefused("Arm", "wrong state"), codes.DEVICE),
    (errors.EchoMismatch("x"), codes.DEVICE),
    (errors.WrongDevice("x"), codes.DEVICE),
    (errors.LineFault("x"), codes.LINE),
    (errors.LineLost("x"), codes.LINE),
    (errors.NotSent("x"), codes.LINE),
    (errors.Suspended("x"), codes.LINE),
    (errors.TimedOut("x"), codes.LINE),
    (errors.PortBusy("x"), codes.LINE),
    (errors.WireError("x"), codes.LINE),
    (errors.LogFault("x"), codes.LOG),
]


@pytest.mark.parametrize(("error", "code"), ERRORS)
def test_an_error_is_a_sentence_and_a_code(
    error: errors.StimctlError, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("stimctl.cli.ports.found_ports", fail)
    result = CliRunner().invoke(main, ["ports"])
    assert result.exit_code == code == exit_code(error)
    assert result.stderr == f"Error: {error}\n"
    assert "Traceback" not in result.output


def test_every_error_class_has_a_code() -> None:
    def classes(kind: type[errors.StimctlError]) -> Iterator[type[errors.StimctlError]]:
        yield kind
        for each in kind.__subclasses__():
            yield from classes(each)

    tested = {type(error) for error, _ in ERRORS}
    ours = {kind for kind in classes(errors.StimctlError) if kind.__module__ == "stimctl.errors"}
    assert ours - tested == {errors.StimctlError}


def test_a_mistake_of_the_program_still_has_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise KeyError("oops")

    monkeypatch.setattr("stimctl.cli.ports.found_ports", fail)
    result = CliRunner().invoke(main, ["ports"])
    assert isinstance(result.exception, KeyError)


def test_ctrl_c_has_the_shells_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stimctl.cli.ports.found_ports", fail)
    assert CliRunner().invoke(main, ["ports"]).exit_code == 130


def _install(folder: Path, text: str) -> None:
    there = folder / "other-1.0.dist-info"
    there.mkdir()
    (there / "entry_points.txt").write_text(text)


def test_a_plugin_is_listed_without_being_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, "[console_scripts]\nnot = this:one\n\n[stimctl.commands]\nother = other_package.cli:command\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert plugins.find()["other"] == "other_package.cli:command"
    assert "not" not in plugins.find()
    shown = CliRunner().invoke(main, ["--help"])
    assert "other" in shown.output
    assert "Added by other_package." in shown.output


@pytest.mark.parametrize(
    ("source", "said"),
    [("import nothing_of_this_name", "does not load"), ("command = 5", "is no command"), ("x = (", "does not load")],
)
def test_a_broken_plugin_gets_a_sentence(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"broken_{abs(hash(source))}"
    (tmp_path / f"{module}.py").write_text(source)
    _install(tmp_path, f"[stimctl.commands]\nbroken = {module}:command\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert CliRunner().invoke(main, ["--help"]).exit_code == 0
    result = CliRunner().invoke(main, ["broken"])
    assert result.exit_code == codes.INVALID
    assert "the command 'broken' comes from" in result.stderr
    assert said in result.stderr


def test_the_plugins_found_are_those_of_the_standard_library() -> None:
    from importlib.metadata import entry_points

    assert plugins.find() == {entry.name: entry.value for entry in entry_points(group=plugins.GROUP)}


@pytest.mark.parametrize(("written", "meant"), [("profiles", "profile"), ("runn", "run"), ("swep", None)])
def test_a_command_that_there_is_not_names_the_one_that_may_be_meant(written: str, meant: str | None) -> None:
    result = CliRunner().invoke(main, [written, "--port", "sim://"])
    assert result.exit_code == codes.USAGE
    assert f"No such command '{written}'." in result.output
    assert ("Did you mean" in result.output) is (meant is not None)
    assert meant is None or f"Did you mean '{meant}'?" in result.output
