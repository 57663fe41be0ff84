"""Whether an entry's body is the one text of what it says: a name that stands twice in an object says two things.

Whoever reads such a body takes the first of the two, or the last, as the reader pleases; its hash holds either way.
Nearly all bodies differ from an earlier one in their values alone. So of a kind of body that came often a pattern is
made, which fits those alone that have the same names in the same places, and values as this program writes them.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import filterfalse

_TOKEN = re.compile(rb'("[^"]*")(:)?|-?[0-9][0-9.eE+-]*|[^"0-9-]+')
_WHOLE_NUMBER = rb"(?:0|-?[1-9][0-9]{0,18}+)"
_TEXT = rb'"[ !#-\[\]-~]*"'
_OFTEN = 20  # bodies of a kind after which making its pattern takes less time than reading the rest [choice]
_MOST = 100  # patterns that are kept [choice]
_dumped = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def is_one_text(text: str) -> bool:
    """Whether a body is a JSON object as the ledger writes it: sorted, without spaces, no name twice."""
    try:
        found = json.loads(text)
        return isinstance(found, dict) and _dumped(found) == text
    except (ValueError, RecursionError):
        return False


class BodyCheck:
    """Tells quickly of many bodies, `end` behind each, whether all are one text; the first of each kind it reads."""

    def __init__(self, end: bytes = b"") -> None:
        self._end = end
        self._fits: list[Callable[[bytes], object]] = []  # the pattern that fitted last comes first
        self._seen: Counter[bytes] = Counter()

    def __call__(self, bodies: Iterable[bytes]) -> bool:
        """Whether all of them are."""
        rest = iter(bodies)
        while True:
            another = next(filterfalse(self._fits[0], rest) if self._fits else rest, None)
            if another is None:
                return True
            if not self._fits_another(another) and not self._read(another):
                return False

    def _fits_another(self, body: bytes) -> bool:
        for place, fits in enumerate(self._fits):
            if fits(body):
                self._fits.insert(0, self._fits.pop(place))
                return True
        return False

    def _read(self, body: bytes) -> bool:
        if not is_one_text(body.removesuffix(self._end).decode("utf-8", "surrogateescape")):
            return False
        if b"\\" not in body and len(self._fits) < _MOST:
            kind = _TOKEN.sub(_pattern, body)
            self._seen[kind] += 1
            if self._seen[kind] == _OFTEN:
                self._fits.insert(0, re.compile(kind).fullmatch)
        return True


def _pattern(token: re.Match[bytes]) -> bytes:
    """What may stand in the place of a token; a name, a fraction and what is between them only as they are."""
    text, is_name = token[1], token[2]
    if text and not is_name:
        return _TEXT
    return _WHOLE_NUMBER if re.fullmatch(_WHOLE_NUMBER, token[0]) else re.escape(token[0])
