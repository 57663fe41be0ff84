"""Work side by side in two threads, where NumPy and the CSV library let go of the interpreter's lock."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

_THREADS = 2
_KEPT_BYTES = 31 << 20  # the C library keeps no larger ones
_FEWEST = 16  # elements are NumPy's smallest buffer
Part = TypeVar("Part")
Done = TypeVar("Done")

# Arrays of some MB go back to the system as soon as they are freed, and the next ones are made anew page by page, which
# takes longer than all that is computed in them. A piece that is freed once tells the GNU C library to keep as much.
np.empty(_KEPT_BYTES, np.uint8)


def side_by_side(work: Callable[[Part], Done], parts: Sequence[Part]) -> list[Done]:
    """What comes of each part, in their order."""
    if len(parts) < _THREADS:
        return [work(part) for part in parts]

    def done(part: Part) -> Done:
        with np.errstate(invalid="ignore"):  # a thread has NumPy's own: what is over range is infinite
            return work(part)

    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(done, parts))


@contextmanager
def unbuffered() -> Iterator[None]:
    """A column is broadcast over long rows without NumPy's buffering.

    With it NumPy copies some rows into its buffer, and beside them the column's number once for each of their elements:
    that takes twice as long as what is computed.
    """
    before = np.setbufsize(_FEWEST)
    try:
        yield
    finally:
        np.setbufsize(before)


def one_ahead(parts: Iterator[Part]) -> Iterator[Part]:
    """The same, the next one made while this one is worked on: never more than one is waiting."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = pool.submit(next, parts, None)
            yield part
