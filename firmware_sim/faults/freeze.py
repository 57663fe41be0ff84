"""Firmware that stands still, either with its outputs as they were or with the pulse timers still running.

While it is frozen its clock stands, and with it the watchdog. While it is hung, the timers that make pulses
go on by themselves, over-current still cuts them in hardware, and nobody looks at anything.
"""

from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.faults.schedule import FaultWindow
from firmware_sim.native.device import Device
from firmware_sim.native.output_stage import Trip

ROOM = 256  # bytes that wait for the firmware in its receiver; more are lost [choice]


class Freeze:
    """The faults that make the firmware stand still.

    `wake_us` is when to look again for a pulse that one of them waits for.
    """

    def __init__(self) -> None:
        self.frozen = self.hung = self.on = False
        self.ambush: FaultWindow | None = None
        self.wake_us = NEVER_US
        self._by: list[FaultWindow] = []
        self._kept = b""
        self._trip: Trip | None = None

    def wait_for(self, window: FaultWindow, at_us: int) -> None:
        """`window` waits for a pulse, the next of which is at `at_us`."""
        self.ambush, self.wake_us = window, at_us

    def look_again(self, at_us: int) -> None:
        """The state has changed: there may be pulses now."""
        if self.ambush is not None:
            self.wake_us = at_us + 1

    def begin(self, window: FaultWindow) -> None:
        self.ambush, self.wake_us = None, NEVER_US
        self._by.append(window)
        self._look()

    def end(self, window: FaultWindow) -> None:
        """`window` is over."""
        if self.ambush is window:
            self.ambush, self.wake_us = None, NEVER_US
        self._by = [other for other in self._by if other is not window]
        self._look()

    def _look(self) -> None:
        self.frozen = any(window.word("output") == "held" for window in self._by)
        self.hung = bool(self._by) and not self.frozen
        self.on = bool(self._by)

    def keep(self, data: bytes) -> None:
        """Keep bytes that arrive while it stands still."""
        self._kept = (self._kept + data)[:ROOM]

    def take_kept(self) -> bytes:
        """The bytes that arrived meanwhile."""
        kept, self._kept = self._kept, b""
        return kept

    def take_trip(self) -> Trip | None:
        """The trip that cut the output meanwhile, if any."""
        trip, self._trip = self._trip, None
        return trip

    def pulses_only(self, device: Device, device_us: int) -> None:
        """Time passes for the pulse engine alone."""
        machine = device.machine
        if machine.run is not None:
            trip = machine.stage.run(device_us - machine.run.offset_us)
            self._trip = self._trip or trip
