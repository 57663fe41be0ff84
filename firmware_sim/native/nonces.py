"""Makes nonces that cannot have been recorded before: half of each is random, the other half counts.

The count alone would be known to a twin that has armed as often, and to the same device once its memory was erased;
chance alone could repeat. A simulator whose world has to come out the same to the byte draws by its seed instead: it
is then as predictable as that, and its twin needs another seed.
"""

import os
from collections.abc import Callable
from random import Random

COUNT_BITS = 32
_COUNT = (1 << COUNT_BITS) - 1

# Gives the 32 bits of chance for the arm of that count.
Draw = Callable[[int], int]


def by_system(_arms: int) -> int:
    """Drawn by the operating system's source of randomness."""
    return int.from_bytes(os.urandom(4), "little")


def by_seed(seed: int) -> Draw:
    """Drawn by the seed: the same for the same count of arms, every time."""
    return lambda arms: Random(f"nonce {seed} {arms}").getrandbits(32)


def nonce(draw: Draw, arms: int) -> int:
    """The nonce of the arm that is the `arms`-th of this device's life."""
    return draw(arms) << COUNT_BITS | arms & _COUNT
