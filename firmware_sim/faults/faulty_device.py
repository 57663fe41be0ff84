"""A simulated device with faults around it. A port, a server or a campaign uses it like any other device.

Bytes go through the faulty line both ways and through the faulty transmitter; time goes from one event to the next, so
that the result does not depend on how time was sliced. While no fault acts, bytes go straight through.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from firmware_sim.analog.load import Load, load_named
from firmware_sim.faults.firmware import FaultyFirmware
from firmware_sim.faults.line import HostileLine
from firmware_sim.faults.loads import HostileWorldLoad
from firmware_sim.faults.model import Fault
from firmware_sim.faults.schedule import FaultSchedule
from firmware_sim.faults.transmitter import KINDS, Transmitter
from firmware_sim.native.device import Device
from firmware_sim.native.flash import Flash

if TYPE_CHECKING:
    from firmware_sim.analog.recorder import Recorder


class FaultyDevice:
    """A simulated device with `faults`. The record and the journal's `at_us` are in us since power-on.

    The journal's `device_time_us` is the device's own time, which begins anew at each reset. `host.*` faults
    do nothing here. Behaves as `Device` does in every call. `firmware` makes what runs: the simulated one, or a chip.
    """

    def __init__(
        self,
        faults: Iterable[Fault],
        *,
        seed: int,
        load: Load | str,
        flash: Flash | None = None,
        recorder: "Recorder | None" = None,
        journal: Callable[[Mapping[str, int | str]], None] | None = None,
        boot_us: int = 0,
        firmware: Callable[..., Any] = FaultyFirmware,
    ) -> None:
        self._boot_us = boot_us
        self._out: list[bytes] = []
        self._schedule = FaultSchedule(tuple(faults))
        self._line = HostileLine(self._schedule.of("line."), seed)
        self._transmitter = Transmitter(self._schedule.of(*KINDS))
        self._other_parts = (self._schedule, self._transmitter, self._line.to_device, self._line.from_device)
        self._look_ahead()
        loads = self._schedule.of("load.")
        self._load = HostileWorldLoad(load_named(load, seed) if isinstance(load, str) else load, loads, seed)
        self._firmware: FaultyFirmware = firmware(
            self._schedule.of("device."), self._load, seed=seed, flash=flash, recorder=recorder,
            journal=journal, entered=self._entered, lost=self._lost,
        )  # fmt: skip
        # When something next happens by itself: looked up once after each step, asked for several times.
        self._due_us = 0
        self._settle(0)

    # --- what a port sees -----------------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> None:
        """Bytes from the host, at `now_us`."""
        self.advance(now_us)
        at_us = now_us - self._boot_us
        if self._line.to_device.plain:
            self._firmware.receive(data, at_us)
            self._collect(at_us)
        else:
            self._line.to_device.send(data, at_us)
            self._look_ahead()
        self._settle(at_us)

    def advance(self, now_us: int) -> None:
        """Let time pass up to `now_us`."""
        until_us = now_us - self._boot_us
        firmware = self._firmware
        while self._due_us < until_us:
            self._step(max(self._due_us, firmware.now_us))
            self._settle(firmware.now_us)
        if until_us > firmware.now_us:
            self._step(until_us)
            self._settle(until_us)

    def next_event_us(self) -> int:
        """When something next happens by itself."""
        return self._due_us + self._boot_us

    def take_output(self) -> bytes:
        """The bytes that have come to the host since the last call."""
        out = self._out
        if not out:
            return b""
        taken = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return taken

    def close(self) -> None:
        """Take the power away."""
        self.device.close()

    # --- what a bench sees ----------------------------------------------------------------------

    @property
    def device(self) -> Device:
        """The native device now powered; another one after a reset."""
        return self._firmware.device

    @property
    def pluggable(self) -> bool:
        """Whether any of its faults unplugs the port."""
        return any(window.fault.kind == "line.unplug" for window in self._schedule.windows)

    @property
    def gone(self) -> bool:
        """Whether the port is unplugged just now."""
        return self._line.gone

    @property
    def fired(self) -> Mapping[int, int]:
        """How often each fault did something, by its index."""
        return {window.index: window.fired for window in self._schedule.windows}

    @property
    def fired_us(self) -> Mapping[int, int]:
        """When each fault that did something first did it, in us since power-on."""
        firsts = ((window.index, window.fired_us) for window in self._schedule.windows)
        return {index: at_us for index, at_us in firsts if at_us is not None}

    # --- from one thing to the next ---------------------------------------------------------------

    def _look_ahead(self) -> None:
        """When a part other than the firmware next does something: looked up after each thing that is done to one."""
        self._others_due_us = min([part.next_us for part in self._other_parts])

    def _settle(self, now_us: int) -> None:
        """Whatever else is due at `now_us`, until nothing is."""
        while (due_us := min(self._firmware.next_us(), self._others_due_us)) <= now_us:
            self._step(now_us)
        self._due_us = due_us

    def _step(self, now_us: int) -> None:
        """The world at `now_us`, up to which nothing happens any more."""
        self._firmware.advance(now_us)
        self._collect(now_us)
        if self._others_due_us > now_us:
            return
        line = self._line
        while line.to_device.next_us <= now_us:
            for piece in line.to_device.take(now_us):
                self._firmware.receive(piece, now_us)
            self._collect(now_us)
        if self._schedule.next_us <= now_us:
            self._turn(now_us)
        while self._transmitter.next_us <= now_us or line.from_device.next_us <= now_us:
            self._hand_on(now_us)
        self._look_ahead()

    def _collect(self, now_us: int) -> None:
        said = self._firmware.device.take_output()
        if not said:
            return
        if self._transmitter.plain and self._line.from_device.plain:
            self._out.append(said)
        else:
            self._transmitter.say(said, now_us)
            self._hand_on(now_us)

    def _hand_on(self, now_us: int) -> None:
        for piece in self._transmitter.take(now_us):
            self._line.from_device.send(piece, now_us)
        self._out += self._line.from_device.take(now_us)
        self._look_ahead()

    def _turn(self, now_us: int) -> None:
        for turn in self._schedule.turns(now_us):
            kind = turn.window.fault.kind
            if kind.startswith("line."):
                if turn.on and kind == "line.unplug":
                    turn.window.fire(now_us)
                self._line.changed(now_us)
            elif kind.startswith("device."):
                self._transmitter.changed()
                self._firmware.turn(turn)
                self._collect(now_us)
            elif kind.startswith("load.") and turn.on:
                turn.window.fire(now_us)

    def _lost(self) -> None:
        self._transmitter.forget()
        self._look_ahead()

    def _entered(self, state: str, at_us: int) -> None:
        if self._schedule.waiting:
            self._load.foresee()
            self._schedule.entered(state, at_us)
            self._look_ahead()
