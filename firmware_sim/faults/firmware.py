"""A native device with faults in its firmware: broken parts, dead timers, a wrong clock, resets.

It lives in the world's time (since the first power-on) and powers a device that lives in its own. A reset is
what it is on a bench: another device with the same flash. Nothing here touches bytes.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.faults import analog_parts
from firmware_sim.faults.bit_flip import flipped
from firmware_sim.faults.clock import WarpedClock
from firmware_sim.faults.freeze import Freeze
from firmware_sim.faults.loads import HostileLoad, HostileWorldLoad
from firmware_sim.faults.recording import HeldLevels, WorldTimeRecorder
from firmware_sim.faults.schedule import FaultEdge, FaultWindow
from firmware_sim.native.device import Device
from firmware_sim.native.flash import Flash
from firmware_sim.native.gate import OUTPUT_STATES
from firmware_sim.native.timers import DeviceTimer
from stimctl.wire.codes import CHANNELS, DeviceState

if TYPE_CHECKING:
    from firmware_sim.analog.recorder import Recorder

Entry = Mapping[str, int | str]
_MILLION = 1_000_000
_TIMERS = {
    "device.watchdog_dead": (DeviceTimer.WATCHDOG,),
    "device.session_timer_dead": (DeviceTimer.STIMULATION, DeviceTimer.SESSION, DeviceTimer.FALL),
}
_ACT_AT_ONCE = (*analog_parts.KINDS, *_TIMERS, "device.clock_drift")
_NUMBERS = range(1, CHANNELS + 1)


class FaultyFirmware:
    """`device` is the one now powered. `entered` is told each state that it comes into, `lost` each reset."""

    def __init__(
        self,
        windows: tuple[FaultWindow, ...],
        load: HostileWorldLoad,
        *,
        seed: int,
        flash: Flash | None,
        recorder: "Recorder | None",
        journal: Callable[[Entry], None] | None,
        entered: Callable[[str, int], None],
        lost: Callable[[], None],
    ) -> None:
        self.now_us = 0
        self._windows = windows
        self._load = load
        self._seed = seed
        self._flash = flash if flash is not None else Flash()
        self._recorder = recorder
        self._journal = journal
        self._entered = entered
        self._lost = lost
        self._resets: list[tuple[int, FaultWindow]] = []
        self._dead: frozenset[DeviceTimer] = frozenset()
        self._levels = HeldLevels(recorder, load, lambda: self.now_us)
        self._power(0)

    # --- time and bytes -------------------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> None:
        """Bytes for the firmware, which stands at `now_us`. While it does not run they are lost, or wait."""
        if self.still.on:
            self.still.keep(data)
        elif now_us >= self._boot_us:
            self.device.receive(data, self.clock.to_device(now_us))

    def advance(self, now_us: int) -> None:
        """Let time pass up to `now_us`, which is not past `next_us()`."""
        self.now_us = now_us
        still, offset_us = self.still, self.clock.offset_us
        device_us = self.clock.to_device(now_us) if offset_us is None else now_us + offset_us
        if still.hung:
            still.pulses_only(self.device, device_us)
        else:
            self.device.advance(device_us)
        if now_us >= still.wake_us and still.ambush is not None:
            self._try_to_stand(still.ambush)
        while self._resets and self._resets[0][0] <= now_us:
            self._reset(*self._resets.pop(0))

    def next_us(self) -> int:
        """When it next does something by itself."""
        still, offset_us = self.still, self.clock.offset_us
        if still.hung:
            next_us = NEVER_US
        else:
            next_us = self.device.next_event_us()
            next_us = self.clock.to_world(next_us) if offset_us is None else next_us - offset_us
        if self._resets and self._resets[0][0] < next_us:
            next_us = self._resets[0][0]
        return next_us if next_us < still.wake_us else still.wake_us

    # --- faults ---------------------------------------------------------------------------------

    def turn(self, turn: FaultEdge) -> None:
        """A fault of the device begins or ends, at `now_us`."""
        kind, window = turn.window.fault.kind, turn.window
        if turn.on and kind in _ACT_AT_ONCE:
            window.fire(self.now_us)
        if kind in analog_parts.KINDS:
            self._fit()
        elif kind in _TIMERS:
            self._set_timers()
        elif kind == "device.clock_drift":
            self._set_clock()
        elif kind == "device.clock_freeze":
            self._try_to_stand(window) if turn.on else self._go_on(window)
        elif kind == "device.program_flip":
            self._flip(window)
        elif kind in ("device.reset", "device.brown_out"):
            self._plan_resets(window)

    def _on(self, *kinds: str) -> list[FaultWindow]:
        return [window for window in self._windows if window.on and window.fault.kind in kinds]

    def _fit(self) -> None:
        analog_parts.fit(self.device.machine.stage, self._made, self._on(*analog_parts.KINDS), self._levels.flowing_na)
        self._set_levels(self.now_us)

    def _stuck_na(self, channel: int) -> int:
        stuck = [window for window in self._on("device.stuck_on") if window.concerns(channel)]
        return stuck[-1].number("value_ua") * 1_000 if stuck else 0

    def _set_levels(self, at_us: int) -> None:
        """What is held in the load: by a switch that is stuck, while the outputs are disabled."""
        if self.still.frozen:
            return
        disabled = self.device.machine.state not in OUTPUT_STATES
        for channel in _NUMBERS:
            self._levels.set(channel, self._stuck_na(channel) if disabled else 0, at_us)

    def _set_timers(self) -> None:
        dead = frozenset(timer for window in self._on(*_TIMERS) for timer in _TIMERS[window.fault.kind])
        machine = self.device.machine
        for timer in DeviceTimer:
            if timer in dead:
                machine.timers.kill(timer)
            elif timer in self._dead:
                machine.timers.revive(timer, machine.now_us)
        self._dead = dead
        endless = DeviceTimer.STIMULATION in dead
        if endless is not machine.stage.endless:
            machine.stage.endless = endless
            machine.stage.set_limit(NEVER_US if endless or machine.session is None else machine.session.limit_us)

    def _set_clock(self) -> None:
        drift = sum(window.number("ppm") for window in self._on("device.clock_drift"))
        rate = 0 if self.still.frozen else max(1, _MILLION + drift)
        if rate != self.clock.rate:
            self.device.machine.stage.flush()
            self.clock.set_rate(max(self.now_us, self._boot_us), rate)

    def _flip(self, window: FaultWindow) -> None:
        machine = self.device.machine
        if machine.program is not None:
            machine.program = flipped(window, machine.program)
            machine.stage.reprogram(machine.program)
            window.fire(self.now_us)

    # --- standing still -------------------------------------------------------------------------

    def _try_to_stand(self, window: FaultWindow) -> None:
        """Stand still now, or once a pulse is on its way if that is what was asked for."""
        stage, device_us = self.device.machine.stage, self.clock.to_device(self.now_us)
        flowing_na = {channel: stage.flowing_na(channel, device_us) for channel in _NUMBERS}
        if window.word("moment") == "in_pulse" and not any(flowing_na.values()):
            next_us = stage.next_pulse_us()
            self.still.wait_for(window, self.clock.to_world(next_us) if next_us < NEVER_US else NEVER_US)
            return
        window.fire(self.now_us)
        self.still.begin(window)
        if not self.still.frozen:
            return
        for channel, level_na in flowing_na.items():
            if level_na:
                self._levels.set(channel, level_na, self.now_us)
        self._set_clock()

    def _go_on(self, window: FaultWindow) -> None:
        was_frozen, was_hung = self.still.frozen, self.still.hung
        self.still.end(window)
        if was_frozen and not self.still.frozen:
            self._set_clock()
            self._set_levels(self.now_us)
        if was_hung and not self.still.hung:
            self.device.resume(self.clock.to_device(self.now_us), self.still.take_trip())
        if not self.still.on and (waiting := self.still.take_kept()):
            self.receive(waiting, self.now_us)

    # --- power ----------------------------------------------------------------------------------

    def _plan_resets(self, window: FaultWindow) -> None:
        brown_out = window.fault.kind == "device.brown_out"
        times, every_us = (window.number("times"), window.number("every_us")) if brown_out else (1, 0)
        self._resets = sorted(
            [*self._resets, *((self.now_us + number * every_us, window) for number in range(times))],
            key=lambda reset: reset[0],
        )
        self.advance(self.now_us)

    def _reset(self, _at_us: int, window: FaultWindow) -> None:
        window.fire(self.now_us)
        self.device.halt(self.clock.to_device(self.now_us), timers=not self.still.hung)
        self._lost()
        self._power(self.now_us + window.number("down_us"))

    def _power(self, boot_us: int) -> None:
        """Another device on the same flash, whose clock begins at `boot_us`."""
        self._boot_us = boot_us
        self.clock = WarpedClock(boot_us)
        recorder = WorldTimeRecorder(self._recorder, self.clock) if self._recorder is not None else None
        self.still = Freeze()
        self.device = Device(
            seed=self._seed, load=HostileLoad(self._load, self.clock), flash=self._flash, recorder=recorder,
            journal=self._tell,
        )  # fmt: skip
        self._made = analog_parts.readbacks(self.device.machine.stage)
        self._dead = frozenset()
        self._set_timers()
        self._fit()
        self._set_clock()

    def _tell(self, entry: Entry) -> None:
        at_us = self.clock.was(int(entry["device_time_us"]))
        if self._journal is not None:
            self._journal({**entry, "at_us": at_us})
        if entry["event"] == "boot":
            self._entered(DeviceState.IDLE.name, at_us)
        elif entry["event"] == "state":
            self._set_levels(at_us)
            self._entered(str(entry["state"]), at_us)
            self.still.look_again(at_us)
