"""One session on any simulated device in virtual time, and what flowed in its load.

Device time is the port's time: both begin at zero. The load's record is the truth that every report is held to.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.factory import DeviceSpec
from stimctl.port import Port, RecordedPort, open_port
from stimctl.prescription import Prescription
from stimctl.session.commands import Command
from stimctl.session.engine import UNATTENDED, Engine
from stimctl.session.runner import Runner
from stimctl.session.states import State
from stimctl.session.view import SessionReport
from stimctl.stimulators.discovery import DeviceChoice, stimulator
from tests.stimctl.session.world import Deed, Line, ListLog, Tape, prescription

S = 1_000_000


class Bench:
    """A device, its load, a port, an engine. `line` may wrap the port."""

    def __init__(
        self,
        which: DeviceSpec,
        choice: DeviceChoice,
        rx: Prescription | None = None,
        *,
        load: str = "r1k",
        line: Callable[[Port], Port] = Line,
        auto: frozenset[State] = UNATTENDED,
    ) -> None:
        self.rx = rx or prescription()
        self.recorder = Recorder()
        self.journal: list[Mapping[str, Any]] = []
        self.device = which.make(seed=1, load=load, recorder=self.recorder, journal=self.journal.append)
        self.tape = Tape()
        self.port = line(port_of(self.device))
        self.log = ListLog(self.tape)
        self._deeds = Deeds(self.port)
        recorded = RecordedPort(self._deeds, self.tape)
        self.adapter = stimulator(choice, recorded)
        self.engine = Engine(self.adapter, self.rx, self.log, session_id="bench", auto=auto)
        self.runner = Runner(recorded, self.engine, self.log, lambda _identity, _records: "", attended=False)

    def run(self, *actions: tuple[float, Deed]) -> SessionReport:
        """Run to the end, with commands and deeds at times in seconds; what the device still plays comes to its end."""
        asked: list[tuple[int, Command]] = []
        for at_s, deed in actions:
            if callable(deed):
                self._deeds.add(round(at_s * S), deed, self.engine)
            else:
                asked.append((round(at_s * S), deed))
        report = self.runner.run(asked)
        until_us = self.port.now_us() + 10 * S
        while self.port.now_us() < until_us:
            self.port.wait(until_us)
        self.device.close() if hasattr(self.device, "close") else None
        return report

    # --- what flowed --------------------------------------------------------------------------------

    def pulses(self, channel: int = 1, *, kinds: tuple[FlowKind, ...] = (FlowKind.TRAIN,)) -> int:
        """How many pulses flowed."""
        return sum(self.recorder.pulses(channel, kind) for kind in kinds)

    def highest_ua(self) -> float:
        """The largest current that flowed anywhere, for whatever reason."""
        shapes = [
            flow.shape
            for channel in self.recorder.channels
            for kind in FlowKind
            for flow in self.recorder.flows(channel, kind)
        ]
        return max((max(abs(shape.first_na), abs(shape.second_na)) / 1_000 for shape in shapes), default=0.0)

    def last_us(self) -> int:
        """When the last current ended."""
        return self.recorder.end_us()

    def stopping_us(self) -> int:
        """When the session began to stop; 0 when it ended before the device was known."""
        times = (entry.at_us for entry in self.log.entries if entry.body.get("now") == State.STOPPING)
        return next(times, 0)


class Deeds(Line):
    """Does what a test does itself with the engine at hand, at its times."""

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self._due: list[tuple[int, Callable[[Engine, int], None], Engine]] = []

    def add(self, at_us: int, deed: Callable[[Engine, int], None], engine: Engine) -> None:
        """`deed` at `at_us`."""
        self._due = sorted([*self._due, (at_us, deed, engine)], key=lambda each: each[0])

    def wait(self, deadline_us: int | None) -> bytes:
        while self._due and self._due[0][0] <= self.now_us():
            _at_us, deed, engine = self._due.pop(0)
            deed(engine, self.now_us())
        if self._due and (deadline_us is None or deadline_us > self._due[0][0]):
            deadline_us = self._due[0][0]
        return self.inner.wait(deadline_us)


def port_of(device: Any) -> Port:
    """A `sim://` port with this device at its far end, powered on as the port's clock begins."""
    port = cast(Any, open_port("sim://?seed=1"))
    port.line._device = device
    return cast(Port, port)
