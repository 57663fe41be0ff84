"""Reads the option `faults`: bugs that a device or its line is known to have, by name.

Some are the device as it is, seen or read in its published firmware: they are on unless they are taken away
with a minus. The others are put in by name: `faults=lost_stop,-wrap`.
"""

from collections.abc import Mapping


class UnknownFault(ValueError):
    """No such fault in this device. The message lists those there are."""


def chosen_faults(text: str, natural: Mapping[str, str], extra: Mapping[str, str], device: str) -> frozenset[str]:
    """The faults that are on: the natural ones, and what `text` adds and takes away. Raises `UnknownFault`."""
    on = set(natural)
    for part in filter(None, (part.strip() for part in text.split(","))):
        name = part.removeprefix("-")
        if name not in natural and name not in extra:
            known = ", ".join([*(f"{each} (on)" for each in natural), *extra])
            raise UnknownFault(f"{device} has no fault {name!r}; there are {known}; -NAME takes one away")
        if part.startswith("-"):
            on.discard(name)
        else:
            on.add(name)
    return frozenset(on)
