"""A simulated stimulator and an oscilloscope on one load, in this process."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from firmware_sim.analog.recorder import Flow, Recorder
from firmware_sim.factory import DeviceSpec, SimulatedDevice
from firmware_sim.protocol_sim import Serial
from firmware_sim.sim_url import options_of
from stimctl.errors import Misuse
from stimctl.port import Port, RecordedPort, TrafficSink, VirtualPort
from stimlab.oscilloscope.front_end import ScopeInput
from stimlab.oscilloscope.rigol import RigolScpi
from stimlab.oscilloscope.server import ScopeServer

_OPEN_OHM, _SHORT_OHM = 1e9, 10.0
LOCKSTEP_US = 10_000  # how far the world runs on while somebody looks for the trigger again and again
GIVEN_UP_S = 1.0


class WorldRecorder(Recorder):
    """Records in the world's time: a device's own begins anew each time that power comes on."""

    _boot_us = 0

    def power_on(self, world_us: int) -> None:
        """What is added from now on is by a clock that begins here."""
        _ = self._flows  # what the device before still has to hand in
        self._flushes.clear()
        self._boot_us = world_us

    def add(self, channel: int, flow: Flow) -> None:
        super().add(channel, replace(flow, first_us=flow.first_us + self._boot_us))


class WatchedPort(VirtualPort):
    """A simulator's port that lets nobody look at the load while time passes there.

    While somebody keeps asking the oscilloscope whether its trigger has come, time waits for each question.
    """

    def __init__(self, url: str, line: Any, world: threading.RLock, scope: ScopeInput) -> None:
        super().__init__(url, line)
        self._world = world
        self._scope = scope

    def wait(self, deadline_us: int | None) -> bytes:
        while self._scope.sought:
            if not self._scope.questioned.wait(GIVEN_UP_S):
                self._scope.give_up_seeking()
            self._scope.questioned.clear()
            step_us = self.now_us() + LOCKSTEP_US
            last = deadline_us is not None and deadline_us <= step_us
            data = self._wait(deadline_us if last else step_us)
            if data or last:
                return data
        return self._wait(deadline_us)

    def _wait(self, deadline_us: int | None) -> bytes:
        with self._world:
            return super().wait(deadline_us)

    def write(self, data: bytes) -> None:
        with self._world:
            super().write(data)


class SharedLoad:
    """The load between them: `open` is what a session's `opener` is, `scope` the oscilloscope that sees the current.

    `make` makes the device, of the keywords of `DeviceSpec.make`; an honest native one unless it is given. It is a
    bench for a plan too (`stimctl.bench.plan.setup`): its load is changed, and its time passes when it is waited for.
    """

    simulated = True

    def __init__(self, ohm: int, make: Callable[..., SimulatedDevice] | None = None, **scope: Any) -> None:
        self.recorder = WorldRecorder()
        self._make = make or DeviceSpec().make
        self._load = f"r{ohm}"
        self._world = threading.RLock()
        self._line: Serial | None = None
        self.scope = ScopeInput(self.recorder, self._now_us, float(ohm), world=self._world, **scope)

    def _now_us(self) -> int:
        return 0 if self._line is None else self._line.now_us()

    def open(self, url: str, *, traffic: TrafficSink | None = None) -> Port:
        """Power the device on, at the load. The recording goes on from one opening to the next."""

        def made(**given: Any) -> SimulatedDevice:
            return self._make(**{**given, "load": self._load, "recorder": self.recorder})

        self.recorder.power_on(self._now_us())
        if self._line is None:
            self._line = Serial.powering(made, url)
        else:
            self._line.open()  # the same world, whose time goes on
        port = WatchedPort(url, self._line, self._world, self.scope)
        return RecordedPort(port, traffic) if traffic else port

    def connect(self, load: str) -> None:
        """Another resistor, `short` or `open`; under power too, where the device can. Raises `Misuse`."""
        with self._world:
            self._load = load if load in ("short", "open") else f"r{int(load)}"
            self.scope.load_ohm = {"short": _SHORT_OHM, "open": _OPEN_OHM}.get(load) or float(load)
            if self._line is None or not self._line.is_open:
                return
            if not hasattr(self._line.device, "connect"):
                raise Misuse("this simulated device keeps its load while it is on: leave such a step out of the plan")
            self._line.connect(self._load)

    def wait(self, seconds: float) -> None:
        """Let time pass, with the device powered."""
        port = self.open("sim://")
        try:
            until_us = port.now_us() + round(seconds * 1e6)
            while port.now_us() < until_us:
                port.wait(until_us)
        finally:
            port.close()


@contextmanager
def simulated_bench(url: str) -> Iterator[tuple[SharedLoad, str]]:
    """A bench of simulated parts for `stimctl bench plan` at a `sim://` URL: it, and its oscilloscope's VISA name."""
    shared = SharedLoad(1_000, options_of(url).make)
    with ScopeServer(RigolScpi(shared.scope)) as server:
        yield shared, server.resource
