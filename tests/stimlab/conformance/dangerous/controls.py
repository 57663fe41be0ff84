"""Devices whose Stop, watchdog or hold is missing somewhere in the range."""

from collections.abc import Callable
from typing import Any

from firmware_sim.native.device import Device
from firmware_sim.native.machine import Machine
from firmware_sim.native.timers import DeviceTimer
from stimctl.wire.codes import EndReason
from tests.stimlab.conformance.dangerous.device import dangerous

A_WHILE_US = 20_000_000


def in_second_segment(machine: Machine) -> bool:
    run = machine.run
    return run is not None and run.bands.at(machine.now_us - run.began_us)[0] == 1


def highest_ua(machine: Machine) -> int:
    return max(machine.targets_ua.values(), default=0) if machine.run is not None else 0


def after_a_while(machine: Machine) -> bool:
    return machine.run is not None and machine.stimulation_us(machine.now_us) > A_WHILE_US


def after_a_hold(machine: Machine) -> bool:
    return machine.run is not None and machine.run.stimulation_us > 0


def in_two_segments(machine: Machine) -> bool:
    return machine.run is not None and machine.program is not None and len(machine.program.segments) == 2


class _Deaf(Machine):
    """Answers Stop and goes on, somewhere."""

    def deaf(self) -> bool:
        raise NotImplementedError

    def stop(self, at_us: int) -> None:
        if not self.deaf():
            super().stop(at_us)


class _Unwatched(Machine):
    """Has no watchdog, somewhere."""

    def unwatched(self) -> bool:
        raise NotImplementedError

    def alive(self, now_us: int) -> None:
        super().alive(now_us)
        if self.unwatched():
            self.timers.cancel(DeviceTimer.WATCHDOG)


def _somewhere(base: type[Machine], method: str, where: Any) -> type[Machine]:
    return type("Somewhere", (base,), {method: where})


_NO_STOP, _NO_END = "Stop was not executed", "nothing ended the session 1.5 s after the last keepalive"
for _where, _text in (
    (in_second_segment, "in the second segment"),
    (lambda machine: highest_ua(machine) > 500, "above 500 uA"),
    (after_a_while, "after 20 s of stimulation"),
    (after_a_hold, "in the run after a hold"),
):
    dangerous("R-46", _NO_STOP, f"ignores Stop {_text}")(_somewhere(_Deaf, "deaf", _where))
for _where, _text in (
    (in_two_segments, "with two segments"),
    (lambda machine: highest_ua(machine) > 500, "above 500 uA"),
    (after_a_while, "after 20 s of stimulation"),
    (after_a_hold, "in the run after a hold"),
):
    dangerous("R-44", _NO_END, f"has no watchdog {_text}")(_somewhere(_Unwatched, "unwatched", _where))


@dangerous("R-46", _NO_STOP, "stops when the band is over")
class StopsWithTheBand(Machine):
    def stop(self, at_us: int) -> None:
        run = self.run
        if run is None or not in_two_segments(self):
            super().stop(at_us)
            return
        self.timers.set(DeviceTimer.STIMULATION, at_us + run.bands.at(at_us - run.began_us)[1])
        self._due[DeviceTimer.STIMULATION] = lambda due_us: self.end(EndReason.STOP, due_us)


@dangerous("R-40", "Hold was answered and not executed", "ignores Hold in the second segment with three channels")
class HoldsTwoChannels(Machine):
    def hold(self, reason: EndReason, at_us: int, channel: int = 0, value: int = 0) -> None:
        three = self.arming is not None and len(self.arming.channels) == 3
        if not (reason is EndReason.HELD_BY_HOST and three and in_second_segment(self)):
            super().hold(reason, at_us, channel, value)


class _Slow(Device):
    """Its clock is slow: 30 minutes are longer than they may be."""

    lost_ppm = 0

    def __init__(self, *, boot_us: int = 0, **options: Any) -> None:
        self._began_us = boot_us
        super().__init__(**options)

    def _own_us(self, now_us: int) -> int:
        return (now_us - self._began_us) * (1_000_000 - self.lost_ppm) // 1_000_000

    def receive(self, data: bytes, now_us: int) -> None:
        self._inside(lambda: super(_Slow, self).receive(data, self._own_us(now_us)))

    def advance(self, now_us: int) -> None:
        if self._entered:
            super().advance(now_us)
        else:
            self._inside(lambda: super(_Slow, self).advance(self._own_us(now_us)))

    _entered = False

    def _inside(self, does: Callable[[], None]) -> None:
        self._entered = True
        try:
            does()
        finally:
            self._entered = False

    def next_event_us(self) -> int:
        return self._began_us - (-super().next_event_us() * 1_000_000 // (1_000_000 - self.lost_ppm))


for _ppm in (40_000, 1_000):
    dangerous("R-84", "more than 0.05 % away", f"loses {_ppm} us a second")(type("Slow", (_Slow,), {"lost_ppm": _ppm}))


@dangerous("R-44", "watchdog, away from 1 s", "waits 1.5 s for a keepalive above 1 000 uA")
class SlowWatchdogAbove(Machine):
    def alive(self, now_us: int) -> None:
        super().alive(now_us)
        if highest_ua(self) > 1_000:
            self.timers.set(DeviceTimer.WATCHDOG, now_us + 1_500_000)
