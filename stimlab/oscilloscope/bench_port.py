"""A simulated stimulator and an oscilloscope on one load, in this process."""

import threading
from collections.abc import Callable
from typing import Any

from firmware_sim.analog.recorder import Recorder
from firmware_sim.factory import DeviceSpec, SimulatedDevice
from firmware_sim.protocol_sim import Serial
from stimctl.port import Port, RecordedPort, TrafficSink, VirtualPort
from stimlab.oscilloscope.front_end import FrontEnd


class WatchedPort(VirtualPort):
    """A simulator's port that lets nobody look at the load while time passes there."""

    def __init__(self, url: str, line: Any, world: threading.RLock) -> None:
        super().__init__(url, line)
        self._world = world

    def wait(self, deadline_us: int | None) -> bytes:
        with self._world:
            return super().wait(deadline_us)

    def write(self, data: bytes) -> None:
        with self._world:
            super().write(data)


class SharedLoad:
    """The load between them: `open` is what a session's `opener` is, `scope` the oscilloscope that sees the current.

    `make` makes the device, of the keywords of `DeviceSpec.make`; an honest native one unless it is given.
    """

    def __init__(self, ohm: int, make: Callable[..., SimulatedDevice] | None = None, **scope: Any) -> None:
        self.recorder = Recorder()
        self._make = make or DeviceSpec().make
        self._ohm = ohm
        self._world = threading.RLock()
        self._line: Serial | None = None
        self.scope = FrontEnd(self.recorder, self._now_us, float(ohm), world=self._world, **scope)

    def _now_us(self) -> int:
        return 0 if self._line is None else self._line.now_us()

    def open(self, url: str, *, traffic: TrafficSink | None = None) -> Port:
        """Power the device on, at the load. The recording goes on from one opening to the next."""

        def made(**given: Any) -> SimulatedDevice:
            return self._make(**{**given, "load": f"r{self._ohm}", "recorder": self.recorder})

        if self._line is None:
            self._line = Serial.powering(made, url)
        else:
            self._line.open()  # the same world, whose time goes on
        port = WatchedPort(url, self._line, self._world)
        return RecordedPort(port, traffic) if traffic else port
