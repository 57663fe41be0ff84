"""Text of a person or a device, fit to be shown, logged and compared: one type for all of it.

What is not printable may be an order to the terminal that holds STOP; what looks the same should be the same. So a
`Label` is printable, of a bounded length, without blanks around it, and in Unicode's form NFKC: the full-width
letters of a Japanese keyboard are those of any other. Signs that nobody sees (fillers, selectors of a variant) are in
none, nor more marks on one letter than any language writes: they would run over the lines around them. A person's text
that is none is refused where it is read; a device's is shown as far as it can be, since its maker is not here to be
asked.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from typing import ClassVar, Self

_NO_TEXT = "\N{REPLACEMENT CHARACTER}"  # stands for bytes that were no text
# What Python calls printable and Unicode says to show nothing for (Default_Ignorable_Code_Point), and Braille's blank.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_MARKS = 4  # on one letter, at most (UTS 39, 5.4)


class Label(str):
    """A name or a place: 1 to 80 printable characters. Raises `ValueError` for text that cannot be made one."""

    __slots__ = ()
    LONGEST: ClassVar[int] = 80  # as much as one line of a screen holds [choice]

    def __new__(cls, text: str) -> Self:
        label = _normal(text)
        if not label or len(label) > cls.LONGEST or _NO_TEXT in label or _seen(label) != label:
            raise ValueError(f"must be 1 to {cls.LONGEST} printable characters")
        return super().__new__(cls, label)

    @classmethod
    def of_device(cls, text: str) -> Self:
        """What a device says of itself: a "?" for each character that cannot be shown, cut to length, "-" for none."""
        return cls(_seen(_normal(printable(text).replace(_NO_TEXT, "?")))[: cls.LONGEST] or "-")


class Prose(Label):
    """A text of several sentences, its lines joined."""

    __slots__ = ()
    LONGEST = 4_000  # [choice]

    def __new__(cls, text: str) -> Self:
        return super().__new__(cls, " ".join(text.split()))


def is_label(text: str | None) -> bool:
    """Whether `text` is a label as it stands."""
    try:
        return text is not None and Label(text) == text
    except ValueError:
        return False


# Two Han characters and more may be a name, and so may a word of letters alone; initials are none [choice].
_NAME = re.compile(r"[\u4e00-\u9fff]{2}|[^\W\d_]{3}")


def looks_like_name(text: str) -> bool:
    """Whether a pseudonym may be a person's name: words and no figure. A guess, to be asked about."""
    return not any(one.isdigit() for one in text) and _NAME.search(text) is not None


# Letters of writings that run from right to left, and their figures.
_LETTERS = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_RIGHT_TO_LEFT = re.compile(f"[{_LETTERS}]")
_SUCH_WORD = rf"[\w{_LETTERS}-]*[{_LETTERS}][\w{_LETTERS}-]*"
_SUCH_WORDS = re.compile(rf"{_SUCH_WORD}(?: {_SUCH_WORD})*")


def isolated(text: str) -> str:
    """As it may stand beside figures: one that runs from right to left would turn them around, and is set apart."""
    if text.isascii() or not _RIGHT_TO_LEFT.search(text):
        return text
    return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"


def words_isolated(sentence: str) -> str:
    """A sentence in which a name may stand, nobody knows where: its words that run from right to left set apart."""
    return sentence if sentence.isascii() else _SUCH_WORDS.sub(lambda words: isolated(words[0]), sentence)


def columns(text: str) -> int:
    """How many columns of a terminal it takes: two for a Han character, none for a mark on the letter before it."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def fitted(text: str, width: int) -> str:
    """The text, cut where it takes more columns than `width`, with two dots to show that."""
    if columns(text) <= width:
        return text
    kept = sum(taken <= width - 2 for taken in accumulate(map(columns, text)))
    return f"{text[:kept]}.."


@cache
def _columns(one: str) -> int:
    from unicodedata import category, east_asian_width

    return 0 if category(one) in ("Mn", "Me", "Cf") else 2 if east_asian_width(one) in ("W", "F") else 1


def printable(value: object) -> str:
    """Any text as a terminal may show it in one line, character by character."""
    text = str(value)
    return text if text.isprintable() else "".join(one if one.isprintable() else "?" for one in text)


def _seen(text: str) -> str:
    """The text with a "?" for each sign that nobody sees, and for each mark too many."""
    text = _UNSEEN.sub("?", printable(text))
    return text if text.isascii() else "".join(_bounded_marks(text))


def _bounded_marks(text: str) -> Iterator[str]:
    from unicodedata import category

    marks = 0
    for one in text:
        marks = marks + 1 if category(one) in ("Mn", "Me") else 0
        yield one if marks <= _MARKS else "?"


def _normal(text: str) -> str:
    from unicodedata import normalize

    return normalize("NFKC", text).strip()
