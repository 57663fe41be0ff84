"""`stimctl log`, through the command as a person calls it."""

import csv
import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from stimctl.cli import main
from stimctl.cli.log.command import log
from stimctl.ledger import Ledger, ledger_path

OPENED: dict[str, Any] = {
    "subject": "simulator",
    "operator": "A. O.\x1b[31m",
    "pseudonym": "P-07",
    "profile": {"id": "low-back-pain", "version": "1.0.0", "sha256": "ab" * 32},
    "prescription": {
        "channels": [{"channel": 1, "pair": [{"point": "BL-23", "side": "left"}, {"point": "BL-25", "side": "left"}]}],
        "program": {"segments": [{"period_us": 500_000}, {"period_us": 10_000}]},
        "ceiling_ua": 2000,
    },
    "device": {"model": "sim", "serial": "S1", "firmware": "1.0.0", "calibrated_on": "2026-01-01"},
    "simulator": True,
    "planned": {"1": {"pulses": [12, 1200], "charge_pc": [14_400_000, 480_000_000]}},
}
CLOSED: dict[str, Any] = {
    "end_reason": "timer",
    "end_text": "timer",
    "commanded": {"1": {"pulses": [11, 1100], "charge_pc": [13_200_000, 440_000_000]}},
    "delivered": {"1": {"pulses": [10, 1000], "charge_pc": [12_000_000, 400_000_000]}},
    "measured": {"1": {"charge_pc": [12_100_000, 401_000_000], "net_charge_pc": -7, "compliance_hits": 0}},
    "spreads": {"1": {"measured_ua": {"first": 90, "min": 90, "median": 1990, "max": 2011}}},
    "band_us": [600_000_000, 600_000_000],
    "held_us": 0,
    "zero_confirmed_us": 21_000,
    "agreement": {"exact": False, "measured": True, "contradiction": None},
}
FIRST, SECOND = "20260131-142501-7k3fq", "20260201-090000-q2m4x"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger with one closed session on a simulator and one on hardware that was cut short."""
    with Ledger(ledger_path(tmp_path / "data")) as ledger:
        ledger.append(FIRST, "opened", 1_000_000, OPENED)
        ledger.append(FIRST, "alarm", 63_000_000, {"priority": "MEDIUM", "text": "contact is poor"})
        ledger.append(FIRST, "closed", 1_201_000_000, CLOSED)
        ledger.append(SECOND, "opened", 0, {**OPENED, "simulator": False})
    return tmp_path / "data"


def call(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["log", "--data", str(folder), *arguments])


def good(folder: Path, *arguments: str) -> str:
    result = call(folder, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_list_has_a_line_a_session(folder: Path) -> None:
    lines = good(folder, "list").splitlines()
    second, _, first, dose = lines
    assert max(map(len, lines)) <= 80
    assert dose.split("  ")[-2:] == ["20:00", "412.000 uC counted"]
    assert first.split()[:2] == [FIRST, "SIMULATOR"]
    assert second.split()[:2] == [SECOND, "HARDWARE"]
    assert "closed: timer" in first
    assert "unfinished" in second


def test_list_as_json(folder: Path) -> None:
    second, first = json.loads(good(folder, "list", "--json"))
    assert (first["session_id"], first["watermark"], first["end_reason"]) == (FIRST, "SIMULATOR", "timer")
    assert second["state"] == "unfinished"


def test_list_before_the_first_session_makes_nothing(tmp_path: Path) -> None:
    assert "holds no session yet" in good(tmp_path / "none", "list")
    assert json.loads(good(tmp_path / "none", "list", "--json")) == []
    assert not (tmp_path / "none").exists()


def test_show_is_a_page_with_the_four_doses_apart(folder: Path) -> None:
    text = good(folder, "show", FIRST[:12])
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == f"SIMULATOR: session {FIRST}"
    for expected in (
        "state closed: timer",
        "subject simulator P-07",
        "device sim S1 1.0.0 calibrated 2026-01-01",
        "bands 2 Hz for 10:00, 100 Hz for 10:00",
        "zero after stop confirmed after 21 ms",
        "counted as commanded NO: do not trust this device",
        "1 (BL-23 left - BL-25 left) 2 Hz planned 12 14.400 uC planned",
        "1 (BL-23 left - BL-25 left) 100 Hz planned 1,200 480.000 uC planned",
        "commanded 1,100 440.000 uC commanded",
        "delivered 1,000 400.000 uC counted",
        "measured - 401.000 uC measured",
        "1 first 0.09, min 0.09, median 1.99, max 2.011 - -0.000 uC 0 -",
        "1:02 alarm MEDIUM: contact is poor",
    ):
        assert expected in lines, text
    assert "1610" not in text, "nothing is summed"


def test_show_says_what_contradicts_and_why_a_count_is_not_known_to_be_exact(folder: Path) -> None:
    told = {"exact": None, "reason": "an answer was lost", "contradiction": "a clock went back"}
    with Ledger(ledger_path(folder)) as ledger:
        ledger.append("s-3", "opened", 0, OPENED)
        ledger.append("s-3", "closed", 1, {**CLOSED, "agreement": told})
    lines = [" ".join(line.split()) for line in good(folder, "show", "s-3").splitlines()]
    assert "counted as commanded not known: an answer was lost" in lines
    assert "contradiction a clock went back" in lines


def test_show_lets_no_text_order_the_terminal_about(folder: Path) -> None:
    assert "\x1b" not in good(folder, "show", "latest")
    assert "operator              A. O.?[31m" in good(folder, "show", "latest")


def test_show_of_a_cut_session_shows_its_gaps(folder: Path) -> None:
    lines = [" ".join(line.split()) for line in good(folder, "show", "latest").splitlines()]
    assert lines[0] == f"HARDWARE: session {SECOND}"
    assert "delivered - - unknown" in lines
    assert "counted as commanded -" in lines


def test_show_as_json(folder: Path) -> None:
    document = json.loads(good(folder, "show", "7k3fq", "--json"))
    assert document["watermark"] == "SIMULATOR"
    assert document["session"]["channels"][0]["delivered"]["pulses"] == [10, 1000]
    assert (document["entries"], document["run"]) == (None, None)


def test_show_has_the_screening_in_the_order_in_which_it_was_asked(folder: Path) -> None:
    answers = {"sensation": True, "consent": True, "made up": False, "epilepsy": False, "identity": True}
    with Ledger(ledger_path(folder)) as ledger:
        ledger.append(SECOND, "screening", 0, {"pseudonym": "P-07", "answers": answers})
    lines = good(folder, "show", SECOND).splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("Screening of P-07"))
    assert lines[first + 1 : first + 6] == [
        "  yes  Is this the person the pseudonym stands for?",
        "  yes  Has the person consented to this session?",
        "  no   Does the person have epilepsy?",
        "  yes  Is sensation impaired where the needles are?",
        "  no   made up",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("zzz", "no session is called 'zzz'"),
        ("2026", "means 2 sessions (20260131-142501-7k3fq, 20260201-090000-q2m4x); write more of it"),
        ("", "an empty name means no session: write its id, or `latest`"),
    ],
)
def test_wrong_id_is_a_sentence(folder: Path, name: str, said: str) -> None:
    result = call(folder, "show", name)
    assert result.exit_code == 3
    assert said in result.stderr


def test_verify_prints_the_head_and_what_it_cannot_show(folder: Path) -> None:
    text = good(folder, "verify")
    assert "All 4 entries are intact, and the anchor agrees." in text
    assert "cannot show" in text
    head = json.loads(good(folder, "verify", "--json"))["head"]
    assert f"Head hash: {head}" in text
    assert "as it was when it was noted" in good(folder, "verify", "--head", head)


def test_verify_of_a_changed_ledger_names_the_entry(folder: Path) -> None:
    connection = sqlite3.connect(ledger_path(folder))
    (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'entries_never_change'").fetchone()
    connection.execute("DROP TRIGGER entries_never_change")
    connection.execute("UPDATE entries SET body = replace(body, '1000', '1001') WHERE number = 3")
    connection.execute(sql)
    connection.commit()
    connection.close()
    result = call(folder, "verify")
    assert result.exit_code == 7
    assert "entry 3 is not what was hashed" in result.stderr
    result = call(folder, "verify", "--json")
    assert result.exit_code == 7
    assert json.loads(result.stdout)["broken"]["number"] == 3


def test_verify_against_a_head_that_is_gone(folder: Path) -> None:
    assert call(folder, "verify", "--head", "ab" * 32).exit_code == 7
    assert call(folder, "verify", "--head", "short").exit_code == 3


def test_verify_without_a_ledger_is_a_sentence(tmp_path: Path) -> None:
    result = call(tmp_path, "verify")
    assert result.exit_code == 7
    assert "there is no ledger at" in result.stderr


def test_export_csv_of_channels_and_of_entries(folder: Path) -> None:
    (channel,) = csv.DictReader(io.StringIO(good(folder, "export", FIRST, "--format", "csv")))
    assert (channel["watermark"], channel["delivered_pulses_2"]) == ("SIMULATOR", "1000")
    text = good(folder, "export", FIRST, "--format", "csv", "--what", "entries")
    entries = list(csv.DictReader(io.StringIO(text)))
    assert [entry["kind"] for entry in entries] == ["opened", "alarm", "closed"]
    assert {entry["watermark"] for entry in entries} == {"SIMULATOR"}


def test_export_into_a_file_of_ones_own(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "session.json"
    said = good(folder, "export", "latest", "--format", "json", "-o", str(out))
    assert said == f"HARDWARE: session {SECOND} written to {out}\n"
    assert json.loads(out.read_text())["watermark"] == "HARDWARE"
    if os.name == "posix":
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
    result = call(folder, "export", "latest", "--format", "json", "-o", str(tmp_path / "no" / "such" / "folder"))
    assert result.exit_code == 3
    assert "cannot be written" in result.stderr


def test_export_replaces_nothing_unless_told_to(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("precious")
    out.chmod(0o644)
    result = call(folder, "export", "latest", "--format", "csv", "-o", str(out))
    assert result.exit_code == 3
    assert "is there already" in result.stderr
    assert out.read_text() == "precious"
    good(folder, "export", "latest", "--format", "csv", "-o", str(out), "--force")
    assert out.read_text().startswith("watermark,")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["data", "out.csv"], "nothing half-written is left"


def test_export_of_many_has_one_header(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(good(folder, "export", FIRST, SECOND, "--format", "csv"))))
    assert [row["session_id"] for row in rows] == [FIRST, SECOND]
    chosen = good(folder, "export", "--all", "--format", "csv")
    assert [row["session_id"] for row in csv.DictReader(io.StringIO(chosen))] == [SECOND, FIRST], "newest first"
    documents = json.loads(good(folder, "export", "-n", "2", "--format", "json"))
    assert [document["session"]["head"]["session_id"] for document in documents] == [SECOND, FIRST]
    twice = good(folder, "export", FIRST, SECOND[:12], SECOND, "--format", "csv")
    assert [row["session_id"] for row in csv.DictReader(io.StringIO(twice))] == [FIRST, SECOND], "each counts once"
    assert call(folder, "export", "--format", "csv").exit_code == 3
    assert call(folder, "export", FIRST, "--all", "--format", "csv").exit_code == 3


def test_no_cell_is_a_formula_and_none_orders_a_terminal(folder: Path) -> None:
    opened = {**OPENED, "operator": '=HYPERLINK("http://x")', "pseudonym": "+1\x1b[2J"}
    with Ledger(ledger_path(folder)) as ledger:
        ledger.append("formula", "opened", 0, opened)
    for what in ("channels", "entries"):
        text = good(folder, "export", "formula", "--format", "csv", "--what", what)
        assert "\x1b" not in text
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    (row,) = csv.DictReader(io.StringIO(good(folder, "export", "formula", "--format", "csv")))
    assert (row["operator"], row["pseudonym"]) == ('\'=HYPERLINK("http://x")', "'+1?[2J")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["-n", "1"], [SECOND]),
        (["--subject", "P-07"], [SECOND, FIRST]),
        (["--subject", "P-08"], []),
        (["--subject", "\uff30\uff0d\uff10\uff17"], [SECOND, FIRST]),
        (["--profile", "low-back-pain", "--device", "s1"], [SECOND, FIRST]),
        (["--device", "S2"], []),
        (["--since", "2026-01-01"], [SECOND, FIRST]),
        (["--since", "2999-01-01"], []),
    ],
)
def test_list_of_those_that_are_meant(folder: Path, options: list[str], found: list[str]) -> None:
    assert [one["session_id"] for one in json.loads(good(folder, "list", "--json", *options))] == found


def test_since_what_is_no_day_is_a_sentence(folder: Path) -> None:
    assert call(folder, "list", "--since", "yesterday").exit_code == 2


def test_notes_and_adverse_events_are_new_entries(folder: Path) -> None:
    with Ledger(ledger_path(folder), read_only=True) as ledger:
        before = [entry.hash for entry in ledger.entries()]
    assert "entry 5" in good(folder, "note", FIRST, "needle was bent", "--author", "AO")
    good(folder, "adverse", FIRST, "fainted, well after 10 min", "--severity", "mild")
    shown = good(folder, "show", FIRST)
    assert "needle was bent (AO)" in shown
    assert "ADVERSE EVENT  mild: fainted, well after 10 min" in shown
    with Ledger(ledger_path(folder), read_only=True) as ledger:
        assert [entry.hash for entry in ledger.entries()][:4] == before
        assert ledger.verify().ok
    assert call(folder, "note", FIRST, "  ").exit_code == 3
    assert "printable" in call(folder, "note", FIRST, "bent\x1b[2J").stderr
    assert call(folder, "note", FIRST, "bent", "--author", "A\x07O").exit_code == 3
    assert call(folder, "note", "zzz", "text").exit_code == 3


def tamper(folder: Path) -> None:
    connection = sqlite3.connect(ledger_path(folder))
    (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'entries_never_change'").fetchone()
    connection.execute("DROP TRIGGER entries_never_change")
    connection.execute("UPDATE entries SET body = replace(body, '1000', '1001') WHERE number = 3")
    connection.execute(sql)
    connection.commit()
    connection.close()


def change(folder: Path, statement: str, *values: object) -> None:
    """Change the file behind the ledger's back."""
    connection = sqlite3.connect(ledger_path(folder))
    triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    assert connection.execute(statement, values).rowcount == 1
    for _, sql in triggers:
        connection.execute(sql)
    connection.commit()
    connection.close()


DOSE = "UPDATE entries SET body = replace(body, '400000000', '300000000') WHERE number = 3"
OF_LINE = "UPDATE session_lines SET closed = replace(closed, '400000000', '300000000') WHERE session_id = ?"
OF_SUBJECT = "UPDATE entries SET body = replace(body, 'P-07', 'P-08') WHERE number = 1"


@pytest.mark.parametrize(
    ("statement", "values", "fault"),
    [
        (DOSE, (), "entry 3 is not what was hashed: it was changed"),
        (OF_LINE, (FIRST,), "its line is not what the entries say"),
        (OF_SUBJECT, (), "entry 1 is not what was hashed: it was changed"),
    ],
)
def test_a_list_says_which_session_does_not_verify(
    folder: Path, statement: str, values: tuple[object, ...], fault: str
) -> None:
    change(folder, statement, *values)
    result = call(folder, "list")
    assert result.exit_code == 7
    assert result.stdout.splitlines()[4:] == [f"  DOES NOT VERIFY: {fault}"]
    assert result.stderr == f"Session {FIRST} does not verify: {fault}.\n"
    result = call(folder, "list", "--json")
    assert (result.exit_code, [one["fault"] for one in json.loads(result.stdout)]) == (7, [None, fault])
    assert call(folder, "list", "-n", "1").exit_code == 0, "the other is not listed"


@pytest.mark.parametrize("fetched", ["[]x", "x", "[]]", "[],[]"])
def test_a_line_that_nobody_wrote_so_is_no_session(folder: Path, fetched: str) -> None:
    change(folder, "UPDATE session_lines SET fetched = ? WHERE session_id = ?", fetched, FIRST)
    result = call(folder, "list")
    assert result.exit_code == 7
    assert f"the line of session '{FIRST}' cannot be read; `stimctl log verify`" in result.stderr


def test_a_list_from_which_a_session_is_gone_says_so(folder: Path) -> None:
    change(folder, "DELETE FROM session_lines WHERE session_id = ?", FIRST)
    result = call(folder, "list", "--json")
    assert (result.exit_code, len(json.loads(result.stdout))) == (7, 1)
    assert result.stderr.startswith(
        "Sessions may be missing here: the list of sessions is shorter than the entries say;"
    )


def test_a_list_of_more_than_can_be_checked_at_once_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(folder, DOSE)
    monkeypatch.setattr("stimctl.cli.log.command._CHECKED", 1)
    result = call(folder, "list")
    assert (result.exit_code, result.stderr) == (0, "The first 1 were checked; `stimctl log verify` looks at all.\n")


def test_a_list_of_a_ledger_whose_end_is_torn_off_says_so(folder: Path) -> None:
    change(folder, "DELETE FROM entries WHERE number = 4")
    result = call(folder, "list")
    assert (result.exit_code, "its tail was lost" in result.stderr) == (7, True)


def test_a_session_whose_start_cannot_be_read_is_not_left_out(folder: Path) -> None:
    change(folder, "UPDATE session_lines SET utc = 'some day' WHERE session_id = ?", FIRST)
    result = call(folder, "list", "--since", "2999-01-01", "--json")
    assert [one["session_id"] for one in json.loads(result.stdout)] == [FIRST]
    assert call(folder, "list", "--since", "0001-01-01").exit_code in (2, 7)


def test_a_session_that_does_not_verify_is_said_to_be_so(folder: Path, tmp_path: Path) -> None:
    tamper(folder)
    result = call(folder, "show", FIRST)
    assert result.exit_code == 7
    assert "THIS SESSION DOES NOT VERIFY" in result.stdout
    assert "verifies              NO" in result.stdout
    assert json.loads(call(folder, "show", FIRST, "--json").stdout)["verifies"] is False
    result = call(folder, "export", FIRST, "--format", "csv")
    assert result.exit_code == 7
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert (row["verifies"], row["does_not_verify"]) == ("False", "entry 3 is not what was hashed: it was changed")
    rows = csv.DictReader(io.StringIO(call(folder, "export", FIRST, "--format", "csv", "--what", "entries").stdout))
    assert [row["verifies"] for row in rows] == ["True", "True", "False"]
    assert call(folder, "export", FIRST, "--format", "json", "-o", str(tmp_path / "x.json")).exit_code == 7
    assert call(folder, "show", SECOND).exit_code == 0
    assert "1 entry lost (number 3)" in good(folder, "recover")
    assert call(folder, "verify").exit_code == 7, "a log with a hole has a hole"
    assert "Entries of this log were lost earlier" in good(folder, "show", FIRST)


def test_backup_and_restore(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    assert "4 entries copied" in good(folder, "backup", str(copy))
    good(folder, "note", FIRST, "later")
    assert "1 entry lost (number 5)" in good(folder, "restore", str(copy))
    assert "later" not in good(folder, "show", FIRST)


def test_sign_and_verify_with_the_key(folder: Path, tmp_path: Path) -> None:
    key = tmp_path / "keys" / "clinic.pem"
    key.parent.mkdir()
    good(folder, "keygen", str(key))
    result = call(folder, "verify", "--key", f"{key}.pub")
    assert (result.exit_code, "no signature" in result.stderr) == (7, True)
    good(folder, "sign", FIRST, "--key", str(key), "--signer", "AO")
    assert "vouches for entry 4 and all before it" in good(folder, "verify", "--key", f"{key}.pub")
    good(folder, "keygen", str(key.with_name("other.pem")))
    assert call(folder, "verify", "--key", str(key.with_name("other.pem.pub"))).exit_code == 7
    assert call(folder, "keygen", str(key)).exit_code == 3, "no key is replaced"
    assert call(folder, "keygen", str(folder / "k.pem")).exit_code == 3, "none beside the ledger"


def test_nothing_here_changes_the_ledger(folder: Path) -> None:
    before = ledger_path(folder).read_bytes()
    for arguments in (("list",), ("show", "latest"), ("verify",), ("export", "latest", "--format", "csv")):
        good(folder, *arguments)
    assert ledger_path(folder).read_bytes() == before


def test_folder_is_taken_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIMCTL_DATA", str(folder))
    assert FIRST in CliRunner().invoke(main, ["log", "list"]).output


@pytest.mark.parametrize("command", [log, *log.commands.values()], ids=lambda command: command.name)
def test_every_help_shows_an_example(command: click.Command) -> None:
    assert "Example: stimctl log" in CliRunner().invoke(command, ["--help"]).output


@pytest.mark.realtime
def test_help_loads_neither_the_ledger_nor_anything_heavy() -> None:
    heavy = ("sqlite3", "rich", "numpy", "pydantic")
    code = f"import sys, stimctl.cli.log.command; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.realtime
def test_a_list_loads_nothing_heavy(folder: Path, tmp_path: Path) -> None:
    heavy = ("rich", "numpy", "pydantic", "serial", "stimctl.entries")
    code = (
        "import sys\nfrom stimctl.cli import main\n"
        f"try: main()\nfinally: print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    for place in (folder, tmp_path / "none"):
        command = [sys.executable, "-c", code, "log", "--data", str(place), "list"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stderr == "[]\n"


def test_a_session_cut_short_shows_its_seconds_by_band_and_what_nobody_knows(folder: Path) -> None:
    """The seconds as the device recorded them; of what was commanded it says that it is not known."""
    counted = {"channel": 1, "pulses_0": 9, "pulses_1": 900, "charge_0_pc": 1, "charge_1_pc": 2}
    record = {"segment_0_us": 31_000_000, "segment_1_us": 30_000_000}
    with Ledger(ledger_path(folder)) as ledger:
        ledger.mark_interrupted(SECOND, "the program ended", {})
        checked = {"channel": 1, "ohm": 610, "pulses": 10, "amplitude_ua": 100, "measured_ua": 99}
        ledger.append(SECOND, "recovered", 0, {"record": record, "counters": [counted], "checked": [checked]})
        ledger.append("elsewhere", "recovered", 0, {"record": record, "counters": [counted], "simulator": True})
    shown = good(folder, "show", SECOND)
    assert "2 Hz for 0:31, 100 Hz for 0:30" in shown
    assert "its last check of channel 1: 610 ohm (10 pulses of 0.10 mA" in " ".join(shown.split())
    assert "commanded: the program ended before it could say" in shown
    shown = good(folder, "show", "elsewhere")
    assert "band 1 for 0:31, band 2 for 0:30" in shown
    assert "planned and commanded: only the ledger" in shown
    assert "not known" not in good(folder, "show", FIRST)
