"""The output stage: four channels driven by one program, with their readings and counts.

It is asked to run up to a stimulation time and says whether anything tripped. Channels are served in order of
time, so that a trip on one finds the others exactly where they were; between two things to do it costs one
comparison. Stimulation time maps onto device time from where a run began.
"""

from random import Random
from typing import NamedTuple

from firmware_sim.analog.converter import (
    COMPLIANCE_MV,
    DAC_STEP_NA,
    NET_CHARGE_FLOOR_PC,
    READBACK_ACCURACY_PERMILLE,
    READBACK_ACCURACY_UA,
    Converter,
    Noise,
    OutputSwitch,
    Readback,
    made_readback,
)
from firmware_sim.analog.load import Load
from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.analog.recorder import Recorder
from firmware_sim.native.channel import Gate, OutputChannel
from firmware_sim.native.diagnostics import ImpedanceCheck, ImpedanceResult, self_test
from firmware_sim.native.flash import Totals
from firmware_sim.native.program import OutputProgram
from firmware_sim.native.tally import Readout
from firmware_sim.native.train import ChannelTrain
from stimctl.wire.codes import CHANNELS, EndReason

__all__ = [
    "COMPLIANCE_MV",
    "DAC_STEP_NA",
    "NET_CHARGE_FLOOR_PC",
    "READBACK_ACCURACY_PERMILLE",
    "READBACK_ACCURACY_UA",
    "ImpedanceResult",
    "OutputStage",
    "Readout",
    "Trip",
]


class Trip(NamedTuple):
    """Output has ended by itself: why, on which channel, the figure, and when in stimulation time."""

    reason: EndReason
    channel: int
    value: int
    at_us: int


def _deny(*_pulse: int) -> bool:
    """The gate until the firmware has put its own in place."""
    return False


class OutputStage:
    """Converters, outputs and their load. `seed` fixes the errors of its readbacks and their noise.

    `gate` has to be set: each amplitude is shown to it as (channel, segment, amplitude_ua, second_ua, last_ua)
    before it leaves, each pulse of a ramp by itself and a stretch of like pulses once.
    """

    train_class = ChannelTrain  # another one, for a device that is wrong on purpose

    def __init__(self, load: Load, *, seed: int, recorder: Recorder | None = None) -> None:
        rng = Random(f"output stage {seed}")
        noise = Noise(rng)
        self.gate: Gate = _deny
        self.stimulation_us = 0
        self.endless = False  # a fault: pulses go on past the stimulation time
        self._channels = {
            number: OutputChannel(number, made_readback(rng, noise), load, recorder)
            for number in range(1, CHANNELS + 1)
        }
        for channel in self._channels.values():
            channel.peers = self._channels
        self._running: list[OutputChannel] = []
        self._pending: Trip | None = None
        self._check: ImpedanceCheck | None = None
        self._first: OutputChannel | None = None  # the channel whose turn it is then
        self.due_us = NEVER_US  # stimulation time at which it next has something to do
        self.reached_us = 0  # stimulation time at which every channel had come to its target, once it has
        self.rising = False  # a ramp is on: not every channel has come to its target
        load.watch(self.flush)
        if recorder is not None:
            recorder.listen(self.flush)

    # --- a run -----------------------------------------------------------------------------------

    def begin(
        self, program: OutputProgram, targets_ua: dict[int, int], start_us: int, limit_us: int, now_us: int,
        *, levels_ua: dict[int, int] | None = None,
    ) -> None:  # fmt: skip
        """Start a run from zero at stimulation time `start_us`, which is device time `now_us`.

        `levels_ua` begins a channel at a level other than zero: for bench figures without a ramp. The gate
        refuses such a first pulse in a device.
        """
        self._running = []
        limit_us = NEVER_US if self.endless else limit_us
        for number, target_ua in targets_ua.items():
            level_ua = (levels_ua or {}).get(number, 0)
            train = self.train_class(program, number, start_us, limit_us, target_ua, level_ua=level_ua)
            self._channels[number].begin(program, train, now_us - start_us)
            self._running.append(self._channels[number])
        self.stimulation_us = start_us
        self._pending = None
        self.rising = True
        self._look_at_ramp(start_us)
        self._look_ahead()

    def set_target(self, channel: int, target_ua: int) -> None:
        """Aim elsewhere with the pulses from `stimulation_us` on."""
        self._channels[channel].set_target(target_ua, self.stimulation_us)
        self._look_at_ramp(self.stimulation_us)
        self._look_ahead()

    def run(self, until_us: int) -> Trip | None:
        """Deliver the pulses that start before `until_us`. Stops at a trip, and then until the next `begin`."""
        while self.due_us < until_us:
            if (trip := self._pending) is not None:
                self.stimulation_us = trip.at_us
                self.disable(0)
                return trip
            channel, due_us = self._first, self.due_us
            assert channel is not None, "due without a channel"
            if (found := channel.step(self.gate)) is not None:
                verdict, at_us = found
                self._pending = Trip(verdict.reason, verdict.channel or channel.number, verdict.value, at_us)
            if self.rising and (channel.train is None or channel.train.reached):
                self._look_at_ramp(due_us)
            self._look_ahead()
        self.stimulation_us = until_us
        return None

    def disable(self, now_us: int) -> None:  # noqa: ARG002
        """Outputs off at `stimulation_us`. A pulse that started before it is completed."""
        for channel in self._running:
            channel.end(self.stimulation_us)
        self._running = []
        self._pending = None
        self._look_ahead()

    def connect(self, load: Load) -> None:
        """Drive another load from `stimulation_us` on, while everything goes on."""
        self.flush()
        load.watch(self.flush)
        for channel in self._channels.values():
            channel.connect(load)

    def flush(self) -> None:
        """Bring counters and recorder up to `stimulation_us`. Reading either does it."""
        for channel in self._running:
            channel.commit(self.stimulation_us)
        self._look_ahead()

    @property
    def ramping(self) -> bool:
        """Whether a channel has not reached its target yet, once since `begin`."""
        return any(channel.train is not None and not channel.train.reached for channel in self._running)

    def _look_at_ramp(self, at_us: int) -> None:
        """Note when the ramp is over: `at_us`, if it just ended."""
        if self.rising and not self.ramping:
            self.rising, self.reached_us = False, at_us

    def _look_ahead(self) -> None:
        self._first, self.due_us = None, NEVER_US
        for channel in self._running:
            if channel.due_us < self.due_us:
                self._first, self.due_us = channel, channel.due_us
        if self._pending is not None:
            self.due_us = self._pending.at_us

    # --- readings --------------------------------------------------------------------------------

    def readout(self, channel: int) -> Readout:
        """A channel at `stimulation_us`, in the order of the wire's Channel message."""
        return Readout(*self._channels[channel].readout(self.stimulation_us))

    def row(self, channel: int) -> tuple[int, ...]:
        """The same as a plain tuple, as telemetry packs it ten times a second."""
        return self._channels[channel].readout(self.stimulation_us)

    def totals(self, channel: int) -> Totals:
        """What a channel delivered and measured since `reset_counters`."""
        self.flush()
        return self._channels[channel].tally.totals()

    def reset_counters(self) -> None:
        """A new session: all totals from zero."""
        for channel in self._channels.values():
            channel.reset_counters()

    def zero_ua(self, now_us: int) -> int:
        """The largest current read on any output, outputs disabled, at device time `now_us`."""
        return max([channel.idle_ua(now_us) for channel in self._channels.values()])

    def idle_ua(self, channel: int, now_us: int) -> int:
        """The current read on one output, outputs disabled, at device time `now_us`."""
        return self._channels[channel].idle_ua(now_us)

    # --- tests and faults ------------------------------------------------------------------------

    def check_impedance(self, channel: int, number: int, at_us: int) -> ImpedanceResult:
        """Send pulse `number` of a check into one channel at device time `at_us`; 0 begins one. What it found."""
        if number == 0 or self._check is None:
            self._check = ImpedanceCheck(self._channels[channel], self.gate)
        return self._check.pulse(at_us)

    def self_test(self) -> tuple[int, int]:
        """Test the converters with the outputs disconnected: what failed, and the largest current read at zero."""
        results = [self_test(channel) for channel in self._channels.values()]
        failures = 0
        for failed, _ in results:
            failures |= failed
        return failures, max(zero_ua for _, zero_ua in results)

    def refit(
        self,
        channel: int,
        *,
        dac: Converter | None = None,
        readback: Readback | None = None,
        switch: OutputSwitch | None = None,
        rail_volt: float | None = None,
    ) -> None:
        """Put other parts in a channel, from `stimulation_us` on: how a fault gets in, and out again."""
        self.flush()
        fitted = self._channels[channel]
        fitted.dac = dac or fitted.dac
        fitted.readback = readback or fitted.readback
        fitted.switch = switch or fitted.switch
        fitted.rail_volt = fitted.rail_volt if rail_volt is None else rail_volt

    def flowing_na(self, channel: int, now_us: int) -> int:
        """The current of a pulse that is on its way at device time `now_us`; 0 between pulses."""
        self.flush()
        return self._channels[channel].flowing_na(now_us)

    def next_pulse_us(self) -> int:
        """The device time of the middle of the next first phase; far off when no pulse is due."""
        self.flush()
        middles = [NEVER_US]
        for channel in self._running:
            train = channel.train
            if train is not None and train.next_us < NEVER_US:
                middles.append(train.next_us + channel.offset_us + channel.segments[train.segment].width_us // 2)
        return min(middles)

    def set_limit(self, limit_us: int) -> None:
        """Another end of the stimulation time of the run that is on. `endless` says it of those to come."""
        self.flush()
        for channel in self._running:
            if channel.train is not None:
                channel.train.set_limit(limit_us)
                channel.due_us = channel.train.next_us
        self._look_ahead()

    def reprogram(self, program: OutputProgram) -> None:
        """Other numbers stand in the memory that the pulses of this run come from."""
        self.flush()
        for channel in self._running:
            if channel.train is not None:
                channel.segments = program.segments
                channel.train.reprogram(program)
                channel.due_us = channel.train.next_us
        self._look_ahead()

    def readback(self, channel: int) -> Readback:
        """A channel's readback, to make a worse one of."""
        return self._channels[channel].readback
