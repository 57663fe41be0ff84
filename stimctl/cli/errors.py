"""Turns an error into one sentence and an exit code instead of a traceback.

An error that stimctl raises on purpose is for a person: it is printed as it stands. Anything else is a
mistake in the program, and its traceback is what its author needs.
"""

from stimctl import errors
from stimctl.cli.codes import DEVICE, INVALID, LINE, LOG, UNSAFE
from stimctl.label import printable, words_isolated

# Nearest ancestor wins, so a subclass needs no row of its own.
_CODES: dict[type[BaseException], int] = {
    errors.StimctlError: INVALID,
    errors.Misuse: INVALID,
    errors.Unsafe: UNSAFE,
    errors.DeviceFault: DEVICE,
    errors.LineFault: LINE,
    errors.WireError: LINE,
    errors.LogFault: LOG,
}


def exit_code(error: errors.StimctlError) -> int:
    """The code of the nearest class of the error tree that has one."""
    return next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)


def sentence(error: errors.StimctlError) -> str:
    """The message for a person; problems of several lines keep their lines."""
    return f"Error: {shown(error)}" if str(error) else f"Error: {type(error).__name__}"


def shown(error: errors.StimctlError) -> str:
    """Its message as a terminal may show it: in it may stand what a device, a system or a file's name said."""
    return "\n".join(words_isolated(printable(line)) for line in str(error).split("\n"))
