"""Devices whose timers or watchdog are wrong: R-42 to R-44."""

from typing import Any

from firmware_sim.native import gate
from firmware_sim.native.device import Device
from firmware_sim.native.flash import StoredSession
from firmware_sim.native.machine import Machine
from firmware_sim.native.program import OutputProgram
from firmware_sim.native.run_state import Arming
from firmware_sim.native.timers import DeviceTimer
from stimctl.wire.codec import KeepAlive
from stimctl.wire.codes import DeviceState, EndReason
from tests.stimlab.conformance.mutants.mutant import mutant

_STOP = 0x1F


@mutant("R-42", "ends by its timer 0.3 s late")
class LateTimer(Machine):
    def start(self, session: StoredSession, program: OutputProgram, targets_ua: dict[int, int], now_us: int) -> None:
        super().start(session, program, targets_ua, now_us)
        self.timers.set(DeviceTimer.STIMULATION, (self.timers.at_us(DeviceTimer.STIMULATION) or 0) + 300_000)


@mutant("R-42", "counts a hold as stimulation")
class CountsHolds(Machine):
    held_us = 0

    def hold(self, reason: EndReason, at_us: int, channel: int = 0, value: int = 0) -> None:
        super().hold(reason, at_us, channel, value)
        self.held_us = at_us

    def start(self, session: StoredSession, program: OutputProgram, targets_ua: dict[int, int], now_us: int) -> None:
        super().start(session, program, targets_ua, now_us)
        if self.held_us:
            at_us = (self.timers.at_us(DeviceTimer.STIMULATION) or 0) - (now_us - self.held_us)
            self.timers.set(DeviceTimer.STIMULATION, max(now_us, at_us))


@mutant("R-42", "gives a session 45 more minutes with each arm")
class SessionsAnew(Machine):
    def arm(self, arming: Arming, session: StoredSession, lapse_us: int, now_us: int) -> None:
        super().arm(arming, session, lapse_us, now_us)
        self.timers.set(DeviceTimer.SESSION, now_us + gate.SESSION_US)


@mutant("R-44", "waits 1.5 s for a keepalive")
class SlowWatchdog(Machine):
    def alive(self, now_us: int) -> None:
        super().alive(now_us)
        if self.timers.at_us(DeviceTimer.WATCHDOG) is not None:
            self.timers.set(DeviceTimer.WATCHDOG, now_us + gate.WATCHDOG_US * 3 // 2)


@mutant("R-44", "waits 0.9 s for a keepalive")
class HastyWatchdog(Machine):
    def alive(self, now_us: int) -> None:
        super().alive(now_us)
        if self.timers.at_us(DeviceTimer.WATCHDOG) is not None:
            self.timers.set(DeviceTimer.WATCHDOG, now_us + gate.WATCHDOG_US * 9 // 10)


class _Unwatched(Machine):
    """No watchdog in one state."""

    where = DeviceState.HELD

    def move(self, cause: Any, at_us: int, *why: int) -> None:
        super().move(cause, at_us, *why)
        if self.state is self.where:
            self.timers.cancel(DeviceTimer.WATCHDOG)

    def alive(self, now_us: int) -> None:
        super().alive(now_us)
        if self.state is self.where:
            self.timers.cancel(DeviceTimer.WATCHDOG)


for _state in ("ARMED", "CHECKING", "RAMPING", "RUNNING", "RAMPING_DOWN", "HELD"):
    mutant("R-44", f"has no watchdog in {_state}")(type("Unwatched", (_Unwatched,), {"where": DeviceState[_state]}))


@mutant("R-44", "watches in TESTED too")
class WatchesTested(Machine):
    def _go_back(self, at_us: int) -> None:
        super()._go_back(at_us)
        if self.state is DeviceState.TESTED:
            self.timers.set(DeviceTimer.WATCHDOG, at_us + gate.WATCHDOG_US)


@mutant("R-44", "takes a keepalive with any nonce")
class AnyKeepAlive(Device):
    def _execute(self, order: object, kind: int) -> object:
        if type(order) is KeepAlive and self.machine.arming is not None:
            order = KeepAlive(self.machine.arming.nonce)
        return super()._execute(order, kind)


@mutant("R-44", "refuses a keepalive with another nonce, and counts it")
class CountsFalseKeepAlives(Device):
    def _execute(self, order: object, kind: int) -> object:
        if type(order) is KeepAlive and self.machine.session is not None:
            self.machine.alive(self.machine.now_us)
        return super()._execute(order, kind)


@mutant("R-44", "counts a keepalive that is only answered again")
class CountsRepeatedKeepAlives(Device):
    def _in_turn(self, sequence: int, order: object, payload: bytes) -> None:
        super()._in_turn(sequence, order, payload)
        if type(order) is KeepAlive and self.machine.arming is not None and order.nonce == self.machine.arming.nonce:
            self.machine.alive(self.machine.now_us)
