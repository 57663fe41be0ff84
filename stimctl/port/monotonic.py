"""A port whose clock never goes back, for a loop whose timers all wait for a later time.

A host whose monotonic clock goes back is not to be trusted: the session ends. While it stops, time has to go on, or no
stop frame would follow the first. So what the clock lost is added to it from then on.
"""

from stimctl.port.base import Port


class MonotonicPort:
    """The same port, by a clock that goes on. `went_back` says that it did not, until somebody clears it.

    It is the loop's: other threads may `wake` it and ask it `look_us`.
    """

    def __init__(self, port: Port) -> None:
        self.virtual = port.virtual
        self.write = port.write
        self.wake = port.wake
        # The port's own, as long as its clock goes on: this is called at every turn of a session.
        self.wait = port.wait
        self.went_back = False
        self._port = port
        self._clock = port.now_us
        self._lost_us = 0
        self._last_us = port.now_us()

    def now_us(self) -> int:
        """The port's time and what it lost: never earlier than before."""
        now_us = self._clock() + self._lost_us
        if now_us < self._last_us:
            self._lost_us += self._last_us - now_us
            now_us = self._last_us
            self.went_back = True
            self.wait = self._wait
        self._last_us = now_us
        return now_us

    def look_us(self) -> int:
        """The same for any other thread, which judges no clock: the loop may have read a later time meanwhile."""
        return max(self._clock() + self._lost_us, self._last_us)

    def skip_to(self, until_us: int) -> int:
        """Go on from there: a clock that went back in a wait does not tell how much of it has passed. By how much."""
        skipped_us = max(0, until_us - self._last_us)
        self._lost_us += skipped_us
        self._last_us += skipped_us
        return skipped_us

    def _wait(self, deadline_us: int | None) -> bytes:
        return self._port.wait(deadline_us if deadline_us is None else deadline_us - self._lost_us)
