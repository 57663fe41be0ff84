"""One session that stands still whenever it is told to: driver, line, device and load, in slices of virtual time.

The parts are those of a scenario's play and the loop is the runner's own; only its waits end where a slice ends. So
what was done here slice by slice happens again, at the same microseconds, in the scenario that `Rig.scenario` gives.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from firmware_sim.analog.recorder import Recorder
from firmware_sim.faults import Fault, FaultyDevice
from firmware_sim.native.device import Device
from firmware_sim.protocol_sim import Serial
from stimctl.port import VirtualPort
from stimctl.session.engine import UNATTENDED, Engine
from stimctl.session.runner import Runner
from stimctl.session.states import ENDED
from stimctl.stimulators.native import NativeAdapter
from stimctl.traffic.session_notes import ORDER
from stimctl.wire import codec as m
from stimlab.play.host_faults import HostFaults
from stimlab.play.play import command_of
from stimlab.play.port import ScenarioPort
from stimlab.play.session_logs import MemoryLog
from stimlab.scenario.reader import OperatorAction, Scenario, prescribed
from tests.agree.progress import Progress

# What a device finds by measuring, and a model without a load cannot know.
MEASURED = ("LEAD_OFF", "COMPLIANCE", "SHORT", "OVER_CURRENT", "NET_CHARGE", "GATE")


class Heard(NamedTuple):
    """A command that the firmware took in, and what it said to it. To a Stop and a Hello it says nothing here."""

    at_us: int
    order: Any
    answer: Any


class Left(NamedTuple):
    """The firmware ended or held the session by itself, for a reason that it measured."""

    at_us: int
    state: str
    reason: str
    channel: int


class SlicedPort(ScenarioPort):
    """A port whose waits end at `until_us` at the latest. `passed`: something went over it since it was last unset."""

    until_us = 0
    passed = False

    def __init__(self, port: VirtualPort) -> None:
        super().__init__(port)
        self._progress = Progress()

    def wait(self, deadline_us: int | None) -> bytes:
        """Bytes, or nothing where the slice ends."""
        data = super().wait(self.until_us if deadline_us is None else min(deadline_us, self.until_us))
        self._progress.waited(deadline_us, self.now_us())
        self.passed |= bool(data)
        return data

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        self.passed = True
        super().write(data)


class Rig:
    """A session of `answers` (see `Scenario.answers`) with `faults`, which stands at `now_us`."""

    def __init__(self, answers: Mapping[str, Any], faults: Sequence[Fault] = (), *, seed: int = 1) -> None:
        self.script = Scenario(name="disagreement", seed=seed, answers=answers, faults=tuple(faults))
        self.recorder = Recorder()
        self.told: list[Heard | Left] = []
        self.hostile: FaultyDevice
        self._tapped: Device | None = None
        url = f"sim://?seed={seed}"
        self._serial = Serial.powering(self._power, url)
        self.port = SlicedPort(VirtualPort(url, self._serial))
        self._log = log = MemoryLog()
        self.prescription = prescribed(self.script)
        self.engine = Engine(NativeAdapter(0), self.prescription, log, session_id="lab", url=url, auto=UNATTENDED)
        self._before: Callable[[], None] | None = None
        self.runner = Runner(
            self.port, self.engine, log, lambda _identity, _records: "here", attended=False, take_note=self._carried_out
        )
        self.now_us = self.port.now_us()
        self._tap()
        self.engine.begin(self.now_us)
        self.settle()

    def _power(self, **given: Any) -> FaultyDevice:
        kept = {"load": self.script.load, "recorder": self.recorder, "journal": self._note}
        self.hostile = FaultyDevice(self.script.faults, **{**given, **kept})
        return self.hostile

    # --- time -------------------------------------------------------------------------------------

    def run_to(self, until_us: int) -> None:
        """Let the world come to `until_us`, and do all that is due there."""
        self.port.until_us = until_us
        while self.now_us < until_us:
            if self.over:
                self.port.wait(until_us)
                self.now_us = self.port.now_us()
            else:
                self.now_us = self.runner._step(self.now_us)
            self._tap()
        self.settle()

    def settle(self) -> None:
        """Turn until nothing passes any more at this instant."""
        self.port.until_us = self.now_us
        self.port.passed = True
        while (self.port.passed or self.runner._port.facts) and not self.over:
            self.port.passed = False
            self.now_us = self.runner._step(self.now_us)
            self._tap()
        self.hostile.advance(self.now_us)

    # --- what is done -----------------------------------------------------------------------------

    def act(self, do: str, channel: int | None, amplitude_ua: int | None, before: Callable[[], None]) -> None:
        """The operator does something, a microsecond from now: nothing that is due now is still under way then.

        `before` is called when the order is carried out, which may be after what came at the same instant.
        """
        action = OperatorAction(self.now_us + 1, do, channel, amplitude_ua)
        self._write_down(actions=(*self.script.actions, action))
        self._before = before
        self.runner._script.append((action.at_us, command_of(action)))
        self.run_to(action.at_us)

    def _carried_out(self, _now_us: int, kind: str, _said: Mapping[str, Any]) -> None:
        """The runner tells of a command just before it is carried out."""
        if kind == ORDER and self._before is not None:
            before, self._before = self._before, None
            before()

    def befall(self, fault: Fault) -> None:
        """Something happens to the host, a microsecond from now: `fault.at_us` is filled in."""
        fault = replace(fault, at_us=self.now_us + 1)
        self._write_down(faults=(*self.script.faults, fault))
        moments = HostFaults((fault,), self.port, self._log).moments(lambda _state: None)
        # Moments count from when they were made, which for those of a scenario is its beginning.
        self.port.moments += [replace(moment, at_us=1) for moment in moments]
        self.run_to(fault.at_us)

    def _write_down(self, **changes: Any) -> None:
        self.script = replace(self.script, **changes)

    # --- what is heard ----------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether the session has ended, and its report is there."""
        return self.engine.state is ENDED

    @property
    def device(self) -> Device:
        """The device now powered."""
        return self.hostile.device

    def _note(self, entry: Mapping[str, Any]) -> None:
        if entry["event"] == "boot" and self._tapped is not None:
            self.told.append(Left(self.hostile._firmware.now_us, "ENDED", "RESET", 0))
        if entry["event"] == "state" and entry["reason"] in MEASURED:
            self.told.append(Left(entry["device_time_us"], entry["state"], entry["reason"], entry["channel"]))

    def _tap(self) -> None:
        """Listen to the firmware itself, where no line spoils what it says."""
        device = self.device
        if device is self._tapped:
            return
        self._tapped = device
        machine, execute, hello, stop = device.machine, device._execute, device._hello, device.machine.stop
        told = self.told

        def heard(do: Callable[[], Any], order: Any) -> Any:
            place, at_us = len(told), machine.now_us
            answer = do()
            told.insert(place, Heard(at_us, order, answer))
            return answer

        listened: Any = device
        listened._execute = lambda order, kind: heard(lambda: execute(order, kind), order)
        listened._hello = lambda number, order: heard(lambda: hello(number, order), order)
        listened.machine.stop = lambda at_us: heard(lambda: stop(at_us), m.Stop())
