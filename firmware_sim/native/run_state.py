"""The records that the machine works on: an arming, a run, an impedance scan, a change of state."""

from dataclasses import dataclass, field
from typing import NamedTuple

from firmware_sim.native.program import BandSchedule
from stimctl.wire.codes import DeviceState, EndReason, Purpose


class StateChange(NamedTuple):
    """A change of state, and what made it."""

    at_us: int
    before: DeviceState
    state: DeviceState
    reason: int = EndReason.NONE
    channel: int = 0
    value: int = 0


@dataclass(frozen=True, slots=True)
class Arming:
    """The newest arm. It stays in force until the next arm or the session's end."""

    purpose: Purpose
    channels: tuple[int, ...]
    channel_mask: int
    ceiling_ua: int
    nonce: int


@dataclass(frozen=True, slots=True)
class StimulationRun:
    """From one start to its end: stimulation time goes on, pattern time begins at zero."""

    began_us: int
    stimulation_us: int
    segment_0_us: int
    segment_1_us: int
    bands: BandSchedule
    offset_us: int = field(init=False)  # from stimulation time to device time

    def __post_init__(self) -> None:
        object.__setattr__(self, "offset_us", self.began_us - self.stimulation_us)


@dataclass(slots=True)
class ImpedanceScan:
    """An impedance check: the channels still to do, the present one first, when its pulses began, how many it sent.

    A pulse that trips ends the session when it ends itself: then `trip` is what for, where, and the figure.
    """

    channels: list[int]
    began_us: int
    sent: int = 0
    trip: tuple[EndReason, int, int] | None = None
