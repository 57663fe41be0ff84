"""Doses from the driver's own arithmetic: planned before a session, and commanded as the session went.

Pulses and charge (first phases, in pC) by channel and band, exact. `planned` is what a program gives when nobody
touches it. `CommandedDose` replays what the device said it applied, at the stimulation times it said it applied it, by
the same rules as the device's pulse engine: at every moment it must equal the device's own counters to the
picocoulomb. What was measured is another fact and stands elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from stimctl.errors import Misuse
from stimctl.waveform import Program, Train, highest_ua


@dataclass(frozen=True, slots=True)
class ChannelDose:
    """One channel's delivered pulses and first-phase charge, each by segment of the program."""

    pulses: tuple[int, int] = (0, 0)
    charge_pc: tuple[int, int] = (0, 0)

    @property
    def total_pulses(self) -> int:
        return sum(self.pulses)

    @property
    def total_charge_pc(self) -> int:
        """First-phase charge in both bands. It passes 32 bits in a session: 4.29 mC of pC."""
        return sum(self.charge_pc)

    def __add__(self, other: Self) -> "ChannelDose":
        return ChannelDose(
            (self.pulses[0] + other.pulses[0], self.pulses[1] + other.pulses[1]),
            (self.charge_pc[0] + other.charge_pc[0], self.charge_pc[1] + other.charge_pc[1]),
        )


def dose_record(dose: Mapping[int, ChannelDose]) -> dict[str, Any]:
    """A dose by channel, JSON-able: pulses and first-phase charge by segment."""
    return {
        str(channel): {"pulses": list(each.pulses), "charge_pc": list(each.charge_pc)} for channel, each in dose.items()
    }


def planned(program: Program, targets: Mapping[int, int], *, flat: bool = False) -> dict[int, ChannelDose]:
    """What each channel of `program` gets at its target in uA (0 where none is named), untouched to the end.

    `flat` leaves the ramps out. Raises `Misuse` for a channel that is not in the program, `Unsafe` over 2.0 mA.
    """
    _check_channels(program, targets)
    doses = {}
    for channel in program.channels:
        train = Train(program, channel, flat=flat)
        train.set_target(targets.get(channel, 0))
        train.advance(program.stimulation_us)
        doses[channel] = _counted(train)
    return doses


def band_us(program: Program, run_us: int) -> tuple[int, int]:
    """How long each segment lasts in a run of `run_us` of stimulation: every run begins with segment 0."""
    if not program.cycle_us:
        return run_us, 0
    first_us, second_us = (segment.dwell_us for segment in program.segments)
    cycles, rest_us = divmod(run_us, program.cycle_us)
    first_rest_us = min(rest_us, first_us)
    return cycles * first_us + first_rest_us, cycles * second_us + rest_us - first_rest_us


def planned_band_us(program: Program) -> tuple[int, int]:
    """How long each segment lasts in the whole of an uninterrupted program."""
    return band_us(program, program.stimulation_us)


class CommandedDose:
    """The dose by the commands that a device confirmed, replayed pulse by pulse.

    Times are stimulation time in us, and never go back.

    Raises `Misuse` for an event that makes no sense: a target without a run, a time before the last one.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._trains: dict[int, Train] = {}
        self._done = dict.fromkeys(program.channels, ChannelDose())
        self._bands_us = (0, 0)
        self._run_start_us = 0
        self._now_us = 0
        self.runs = 0
        # In uA by channel: the newest target, and the largest amplitude of any pulse so far.
        self.targets_ua = dict.fromkeys(program.channels, 0)
        self._reached_ua = dict.fromkeys(program.channels, 0)

    @property
    def now_us(self) -> int:
        """The stimulation time of the last event."""
        return self._now_us

    def started(self, targets: Mapping[int, int], at_us: int) -> None:
        """A run began, from zero, with these targets in uA by channel."""
        if self._trains:
            raise Misuse("a run is under way already")
        _check_channels(self.program, targets)
        self._pass_to(at_us)
        self.runs += 1
        self._run_start_us = at_us
        trains = {channel: Train(self.program, channel, at_us) for channel in self.program.channels}
        for channel, train in trains.items():
            train.set_target(targets.get(channel, 0))
        self._trains = trains
        self.targets_ua |= {channel: targets.get(channel, 0) for channel in trains}

    def target_set(self, channel: int, target_ua: int, at_us: int) -> None:
        """A channel's pulses from `at_us` on go to another target."""
        if channel not in self._trains:
            raise Misuse(f"channel {channel} is not running")
        self._pass_to(at_us)
        train = self._trains[channel]
        self._note_reached(channel, highest_ua(train, at_us))
        train.set_target(target_ua)
        self.targets_ua[channel] = target_ua

    def on_hold(self, at_us: int) -> None:
        """The run was broken off: pulses that began before `at_us` were delivered."""
        if not self._trains:
            raise Misuse("there is no run to hold")
        self._close_run(at_us)

    def ended(self, at_us: int) -> None:
        """The session ended, in a run or between two."""
        self._close_run(at_us)

    def dose(self, channel: int, until_us: int | None = None) -> ChannelDose:
        """What `channel` was told to deliver, up to the last event, or up to `until_us` if that is later."""
        if channel not in self._done:
            raise Misuse(f"channel {channel} is not in the program")
        train = self._trains.get(channel)
        if train is None:
            return self._done[channel]
        ahead = train.copy()
        ahead.advance(max(self._now_us, until_us or 0))
        return self._done[channel] + _counted(ahead)

    def reached_ua(self) -> dict[int, int]:
        """The largest amplitude of any pulse of each channel, up to the last event."""
        ahead = {channel: highest_ua(train.copy(), self._now_us) for channel, train in self._trains.items()}
        return {channel: max(ua, ahead.get(channel, 0)) for channel, ua in self._reached_ua.items()}

    def will_reach_ua(self) -> dict[int, int]:
        """The largest amplitude that each channel still comes to in this run, from the last event on, untouched."""
        until_us = self.program.stimulation_us
        return {channel: highest_ua(_passed(train, self._now_us), until_us) for channel, train in self._trains.items()}

    def _note_reached(self, channel: int, amplitude_ua: int) -> None:
        self._reached_ua[channel] = max(self._reached_ua[channel], amplitude_ua)

    def band_us(self) -> tuple[int, int]:
        """Stimulation in each segment, over all runs, up to the last event."""
        if not self._trains:
            return self._bands_us
        first_us, second_us = band_us(self.program, self._now_us - self._run_start_us)
        return self._bands_us[0] + first_us, self._bands_us[1] + second_us

    def _close_run(self, at_us: int) -> None:
        self._pass_to(at_us)
        self._bands_us = self.band_us()
        self._reached_ua = self.reached_ua()
        self._done = {channel: self.dose(channel) for channel in self._done}
        self._trains = {}

    def _pass_to(self, at_us: int) -> None:
        if at_us < self._now_us:
            raise Misuse(f"stimulation time went back from {self._now_us} us to {at_us} us")
        self._now_us = at_us


def _passed(train: Train, until_us: int) -> Train:
    """The train as it will be at that time."""
    ahead = train.copy()
    ahead.advance(until_us)
    return ahead


def _counted(train: Train) -> ChannelDose:
    return ChannelDose((train.pulses[0], train.pulses[1]), (train.charge_pc[0], train.charge_pc[1]))


def _check_channels(program: Program, targets: Mapping[int, int]) -> None:
    foreign = [channel for channel, target_ua in targets.items() if target_ua and channel not in program.channels]
    if foreign:
        raise Misuse(f"channels {foreign} are not in the program, which has {list(program.channels)}")
