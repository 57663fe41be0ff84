"""Queues what a simulated device says until the time at which the host hears it.

Text that a device prints is on the way for a while: USB frames, the driver, the terminal. Virtual time shows
that too, so that a driver which hands one train over to the next from the host has a gap to measure.
"""

from collections import deque
from random import Random

from firmware_sim.analog.load_changes import NEVER_US

LATENCY_US = 500  # [choice]: half a USB frame, as bulk transfers wait for a poll each 1 ms at most
PIECE_SIZE = 7
PIECE_US = (200, 2_000)


class ReplyQueue:
    """Bytes with the device time at which they arrive. `split` sends them in small pieces, some time apart."""

    def __init__(self, *, split: bool = False, seed: int = 1) -> None:
        self._due: deque[tuple[int, bytes]] = deque()
        self._dice = Random(f"pieces {seed}") if split else None
        self._last_us = 0

    def say(self, data: bytes, at_us: int) -> None:
        """Say it at device time `at_us`."""
        arrive_us = max(at_us + LATENCY_US, self._last_us)
        if self._dice is None:
            self._due.append((arrive_us, data))
        else:
            while data:
                size = self._dice.randint(1, PIECE_SIZE)
                self._due.append((arrive_us, data[:size]))
                data = data[size:]
                arrive_us += self._dice.randint(*PIECE_US)
        self._last_us = arrive_us

    def next_us(self) -> int:
        """When the next bytes arrive; `NEVER_US` when there are none."""
        return self._due[0][0] if self._due else NEVER_US

    def take(self, now_us: int) -> bytes:
        """What has arrived by now."""
        taken = []
        while self._due and self._due[0][0] <= now_us:
            taken.append(self._due.popleft()[1])
        return b"".join(taken)
