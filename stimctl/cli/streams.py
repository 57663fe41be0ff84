"""Standard input, output and error, whatever they are: a terminal of any encoding, a pipe, a file, or closed.

What a stream's encoding lacks is shown in ASCII, sign by sign, so that columns and drawings stay in place. A stream
that was closed before the start (`<&-`, `>&-`) is open on nothing: else the next file, a serial port perhaps, would
be given its number and take what is printed.
"""

import codecs
import os
import sys
from contextlib import suppress

_DESCRIPTORS = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))
_FALLBACK = "stimctl-in-ascii"
# Click takes a stream that calls itself ASCII for one that is UTF-8: the same encoding under another name.
_ASCII = "stimctl_ascii"
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500\u2501\u2504\u2508\u254c\u2550", "-"),
        **dict.fromkeys("\u2502\u2503\u2506\u250a\u2551", "|"),
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u00b4", "'"),
        **dict.fromkeys("\u2068\u2069", ""),  # they set a text of another direction apart
        **{"\u00d7": "x", "\u2264": "<", "\u2265": ">", "\u2022": "*", "\u00b7": "*", "\u00b1": "~", "\u00df": "ss"},
        **{"\u2190": "<", "\u2192": ">", "\u2191": "^", "\u2193": "v", "\u2126": "O", "\u03bc": "u", "\u00b5": "u"},
    }
)
_DRAWN = (
    (0x2500, 0x257F, "+"),
    (0x2580, 0x259F, "#"),
    (0x25A0, 0x25FF, "*"),
    (0x2801, 0x28FF, "#"),
    (0x2800, 0x2800, " "),
)


def prepare() -> None:
    """Make the three streams fit to be read and printed on. Harmless when done twice."""
    _open_closed()
    codecs.register_error(_FALLBACK, _in_ascii)
    codecs.register(_find_ascii)
    for stream in (sys.stdout, sys.stderr):
        _let_fall_back(stream)
    with suppress(AttributeError, ValueError):  # bytes of another encoding are no answer, and no traceback either
        sys.stdin.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]


def _open_closed() -> None:
    for descriptor, name, mode in _DESCRIPTORS:
        if getattr(sys, name) is not None:
            continue
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
        setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def _let_fall_back(stream: object) -> None:
    with suppress(AttributeError, LookupError, ValueError):  # one that a program put in place is that program's
        ascii_only = codecs.lookup(stream.encoding).name == "ascii"  # type: ignore[attr-defined]
        stream.reconfigure(encoding=_ASCII if ascii_only else None, errors=_FALLBACK)  # type: ignore[attr-defined]


def _find_ascii(name: str) -> codecs.CodecInfo | None:
    if name != _ASCII:
        return None
    same = codecs.lookup("ascii")
    return codecs.CodecInfo(
        same.encode,
        same.decode,
        incrementalencoder=same.incrementalencoder,
        incrementaldecoder=same.incrementaldecoder,
        name=_ASCII,
    )


def _in_ascii(fault: UnicodeError) -> tuple[str, int]:
    """What stands for the signs that cannot be encoded: an error handler of `codecs`."""
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    return "".join(map(_sign, fault.object[fault.start : fault.end])), fault.end


def _sign(one: str) -> str:
    from unicodedata import normalize

    if (plain := one.translate(_SIGNS)) != one:
        return plain
    drawn = next((sign for low, high, sign in _DRAWN if low <= ord(one) <= high), "")
    return drawn or normalize("NFKD", one).encode("ascii", "ignore").decode() or "?"


def lost(descriptor: int) -> bool:
    """Whether its far end is gone: a pipe that nobody reads, a terminal that was closed."""
    import select

    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return bool(poll.poll(0))


def plain_terminal() -> bool:
    """Whether the terminal obeys no ANSI sequence, or does not say what kind it is."""
    return os.environ.get("TERM", "") in ("", "dumb", "unknown", "network", "dialup", "vt52")


def at_terminal() -> bool:
    """Whether a person sees what is printed, and types the answers."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def let_go(*descriptors: int) -> None:
    """What is printed on them from now on goes nowhere, instead of failing."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        with suppress(OSError):
            os.dup2(nowhere, descriptor)
    os.close(nowhere)


def lead_over(failing: int, other: int) -> None:
    """What is printed on `failing` from now on goes where `other` goes; what it could not take goes nowhere."""
    let_go(failing)
    with suppress(OSError):
        (sys.stdout if failing == 1 else sys.stderr).flush()
        os.dup2(other, failing)
