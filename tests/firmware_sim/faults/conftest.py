"""A host at a device with faults: it asks as the bare device's host does, and knows the whole world's record."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from firmware_sim.analog.recorder import Recorder
from firmware_sim.faults import Fault, FaultyDevice
from firmware_sim.native.machine import Machine

MakeHost = Callable[..., Any]


@pytest.fixture
def hostile_host(new_host: type[Any]) -> MakeHost:
    """`hostile_host(fault, ...)`: a host and its hostile device, with `recorder` and `journal`."""

    class HostileHost(new_host):  # type: ignore[misc]
        """The device's own state is asked of the device that is powered now."""

        device: FaultyDevice

        def __init__(self, *faults: Fault, load: str = "nominal", seed: int = 1) -> None:
            super().__init__()
            self.recorder = Recorder()
            self.journal: list[Mapping[str, Any]] = []
            self.device = FaultyDevice(
                faults, seed=seed, load=load, recorder=self.recorder, journal=self.journal.append
            )

        @property
        def machine(self) -> Machine:
            return self.device.device.machine

        @machine.setter
        def machine(self, _bare: Machine) -> None:
            """The bare host's device is not used."""

        def pass_time(self, for_us: int) -> None:
            """Let time pass and listen, without a word."""
            self.wait(for_us, alive=False)

        def journal_us(self, state: str) -> int:
            """When the device first came into a state, in the world's time."""
            return next(int(entry["at_us"]) for entry in self.journal if entry.get("state") == state)

        def say(self, message: Any) -> None:
            """Send a command and wait for nothing."""
            from stimctl.wire import codec as wire

            self.sequence += 1
            self.device.receive(wire.encode(self.sequence, message), self.now_us)

    return HostileHost
