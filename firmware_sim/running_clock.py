"""The clock of a served device: this machine's, without the time in which the simulator itself stood still.

A real device does not stand still because a computer was busy, suspended or stopped. The simulator does, and whoever
talks to it may not: keepalives that were sent in time then wait in the socket or the terminal. Were that time charged
to the device, its watchdog would fire before it read them. So it is not charged: for the device no time passed, no
current flowed, and what waited has come when the standstill ended. It counts as one moment's keepalive, however much
of it there is: a host that died meanwhile keeps the device alive for one second from then on, as at any other time.
"""

from time import monotonic_ns

# So late that it was no delay of a busy machine: a keepalive comes every 250 ms, and 1 s without one is the limit. With
# a delay that is charged and an interval that had just begun, half a second is left [choice].
STOOD_STILL_US = 250_000


def clock_us() -> int:
    """This machine's clock, the same for all its processes."""
    return monotonic_ns() // 1_000


class RunningClock:
    """`still_us` is by how much it is behind the machine's clock."""

    def __init__(self) -> None:
        self.still_us = 0

    def now_us(self) -> int:
        """The time that has been charged."""
        return clock_us() - self.still_us

    def look(self, due_us: int) -> int:
        """The time of a look at the device that was due at `due_us` at the latest."""
        now_us = self.now_us()
        if now_us - due_us <= STOOD_STILL_US:
            return now_us
        self.still_us += now_us - due_us
        return due_us
