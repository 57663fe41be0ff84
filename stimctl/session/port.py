"""The port as a session uses it, the one place where it writes and waits: what befalls either is told as facts."""

from collections.abc import Callable, Mapping
from typing import Any

from stimctl.errors import LineLost, Suspended
from stimctl.port import SLICE_S, MonotonicPort, Port
from stimctl.session import commands as c
from stimctl.session.states import End
from stimctl.stimulators.base import Stimulator
from stimctl.stimulators.command_writer import CommandWriter
from stimctl.traffic.session_notes import LOST

TakeNote = Callable[[int, str, Mapping[str, Any]], None]

# So late behind a wait without bytes, the line is read again before the time is judged: later than a port that waits in
# slices comes back anyway, which would wait for another slice [choice].
LOOK_AGAIN_US = round(2e6 * SLICE_S)


class SessionPort(MonotonicPort):
    """The port of one session. `facts` are for the engine's next step, and so is `data`, which came last."""

    def __init__(self, port: Port, stimulator: Stimulator, take_note: TakeNote) -> None:
        super().__init__(port)
        self.facts: list[c.Fact] = []
        self.data = b""
        self.stood_us = 0  # for so long this program stood still behind waits, where that shows
        self.writer = CommandWriter(port.write, stimulator.follow_cut)
        self._stimulator = stimulator
        self._take_note = take_note

    def send(self, output: bytes) -> bool:
        """Write what is owed, and `output`; whether it all went."""
        return self.writer.send(output)

    def lost(self, why: LineLost) -> None:
        """Nobody is there any more."""
        self.writer.line_gone = True
        self._take_note(self.now_us(), LOST, {})
        self.facts.append(c.LineGone(why))

    def listen(self, until_us: int) -> int:
        """Wait for `data`; the time, up to which all that had come was read.

        This program may stand still behind a wait in which nothing came: what comes meanwhile is no silence.
        """
        now_us = until_us
        try:
            self.data = self.wait(until_us)
            now_us = self.now_us()
            if not self.virtual and now_us - until_us > LOOK_AGAIN_US:
                self.stood_us += now_us - until_us
                self.data = self.data or self.wait(now_us)
        except Suspended as slept:
            self.facts.append(c.HostTrouble(End.SUSPENDED, str(slept)))
        except LineLost as gone:
            self.lost(gone)
        if self.went_back:
            self.went_back = False
            # At most all of the wait has passed: no dose is told too low, and none too high for the least.
            self._stimulator.stood_still(self.skip_to(until_us))
            self.facts.append(c.HostTrouble(End.CLOCK, "the host's clock went back"))
        return self.now_us() if self.facts else now_us
