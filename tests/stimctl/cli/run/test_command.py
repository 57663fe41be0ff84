"""`stimctl run` where there is no terminal: plain lines, the summary, exit codes, and what is refused."""

import json
import signal
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stimctl.cli import codes, main
from stimctl.cli.run.exit_code import OF_END, exit_code
from stimctl.ledger import Ledger
from stimctl.profile import examples_folder
from stimctl.session.states import End
from stimctl.session.view import Alarm, Priority, SessionReport

BACK = str(examples_folder() / "low-back-pain.toml")


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["run", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def short(folder: Path, **changes: str) -> str:
    """A bench prescription of eight seconds, with some of its lines changed."""
    text = (examples_folder() / "bench-2-100hz.toml").read_text().replace("seconds = 60", "seconds = 8")
    text = text.replace("ceiling_ma = 2.0", "ceiling_ma = 2.0\nramp_only = true")
    for name, line in changes.items():
        text = "\n".join(line if each.startswith(f"{name} =") else each for each in text.splitlines())
    file = folder / "short.toml"
    file.write_text(text)
    return str(file)


def test_a_twenty_minute_session_ends_with_its_dose_and_where_it_is_kept(home: Path, tmp_path: Path) -> None:
    picture = tmp_path / "plan.svg"
    shown = run("low-back-pain", "--port", "sim://", "--prescription", BACK, "--picture", str(picture)).output
    assert "SIMULATOR: stimctl simulator SIM-00000001" in shown
    assert "ended        timer" in shown
    assert "20:00 of 20:00 (2 Hz 10:00, 100 Hz 10:00)" in shown
    assert "by the device, exactly what was commanded: yes" in shown
    assert "within the device's stated accuracy: yes" in shown
    assert "zero output  measured and confirmed" in shown
    doses = shown[shown.index("CHANNEL") :].split("\n\n")[0].splitlines()
    assert max(map(len, doses)) <= 80  # a terminal's width
    assert doses[-1].split()[-1] == "mC"
    pulses = next(line for line in doses if "all pulses" in line)
    assert pulses.split() == ["1", "all", "pulses", "61,200", "61,200", "61,200", "counted"]
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        (session_id,) = ledger.session_ids()
        assert ledger.summary(session_id).head.end_reason == "timer"
        assert ledger.verify().ok
        assert f"log head   entry {ledger.head().number}, {ledger.head().hash.hex()}" in shown
    assert f"stimctl log show {session_id}" in shown
    assert str(home / "ledger.sqlite") in shown
    assert str(picture) in shown
    assert picture.exists()


def test_lines_say_what_it_is_before_what_it_does(tmp_path: Path) -> None:
    lines = run("bench-2-100hz", "--port", "sim://", "--prescription", short(tmp_path)).output.splitlines()
    assert "SIMULATOR" in lines[0]
    assert "1.13 mA will be reached, not 2.00 mA" in lines[1]
    told = [line.split(maxsplit=1)[1] for line in lines[2:8]]
    assert told == ["identified", "loaded", "self-tested", "impedance check", "checked", "armed"]


def test_json_alone_is_on_standard_output(tmp_path: Path) -> None:
    traffic = tmp_path / "line.traffic"
    arguments = ("--port", "sim://", "--prescription", short(tmp_path), "--record-traffic", str(traffic), "--json")
    result = run("bench-2-100hz", *arguments)
    document = json.loads(result.stdout)
    session = document["session"]
    assert document["watermark"] == "SIMULATOR"
    assert session["head"]["end_reason"] == "timer"
    assert session["agreement"]["exact"] is session["agreement"]["measured"] is True
    assert session["channels"][0]["commanded"] == session["channels"][0]["delivered"]
    assert document["run"]["traffic"] == str(traffic)
    assert "ramping" in result.stderr
    decoded = CliRunner().invoke(main, ["traffic", "show", str(traffic)]).output
    assert "KeepAlive" in decoded
    assert "# SIMULATOR; 0 damaged" in decoded


@pytest.mark.parametrize("option", ["--record-traffic", "--picture", "--save"])
def test_a_file_that_is_there_is_never_replaced(option: str, tmp_path: Path) -> None:
    there = tmp_path / "there.svg"
    there.write_text("kept")
    arguments = ("--prescription", short(tmp_path), option, str(there))
    assert "never replaced" in run("bench-2-100hz", "--port", "sim://", *arguments, code=codes.INVALID).stderr
    assert there.read_text() == "kept"


@pytest.mark.parametrize(("load", "said"), [("open", "no contact"), ("short", "short circuit")])
def test_a_bad_contact_ends_it_where_nobody_can_mend_it(load: str, said: str, tmp_path: Path) -> None:
    shown = run(
        "bench-2-100hz", "--port", f"sim://?load={load}", "--prescription", short(tmp_path), code=codes.ENDED_EARLY
    ).output
    assert f"MEDIUM ALARM: channel 1: {said}" in shown
    assert "1        all pulses     " in shown
    assert "ended         impedance check failed" in shown


def test_a_simulator_is_not_taken_for_a_dummy_load(tmp_path: Path) -> None:
    file = short(tmp_path, subject='subject = "dummy_load"\ndeclared_ohm = 600')
    shown = run("bench-2-100hz", "--port", "sim://", "--prescription", file, code=codes.DEVICE).output
    assert "says that it is a SIMULATOR" in shown


@pytest.mark.parametrize("subject", ['"person"', '"animal"\napproval = "A-1"\npregnant = false'])
def test_a_living_subject_needs_a_terminal(subject: str, tmp_path: Path) -> None:
    file = tmp_path / "living.toml"
    file.write_text(Path(BACK).read_text().replace('subject = "simulator"', f"subject = {subject}"))
    result = run("low-back-pain", "--port", "sim://", "--prescription", str(file), code=codes.UNSAFE)
    assert "needs an operator at a terminal" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["no-such-profile", "--port", "sim://"], codes.INVALID, "there are bench-100hz"),
        (["migraine", "--port", "sim://"], codes.INVALID, "nothing to stimulate"),
        (["low-back-pain"], codes.USAGE, "Missing option '--port'"),
        (["low-back-pain", "--port", "sim://"], codes.INVALID, "give a prescription with --prescription FILE"),
        (["bench-2hz", "--port", "sim://", "--prescription", BACK], codes.INVALID, "prescribes low-back-pain"),
        (["low-back-pain", "--port", "sim://", "--prescription", "no.toml"], codes.INVALID, "No such file"),
        (["low-back-pain", "--port", "/dev/none", "--prescription", BACK], codes.LINE, "`stimctl ports`"),
        (["low-back-pain", "--port", "sim://?x=1", "--prescription", BACK], codes.INVALID, "no option 'x'"),
        (
            ["low-back-pain", "--port", "sim://", "--prescription", BACK, "--picture", "/none/x.png"],
            codes.INVALID,
            "/none",
        ),
        (
            ["low-back-pain", "--port", "sim://", "--prescription", BACK, "--variant", "2-hz"],
            codes.INVALID,
            "prescribes the variant 2-100-hz",
        ),
    ],
)
def test_what_a_person_gets_wrong_is_a_sentence(arguments: list[str], code: int, said: str, home: Path) -> None:
    result = run(*arguments, code=code)
    assert said in result.stderr
    assert "Traceback" not in result.output
    if (home / "ledger.sqlite").exists():
        with Ledger(home / "ledger.sqlite") as ledger:
            assert not ledger.session_ids()


def test_a_limit_in_a_prescription_names_line_field_value_and_limit(tmp_path: Path) -> None:
    file = short(tmp_path, ceiling_ma="ceiling_ma = 2.5")
    result = run("bench-2-100hz", "--port", "sim://", "--prescription", file, code=codes.UNSAFE)
    assert "line 10: ceiling_ma is 2.5: must be 0.5 to 2.0 mA" in result.stderr


def test_no_log_no_session(home: Path, tmp_path: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the folder should be")
    result = run("bench-2-100hz", "--port", "sim://", "--prescription", short(tmp_path), code=codes.LOG)
    assert "Traceback" not in result.output


def test_a_ledger_that_is_not_whole_begins_no_session(home: Path, tmp_path: Path) -> None:
    arguments = ("bench-2-100hz", "--port", "sim://", "--prescription", short(tmp_path))
    run(*arguments)
    change_entry_2(home)
    assert "entry 2 is not what was hashed" in run(*arguments, code=codes.LOG).stderr
    for words in ("bench run --seconds 20", "bench sweep width --seconds 20 --at 200us", "bench wiring"):
        load = () if "wiring" in words else ("--ohm", "1000")
        told = CliRunner().invoke(main, [*words.split(), "--port", "sim://", *load])
        assert told.exit_code == codes.LOG, words
        assert "entry 2 is not what was hashed" in told.stderr
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        assert len(ledger.session_ids()) == 1


@pytest.mark.parametrize("left", [True, False])
def test_a_file_that_nobody_wrote_to_is_begun_unless_an_anchor_tells_of_more(
    home: Path, tmp_path: Path, left: bool
) -> None:
    arguments = ("bench-2-100hz", "--port", "sim://", "--prescription", short(tmp_path))
    run(*arguments)
    for each in home.glob("ledger.sqlite*"):
        each.unlink()
    (home / "ledger.sqlite").touch()
    if left:
        assert "is gone: its anchor tells of" in run(*arguments, code=codes.LOG).stderr
        driven = CliRunner().invoke(main, ["bench", "run", "--port", "sim://", "--ohm", "1000", "--seconds", "20"])
        assert "Entries of the log were lost" in driven.stderr
        assert "log lost" in driven.stdout
    else:
        (home / "ledger.anchor").unlink()
        run(*arguments)


def change_entry_2(home: Path) -> None:
    """As somebody would who knows SQLite."""
    changed = sqlite3.connect(home / "ledger.sqlite", isolation_level=None)
    (trigger,) = changed.execute("SELECT sql FROM sqlite_schema WHERE name = 'entries_never_change'").fetchone()
    changed.execute("DROP TRIGGER entries_never_change")
    changed.execute("UPDATE entries SET at_us = at_us + 1 WHERE number = 2")
    changed.execute(trigger)
    changed.close()


def test_every_end_has_a_documented_code() -> None:
    assert set(OF_END) == set(End)
    assert set(OF_END.values()) <= set(codes.MEANINGS)


def report(end: End, zero_us: int | None = 20_000, exact: bool | None = True) -> SessionReport:
    return SessionReport(
        session_id="x", end=end, end_text="", simulator=True, planned={}, commanded={}, delivered={}, measured={},
        agreement={"exact": exact}, zero_confirmed_us=zero_us, band_us=(0, 0), held_us=0, alarms=(),
    )  # fmt: skip


def test_a_success_needs_its_zero_and_its_count() -> None:
    assert exit_code(report(End.TIMER), None) == 0
    assert exit_code(report(End.TIMER, zero_us=None), None) == codes.DEVICE
    assert exit_code(report(End.TIMER, exact=False), None) == codes.DEVICE
    assert exit_code(report(End.OPERATOR), None) == codes.STOPPED
    for priority in Priority:
        told = replace(report(End.TIMER), alarms=(Alarm(priority, "current came back", "PULL THE LEADS", 0),))
        assert exit_code(told, None) == (codes.DEVICE if priority is Priority.HIGH else 0)
    assert exit_code(report(End.LINE_LOST, zero_us=None), None) == codes.LINE
    assert exit_code(report(End.SIGNAL), signal.SIGTERM) == 143
    assert exit_code(report(End.SIGNAL), None) == codes.HUNG_UP
