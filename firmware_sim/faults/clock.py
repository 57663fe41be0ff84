"""Converts between the world's time and the time of a device that was reset or whose clock drifts.

Both are whole microseconds. What the device's clock has reached it has reached: `to_device` rounds down, and
`to_world` gives the first world time at which a device time is reached.
"""

from typing import NamedTuple

from firmware_sim.analog.load_changes import NEVER_US

_MILLION = 1_000_000


class ClockSegment(NamedTuple):
    """From `world_us` on the device's clock counts on from `device_us`, `rate` us in each second of the world."""

    world_us: int
    device_us: int
    rate: int


class WarpedClock:
    """Pieces in order of time, of one device from its boot on."""

    def __init__(self, boot_us: int, rate: int = _MILLION) -> None:
        self._pieces = [ClockSegment(boot_us, 0, rate)]
        self._now = self._pieces[0]
        # What is added to a time of the world, while the device's seconds are the world's.
        self.offset_us: int | None = -boot_us if rate == _MILLION else None

    def set_rate(self, world_us: int, rate: int) -> None:
        """From `world_us` on another rate; 0 stands still."""
        self._now = ClockSegment(world_us, self.to_device(world_us), rate)
        self._pieces.append(self._now)
        self.offset_us = self._now.device_us - world_us if rate == _MILLION else None

    @property
    def warped(self) -> bool:
        """Whether its seconds are not the world's, just now."""
        return self._now.rate != _MILLION

    @property
    def rate(self) -> int:
        """Device us in each second of the world, just now."""
        return self._now.rate

    def to_device(self, world_us: int) -> int:
        """What the device's clock shows at a world time not before the newest piece."""
        world_0_us, device_0_us, rate = self._now
        if rate == _MILLION:
            return device_0_us + world_us - world_0_us
        return device_0_us + (world_us - world_0_us) * rate // _MILLION

    def to_world(self, device_us: int) -> int:
        """The first world time at which the device's clock shows `device_us` or more; `NEVER_US` when it stands."""
        world_0_us, device_0_us, rate = self._now
        if rate == _MILLION:
            return world_0_us + device_us - device_0_us
        if device_us < device_0_us:
            return world_0_us
        return world_0_us - (device_0_us - device_us) * _MILLION // rate if rate else NEVER_US

    def was(self, device_us: int) -> int:
        """The world time of a moment that the device has lived through, the latest where its clock stood."""
        world_0_us, device_0_us, rate = self._now
        if rate == _MILLION and device_us >= device_0_us:
            return world_0_us + device_us - device_0_us
        for world_0_us, device_0_us, rate in reversed(self._pieces):
            if device_us >= device_0_us and rate:
                return world_0_us + -(-(device_us - device_0_us) * _MILLION // rate)
        return self._pieces[0].world_us

    def stretched(self, device_us: int) -> int:
        """How long a span of the device's time is in the world, just now."""
        rate = self._now.rate
        return device_us if rate in (0, _MILLION) else (device_us * _MILLION + rate // 2) // rate
