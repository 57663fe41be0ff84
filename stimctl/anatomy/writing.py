"""What people write, made comparable: `BL-23`, `bl 23`, `ＢＬ２３`, `BL\u201123` and `Bl.023` are one.

Compatibility forms, case, accents, dashes, dots and spaces are taken away; digits of any script become a plain number.
"""

import re
import unicodedata

_PART = re.compile(r"\d+(?:st|nd|rd|th)(?![^\W\d_])|\d+|[a-z]+|[^\W\d_a-z]+")


def parts(text: str) -> tuple[str, ...]:
    """The words and numbers of `text`, folded: `BL-023, near` is `("bl", "23", "near")`."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(each for each in folded if unicodedata.category(each) not in ("Mn", "Cf"))
    return tuple(_plain(part) for part in _PART.findall(bare))


def _plain(part: str) -> str:
    if not part.isdecimal():
        return part
    return "".join(str(unicodedata.decimal(digit)) for digit in part).lstrip("0") or "0"


def key(text: str) -> str:
    """`text` without anything that only separates: two writings of one name have the same key."""
    return "".join(parts(text))
