"""The questions of `stimctl run` on a real terminal: their order, what is kept of the answers, and how few they are."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stimctl.calibration import keep_record
from stimctl.cli import codes, main
from stimctl.cli.ask.draft import Draft
from stimctl.cli.run.operator import LET_GO_S
from stimctl.ledger import Ledger
from tests.stimctl.cli.run.test_terminal import BACK, SIM, device
from tests.stimctl.cli.terminal import Terminal
from tests.stimctl.ledger.test_damage import tmpfs
from tests.stimctl.test_calibration import record

pytestmark = pytest.mark.realtime

FAST = "sim://?pace=60"
Steps = Sequence[tuple[str, str]]
ON_SIMULATOR: Steps = (
    ("Subject", "sim"),
    ("Pseudonym", "P-17"),
    ("Operator", "Dr. O."),
    (r"Minutes \(1 s to 30 min; low-back-pain says 20 to 30\)", "20 min"),
    (r"Ceiling \(0\.5 to 2\.0 mA; low-back-pain says 0\.5 to 2\)", "2,0"),
    ("titrate", "n"),
    ("Channels", "1"),
    (r"Pair, channel 1 \(BL-23/BL-25, other, terminals\)", "bl"),
    (r"Side, channel 1 \(left, right\)", "l"),
    (r"Amplitude, channel 1 \(0\.5 to 2\.0 mA", "1800 uA"),
    (r"Needle diameter, channel 1 \(0\.1 to 0\.5 mm\)", "0.20"),
    (r"Inserted length, channel 1 \(1 to 75 mm\)", "0.5 cm"),
    ("Coating, channel 1", "none"),
)
PERSON: Steps = (
    ("Pseudonym", "P-17"),
    (r"Is this the person(?s:.*?)Can the person speak(?s:.*?)Is all of this so", "yes"),
    (r"(?i)pacemaker(?s:.*?)less than 2 days(?s:.*?)Is any of this so", "none"),
    *ON_SIMULATOR[2:7],
    (r"Pair, channel 1 \(BL-23/BL-25, other\)", "bl"),
    *ON_SIMULATOR[8:11],
    ("Inserted length", "30"),
    ON_SIMULATOR[12],
    (r"20:00 min of 2/100 Hz(?s:.*?)left, 1\.80 mA(?s:.*?)needles and pairs placed(?s:.*?)Is all of this so", "y"),
    (r"both sides of the spinal cord(?s:.*?)Is any of this so", "none"),
    ("Pain", "4"),
    ("Sensation", "2"),
    ("Enter goes on", ""),
)  # fmt: skip


def answered(terminal: Terminal, steps: Steps) -> int:
    """Answer as the steps say; how many answers that were."""
    for question, answer in steps:
        terminal.wait_for(f"{question}.*: ")
        terminal.press(f"{answer}\n")
    return len(steps)


def through(terminal: Terminal) -> None:
    """Both gates, and a stop in the ramp."""
    terminal.wait_for(r"connect the leads, then press Enter")
    terminal.press("\r")
    terminal.wait_for(r"press Enter to start the ramp")
    terminal.watch(LET_GO_S)
    terminal.press("\r")
    terminal.wait_for(r"\d:\d\d armed")
    terminal.press("s")


def opened(home: Path) -> list[Mapping[str, Any]]:
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        return [entry.body for entry in ledger.entries() if entry.kind == "opened"]


def scores(home: Path) -> list[object]:
    with Ledger(home / "ledger.sqlite", read_only=True) as ledger:
        return [entry.body["when"] for entry in ledger.entries() if entry.kind == "outcome"]


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_device_comes_before_any_question(home: Path) -> None:
    with Terminal("run", "low-back-pain", "--port", "/dev/none") as terminal:
        terminal.wait_for(r"cannot open the port .*`stimctl ports`")
        assert terminal.ended() == codes.LINE
        assert "Subject" not in terminal.text
    with Terminal("run", "low-back-pain", "--port", "sim://?load=odd") as terminal:
        terminal.wait_for(r"port 'sim://\?load=odd': .*odd")
        assert terminal.ended() == codes.INVALID
    assert not home.exists()


def test_a_device_that_goes_while_the_questions_are_asked_ends_them(home: Path, tmp_path: Path) -> None:
    link = tmp_path / "stimulator"
    with device(link) as process, Terminal("run", "low-back-pain", "--port", str(link)) as terminal:
        terminal.wait_for(r"SIMULATOR: stimctl simulator SIM-00000001")
        answered(terminal, ON_SIMULATOR[:1])
        terminal.wait_for("Pseudonym.*: ")
        taken = CliRunner().invoke(main, ["info", "--port", str(link)])  # nobody else takes it meanwhile
        assert taken.exit_code == codes.LINE
        assert "another program" in taken.stderr
        process.kill()
        process.wait()
        terminal.watch(0.5)
        terminal.press("P-17\n")
        terminal.wait_for(r"the port is gone")
        assert terminal.ended() == codes.LINE
    left = Draft("low-back-pain").load()
    assert left is not None
    assert left.answers == {"subject": "sim", "pseudonym": "P-17"}
    assert not home.exists()


def test_a_calibration_past_due_needs_an_answer_before_any_other(home: Path) -> None:
    keep_record(home, record())
    with Terminal("run", "low-back-pain", "--port", SIM) as terminal:
        terminal.wait_for(r"was due on 2026-03-31, \d+ days ago(?s:.*?)Go on with this device all the same")
        assert "Subject" not in terminal.text
        terminal.press("n\n")
        terminal.wait_for("nothing was armed")
        assert terminal.ended() == codes.INVALID
    with Terminal("run", "low-back-pain", "--port", SIM) as terminal:
        answered(terminal, [("all the same", "y"), ON_SIMULATOR[0]])


def test_a_log_in_which_no_session_can_begin_is_told_before_any_question(home: Path) -> None:
    with Ledger(home / "ledger.sqlite") as ledger:
        ledger.append("s-1", "opened", 0, {"pseudonym": "P-17"})
    (home / "ledger.sqlite").unlink()
    (home / "ledger.sqlite").mkdir()
    with Terminal("run", "low-back-pain", "--port", FAST) as terminal:
        assert terminal.ended() == codes.LOG
    assert "ledger.sqlite is a folder, and a ledger is a plain file" in terminal.text
    assert "Subject" not in terminal.text


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
@pytest.mark.parametrize("begun", [True, False], ids=["a log that is begun", "no log yet"])
def test_a_full_disk_is_told_before_any_question(begun: bool, tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "512k") as disk:
        if begun:
            Ledger(disk / "data" / "ledger.sqlite").close()
        before = sorted(disk.rglob("*"))
        with Terminal(
            "run", "low-back-pain", "--port", FAST, environment={"STIMCTL_DATA": str(disk / "data")}
        ) as terminal:
            assert terminal.ended() == codes.LOG
        assert sorted(disk.rglob("*")) == before
    assert "ledger.sqlite: the disk is full; make room and start again" in terminal.text
    assert "Subject" not in terminal.text


def test_answers_are_never_lost_and_are_offered_at_the_next_start(home: Path) -> None:
    with Terminal("run", "low-back-pain", "--port", SIM) as terminal:
        answered(terminal, ON_SIMULATOR[:11])
        terminal.wait_for("Inserted.*: ")
        # Enter, in case the signal came in the instant before the program waits for the line.
        terminal.press("\x03")
        terminal.press("\n")
        terminal.wait_for("Interrupted")
        assert terminal.ended() == 130
    assert not home.exists()
    with Terminal("run", "low-back-pain", "--port", SIM) as terminal:
        terminal.wait_for(r"11 answers were left on .*, for P-17")
        answered(terminal, [("Go on from there", "y"), ("Inserted", "30"), ("Coating", "n"), ("Enter goes on", "")])
        through(terminal)
        assert terminal.ended() == codes.STOPPED
    (body,) = opened(home)
    assert body["operator"] == "Dr. O."
    assert Draft("low-back-pain").load() is None
    assert scores(home) == []
    assert "Pain" not in terminal.text


def test_answers_that_do_not_go_together_are_changed_by_number(home: Path) -> None:
    with Terminal("run", "low-back-pain", "--port", SIM) as terminal:
        answered(terminal, ON_SIMULATOR)
        terminal.wait_for(r"channel 1.needle is '\S+ uC/cm2': must be at most 30 uC/cm2")
        number = terminal.wait_for(r"\d+ +Inserted length").split()[0]
        terminal.wait_for("number of the answer to change.*: ")
        terminal.press("\n")
        terminal.wait_for("None of them can stay")
        terminal.press(f"{number}\n")
        answered(terminal, [(r"Inserted length.*\[0\.5 cm\]", "<"), (r"Needle diameter.*\[0\.20\]", "0.30"),
                            (r"Inserted length.*\[0\.5 cm\]", "30"), ("Enter goes on", "99")])  # fmt: skip
        terminal.wait_for("a number from 1 to 13, or Enter")
        terminal.press("\n")
        through(terminal)
        assert terminal.ended() == codes.STOPPED
    (body,) = opened(home)
    needle = {"diameter_um": 300, "inserted_um": 30_000, "coating": "none"}
    assert body["prescription"]["channels"][0]["needle"] == needle


def test_an_illegal_pair_is_told_when_it_is_named() -> None:
    with Terminal("run", "low-back-pain", "--port", SIM) as terminal:
        answered(terminal, [*ON_SIMULATOR[:7], ("Pair", "o")])
        terminal.wait_for(r"Points of this profile:(?s:.*?)BL-23    strengthens the lower back(?s:.*?)Ashi")
        terminal.wait_for("Yintang  addresses")
        answered(terminal, [("First needle.*point", "bl23"), ("First.*side", "l"), ("Second.*point", "shenshu"),
                            ("Second.*side", "r")])  # fmt: skip
        terminal.wait_for(r"BL-23 left to BL-23 right is refused: \w+")
        answered(terminal, [("Pair", ""), ("First needle.*point", "ashi"), ("First.*side", "l"), ("region", "low"),
                            ("place in words", "right of L4")])  # fmt: skip
        terminal.wait_for(r"says right, and the side that is declared is left")
        answered(terminal, [("First.*side", ""), ("region", ""), (r"place in words.*\[right of L4\]", "beside L4")])
        terminal.wait_for(r"Second needle.*point.*: ")
        terminal.press("\x03\n")  # CPython loses a Ctrl-C between its prompt and its read, until the next key
        assert terminal.ended() == 130


def test_less_than_the_profile_says_is_a_clinicians_choice_by_name(home: Path) -> None:
    shorter = [("Minutes", "10 s") if question.startswith("Minutes") else (question, answer)
               for question, answer in (*ON_SIMULATOR[:11], ("Inserted", "30"), ON_SIMULATOR[12])]  # fmt: skip
    with Terminal("run", "low-back-pain", "--port", SIM) as terminal:
        answered(terminal, [*shorter, ("Clinician who answers for: less minutes than the profile says", "Dr. C.")])
        terminal.wait_for(r"1\.\d\d mA is reached; the ramps take")
        answered(terminal, [("Is a session that is mostly ramp meant", "y"), ("Enter goes on", "")])
        terminal.wait_for("connect the leads")
        terminal.press("s")
        assert terminal.ended() == codes.STOPPED
    (body,) = opened(home)
    prescribed = body["prescription"]
    assert prescribed["clinician"] == {"name": "Dr. C.", "completes": [], "lowers": ["minutes"]}
    assert prescribed["ramp_only"] is True


def test_a_second_visit_takes_under_ten_answers(home: Path, tmp_path: Path) -> None:
    saved, traffic, picture = tmp_path / "p-17.toml", tmp_path / "p-17.traffic", tmp_path / "p-17.svg"
    files = ("--save", str(saved), "--record-traffic", str(traffic), "--picture", str(picture))
    after: Steps = (("Scores after(?s:.*?)Pain", "1"), ("Sensation", "1"))
    with Terminal("run", "low-back-pain", "--rehearse", "--port", FAST, *files) as terminal:
        terminal.wait_for("REHEARSAL: stimctl simulator")
        first = answered(terminal, PERSON)
        terminal.wait_for("REHEARSAL +Chronic")
        through(terminal)
        terminal.wait_for("this was +REHEARSAL, on a simulator: nobody was treated")
        first += answered(terminal, after)
        assert terminal.ended() == codes.STOPPED
        assert "This log has no earlier session of this person" in terminal.text
    Draft("low-back-pain", rehearsal=True).save({"subject": "person"})
    with Terminal("run", "--again", "P-17", "--rehearse", "--port", FAST) as terminal:
        terminal.wait_for("Answers of low-back-pain were left: `stimctl run low-back-pain --rehearse` goes on from")
        second = answered(terminal, [PERSON[1]])
        terminal.wait_for("The last session in this log: .*, 0 days ago. It is less than the source asks for")
        second += answered(terminal, [("pacemaker(?s:.*?)Is any of this so", "none"), *PERSON[-5:]])
        through(terminal)
        second += answered(terminal, after)
        assert terminal.ended() == codes.STOPPED
    assert second < 10 < first
    one, two = (body["prescription"] for body in opened(home))
    changing = ("screening", "flags")
    assert {k: v for k, v in one.items() if k not in changing} == {k: v for k, v in two.items() if k not in changing}
    assert [each["screening"]["answers"]["recent"] for each in (one, two)] == [False, True]
    assert scores(home) == ["before", "after"] * 2
    everywhere_a_rehearsal(saved)
    assert f"# traffic on {FAST}; REHEARSAL" in invoke("traffic", "show", str(traffic))
    assert json.loads(invoke("traffic", "show", str(traffic), "--json"))["rehearsal"] is True
    assert "REHEARSAL" in picture.read_text()


def everywhere_a_rehearsal(saved: Path) -> None:
    assert json.loads(invoke("log", "show", "latest", "--json"))["watermark"] == "REHEARSAL"
    assert "REHEARSAL" in invoke("log", "list")
    assert invoke("log", "show", "latest").startswith("REHEARSAL")
    for form in ("csv", "json"):
        assert "REHEARSAL" in invoke("log", "export", "latest", "--format", form)
    assert re.search(r"for a person; its screening is asked", invoke("prescription", "check", str(saved)))
    assert invoke("prescription", "from-log", "latest") == saved.read_text()


def test_nobody_is_asked_anything_after_a_session_that_never_was(home: Path) -> None:
    with Terminal("run", "low-back-pain", "--rehearse", "--prescription", BACK) as terminal:
        answered(terminal, [PERSON[1], PERSON[2], *((q.replace("1\\.80", "1\\.50"), a) for q, a in PERSON[-5:])])
        terminal.wait_for("connect the leads")
        terminal.press("s")
        terminal.wait_for("never armed; nothing was delivered")
        assert terminal.ended() == codes.STOPPED
        assert "Scores after" not in terminal.text
    assert scores(home) == ["before"]


@pytest.mark.parametrize("after", [0, 1, 3, 5, 6, 7, 9, 12])
def test_the_end_of_input_at_any_question_keeps_the_answers(after: int, home: Path) -> None:
    with Terminal("run", "low-back-pain", "--port", SIM, columns=20, lines=10) as terminal:
        for _question, answer in ON_SIMULATOR[:after]:  # which 20 columns fold
            terminal.wait_for(": ")
            terminal.press(f"{answer}\n")
            terminal.wait_for(answer)
        terminal.wait_for(": $")
        terminal.press("\x04")
        terminal.wait_for("Interrupted")
        assert terminal.ended() == codes.INTERRUPTED
        assert "Traceback" not in terminal.text
    left = Draft("low-back-pain").load()
    assert len(left.answers if left else ()) == after
    assert not home.exists()


def test_a_paste_that_goes_on_after_the_last_question_opens_no_gate(home: Path) -> None:
    lines = [answer for _, answer in ON_SIMULATOR]
    lines[11] = "30"
    with Terminal("run", "low-back-pain", "--port", SIM) as terminal:
        terminal.wait_for("Subject.*: ")
        terminal.press("\n".join(lines) + "\n" * 30)
        terminal.wait_for("connect the leads, then press Enter")
        terminal.watch(LET_GO_S)
        terminal.press("s")
        terminal.wait_for("never armed; nothing was delivered")
        assert terminal.ended() == codes.STOPPED
    (session,) = json.loads(invoke("log", "list", "--json"))
    assert session["end_reason"] == "stopped by the operator"


def test_a_stop_typed_before_there_is_a_screen_stops() -> None:
    with Terminal("run", "low-back-pain", "--port", SIM, "--prescription", BACK) as terminal:
        terminal.press("\ns\n")
        terminal.wait_for("never armed; nothing was delivered")
        assert terminal.ended() == codes.STOPPED
