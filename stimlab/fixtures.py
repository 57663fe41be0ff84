"""The objects behind the pytest fixtures: a stimulator at any URL and, where it is simulated, its world.

    simulator.fault("load.open", after="RUNNING", at_s=2)
    report = stimulator.run(seconds=20, actions=[(12, "stop")])

The session is the driver's own, with a real log. Faults are said before the power comes on.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from serial import SerialException

from firmware_sim.analog.recorder import Recorder
from firmware_sim.faults import Fault, FaultyDevice, fault_from
from firmware_sim.native.device import Device
from firmware_sim.protocol_sim import Serial
from stimctl import limits
from stimctl.api import Session
from stimctl.errors import LineFault, Misuse
from stimctl.ledger import Ledger
from stimctl.port import Port, TrafficSink, VirtualPort, open_port
from stimctl.prescription import Prescription, from_mapping
from stimctl.profile import load_profiles
from stimctl.session.view import SessionReport
from stimctl.stimulators.base import Identity, ZeroConfirmed, ZeroOverdue
from stimctl.stimulators.discovery import DeviceChoice, handshake, stimulator
from stimctl.units import US_PER_S, whole
from stimlab.play.play import command_of
from stimlab.play.port import ScenarioPort, TimedAction
from stimlab.scenario.defaults import completed
from stimlab.scenario.model import OperatorAction
from stimlab.scenario.reader import action_from

SOURCE = "this test"
NO_HOST_FAULTS = "belongs into a scenario: here the host is the test itself"

Step = tuple[float, str] | tuple[float, Mapping[str, Any]]


class SimulatorFixture:
    """The simulated stimulator and what it drives. `recorder` holds what flowed, `journal` what it did."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.recorder = Recorder()
        self.journal: list[Mapping[str, Any]] = []
        self.moments: list[TimedAction] = []
        self._load: str | None = None
        self._faults: list[Fault] = []
        self._device: FaultyDevice | None = None
        self._serial: Serial | None = None

    def fault(self, kind: str, **fields: Any) -> None:
        """Let something go wrong: `at_s`, `for_s`, `after`, `channel`, and the options of its kind (docs/faults.md).

        Raises `InputInvalid` naming what is wrong, and `Misuse` once the power is on.
        """
        self._still_off("fault")
        if kind.startswith("host."):
            raise Misuse(f"{kind} {NO_HOST_FAULTS}")
        self._faults.append(fault_from({"kind": kind, **fields}, SOURCE, "fault"))

    def load(self, name: str) -> None:
        """Let its outputs drive another load than the URL's, such as `dry` or `nominal,2=open`."""
        self._still_off("load")
        self._load = name

    @property
    def hostile(self) -> bool:
        """Whether anything is to go wrong."""
        return bool(self._faults)

    @property
    def device(self) -> Device:
        """The device now powered; another one after a reset."""
        return self._powered.device

    @property
    def fired(self) -> Mapping[str, int]:
        """How often the faults of each kind did something."""
        counts = self._powered.fired
        total: dict[str, int] = {}
        for index, fault in enumerate(self._faults):
            total[fault.kind] = total.get(fault.kind, 0) + counts[index]
        return total

    def switched_on(self) -> Serial:
        """Its port. The power comes on with the first call, and stays."""
        if self._serial is None:
            self._serial = Serial.powering(self._make, self.url)
        return self._serial

    def switch_off(self) -> None:
        """Take the power away."""
        if self._serial is not None and self._serial.is_open:
            self._serial.close()

    def _make(self, **given: Any) -> FaultyDevice:
        kept: dict[str, Any] = {"recorder": self.recorder, "journal": self.journal.append}
        if self._load is not None:
            kept["load"] = self._load
        self._device = FaultyDevice(self._faults, **{**given, **kept})
        return self._device

    @property
    def _powered(self) -> FaultyDevice:
        self.switched_on()
        assert self._device is not None
        return self._device

    def _still_off(self, what: str) -> None:
        if self._serial is not None:
            raise Misuse(f"{what}: the simulator is on already; call it before the stimulator is first used")


class LineFixture:
    """The line to the simulated stimulator: `line.fault("loss", permille=200, at_s=3, for_s=2)`."""

    def __init__(self, simulator: SimulatorFixture) -> None:
        self._simulator = simulator

    def fault(self, kind: str, **fields: Any) -> None:
        """As `SimulatorFixture.fault`, for the kinds that begin with `line.`, which may be left out."""
        self._simulator.fault(f"line.{kind.removeprefix('line.')}", **fields)


class VirtualClock:
    """The clock of the simulated world, in us and seconds since the power came on."""

    def __init__(self, simulator: SimulatorFixture) -> None:
        self._simulator = simulator

    @property
    def now_us(self) -> int:
        return self._simulator.switched_on().now_us()

    def at(self, seconds: float, do: Callable[[], object]) -> None:
        """Have `do()` called when a session that runs comes to this time."""
        at_us = whole(seconds, US_PER_S, name="at", unit="us")

        def done(_now_us: int) -> None:
            do()

        self._simulator.moments.append(TimedAction(at_us, lambda: 0, done))

    def advance(self, seconds: float) -> bytes:
        """Let the world go on without a host; return what the device said meanwhile."""
        port = self._simulator.switched_on()
        until_us, data = port.now_us() + whole(seconds, US_PER_S, name="advance", unit="us"), b""
        while port.now_us() < until_us:
            with suppress(SerialException):  # unplugged: nothing is heard, and the world goes on
                data += port.next_bytes(until_us)
        return data


class StimulatorFixture:
    """The stimulator at a URL, simulated or not. `ledger` is the file of the dose log that its sessions write."""

    def __init__(self, url: str, choice: DeviceChoice, ledger: Path, simulator: SimulatorFixture | None) -> None:
        self.url = url
        self.ledger = ledger
        self._choice = choice
        self._simulator = simulator
        self._identity: Identity | None = None
        self._used = False

    @property
    def identity(self) -> Identity:
        """Who answers. The first time it asks, with a handshake. Raises `LineFault`, `WrongDevice`."""
        if self._identity is None:
            port = self.open()
            try:
                self._identity = handshake(port, stimulator(self._choice, port, port.now_us())).identity
            finally:
                port.close()
        return self._identity

    def open(self) -> Port:
        """The port, for a test that speaks to the device by itself. It has to close it."""
        self._used = True
        if self._simulator is None:
            return open_port(self.url)
        port = ScenarioPort(_PoweredPort(self.url, self._simulator.switched_on()))
        port.moments = self._simulator.moments
        return port

    def prescription(self, **answers: Any) -> Prescription:
        """A prescription of these answers, as in its file; what is left out is 1.0 mA at 100 Hz for 20 s on channel 1.

        Its subject is the simulator, or a dummy load where the device is none. Raises `InputInvalid`, `Unsafe`.
        """
        subject = "simulator" if self.identity.simulator else "dummy_load"
        return from_mapping(completed({"subject": subject, **answers}), load_profiles(), source=SOURCE)

    def run(
        self, prescription: Prescription | None = None, *, actions: Iterable[Step] = (), **answers: Any
    ) -> SessionReport:
        """Run one session to its end.

        `actions` are (seconds since the start, what the operator does): a word as in a scenario's file, or a table
        `{"do": "set", "channel": 1, "amplitude_ma": 0.8}` where it needs more.
        """
        whole_one = self.prescription(**answers) if prescription is None else prescription
        steps = [_step(at_s, do) for at_s, do in actions]
        with (
            Ledger(self.ledger) as ledger,
            Session(self.url, whole_one, ledger, choice=self._choice, opener=self._opened) as session,
        ):
            return session.run((step.at_us, command_of(step)) for step in steps)

    def prove_zero(self) -> None:
        """Stop, and see the measured zero. Raises `AssertionError` when it is not confirmed in time.

        Where a test has put faults in, zero is its own to judge.
        """
        if not self._used or (self._simulator is not None and self._simulator.hostile):
            return
        port = self.open()
        try:
            zero = _stopped(port, stimulator(self._choice, port, port.now_us()))
            if zero is None:  # a board may boot when its port is opened: it hears a stop only then
                with suppress(LineFault):
                    handshake(port, stimulator(self._choice, port, port.now_us()))
                zero = _stopped(port, stimulator(self._choice, port, port.now_us()))
            assert zero, (
                f"{self.url}: no zero confirmed {limits.STOP_CONFIRM_US // 1_000} ms after a stop: PULL THE LEADS"
            )
        finally:
            port.close()

    def _opened(self, _url: str, *, traffic: TrafficSink | None = None) -> Port:
        if traffic is not None:
            raise Misuse("traffic: a test's session keeps none; open the port to see the bytes")
        return self.open()


class _PoweredPort(VirtualPort):
    """The simulator's port, which a session may close without taking its power away."""

    def __init__(self, url: str, line: Serial) -> None:
        super().__init__(url, line)
        self.close = line.reset_input_buffer


def _step(at_s: float, do: str | Mapping[str, Any]) -> OperatorAction:
    return action_from({"at_s": at_s, **({"do": do} if isinstance(do, str) else do)}, SOURCE)


def _stopped(port: Port, device: Any) -> bool | None:
    """Whether a stop's zero was confirmed in time; None where nothing at all was heard."""
    device.stop(port.now_us())
    heard = False
    while True:
        port.write(device.take_output())
        data = port.wait(device.next_deadline_us())
        heard = heard or bool(data)
        now_us = port.now_us()
        for event in [*device.receive(data, now_us), *device.advance(now_us)]:
            if isinstance(event, ZeroConfirmed | ZeroOverdue):
                return isinstance(event, ZeroConfirmed) if heard else None
