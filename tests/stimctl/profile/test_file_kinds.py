"""Files as people and their machines write them: marks, line ends, hidden files, the wrong kind, odd numbers."""

import tomllib
from pathlib import Path

import pytest

from stimctl.errors import InputInvalid, Misuse, Unsafe
from stimctl.prescription import from_file, from_mapping, subject_of
from stimctl.profile import examples_folder, load_file, load_profiles, packaged_folder
from stimctl.units import whole
from tests.stimctl.profile.whole_text import whole_text

PROFILES = load_profiles(packaged_folder())
PROFILE = whole_text("low-back-pain")
PRESCRIPTION = (examples_folder() / "low-back-pain.toml").read_text()
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \x00\x02\xb0"


def written(tmp_path: Path, content: bytes | str, name: str = "own.toml") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def told(tmp_path: Path, content: bytes | str, name: str = "own.toml") -> list[str]:
    """The problems of a prescription's file."""
    with pytest.raises((InputInvalid, Unsafe)) as caught:
        from_file(written(tmp_path, content, name), PROFILES)
    assert isinstance(caught.value, InputInvalid | Unsafe)
    return [str(problem) for problem in caught.value.problems]


def profile_told(tmp_path: Path, content: bytes | str, name: str = "own.toml") -> list[str]:
    with pytest.raises(InputInvalid) as caught:
        load_file(written(tmp_path, content, name))
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_marks_and_line_ends_of_other_systems_are_taken(tmp_path: Path, mark: bytes, end: bytes) -> None:
    def as_saved(text: str) -> bytes:
        return mark + text.encode().replace(b"\n", end)

    assert load_file(written(tmp_path, as_saved(PROFILE))).id == "low-back-pain"
    assert from_file(written(tmp_path, as_saved(PRESCRIPTION)), PROFILES).ceiling_ua == 2_000
    wrong = PRESCRIPTION.replace("ceiling_ma = 2.0", "ceiling_ma = 3.0")
    line = wrong[: wrong.index("ceiling_ma")].count("\n") + 1
    assert told(tmp_path, as_saved(wrong))[0].startswith(f"line {line}: ceiling_ma is 3.0")


def test_utf_16_is_told_by_its_name(tmp_path: Path) -> None:
    assert told(tmp_path, PRESCRIPTION.encode("utf-16")) == ["line 1: text: is UTF-16: save it as UTF-8"]


def test_line_ends_of_a_carriage_return_alone_are_told(tmp_path: Path) -> None:
    assert "carriage return alone" in told(tmp_path, PRESCRIPTION.replace("\n", "\r"))[0]


def test_hidden_files_of_a_folder_are_no_profiles(tmp_path: Path) -> None:
    written(tmp_path, APPLE_DOUBLE, "._low-back-pain.toml")
    written(tmp_path, "= 1", ".hidden.toml")
    profiles = load_profiles(tmp_path)
    assert profiles.faults == ()
    assert set(profiles) == set(PROFILES)


def test_the_file_that_macos_keeps_beside_another_is_told(tmp_path: Path) -> None:
    said = "is what macOS keeps beside low-back-pain.toml, and not that file"
    assert said in told(tmp_path, APPLE_DOUBLE, "._low-back-pain.toml")[0]
    assert said in profile_told(tmp_path, APPLE_DOUBLE, "._low-back-pain.toml")[0]


def test_a_profile_is_no_prescription_and_says_so_once(tmp_path: Path) -> None:
    (said,) = told(tmp_path, PROFILE)
    assert "is a profile and not a prescription, which names it with profile = 'low-back-pain'" in said
    with pytest.raises(InputInvalid, match="is a profile and not a prescription"):
        subject_of(written(tmp_path, PROFILE))


def test_a_prescription_is_no_profile_and_says_so_once(tmp_path: Path) -> None:
    (said,) = profile_told(tmp_path, PRESCRIPTION)
    assert "is a prescription and not a profile: stimctl preview PROFILE --prescription FILE" in said
    written(tmp_path, PRESCRIPTION)
    assert "is a prescription" in str(load_profiles(tmp_path).faults[0])


def test_a_list_of_wrong_elements_is_not_told_to_be_empty(tmp_path: Path) -> None:
    problems = told(tmp_path, PRESCRIPTION.replace("channel = 1", 'channel = "1"'))
    assert problems == [
        f"line {problems[0].split()[1][:-1]}: channels[0].channel is '1': must be a whole number (1 to 4)"
    ]
    assert any("must not be empty" in each for each in told(tmp_path, PRESCRIPTION.split("[[")[0] + "channels = []"))
    bad = PROFILE.replace('add = ["', 'add = ["').replace(
        'value = [["BL-23", "BL-25"]]', 'value = [["BL-23", "BL-99"]]'
    )
    assert not any("must not be empty" in each for each in profile_told(tmp_path, bad))


HUGE = ["1e20", "100000000000000000000", "-1e20", "1e308", "9" * 400]


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        ("minutes = 20", "must be 1 s to 30 min"),
        ("ceiling_ma = 2.0", "must be 0.5 to 2.0 mA"),
        ("amplitude_ma = 1.5", "must be 0.5 to 2.0 mA"),
        ("diameter_mm = 0.30", "must be 0.1 to 0.5 mm"),
        ("inserted_mm = 30", "must be 1 to 75 mm"),
        ("channel = 1", "1 to 4"),
    ],
)
def test_an_absurd_number_is_told_with_what_is_allowed(tmp_path: Path, number: str, field: str, allowed: str) -> None:
    name = field.split(" ", maxsplit=1)[0]
    problems = told(tmp_path, PRESCRIPTION.replace(field, f"{name} = {number}"))
    if name == "channel" and "e" in number:
        allowed = "must be a whole number"
    elif name != "channel" and len(number) > 300:
        allowed = "is beyond anything that can be"
    (said,) = [each for each in problems if f"{name} is" in each]
    assert allowed in said
    assert "line" in said
    assert len(said) < 300


@pytest.mark.parametrize("number", HUGE)
def test_an_absurd_number_in_a_profile_is_told(tmp_path: Path, number: str) -> None:
    for old in ("value = 0.6", "value = 0\n", "value = 1\n", "low = 20, high = 30"):
        new = old.replace(old.split("= ")[-1].strip(), number) if "low" not in old else f"low = 20, high = {number}"
        text = PROFILE.replace(old, new.rstrip() + ("\n" if old.endswith("\n") else ""), 1)
        assert text != PROFILE
        assert profile_told(tmp_path, text)


@pytest.mark.parametrize("written_number", ["2_0", "0x14", "0o24", "0b10100", "2_0.0", "1_000e-2"])
def test_a_number_that_reads_otherwise_is_refused(tmp_path: Path, written_number: str) -> None:
    (said,) = told(tmp_path, PRESCRIPTION.replace("minutes = 20", f"minutes = {written_number}"))
    assert f"minutes is '{written_number}': write the number in plain decimal digits" in said
    text = PROFILE.replace("low = 20, high = 30", f"low = {written_number}, high = 30")
    assert any("plain decimal digits" in each for each in profile_told(tmp_path, text))


@pytest.mark.parametrize("digits", ["\uff12\uff10", "\u0662\u0660", "\u0968\u0966", "2\u0660"])
def test_other_scripts_digits_are_refused(tmp_path: Path, digits: str) -> None:
    assert (
        "a number takes the digits 0 to 9"
        in told(tmp_path, PRESCRIPTION.replace("minutes = 20", f"minutes = {digits}"))[0]
    )
    quoted = told(tmp_path, PRESCRIPTION.replace("minutes = 20", f'minutes = "{digits}"'))
    assert f"minutes is '{digits}': must be a number" in quoted[0]
    with pytest.raises(Misuse, match="is not a number"):
        whole(digits, 1, name="minutes", unit="us")


@pytest.mark.parametrize("typed", ["2_5", "0x19", "1e", "", " ", "nan", "inf", "2,5", "25 min", "\u00b2", "1__0"])
def test_what_is_typed_is_a_plain_number_or_none(typed: str) -> None:
    with pytest.raises(Misuse, match="is not a number"):
        whole(typed, 1_000, name="minutes", unit="us")


@pytest.mark.parametrize(
    ("typed", "value"), [("25", 25_000), (" 2.5 ", 2_500), ("+.5", 500), ("1e1", 10_000), ("3.", 3_000)]
)
def test_plain_numbers_are_taken(typed: str, value: int) -> None:
    assert whole(typed, 1_000, name="minutes", unit="us") == value


def test_an_absurd_answer_is_told_without_a_file() -> None:
    with pytest.raises(InputInvalid, match="beyond anything that can be"):
        from_mapping({**answers(), "minutes": 1e20}, PROFILES)


def answers() -> dict[str, object]:
    return tomllib.loads(PRESCRIPTION)


@pytest.mark.parametrize("text", ["[" + "a." * 20_000 + "a]\n", "a. " * 20_000 + "a = 1\n"])
def test_a_name_of_thousands_of_parts_is_refused_at_once(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputInvalid, match="nested too deeply"):
        load_file(written(tmp_path, text))
