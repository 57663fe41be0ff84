"""The machine code with faults around it: what a `FaultyDevice` powers in place of the simulated firmware.

Its board model can break converters, ammeters and switches, and a reset is one; a timer that is dead is that of another
`image`; what else goes wrong in a firmware cannot be done to machine code from outside (`IN_THE_FIRMWARE` says why).
Lines, loads and whatever is told wrongly lie outside, and are the same.
"""

from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_sim.analog.needle_pair import NeedlePair
from firmware_sim.chip.built import CHIP
from firmware_sim.chip.device import BOOT_US, Chip
from firmware_sim.faults.loads import HostileWorldLoad
from firmware_sim.faults.schedule import FaultEdge, FaultWindow
from firmware_sim.native.flash import Flash
from stimctl.wire.codec import Event, parse
from stimctl.wire.codes import CHANNELS, DeviceState
from stimctl.wire.framing import FrameSplitter

if TYPE_CHECKING:
    from firmware_sim.analog.recorder import Recorder

SLICE_US = 1_000  # what the chip says is taken up so often
_PARTS = ("device.dac_stuck", "device.dac_gain", "device.readback_gain", "device.readback_offset", "device.stuck_on")
IN_ITS_IMAGE = ("device.watchdog_dead", "device.session_timer_dead")
_RESETS = ("device.reset", "device.brown_out")
IN_THE_FIRMWARE: Mapping[str, str] = {
    "device.clock_drift": "its clock is the emulator's",
    "device.clock_freeze": "a chip that hangs is reset by its hardware watchdog: tried by a test of its own",
    "device.program_flip": "its memory cannot be reached from outside",
}


def _numbers(windows: list[FaultWindow], kind: str, option: str) -> list[int]:
    return [window.number(option) for window in windows if window.fault.kind == kind]


class _InChipTime:
    """The world's load by the chip's clock, which was on for `BOOT_US` when the world began."""

    def __init__(self, world: HostileWorldLoad) -> None:
        self._world = world

    def pair(self, channel: int, now_us: int) -> NeedlePair:
        """What a channel drives."""
        return self._world.pair(channel, now_us - BOOT_US)

    def next_change_us(self, channel: int, now_us: int) -> int:
        """When it may next be different."""
        return self._world.next_change_us(channel, now_us - BOOT_US) + BOOT_US

    def watch(self, changed: Callable[[], None]) -> None:
        """Be told of what is not foreseen."""
        self._world.watch(changed)


class FaultyChip:
    """Takes what `FaultyFirmware` takes, and does what it does. Its states are read off its Events."""

    def __init__(
        self,
        windows: tuple[FaultWindow, ...],
        load: HostileWorldLoad,
        *,
        seed: int,
        flash: Flash | None,
        recorder: "Recorder | None",
        journal: Callable[[Mapping[str, int | str]], None] | None,
        entered: Callable[[str, int], None],
        lost: Callable[[], None],
        image: Path = CHIP,
    ) -> None:
        self.now_us = 0
        self.device = self  # nobody is behind it
        self._windows = windows
        self._journal = journal
        self._entered = entered
        self._lost = lost
        self._load = _InChipTime(load)
        self._chip = Chip(seed=seed, load=self._load, flash=flash, recorder=recorder, image=image)
        self._splitter = FrameSplitter()
        self._resets: list[tuple[int, FaultWindow]] = []
        self._down_until_us = 0
        self._stale = False
        self._load.watch(self._changed)
        self._boots(-BOOT_US)

    def _changed(self) -> None:
        self._stale = True

    def _boots(self, at_us: int) -> None:
        self._boot_us = at_us
        self._enters(DeviceState.IDLE, max(0, at_us), "boot")

    def _enters(self, state: DeviceState, at_us: int, event: str = "state") -> None:
        if self._journal is not None:
            self._journal({
                "event": event, "state": state.name, "device_time_us": at_us - self._boot_us, "at_us": at_us,
            })  # fmt: skip
        self._entered(state.name, at_us)

    # --- time and bytes -------------------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> None:
        """Bytes that begin to arrive at `now_us`. While it is down they are lost."""
        self._chip.advance(now_us)
        if now_us >= self._down_until_us:
            self._chip.emulator.send(data)

    def advance(self, now_us: int) -> None:
        """Let time pass up to `now_us`, which is not past `next_us()`."""
        self.now_us = now_us
        if self._stale:
            self._stale = False
            self._chip.connect(self._load)
        self._chip.advance(now_us)
        while self._resets and self._resets[0][0] <= now_us:
            self._reset(self._resets.pop(0)[1])

    def next_us(self) -> int:
        """When to look at it again."""
        return min([self.now_us + SLICE_US, *(at_us for at_us, _ in self._resets)])

    def take_output(self) -> bytes:
        """What it said since the last call."""
        said = self._chip.take_output()
        for payload in self._splitter.feed(said):
            message = parse(payload)[1]
            if isinstance(message, Event):
                self._enters(DeviceState(message.state), self._boot_us + message.device_time_us)
        return said

    def close(self) -> None:
        """Take the power away."""
        self._chip.close()

    # --- faults ---------------------------------------------------------------------------------

    def turn(self, turn: FaultEdge) -> None:
        """A fault of the device begins or ends, at `now_us`."""
        kind, window = turn.window.fault.kind, turn.window
        if turn.on and kind in (*_PARTS, *IN_ITS_IMAGE):
            window.fire(self.now_us)
        if kind in _PARTS:
            self._fit()
        elif kind in _RESETS and turn.on:
            every_us = window.number("every_us") if kind == "device.brown_out" else 0
            times = window.number("times") if kind == "device.brown_out" else 1
            planned = [(self.now_us + number * every_us, window) for number in range(times)]
            self._resets = sorted([*self._resets, *planned], key=lambda reset: reset[0])
            self.advance(self.now_us)

    def _fit(self) -> None:
        """Break the parts as the faults that are on have it; a stuck converter gives the same whatever its gain."""
        for channel in range(1, CHANNELS + 1):
            on = [window for window in self._windows if window.on and window.concerns(channel)]
            stuck = _numbers(on, "device.dac_stuck", "value_ua")
            gain = prod(each / 1_000 for each in _numbers(on, "device.dac_gain", "gain_permille"))
            self._chip.break_dac(channel, gain, float(stuck[-1]) if stuck else None)
            self._chip.emulator.break_output(
                channel,
                prod(each / 1_000 for each in _numbers(on, "device.readback_gain", "gain_permille")),
                sum(_numbers(on, "device.readback_offset", "offset_ua")),
                sum(_numbers(on, "device.stuck_on", "value_ua")),
            )

    def _reset(self, window: FaultWindow) -> None:
        """It boots at once, and hears nothing until its time is over: until it is spoken to nobody can tell."""
        window.fire(self.now_us)
        self._chip.emulator.reset()
        self._splitter = FrameSplitter()
        self._down_until_us = self.now_us + window.number("down_us")
        self._lost()
        self._boots(self.now_us)
