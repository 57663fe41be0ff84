"""The host's end of the line in a scenario: it keeps the traffic, and does things to the host at given moments.

Two clocks are told apart here: the world's, which the device and the record live by, and the host's, which is
the same until it jumps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from stimctl.port import Port

MOST_WAITS = 100_000  # at one moment of the world; a read of one byte at a time takes thousands
Piece = tuple[int, str, bytes]


@dataclass(slots=True)
class TimedAction:
    """Something to do `at_us` after `entered` first gives a time of the world; it gives None until then."""

    at_us: int
    entered: Callable[[], int | None]
    do: Callable[[int], None]
    due_us: int | None = field(default=None, init=False)  # once it is known

    def foreseen_us(self) -> int | None:
        """When it has to be done, as far as that is known by now."""
        if (entered_us := self.entered()) is not None:
            self.due_us = entered_us + self.at_us
        return self.due_us


class SessionNeverEnds(RuntimeError):
    """A session that does not come to its end."""


class ScenarioPort:
    """A port around another one. `traffic` has the world's times; `moments` are done when they are due."""

    def __init__(self, port: Port) -> None:
        self.url = port.url
        self.virtual = port.virtual
        self.realtime = port.realtime
        self.wake = port.wake
        self.close = port.close
        self.world_us = port.now_us
        self.traffic: list[Piece] = []
        self.moments: list[TimedAction] = []
        # Told before each write: the host's first stop goes out with one.
        self.before_write: Callable[[], None] = _nothing
        self._port = port
        self._pending = b""
        self._skew_us = self._lead_us = 0
        # In virtual time a session that never ends would never come back: `end_by` makes that an error.
        self._end_us: int | None = None
        self._seen_us = self._waits = 0

    # --- as every port ------------------------------------------------------------------------------

    def now_us(self) -> int:
        return self.world_us() + self._skew_us

    def wait(self, deadline_us: int | None) -> bytes:
        """Bytes, or nothing at the deadline, after a `wake`, or when a moment has come."""
        now_us = self.world_us()
        if now_us != self._seen_us:
            self._seen_us, self._waits = now_us, 0
        self._waits += 1
        if self._end_us is not None and (now_us > self._end_us or self._waits > MOST_WAITS):
            how = "spins" if self._waits > MOST_WAITS else "still goes on"
            raise SessionNeverEnds(f"a session {how} at {now_us / 1e6:.6f} s")
        if deadline_us is not None:
            deadline_us -= self._skew_us
        if self.moments:
            due_us = self._meet(now_us)
            if due_us is not None and (deadline_us is None or due_us < deadline_us):
                deadline_us = due_us
        data = self._pending
        if data:
            self._pending = b""
        else:
            data = self._port.wait(deadline_us)
        if data:
            self.traffic.append((self.world_us(), "device", data))
        return data

    def write(self, data: bytes) -> None:
        self.before_write()
        self.traffic.append((self.world_us(), "host", data))
        self._port.write(data)

    # --- what happens to a host ---------------------------------------------------------------------

    def stand_still(self, for_us: int) -> None:
        """The host does nothing while the world goes on; what comes meanwhile waits for it."""
        until_us = self.world_us() + for_us
        while self.world_us() < until_us:
            self._pending += self._port.wait(until_us)

    def jump(self, by_us: int) -> None:
        """Let the host's clock jump."""
        self._skew_us += by_us
        self._lead_us += max(0, by_us)  # a session adds what its clock loses

    def intrude(self, data: bytes) -> None:
        """Bytes of somebody else who has the port open."""
        self.traffic.append((self.world_us(), "host", data))
        self._port.write(data)

    def as_world_us(self, host_us: int) -> int:
        """A time of the host's clock, as it stands now, in the world's."""
        return host_us - self._lead_us

    def end_by(self, end_us: int) -> None:
        """Let `wait` raise `SessionNeverEnds` after this time of the world, or when time stands still between calls."""
        self._end_us = end_us

    def _meet(self, now_us: int) -> int | None:
        """Do what is due; return when the next is."""
        next_us = None
        for moment in self.moments:
            due_us = moment.due_us if moment.due_us is not None else moment.foreseen_us()
            if due_us is not None and due_us <= now_us:
                self.moments.remove(moment)
                moment.do(now_us)
                return self._meet(self.world_us())
            if due_us is not None and (next_us is None or due_us < next_us):
                next_us = due_us
        return next_us


def _nothing() -> None:
    """Do nothing."""
