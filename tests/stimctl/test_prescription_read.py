"""Reading a prescription: what a file or answers may hold, what is told of the rest, and each way of reading one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stimctl.errors import InputInvalid, Problem, Unsafe
from stimctl.prescription import (
    PaperPrescription,
    Prescription,
    Subject,
    fields_of,
    from_file,
    from_mapping,
    paper_from_file,
    paper_from_mapping,
    subject_of,
    toml_text,
    values_in,
)
from stimctl.waveform import Segment
from tests.stimctl.test_prescription import (
    MINUTE_US,
    NEEDLE,
    PROFILES,
    Values,
    bench,
    channel_values,
    screened,
    values,
)

Reader = Callable[[Path], Any]


def unreadable(asked: Values) -> list[Problem]:
    """What cannot be read, before any limit is looked at."""
    with pytest.raises(InputInvalid) as caught:
        fields_of(asked, PROFILES)
    assert caught.value.source == "prescription"
    return list(caught.value.problems)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


# --- each way of reading ----------------------------------------------------------------------------------


def test_a_file_and_answers_say_the_same(tmp_path: Path) -> None:
    asked = values(pseudonym="p-7")
    path = written(tmp_path, toml_text(asked, "a comment"))
    assert values_in(path) == asked
    assert subject_of(path) == (Subject.SIMULATOR, "p-7")
    made, paper = from_mapping(asked, PROFILES), paper_from_mapping(asked, PROFILES)
    assert (type(made), type(paper)) == (Prescription, PaperPrescription)
    assert (from_file(path, PROFILES), paper_from_file(path, PROFILES)) == (made, paper)
    assert paper.record() == made.record()
    assert fields_of(asked, PROFILES).ceiling_ua == made.ceiling_ua


def test_a_person_is_read_on_paper_and_screened_for_a_session(tmp_path: Path) -> None:
    asked = values(subject="person")
    path = written(tmp_path, toml_text(asked))
    assert paper_from_file(path, PROFILES).screening is paper_from_mapping(asked, PROFILES).screening is None
    screening = screened()
    assert from_file(path, PROFILES, screening=screening).screening is screening
    with pytest.raises(Unsafe, match="a person is screened anew"):
        from_file(path, PROFILES)


@pytest.mark.parametrize("read", [lambda path: from_file(path, PROFILES), paper_from_file, subject_of, values_in])
def test_what_is_no_prescription_is_told_by_whatever_reads_it(tmp_path: Path, read: Reader) -> None:
    good = toml_text(values())
    for text, line, said in (
        ('kind = "clinical"\nid = "own"\n', 1, "is a profile and not a prescription, which names it with profile ="),
        (good.replace("minutes = 20", "minutes = 2_0"), 6, "write the number in plain decimal digits"),
    ):
        with pytest.raises(InputInvalid, match=said) as caught:
            read(written(tmp_path, text))
        assert [problem.line for problem in caught.value.problems] == [line]
        assert caught.value.source == str(tmp_path / "own.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [("format = 1\n", "channels: is missing"), (toml_text(values(kind="bench")), "kind is 'bench': is not a field")],
)
def test_a_prescription_with_an_error_is_not_taken_for_a_profile(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        subject_of(written(tmp_path, text))
    assert said in str(caught.value)
    assert "is a profile" not in str(caught.value)


def test_the_profiles_that_are_given_are_all_there_are() -> None:
    with pytest.raises(InputInvalid, match=r"no profile has this id; there are $"):
        fields_of(values(), {})


# --- amounts ----------------------------------------------------------------------------------------------

ABSURD = [
    ("minutes", values, "must be 1 s to 30 min"),
    ("seconds", lambda **given: values(minutes=None, **given), "must be 1 s to 30 min"),
    ("ceiling_ma", values, "must be 0.5 to 2.0 mA"),
    ("channels[0].amplitude_ma", lambda **given: values(channels=[channel_values(**given)]), "must be 0.5 to 2.0 mA"),
    *(
        (f"channels[0].needle.{name}", lambda **given: values(channels=[channel_values(needle=NEEDLE | given)]), said)
        for name, said in (("diameter_mm", "must be 0.1 to 0.5 mm"), ("inserted_mm", "must be 1 to 75 mm"))
    ),
]


@pytest.mark.parametrize(("field", "asking", "allowed"), ABSURD, ids=[field for field, _, _ in ABSURD])
def test_an_absurd_amount_is_told_once_and_with_what_is_allowed(
    field: str, asking: Callable[..., Values], allowed: str
) -> None:
    for amount in (1e300, 1_000_001, -1_000_001):
        (problem,) = unreadable(asking(**{field.rpartition(".")[2]: amount}))
        assert (problem.field, problem.value) == (field, amount)
        assert problem.allowed.startswith(f"is beyond anything that can be given; {allowed} (")


@pytest.mark.parametrize("amount", [1_000_000, -1_000_000])
def test_an_amount_that_is_only_too_large_is_held_to_its_limit(amount: int) -> None:
    with pytest.raises(Unsafe) as caught:
        from_mapping(values(ceiling_ma=amount), PROFILES)
    assert ("ceiling_ma", amount) in [(problem.field, problem.value) for problem in caught.value.problems]


@pytest.mark.parametrize("number", [2**63, -(2**63)])
def test_a_count_beyond_every_count_is_told(number: int) -> None:
    for field, asked, allowed in (
        ("declared_ohm", bench(declared_ohm=number), "a dummy load has 0 to 10000000"),
        ("channels[0].channel", values(channels=[channel_values(number)]), "channels are 1 to 4"),
    ):
        (problem,) = unreadable(asked)
        assert (problem.field, problem.value) == (field, number)
        assert problem.allowed == f"is beyond anything that can be; {allowed}"


@pytest.mark.parametrize(
    ("given", "stimulation_us"),
    [({"minutes": 0.5}, MINUTE_US // 2), ({"seconds": 90}, 3 * MINUTE_US // 2), ({"seconds": 0}, 0)],
)
def test_the_time_is_in_minutes_or_in_seconds(given: Values, stimulation_us: int) -> None:
    read = fields_of(bench(**{"minutes": None, **given}), PROFILES)
    assert read.stimulation_us == stimulation_us
    assert type(read.stimulation_us) is int


@pytest.mark.parametrize("given", [{"minutes": None}, {"minutes": 20, "seconds": 5}])
def test_the_time_is_given_once(given: Values) -> None:
    (problem,) = unreadable(values(**given))
    assert (problem.field, problem.allowed) == ("minutes", "give minutes or seconds, one of the two")


def test_a_variant_that_the_profile_has_not_is_told_as_it_was_written() -> None:
    for profile, given, found in (
        ("low-back-pain", None, "2-100-hz"),
        ("low-back-pain", "3-hz", "3-hz"),
        ("knee-osteoarthritis", "2-hz", "2-hz"),
        ("knee-osteoarthritis", None, ""),
    ):
        assert fields_of(values(profile=profile, variant=given), PROFILES).variant == found


# --- a bench's own pulses ---------------------------------------------------------------------------------


def test_of_a_benchs_own_pulses_only_period_and_width_have_to_be_named() -> None:
    one = {"period_us": 20_000, "width_us": 100}
    assert from_mapping(bench(segments=[one]), PROFILES).segments == (Segment(20_000, 100, 0, 100, 0),)
    both = [
        {**one, "dwell_us": 1_000_000},
        {"period_us": 100_000, "width_us": 200, "interphase_gap_us": 50, "second_width_us": 400, "dwell_us": 500_000},
    ]
    made = from_mapping(bench(segments=both), PROFILES)
    assert made.segments == made.program.segments
    assert made.segments == (Segment(20_000, 100, 0, 100, 1_000_000), Segment(100_000, 200, 50, 400, 500_000))


@pytest.mark.parametrize("count", [0, 3])
def test_a_bench_has_one_segment_or_two(count: int) -> None:
    asked = bench(segments=[{"period_us": 20_000, "width_us": 100, "dwell_us": 1_000_000}] * count)
    assert [problem.field for problem in unreadable(asked)] == ["segments"]
