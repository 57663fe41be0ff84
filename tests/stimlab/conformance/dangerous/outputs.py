"""Devices that drive something else than they were told, somewhere in the range, or do not notice what is wrong."""

from dataclasses import replace
from typing import Any

import pytest

from firmware_sim.analog.converter import Dac, Readback
from firmware_sim.analog.recorder import FlowKind
from firmware_sim.native.channel import OutputChannel, SinglePulse
from firmware_sim.native.machine import Machine
from firmware_sim.native.monitor import Monitor, Reading, TripVerdict
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.program import OutputProgram, OutputSegment
from firmware_sim.native.steady import SteadyStretch
from firmware_sim.native.timers import DeviceTimer
from firmware_sim.native.train import ChannelTrain
from tests.stimlab.conformance.dangerous.controls import after_a_hold, after_a_while, highest_ua, in_second_segment
from tests.stimlab.conformance.dangerous.device import DANGEROUS, Dangerous, dangerous, of_parts

_HIGH_UA = 850


class Ungated(Machine):
    """Asks no gate before a pulse."""

    def _permit(self, *_pulse: int) -> bool:
        return True


class _Refitted(OutputStage):
    """Has other converters, readbacks or channels; its self-test finds nothing."""

    dac: type[Dac] = Dac
    readback_class: type[Readback] | None = None
    channel: type[OutputChannel] = OutputChannel

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for number, each in self._channels.items():
            read = self.readback(number)
            if self.readback_class is not None:
                read = self.readback_class(
                    read.noise, read.gain_ppm, read.offset_na, read.voltage_gain_ppm, read.voltage_offset_uv,
                    read.net_bias_pc,
                )  # fmt: skip
            self.refit(number, dac=self.dac(), readback=read)
            each.__class__ = self.channel

    def self_test(self) -> tuple[int, int]:
        return 0, 0


class _Steep(ChannelTrain):
    """Rises by a fifth more than the slope allows."""

    __slots__ = ()

    def take(self) -> int:
        reported = self._program
        self._program = replace(reported, ramp_slope_ua_per_s=reported.ramp_slope_ua_per_s * 6 // 5)
        try:
            return super().take()
        finally:
            self._program = reported


class _Jumps(ChannelTrain):
    """Goes from 500 uA to its target at 4 mA/s."""

    __slots__ = ()

    def take(self) -> int:
        reported, rise_ua = self._program, self._rise_ua
        if self.level_ua >= 500:
            self._rise_ua, self._program = 400, replace(reported, ramp_slope_ua_per_s=4_000)
        try:
            return super().take()
        finally:
            self._program, self._rise_ua = reported, rise_ua


class _SteepStage(OutputStage):
    train_class = _Steep


class _JumpingStage(OutputStage):
    train_class = _Jumps


_OTHER_PULSES = "by the rules it is"
for _stage, _does in ((_SteepStage, "ramps a fifth too steeply"), (_JumpingStage, "jumps from 500 uA at 4 mA/s")):
    DANGEROUS.append(Dangerous("R-54", _OTHER_PULSES, f"{_does}, and asks no gate", of_parts(Ungated, _stage)))


class _HighDac(Dac):
    def current_na(self, amplitude_ua: int) -> int:
        na = super().current_na(amplitude_ua)
        return na if abs(na) <= _HIGH_UA * 1_000 else na * 5 // 4


class _NoTripAbove(OutputChannel):
    """Does not mind an over-current above 850 uA."""

    def fire(self, now_us: int, segment: OutputSegment, amplitude_ua: int, kind: FlowKind) -> SinglePulse:
        with pytest.MonkeyPatch.context() as patch:
            if amplitude_ua > _HIGH_UA:
                patch.setattr("firmware_sim.native.channel.over_current_ua", lambda _: 10_000)
            return super().fire(now_us, segment, amplitude_ua, kind)

    def _quiet(self, at_us: int, count: int, index: int, amplitude_ua: int) -> SteadyStretch | None:
        return None if amplitude_ua > _HIGH_UA else super()._quiet(at_us, count, index, amplitude_ua)


class _NoNetCharge(Monitor):
    __slots__ = ()

    def _judge_net(self, net_fc: int, clipped: bool, charge_pc: int, at_us: int) -> TripVerdict | None:
        return None


class _NoTripsAbove(_NoTripAbove):
    """Does not mind that phases differ either."""

    def begin(self, program: OutputProgram, train: ChannelTrain, offset_us: int) -> None:
        super().begin(program, train, offset_us)
        if train.target_ua > _HIGH_UA:
            self.monitor = _NoNetCharge()


@dangerous("R-23", "measures a current that is not what it applies", "gives 2.5 mA for 2 mA and does not trip")
class TooMuchAbove(_Refitted):
    dac = _HighDac
    channel = _NoTripsAbove


class _WeakDac(Dac):
    def current_na(self, amplitude_ua: int) -> int:
        return super().current_na(amplitude_ua) * 3 // 4


class _Flattering(Readback):
    def mean_na(self, current_na: int) -> int:
        return current_na * 4 // 3 + self.offset_na


@dangerous("R-65", "reads another resistance", "gives a quarter less and reads it as commanded")
class GivesLess(_Refitted):
    dac = _WeakDac
    readback_class = _Flattering


class _WideChannel(OutputChannel):
    def fire(self, now_us: int, segment: OutputSegment, amplitude_ua: int, kind: FlowKind) -> SinglePulse:
        wide = replace(segment, width_us=segment.width_us * 7 // 5, second_width_us=segment.second_width_us * 7 // 5)
        return super().fire(now_us, wide, amplitude_ua, kind)

    def _quiet(self, *_: int) -> SteadyStretch | None:
        return None


@dangerous("R-68", "another charge", "makes its phases two fifths wider")
class WidePhases(_Refitted):
    channel = _WideChannel


class _Mute(Monitor):
    __slots__ = ()

    def judge(self, reading: Reading, charge_pc: int, at_us: int) -> TripVerdict | None:
        self.flags = 0
        return None


class _MuteOnTwo(OutputChannel):
    def begin(self, program: OutputProgram, train: ChannelTrain, offset_us: int) -> None:
        super().begin(program, train, offset_us)
        if self.number > 2:
            self.monitor = _Mute()


@dangerous("R-60", "did not take it to HELD", "notices nothing on channels 3 and 4")
class BlindOnTwo(_Refitted):
    channel = _MuteOnTwo


class _Unbalanced(OutputChannel):
    def begin(self, program: OutputProgram, train: ChannelTrain, offset_us: int) -> None:
        super().begin(program, train, offset_us)
        self.monitor = _NoNetCharge()


@dangerous("R-61", "net charge", "has no net charge trip")
class NoNetChargeTrip(_Refitted):
    channel = _Unbalanced


class Monster(Ungated):
    """Many of them in one: it ignores Stop and loses its watchdog, each somewhere, and asks no gate."""

    def stop(self, at_us: int) -> None:
        if not (in_second_segment(self) or highest_ua(self) > 500 or after_a_while(self)):
            super().stop(at_us)

    def alive(self, now_us: int) -> None:
        super().alive(now_us)
        if highest_ua(self) > 500 or after_a_hold(self):
            self.timers.cancel(DeviceTimer.WATCHDOG)


class _MonsterChannel(_NoTripAbove):
    def begin(self, program: OutputProgram, train: ChannelTrain, offset_us: int) -> None:
        super().begin(program, train, offset_us)
        self.monitor = _Mute()


class _MonsterStage(_Refitted):
    dac = _HighDac
    channel = _MonsterChannel
    train_class = _Jumps


MONSTER = of_parts(Monster, _MonsterStage)
DANGEROUS.append(Dangerous("R-46", "Stop was not executed", "does all of this", MONSTER))
