"""The port as a session sees it, and how long a port lets a session wait. Times in us by the port's clock."""

from typing import Protocol

from stimctl.limits import STOP_RESEND_US

BAUD = 115_200
SLICE_S = 0.020  # where no descriptor can be waited on, the longest a stop may wait for the read
# How long a write waits for room: a stop is due again by then, and whoever writes knows best what is to go first.
ROOM_S = STOP_RESEND_US / 1e6


class Port(Protocol):
    """The host's end of a line, as a session uses it."""

    url: str
    virtual: bool
    # Whether its clock runs no faster than the wall's, so that a person can follow.
    realtime: bool

    def now_us(self) -> int:
        """The time, by the clock that `wait` waits on."""

    def wait(self, deadline_us: int | None) -> bytes:
        """Bytes, or nothing at the deadline or after a `wake`. Raises `LineLost`, `Suspended`.

        Only here is it found that the line is gone.
        """

    def write(self, data: bytes) -> None:
        """Send all of `data` within 20 ms. Raises `NotSent`; the rest is then not sent later."""

    def wake(self) -> None:
        """From any thread: let a running or the next `wait` return now."""

    def close(self) -> None:
        """Close the port, and release its lock."""
