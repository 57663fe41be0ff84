"""Labels: what a person or a device may call something, and where each way in makes one."""

import copy
import json
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from serial.tools.list_ports_common import ListPortInfo

from stimctl.anatomy import Region, Side, place
from stimctl.cli import main
from stimctl.errors import InputInvalid, Unsafe
from stimctl.label import Label, Prose, columns, fitted, is_label, isolated, looks_like_name, printable, words_isolated
from stimctl.prescription import from_mapping
from stimctl.profile import load_file, packaged_folder
from stimctl.stimulators.identity_pages import _text
from stimctl.stimulators.stimjim.parser import CommandRejected, StimJimParser

# Clears a screen, in one byte or more; writes from right to left; is invisible; hides what stands before it; is none.
HOSTILE = [
    "a\x1b[2J",
    "a\x9b2J",
    "a\x07b",
    "a\u202eb",
    "a\u200bb",
    "a\rb",
    "a\nb",
    "a\x00b",
    "a\ud800b",
    "a\ufffdb",
    "\x7f",
    # Nobody sees a filler, a joiner, blank Braille and a selector; marks in a flood run over other lines.
    "a\u3164b",
    "a\u034fb",
    "a\u2800b",
    "a\ufe0fb",
    "a\U000e0100b",
    "a" + "\u0336" * 5,
]
ANY = st.text(st.characters(), max_size=120)


@pytest.mark.parametrize("text", [*HOSTILE, "", "  ", "\u3000", "x" * 81, "\ufb03" * 30])
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be 1 to 80 printable characters"):
        Label(text)
    assert not is_label(text)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (" Dr. O. ", "Dr. O."),
        ("Jose\u0301", "Jos\u00e9"),
        ("\uff22\uff2c\uff0d\uff12\uff13", "BL-23"),
        ("\u91dd", "\u91dd"),
        ("x" * 80, "x" * 80),
    ],
)
def test_what_looks_the_same_is_the_same(text: str, label: str) -> None:
    assert Label(text) == label
    assert Label.of_device(text) == label


def test_marks_that_a_language_writes_stay_and_a_devices_flood_is_cut() -> None:
    for text in (
        "ph\u1edf",
        "\u05e9\u05c1\u05b8",
        "\u0e17\u0e35\u0e48",
        "\u0930\u094d\u0915\u093f",
        "a" + "\u0336" * 4,
    ):
        assert is_label(Label(text))
    assert Label.of_device("a" + "\u0336" * 6 + "b\u3164") == "a" + "\u0336" * 4 + "??b?"


@given(ANY)
def test_a_label_is_printable_bounded_and_stays_itself(text: str) -> None:
    for label in (Label.of_device(text), *([Label(text)] if is_label(text) else ())):
        assert label.isprintable()
        assert 1 <= len(label) <= 80
        assert Label(label) == label == Label.of_device(label)
        assert copy.deepcopy(label) == pickle.loads(pickle.dumps(label)) == json.loads(json.dumps(label)) == label


@given(ANY)
def test_printable_keeps_every_column(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)


def test_prose_is_one_line() -> None:
    long = Prose("two\n  lines, " * 20)
    assert long.startswith("two lines, two lines")
    assert copy.deepcopy(long) == long
    with pytest.raises(ValueError, match="1 to 4000"):
        Prose("x" * 4_001)


# --- every way in -------------------------------------------------------------------------------------

VALUES: dict[str, Any] = {
    "format": 1,
    "profile": "bench-2-100hz",
    "subject": "dummy_load",
    "declared_ohm": 1_000,
    "operator": "o",
    "pseudonym": "p",
    "seconds": 20.0,
    "ceiling_ma": 2.0,
    "channels": [
        {
            "channel": 1,
            "first": {"point": "terminal 1"},
            "second": {"point": "terminal 2"},
            "amplitude_ma": 1.0,
            "needle": {"diameter_mm": 0.3, "inserted_mm": 30.0, "coating": "none"},
        }
    ],
}


@pytest.mark.parametrize("field", ["operator", "pseudonym"])
@pytest.mark.parametrize("text", HOSTILE)
def test_a_prescription_refuses_it(field: str, text: str) -> None:
    with pytest.raises(Unsafe, match=f"{field} .*must be 1 to 80 printable characters") as refused:
        from_mapping({**VALUES, field: text})
    assert all(line.isprintable() for line in str(refused.value).split("\n"))


def test_a_prescription_holds_labels() -> None:
    made = from_mapping({**VALUES, "operator": " \uff2f. ", "pseudonym": "Jose\u0301"})
    assert (made.operator, made.pseudonym) == ("O.", "Jos\u00e9")


@pytest.mark.parametrize("text", [each for each in HOSTILE if each != "\x7f"] + ["x" * 81])
def test_a_spot_is_a_label_too(text: str) -> None:
    with pytest.raises(InputInvalid, match=r"spot .*(1 to 80 printable characters|cannot be checked)"):
        place("Ashi", Side.LEFT, Region.ARM, text)


@pytest.mark.parametrize("text", ["a\\u001b[2J", "a\\u202eb", "a\\u0000b"])
def test_a_profiles_text_is_printable(text: str, tmp_path: Path) -> None:
    content = (packaged_folder() / "low-back-pain.toml").read_text("utf-8")
    file = tmp_path / "mine.toml"
    file.write_text(content.replace('title = "', f'title = "{text}', 1), "utf-8")
    with pytest.raises(InputInvalid, match=r"title .*printable characters"):
        load_file(file)


@pytest.mark.parametrize("told", [b"A\x1b[2J", b"A\x9b2J", b"\xff\xfe", b"A\nB", b""])
def test_a_devices_name_is_shown_as_far_as_it_can_be(told: bytes) -> None:
    assert is_label(_text(struct.pack("16s", told)))


def test_a_stimjims_words_are_labels() -> None:
    (said,) = StimJimParser().feed(b"ERR \x1b[2J\x9b2Jx\n")
    assert isinstance(said, CommandRejected)
    assert is_label(said.text)


def test_what_a_usb_device_calls_itself_is_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    port = ListPortInfo("/dev/ttyUSB0")
    port.description = port.manufacturer = port.serial_number = "\x1b[2J\x9b2Jx"
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [port])
    shown = CliRunner().invoke(main, ["ports"]).output
    assert "?[2J?2Jx" in shown
    assert shown.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", ["Anna Schmidt", "anna", "Schmidt, A.", "\u738b\u4f1f", "O'Neill", "J\u00fcrgen"])
def test_what_may_be_a_persons_name_is_asked_about(name: str) -> None:
    assert looks_like_name(name)


@pytest.mark.parametrize("pseudonym", ["P-17", "AO", "A. O.", "P17", "subject 3", "2026-17", "\u7532"])
def test_what_is_no_name_is_not(pseudonym: str) -> None:
    assert not looks_like_name(pseudonym)


RUNS = [("P-17", False), ("\u9488\u7078 3", False), ("\u05d3\u05e0\u05d4 7", True), ("\u0645\u0631", True)]


@pytest.mark.parametrize(("text", "apart"), RUNS)
def test_what_runs_from_right_to_left_is_set_apart(text: str, apart: bool) -> None:
    assert isolated(text) == (f"\u2068{text}\u2069" if apart else text)


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("no course of P-17, \u00e9", "no course of P-17, \u00e9"),
        ("no course of \u05d3\u05e0\u05d4-12: 3 mA", "no course of \u2068\u05d3\u05e0\u05d4-12\u2069: 3 mA"),
        ("'\u05d3\u05e0\u05d4 \u05d3', 7 of 9", "'\u2068\u05d3\u05e0\u05d4 \u05d3\u2069', 7 of 9"),
        ("1 \u0645\u0631 2 \u0645\u0631", "1 \u2068\u0645\u0631\u2069 2 \u2068\u0645\u0631\u2069"),
    ],
)
def test_in_a_sentence_the_words_that_run_from_right_to_left_are_set_apart(sentence: str, told: str) -> None:
    assert words_isolated(sentence) == told


@pytest.mark.parametrize(
    ("text", "width"), [("P-17", 4), ("\u60a3\u8005-17", 7), ("\u05d3\u05b0-1", 3), ("e\u0301", 1), ("\u00e9", 1)]
)
def test_a_width_is_in_columns_of_a_terminal(text: str, width: int) -> None:
    assert columns(text) == width
    assert fitted(text, width) == text


@pytest.mark.parametrize(("text", "cut"), [("abcdef", "abc.."), ("\u60a3\u8005\u60a3", "\u60a3..")])
def test_what_is_too_wide_is_cut_by_columns(text: str, cut: str) -> None:
    assert fitted(text, 5) == cut
    assert columns(cut) <= 5
