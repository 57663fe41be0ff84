"""All of one subject in one document: nothing of it is left out, and nothing of anybody else is in it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger
from stimctl.ledger.subject import SCHEMA_FILE, SubjectDocument, schema_text, subject_document


@pytest.fixture
def full(ledger: Ledger, session: Callable[..., str]) -> Ledger:
    """Two sessions and a course of P-07, each with something said later; and another's."""
    one, _two = session(ledger), session(ledger)
    ledger.append("course-20260131-1", "course", 0, {"pseudonym": "P-07", "plan": {}})
    ledger.append("course-20260131-1", "note", 0, {"text": "of the course"})
    ledger.append(one, "adverse", 0, {"text": "fainted"})
    ledger.correct(6, "the score before was 5")
    ledger.append("s-other", "opened", 0, {"pseudonym": "P-08"})
    ledger.append("s-other", "note", 0, {"text": "of another"})
    ledger.append("course-20260131-2", "course", 0, {"pseudonym": "P-08", "plan": {}})
    return ledger


def test_every_entry_of_a_subject_is_in_it_and_no_other(full: Ledger) -> None:
    document = subject_document(full, "P-07")
    listed = [entry for part in (*document["sessions"], *document["courses"]) for entry in part["entries"]]
    others = {"s-other", "course-20260131-2"}
    assert {entry["number"] for entry in listed} == {
        entry.number for entry in full.entries() if entry.session_id not in others
    }
    assert {"adverse", "correction", "note", "outcome", "course"} <= {entry["kind"] for entry in listed}
    assert (document["verifies"], document["faults"]) == (True, ())
    assert document["log_head"]["number"] == full.head().number


def test_a_session_that_was_taken_out_of_the_list_is_missed(full: Ledger) -> None:
    full._connection.execute("DELETE FROM session_lines WHERE number = (SELECT max(number) FROM session_lines)")
    document = subject_document(full, "P-07")
    assert document["faults"] == ("the list of sessions is not what the entries say",)
    assert document["verifies"] is False
    with pytest.raises(LogFault, match=r"holds nothing of .*; but the ledger does not hold: the list of sessions"):
        subject_document(full, "P-08" * 2)


def test_it_is_what_the_schema_describes(full: Ledger) -> None:
    text = json.dumps(subject_document(full, "P-07"))
    TypeAdapter(SubjectDocument).validate_json(text)
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    assert set(schema["properties"]) == set(json.loads(text))
    assert (SCHEMA_FILE.parent / schema["properties"]["sessions"]["items"]["$ref"]).is_file()


def test_the_schema_that_stands_is_the_one_that_is_made() -> None:
    assert SCHEMA_FILE.read_text("utf-8") == schema_text()


def test_a_subject_that_nobody_knows_is_told(full: Ledger) -> None:
    with pytest.raises(Misuse, match=r"holds nothing of 'P-99'"):
        subject_document(full, "P-99")


def test_what_was_changed_does_not_verify(full: Ledger, path: Path) -> None:
    full.close()
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"of the course", b"of the curse!"))
    with Ledger(path, read_only=True) as ledger:
        document = subject_document(ledger, "P-07")
    assert document["verifies"] is False
    assert any("is not what was hashed" in fault for fault in document["faults"])


def test_a_correction_stands_beside_what_it_corrects(full: Ledger) -> None:
    wrong, right = (full.entry(number) for number in (6, full.head().number - 3))
    assert wrong.body == {"pain_before": 6, "pain_after": 3}
    assert (right.kind, right.session_id) == ("correction", wrong.session_id)
    assert (right.body["number"], right.body["text"]) == (6, "the score before was 5")
    with pytest.raises(Misuse, match="there is no entry 999"):
        full.correct(999, "x")
