"""Answers as people type them, and what is refused, each in a sentence."""

import pytest

from stimctl.cli.ask.answers import (
    Amount,
    AnswerReader,
    ChannelNumbers,
    Checklist,
    OneOf,
    PointName,
    Words,
    YesNo,
    text_of,
)
from stimctl.errors import Misuse
from stimctl.units import US_PER_MIN, US_PER_S

CURRENT = Amount("Amplitude", 500, 2_000, "mA")
MINUTES = Amount("Minutes", US_PER_S, 30 * US_PER_MIN, "min")
LENGTH = Amount("Inserted length", 1_000, 75_000, "mm")
LOAD = Amount("Resistance", 0, 10_000_000, "ohm")
SCORE = Amount("Pain", 0, 10)


@pytest.mark.parametrize(
    ("kind", "typed", "answer"),
    [
        (CURRENT, "2,0", 2_000),
        (CURRENT, "2mA", 2_000),
        (CURRENT, " 2 MA ", 2_000),
        (CURRENT, "2000 uA", 2_000),
        (CURRENT, "500\N{MICRO SIGN}A", 500),
        (CURRENT, "500 \N{GREEK SMALL LETTER MU}A", 500),
        (CURRENT, ".6", 600),
        (CURRENT, "0,600", 600),
        (MINUTES, "20 min", 20 * US_PER_MIN),
        (MINUTES, "90 s", 90 * US_PER_S),
        (MINUTES, "0.5 h", 30 * US_PER_MIN),
        (MINUTES, "0.4 hours", 24 * US_PER_MIN),
        *((MINUTES, typed, 20 * US_PER_MIN) for typed in ("1200 secs", "1200 second", "20 min.", "20m", "20:00")),
        *((MINUTES, typed, 1_205 * US_PER_S) for typed in ("20 min 5 s", "20m5s", "20 Minutes 5 sec.", "20:05")),
        (LENGTH, "4 cm", 40_000),
        (LENGTH, "40", 40_000),
        (LOAD, "1 kohm", 1_000),
        (LOAD, "470 \N{OHM SIGN}", 470),
        (SCORE, "3", 3),
        (OneOf(["left", "right"]), "l", "left"),
        (OneOf(["left", "right"]), "RIGHT", "right"),
        (OneOf(["dummy_load", "simulator"]), "dummy load", "dummy_load"),
        (OneOf(["BL-23/BL-25", "other"]), "bl23/bl25", "BL-23/BL-25"),
        (OneOf(["gold", "golden"]), "gold", "gold"),
        (YesNo(), "Y", True),
        (YesNo(), "no", False),
        (PointName(), "bl23", "BL-23"),
        (Words(), "  Dr. O. ", "Dr. O."),
        (ChannelNumbers(3, 4), "2", (1, 2)),
        (ChannelNumbers(3, 4), "1, 3", (1, 3)),
        (ChannelNumbers(3, 4), "3,", (3,)),
        (Checklist(7, "none"), "None", frozenset()),
        (Checklist(7, "none"), "2, 5 7", frozenset({2, 5, 7})),
        (Checklist(4, "yes", ["y"]), "y", frozenset()),
    ],
)
def test_what_people_type_is_taken(kind: AnswerReader, typed: str, answer: object) -> None:
    assert kind.read(typed) == answer


@pytest.mark.parametrize(
    ("kind", "typed", "sentence"),
    [
        (CURRENT, "2_0", "2_0 is not a number of mA: Amplitude must be 0.5 to 2.0 mA"),
        (CURRENT, "\N{FULLWIDTH DIGIT TWO}", "is not a number of mA"),
        (CURRENT, "\N{ARABIC-INDIC DIGIT TWO}", "is not a number of mA"),
        (CURRENT, "2,000", "could be two numbers"),
        (CURRENT, "1.2.3", "is no number"),
        (CURRENT, "1.50005", "too finely divided"),
        (CURRENT, "5", "5 is not allowed: Amplitude must be 0.5 to 2.0 mA"),
        (CURRENT, "-1", "-1 is not allowed"),
        (CURRENT, "20 min", "is not a number of mA"),
        (CURRENT, "nan", "is not a number"),
        (CURRENT, "9" * 5_000, "is no number, or too finely divided"),
        (MINUTES, "20:5", "20:5 is not a number of min"),
        (MINUTES, "20 min 30", "is not a number of min"),
        (MINUTES, "20:60", "is not a number of min"),
        (MINUTES, "40 min 5 s", "is not allowed: Minutes must be"),
        (CURRENT, "2m", "2m is not a number of mA"),
        (MINUTES, "long", "long is not a number of min"),
        (SCORE, "11", "Pain must be 0 to 10"),
        (OneOf(["left", "right"]), "x", "is none of left, right"),
        (OneOf(["left", "leg"]), "le", "could be left or leg"),
        (OneOf(["left"]), "", "is none of left"),
        (YesNo(), "", "answer y or n; there is no default"),
        (PointName(), "bl999", "is not known here"),
        (Words(), "a\x1b[2J", "printable"),
        (Words(), "''", "a letter or a figure"),
        (Words(), " -1 ", "no hyphen"),
        (Words(), "\uff0d1", "no hyphen"),
        (ChannelNumbers(3, 4), "4", "Channels must be 1 to 3"),
        (ChannelNumbers(3, 4), "1,1", "each once"),
        (ChannelNumbers(3, 4), "1,5", "channels 1 to 4"),
        (ChannelNumbers(3, 4), "0", "Channels must be 1 to 3"),
        (Checklist(7, "none"), "n", "answer none, or the numbers"),
        (Checklist(7, "none"), "", "there is no default"),
        (Checklist(7, "none"), "8", "answer none, or the numbers"),
        (Checklist(7, "none"), "no", "answer none, or the numbers"),
    ],
)
def test_the_rest_is_refused_in_a_sentence(kind: AnswerReader, typed: str, sentence: str) -> None:
    with pytest.raises(Misuse) as refused:
        kind.read(typed)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("parts", "unit"), [(1_501, "mA"), (20 * US_PER_MIN, "min"), (7 * US_PER_S + 1, "min"), (1, "mm"), (470, "ohm")]
)
def test_an_amount_is_written_so_that_it_reads_the_same(parts: int, unit: str) -> None:
    assert Amount("x", 0, 2**62, unit).read(text_of(parts, unit)) == parts
