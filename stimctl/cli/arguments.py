"""What a command was called with, fit to be shown, before any command sees it: it may come back in any message.

A sign that is not printable may be an order to the terminal, or turn around the text beside it. What ends a line counts
as a blank, so that a note may be pasted; blanks of other widths, which Python calls unprintable, harm nothing.
"""

import re
from collections.abc import Mapping, Sequence

from stimctl.errors import Misuse
from stimctl.label import printable

_BLANKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_WIDTHS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def checked(arguments: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """The arguments. Raises `Misuse` for what is not printable, there or in a variable of the environment."""
    found = [each if each.isprintable() else _BLANKS.sub(" ", each) for each in arguments]
    named = [*((f"argument {number}", each) for number, each in enumerate(found, 1)), *variables.items()]
    for name, value in named:
        if not _WIDTHS.sub(" ", value).isprintable():
            raise Misuse(f"{name} must be printable, and is {printable(value)[:80]!r} (a ? for what is not)")
    return found
