"""The pulse rules, in integers: when a channel's pulses are due and how high each is.

Segments alternate, each for its dwell; in a segment that begins at b, channel n's pulses are due at
b + k * period + (n-1) * 2500 us, whole pulses only. The level climbs by slope times the time since the
channel's pulse before, never by more than 100 uA, and falls at once; toward the timer's end its aim is a
straight line to zero. What leaves is the level, rounded down to what has equal areas in whole numbers.

Times are stimulation time. A train knows nothing of currents: it is asked for one pulse at a time, or for
how many of the coming ones are all alike, and is then told how many of those went by.
"""

from math import gcd, lcm

from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.native.gate import CHANNEL_SLOT_US, MAX_RISE_UA
from firmware_sim.native.program import OutputProgram, OutputSegment


def span_us(segment: OutputSegment) -> int:
    """From a pulse's start to its end."""
    return segment.width_us + segment.interphase_gap_us + segment.second_width_us


def quantum_ua(program: OutputProgram) -> int:
    """Amplitudes that are multiples of it have second phases of whole uA and exactly equal area."""
    return lcm(*(part.second_width_us // gcd(part.width_us, part.second_width_us) for part in program.segments))


def second_ua(segment: OutputSegment, amplitude_ua: int) -> int:
    """The second phase that makes both areas equal."""
    return amplitude_ua * segment.width_us // segment.second_width_us


class ChannelTrain:
    """One channel's pulses in one run. `next_us` is when the next is due, `segment` the index of its segment."""

    __slots__ = (
        "_begin_us", "_fall_us", "_limit_us", "_offset_us", "_pattern", "_previous_us", "_program", "_quantum_ua",
        "_rise_ua", "level_ua", "next_us", "reached", "segment", "target_ua",
    )  # fmt: skip

    def __init__(
        self, program: OutputProgram, channel: int, start_us: int, limit_us: int, target_ua: int, *, level_ua: int = 0
    ) -> None:
        self._program = program
        self._pattern = [(part.period_us, span_us(part), part.dwell_us) for part in program.segments]
        self._offset_us = (channel - 1) * CHANNEL_SLOT_US
        self._limit_us = limit_us
        self._fall_us = limit_us - program.ramp_down_us if program.ramp_down_us else NEVER_US
        self._quantum_ua = quantum_ua(program)
        self._rise_ua = MAX_RISE_UA - MAX_RISE_UA % self._quantum_ua
        self._begin_us = start_us
        self._previous_us = -1
        self.segment = 0
        self.level_ua = level_ua
        self.target_ua = target_ua
        self.reached = target_ua == level_ua
        self.next_us = start_us + self._offset_us
        self._settle()

    def set_target(self, target_ua: int) -> None:
        """Aim elsewhere from the next pulse on."""
        self.target_ua = target_ua
        # A target that is lowered to the level is reached without a climb to it.
        self.reached |= target_ua in (0, self.level_ua)

    def set_limit(self, limit_us: int) -> None:
        """Another end of the stimulation time; one that is past ends the train."""
        self._limit_us = limit_us
        self._fall_us = limit_us - self._program.ramp_down_us if self._program.ramp_down_us else NEVER_US
        self._settle()

    def reprogram(self, program: OutputProgram) -> None:
        """Other numbers in the program's memory: they hold from the next pulse on."""
        self._program = program
        self._pattern = [(part.period_us, span_us(part), part.dwell_us) for part in program.segments]
        self.set_limit(self._limit_us)

    def take(self) -> int:
        """The amplitude of the pulse that is due (0: none leaves), which then is behind."""
        at_us, program = self.next_us, self._program
        period_us = self._pattern[self.segment][0]
        aim_ua = self.target_ua
        if at_us >= self._fall_us:
            aim_ua = min(aim_ua, self.target_ua * (self._limit_us - at_us) // program.ramp_down_us)
        since_us = period_us if self._previous_us < 0 else at_us - self._previous_us
        if aim_ua > self.level_ua:
            step_ua = min(self._rise_ua, program.ramp_slope_ua_per_s * since_us // 1_000_000)
            self.level_ua = min(aim_ua, self.level_ua + step_ua)
        else:
            self.level_ua = aim_ua
        self.reached |= self.level_ua == self.target_ua
        self.skip(1)
        return self.amplitude_ua

    @property
    def amplitude_ua(self) -> int:
        """What leaves at the present level."""
        return self.level_ua - self.level_ua % self._quantum_ua

    @property
    def level_holds(self) -> bool:
        """Whether the next pulse leaves at the present level."""
        return self.level_ua == self.target_ua and self.next_us < self._fall_us

    def alike(self, until_us: int) -> int:
        """How many pulses from the next on, whose level holds, are surely like it and start before `until_us`."""
        period_us, pulse_us, dwell_us = self._pattern[self.segment]
        end_us = min(until_us, self._fall_us, self._limit_us - pulse_us + 1)
        if len(self._pattern) > 1:
            end_us = min(end_us, self._begin_us + dwell_us - pulse_us + 1)
        return max(0, -(-(end_us - self.next_us) // period_us))

    def skip(self, count: int) -> None:
        """Let `count` due pulses of this segment be behind."""
        if count:
            period_us = self._pattern[self.segment][0]
            self._previous_us = self.next_us + (count - 1) * period_us
            self.next_us += count * period_us
            self._settle()

    def _settle(self) -> None:
        """Move on to the next segment when the due pulse does not fit, and end at the limit."""
        if len(self._pattern) > 1:
            _, pulse_us, dwell_us = self._pattern[self.segment]
            if self.next_us + pulse_us > self._begin_us + dwell_us:
                self._begin_us += dwell_us
                self.segment ^= 1
                self.next_us = self._begin_us + self._offset_us
        if self.next_us + self._pattern[self.segment][1] > self._limit_us:
            self.next_us = NEVER_US
