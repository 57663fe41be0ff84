"""A lease as a StimJim's slot, and what the device told of it once it was started."""

from dataclasses import dataclass, field

from stimctl.stimulators.lease import device as d
from stimctl.stimulators.lease.plan import Lease
from stimctl.stimulators.stimjim.gate import CURRENT, GROUND, HeldSlot


@dataclass(slots=True)
class StartedSlot:
    """A slot that was started, and what was told of it. `replaced`: a garbled stop put slot 0 into its place.

    `means` are by channel and stage; of a channel without a stage, of what lies between two pulses.
    """

    index: int
    slot: HeldSlot
    started: bool = False
    pulses: int | None = None
    means: dict[tuple[int, int | None], int] = field(default_factory=dict)
    replaced: bool = False
    done_due_us: int | None = None


def slot_of(lease: Lease) -> HeldSlot:
    """A lease as a slot: both channels' pulses one behind the other in one list of stages."""
    shape = lease.shape
    stages: list[tuple[int, int, int]] = []
    at_us = 0
    for channel, amplitude_ua, delay_us in sorted(lease.levels, key=lambda level: level.delay_us):
        parts = (
            (0, delay_us - at_us),
            (amplitude_ua, shape.width_us),
            (0, shape.interphase_gap_us),
            (-shape.second_amplitude_ua(amplitude_ua), shape.second_width_us),
        )
        stages += [(ua, 0, us) if channel == 1 else (0, ua, us) for ua, us in parts if us > 0]
        at_us = delay_us + shape.span_us
    driven = {level.channel for level in lease.levels}
    modes = (CURRENT if 1 in driven else GROUND, CURRENT if 2 in driven else GROUND)
    return HeldSlot(modes, shape.period_us, lease.train_us, tuple(stages))


def phases_of(train: StartedSlot) -> list[d.StageMean]:
    """Means by stage as means by phase."""
    return [
        d.StageMean(channel + 1, 0 if stage[channel] > 0 else 1, train.means[channel, number])
        for number, stage in enumerate(train.slot.stages)
        for channel in (0, 1)
        if stage[channel] and (channel, number) in train.means
    ]


def rests_of(train: StartedSlot) -> list[d.RestMean]:
    """Means of stages in which a channel was to give nothing, and of what lies between two pulses."""
    slot = train.slot
    gap_us = slot.period_us - sum(us for *_, us in slot.stages)
    silent = [
        (channel, number, us) for number, (*levels_ua, us) in enumerate(slot.stages)
        for channel in (0, 1) if not levels_ua[channel]
    ]  # fmt: skip
    stretches: list[tuple[int, int | None, int]] = [*silent, (0, None, gap_us), (1, None, gap_us)]
    return [
        d.RestMean(channel + 1, train.means[channel, number], us)
        for channel, number, us in stretches
        if slot.modes[channel] == CURRENT and (channel, number) in train.means
    ]
