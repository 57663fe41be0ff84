"""The machine code with faults around it: what a `FaultyDevice` powers in place of the simulated firmware.

Its board model can break converters, ammeters and switches, its crystal can be off, its RAM can be reached, a reset is
one and a firmware that stands still one that hangs; a timer that is dead is that of another `image`. Lines, loads and
whatever is told wrongly lie outside, and are the same. What cannot be done to machine code is refused (`refusal`).
"""

from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_sim.analog.needle_pair import NeedlePair
from firmware_sim.chip.built import CHIP
from firmware_sim.chip.device import BOOT_US, Chip
from firmware_sim.chip.in_ram import PROGRAM_COUNT, address_of, bit_of
from firmware_sim.faults.clock import WarpedClock
from firmware_sim.faults.loads import HostileWorldLoad
from firmware_sim.faults.schedule import FaultEdge, FaultWindow
from firmware_sim.native.flash import Flash
from stimctl.wire.codes import CHANNELS

if TYPE_CHECKING:
    from firmware_sim.analog.recorder import Recorder

SLICE_US = 1_000  # what the chip says is taken up so often
FINE_US = 20  # and so often while a fault waits for the middle of a pulse
_MILLION = 1_000_000
_PARTS = ("device.dac_stuck", "device.dac_gain", "device.readback_gain", "device.readback_offset", "device.stuck_on")
IN_ITS_IMAGE = ("device.watchdog_dead", "device.session_timer_dead")
_RESETS = ("device.reset", "device.brown_out")


class CannotBefall(ValueError):
    """A fault that this chip cannot have. The message says why."""


def refusal(window: FaultWindow, image: Path) -> str:
    """Why a fault cannot be done to this image; empty where it can."""
    kind = window.fault.kind
    if kind in IN_ITS_IMAGE and image == CHIP:
        return f"{kind}: a chip's timer is dead in an image of its own only (tests/firmware/scenarios.py builds it)"
    if kind == "device.clock_freeze" and window.word("output") != "held":
        return f'{kind} with output = "{window.word("output")}": a chip makes its pulses by interrupts, and none go on'
    return ""


def _numbers(windows: list[FaultWindow], kind: str, option: str) -> list[int]:
    return [window.number(option) for window in windows if window.fault.kind == kind]


class _InChipTime:
    """The world's load by the chip's clock."""

    def __init__(self, world: HostileWorldLoad, clock: WarpedClock) -> None:
        self._world = world
        self._clock = clock

    def pair(self, channel: int, now_us: int) -> NeedlePair:
        """What a channel drives."""
        return self._world.pair(channel, self._clock.was(now_us))

    def next_change_us(self, channel: int, now_us: int) -> int:
        """When it may next be different."""
        return self._clock.to_device(self._world.next_change_us(channel, self._clock.was(now_us)))

    def watch(self, changed: Callable[[], None]) -> None:
        """Be told of what is not foreseen."""
        self._world.watch(changed)


class FaultyChip:
    """Takes what `FaultyFirmware` takes, and does what it does. Raises `CannotBefall`."""

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
        for reason in filter(None, (refusal(window, image) for window in windows)):
            raise CannotBefall(reason)
        self.now_us = 0
        self.device = self  # nobody is behind it
        self._windows = windows
        self._journal = journal
        self._entered = entered
        self._lost = lost
        clock = WarpedClock(-BOOT_US)  # the chip is on when the world begins
        self._load = _InChipTime(load, clock)
        self._image = image
        self._chip = Chip(
            seed=seed, load=self._load, flash=flash, recorder=recorder, image=image, journal=self._note, clock=clock
        )
        self._chip.pulse_log.keeps = any(window.fault.kind == "device.clock_freeze" for window in windows)
        self._ambush: FaultWindow | None = None
        self._resets: list[tuple[int, FaultWindow]] = []
        self._down_until_us = 0
        self._stale = False
        self._load.watch(self._changed)

    def _changed(self) -> None:
        self._stale = True

    def _note(self, entry: Mapping[str, int | str]) -> None:
        if self._journal is not None:
            self._journal(entry)
        self._entered(str(entry["state"]), int(entry["at_us"]))

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
        if self._ambush is not None and self._chip.pulse_log.in_first_phase:
            self._stand_still(self._ambush)
        while self._resets and self._resets[0][0] <= now_us:
            self._reset(self._resets.pop(0)[1])

    def next_us(self) -> int:
        """When to look at it again."""
        slice_us = SLICE_US if self._ambush is None else FINE_US
        return min([self.now_us + slice_us, *(at_us for at_us, _ in self._resets)])

    def take_output(self) -> bytes:
        """What it said since the last call."""
        return self._chip.take_output()

    def close(self) -> None:
        """Take the power away."""
        self._chip.close()

    # --- faults ---------------------------------------------------------------------------------

    def turn(self, turn: FaultEdge) -> None:
        """A fault of the device begins or ends, at `now_us`."""
        kind, window = turn.window.fault.kind, turn.window
        if turn.on and kind in (*_PARTS, *IN_ITS_IMAGE, "device.clock_drift"):
            window.fire(self.now_us)
        if kind in _PARTS:
            self._fit()
        elif kind == "device.clock_drift":
            drift = sum(_numbers([each for each in self._windows if each.on], kind, "ppm"))
            self._chip.clock.set_rate(self._chip.now_us, max(1, _MILLION + drift))
        elif kind == "device.program_flip":
            self._flip(window)
        elif kind == "device.clock_freeze":
            self._freeze(window, on=turn.on)
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
        self._chip.reset()
        self._down_until_us = self.now_us + window.number("down_us")
        self._lost()

    def _flip(self, window: FaultWindow) -> None:
        flip, program = self._chip.emulator.flip, address_of(self._image, "program")
        if segments := flip(program + PROGRAM_COUNT, 0):
            at, mask = bit_of(window, segments)
            flip(program + at, mask)
            window.fire(self.now_us)

    def _freeze(self, window: FaultWindow, *, on: bool) -> None:
        """It stands still now, or once a pulse is on its way; what ends it is the chip's own watchdog."""
        if on and window.word("moment") == "now":
            self._stand_still(window)
        else:
            self._ambush = window if on else None

    def _stand_still(self, window: FaultWindow) -> None:
        self._ambush = None
        window.fire(self.now_us)
        self._chip.hang()
        self._lost()
