"""Devices whose pulses fall or rise otherwise than section 13 has them: R-51 to R-54."""

from typing import ClassVar

from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.native.device import Device
from firmware_sim.native.program import OutputProgram
from firmware_sim.native.train import ChannelTrain
from stimctl.wire.codec import LoadSegment, Refused, SegmentLoaded
from stimctl.wire.codes import Refusal
from tests.stimlab.conformance.mutants.mutant import mutant


@mutant("R-51", "begins with segment 1")
class BeginsWithTheOther(ChannelTrain):
    __slots__ = ()

    def __init__(
        self, program: OutputProgram, channel: int, start_us: int, limit_us: int, target_ua: int, *, level_ua: int = 0
    ) -> None:
        super().__init__(program, channel, start_us, limit_us, target_ua, level_ua=level_ua)
        self.segment = len(program.segments) - 1


@mutant("R-51", "stays in segment 0")
class StaysInOne(ChannelTrain):
    __slots__ = ()

    def _settle(self) -> None:
        super()._settle()
        self.segment = 0


@mutant("R-51", "takes the other segment's dwell")
class SwapsDwells(ChannelTrain):
    __slots__ = ()

    def _settle(self) -> None:
        first, *rest = self._pattern
        if rest and first[2] == self._program.segments[0].dwell_us:
            second = rest[0]
            self._pattern = [(*first[:2], second[2]), (*second[:2], first[2])]
        super()._settle()


@mutant("R-52", "gives all channels the same place")
class AllAtOnce(ChannelTrain):
    __slots__ = ()

    def __init__(
        self, program: OutputProgram, channel: int, start_us: int, limit_us: int, target_ua: int, *, level_ua: int = 0
    ) -> None:
        super().__init__(program, 1, start_us, limit_us, target_ua, level_ua=level_ua)


@mutant("R-52", "schedules a pulse that only begins within its band")
class CutByTheBand(ChannelTrain):
    __slots__ = ()

    def _settle(self) -> None:
        whole = self._pattern
        self._pattern = [(period_us, 1, dwell_us) for period_us, _, dwell_us in whole]
        super()._settle()
        self._pattern = whole
        if self.next_us + whole[self.segment][1] > self._limit_us:
            self.next_us = NEVER_US


@mutant("R-52", "schedules a pulse that only begins before the end")
class CutByTheEnd(ChannelTrain):
    __slots__ = ()

    def _settle(self) -> None:
        limit_us = self._limit_us
        self._limit_us += self._pattern[self.segment][1] - 1
        super()._settle()
        self._limit_us = limit_us


@mutant("R-53", "gives amplitudes whose areas are not equal in integers")
class AnyAmplitude(ChannelTrain):
    __slots__ = ()

    @property
    def amplitude_ua(self) -> int:
        return self.level_ua


@mutant("R-53", "takes the step of segment 0 for both")
class OneStep(ChannelTrain):
    __slots__ = ()

    @property
    def amplitude_ua(self) -> int:
        return self.level_ua - self.level_ua % 7


def _takes_coarse_steps(text: str, index: int) -> None:
    class TakesCoarseSteps(Device):
        def _execute(self, order: object, kind: int) -> object:
            answer = super()._execute(order, kind)
            coarse = isinstance(answer, Refused) and answer.reason == Refusal.UNBALANCED
            if coarse and isinstance(order, LoadSegment) and order.index == index:
                return SegmentLoaded(*order, self.machine.now_us)
            return answer

    mutant("R-53", text)(TakesCoarseSteps)


_takes_coarse_steps("takes programs whose step is over 100 uA", 0)
_takes_coarse_steps("looks at each segment's step alone", 1)


class _OtherRise(ChannelTrain):
    """A train with another rise a pulse, or a fraction of its slope."""

    __slots__ = ()
    rise_ua: ClassVar[int | None] = None

    def __init__(
        self, program: OutputProgram, channel: int, start_us: int, limit_us: int, target_ua: int, *, level_ua: int = 0
    ) -> None:
        super().__init__(program, channel, start_us, limit_us, target_ua, level_ua=level_ua)
        if self.rise_ua is not None:
            self._rise_ua = self.rise_ua


@mutant("R-54", "rises by up to 150 uA a pulse")
class RisesTooMuch(_OtherRise):
    __slots__ = ()
    rise_ua = 150


@mutant("R-54", "rises by up to 99 uA a pulse")
class RisesTooLittle(_OtherRise):
    __slots__ = ()
    rise_ua = 99


@mutant("R-54", "has its first pulse at zero")
class FirstAtZero(ChannelTrain):
    __slots__ = ()

    def take(self) -> int:
        if self._previous_us < 0:
            self._previous_us = self.next_us
        return super().take()


@mutant("R-54", "forgets the time of a pulse that was none")
class ForgetsSilence(ChannelTrain):
    __slots__ = ()

    def skip(self, count: int) -> None:
        before_us = self._previous_us
        super().skip(count)
        if count and before_us >= 0 and not self.amplitude_ua:
            self._previous_us = before_us


@mutant("R-54", "takes the time since the channel's last pulse of the same band")
class ForgetsBands(ChannelTrain):
    __slots__ = ()

    def _settle(self) -> None:
        segment = self.segment
        super()._settle()
        if self.segment != segment:
            self._previous_us = -1


@mutant("R-54", "does not fall at the end")
class NeverFalls(ChannelTrain):
    __slots__ = ()

    def take(self) -> int:
        self._fall_us = NEVER_US
        return super().take()


@mutant("R-54", "rounds its fall up")
class RoundsUp(ChannelTrain):
    __slots__ = ()

    def take(self) -> int:
        falling = self.next_us >= self._fall_us and self.level_ua > 0
        target_ua, before_us, at_us = self.target_ua, self._previous_us, self.next_us
        amplitude_ua = super().take()
        if falling and before_us >= 0:
            aim_ua = -(-target_ua * (self._limit_us - at_us) // self._program.ramp_down_us)
            self.level_ua = min(target_ua, aim_ua)
            return self.level_ua
        return amplitude_ua
