"""Whether an entry's body is the one text of what it says: a name that stands twice in an object says two things.

Whoever reads such a body takes the first of the two, or the last, as the reader pleases; its hash holds either way.
Nearly all bodies differ from an earlier one in their values alone. So of a kind of body that came often a pattern is
made, which fits those alone that have the same names in the same places, and values as this program writes them.
"""

import json
import re
from collections import Counter
from collections.abc import Callable

_TOKEN = re.compile(rb'("[^"]*")(:)?|-?[0-9][0-9.eE+-]*|[^"0-9-]+')
_VALUE = re.compile(rb'"[^"]*"(?!:)|-?[0-9]+')  # without which kinds are told apart, at a tenth of a pattern's price
_WHOLE_NUMBER = rb"(?:[1-9][0-9]{0,18}+|0|-[1-9][0-9]{0,18}+)"  # in the order in which they come often
_TEXT = rb'"[ !#-\[\]-~]*"'
_OFTEN = 20  # bodies of a kind after which making its pattern takes less time than reading the rest [choice]
_MOST = 100  # patterns that are kept [choice]
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def _encoder() -> Callable[[object], str]:
    # `JSONEncoder.encode` makes a new encoder in C for each text, which takes as long as the text of an entry itself.
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _ENCODER.encode
    # No markers: a body that holds itself ends as RecursionError.
    parts = make(None, _ENCODER.default, json.encoder.encode_basestring_ascii, None, ":", ",", True, False, False)
    return lambda value: "".join(parts(value, 0))


encoded = _encoder()


def is_one_text(text: str) -> bool:
    """Whether a body is a JSON object as the ledger writes it: sorted, without spaces, no name twice."""
    try:
        found = json.loads(text)
        return isinstance(found, dict) and encoded(found) == text
    except (ValueError, RecursionError):
        return False


class BodyCheck:
    """Tells quickly of many bodies, one behind the other, whether all are one text; the first of each kind it reads.

    `end`, of which the last is a line feed, stands behind each.
    """

    def __init__(self, end: bytes = b"\n") -> None:
        self._end = end
        self._fits: list[Callable[[bytes, int], re.Match[bytes] | None]] = []  # what fitted last comes first
        self._seen: Counter[bytes] = Counter()

    def __call__(self, bodies: bytes) -> bool:
        """Whether all of them are."""
        at = 0
        while at < len(bodies):
            found = self._fitting(bodies, at)
            end = found.end() if found else bodies.index(b"\n", at) + 1
            if not found and not self._read(bodies[at:end]):
                return False
            at = end
        return True

    def _fitting(self, bodies: bytes, at: int) -> re.Match[bytes] | None:
        """Those from `at` on that are of a kind which is known, as many as follow each other."""
        for place, fits in enumerate(self._fits):
            if found := fits(bodies, at):
                self._fits.insert(0, self._fits.pop(place))
                return found
        return None

    def _read(self, line: bytes) -> bool:
        body = line.removesuffix(self._end)
        if not is_one_text(body.decode("utf-8", "surrogateescape")):
            return False
        if b"\\" not in body and len(self._fits) < _MOST:
            kind = _VALUE.sub(b"", body)
            self._seen[kind] += 1
            if self._seen[kind] == _OFTEN:
                pattern = _TOKEN.sub(_pattern, body), re.escape(self._end)
                self._fits.insert(0, re.compile(b"(?:%b%b)++" % pattern).match)
        return True


def _pattern(token: re.Match[bytes]) -> bytes:
    """What may stand in the place of a token; a name, a fraction and what is between them only as they are."""
    text, is_name = token[1], token[2]
    if text and not is_name:
        return _TEXT
    return _WHOLE_NUMBER if re.fullmatch(_WHOLE_NUMBER, token[0]) else re.escape(token[0])
