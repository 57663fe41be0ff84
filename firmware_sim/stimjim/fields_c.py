"""Reads the fields of a line as dialect C does, with its error texts."""

import re

_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?\d+)(?=[,; ]|$)")
_TOKEN = re.compile(r"[^,; ]*")

USAGE = {
    "S": "S usage: S<idx>,<mode0>,<mode1>,<period_us>,<total_dur_us>; <amp0>,<amp1>,<stage_dur_us>; ...\n\n",
    "T": "T/U usage: T<idx> or U<idx>\n\n",
    "R": "R usage: R<ch>,<pt_idx|-1>[,<0=trigger|1=sync>]\n\n",
    "V": "V usage: V<ch>,<mV>\n\n",
    "A": "A usage: A<ch>,<dac_code>\n\n",
    "E": "E usage: E<ch>,<line>\n\n",
    "M": "M usage: M<ch>,<mode>  (mode: 0=voltage 1=current 2=float 3=gnd)\n\n",
    "B": "B usage: B\n\n",
    "C": "C usage: C\n\n",
    "D": "D usage: D\n\n",
    "X": "X usage: X\n\n",
}


class FieldError(Exception):
    """A field that is not what it must be. The message is what the device says."""


class Fields:
    """The fields of a line, taken one by one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def take(self, name: str, low: int, high: int) -> int:
        """Read the next number. Raises `FieldError`."""
        if self.peek() == ",":
            self.place += 1
        self.skip()
        found = _NUMBER.match(self.text, self.place)
        if found is not None and low <= int(found[1]) <= high:
            self.place = found.end()
            return int(found[1])
        token = _TOKEN.match(self.text, self.place)
        raise FieldError(f"Invalid {name}: '{token[0] if token else ''}' (must be {low}..{high})\n\n")

    def peek(self) -> str:
        """The next character; nothing at the end."""
        return self.text[self.place : self.place + 1]

    def skip(self) -> None:
        """Skip blanks."""
        while self.peek() == " ":
            self.place += 1
