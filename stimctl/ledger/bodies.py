"""Whether an entry's body is the one text of what it says: a name that stands twice in an object says two things.

Whoever reads such a body takes the first of the two, or the last, as the reader pleases; its hash holds either way.
Nearly all bodies differ from an earlier one in their figures alone, and it takes a quarter of the time to look up the
shape of one, its texts and what stands between them without figures, than to read it.
"""

import json

_FIGURES = b"0123456789"
_dumped = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_MOST = 4096  # texts that are kept: those with a person's words in them come once [choice]


def is_one_text(text: str) -> bool:
    """Whether a body is a JSON object as the ledger writes it: sorted, without spaces, no name twice."""
    try:
        found = json.loads(text)
        return isinstance(found, dict) and _dumped(found) == text
    except (ValueError, RecursionError):
        return False


class BodyCheck:
    """Tells quickly of one body after the other that no name stands in it twice; the first of each kind it reads."""

    def __init__(self) -> None:
        self._clear: set[bytes] = set()

    def __call__(self, body: bytes) -> bool:
        """Whether it is one text."""
        parts = body.split(b'"')  # its texts are every second part, where none has a quotation mark in it
        shape = b'"'.join(parts[::2]).translate(None, _FIGURES) + b'"'.join(parts[1::2])
        if shape in self._clear:
            return True
        if not is_one_text(body.decode("utf-8", "surrogateescape")):
            return False
        if b"\\" not in body:
            if len(self._clear) > _MOST:
                self._clear.clear()
            self._clear.add(shape)
        return True
