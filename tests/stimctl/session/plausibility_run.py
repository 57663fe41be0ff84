"""A judge of a device whose clocks all read differently, for tests of single bounds.

The run began at 100 s of the host, 7 s of stimulation and 50 s of the device; it is 20 s old, alternates between two
bands, and its channel has 1.0 mA and a remnant of net charge.
"""

from dataclasses import replace
from typing import Any

from stimctl.session.plausibility import Implausible, Plausibility
from stimctl.stimulators.base import Identity
from stimctl.stimulators.targets import Targets
from stimctl.waveform import Program, Segment
from stimctl.wire.codec import Channel, Status
from stimctl.wire.codes import DeviceState
from tests.stimctl.session.test_plausibility import IDENTITY

S = 1_000_000
HOST_US, STIMULATION_US, DEVICE_US = 100 * S, 7 * S, 50 * S
RUN_US = 20 * S
BANDS = (Segment(10_000, 200, 0, 200, 3 * S), Segment(500_000, 600, 0, 600, 3 * S))
PROGRAM = Program(BANDS, (1,), 200, 5 * S, 1_800 * S)
NET_PC = 5_000
# Where a test is of one bound alone, the others are out of its way.
NO_NET = replace(IDENTITY, net_charge_floor_pc=10_000_000)
NO_FLOOR = replace(IDENTITY, net_charge_floor_pc=0)


def targets_at(amplitude_ua: int, *channels: int) -> Targets:
    """The record of a run in which every channel was started towards this."""
    started = dict.fromkeys(channels or (1,), amplitude_ua)
    targets = Targets(started)
    targets.started(started, 0)
    return targets


class Run:
    """A judge that has seen one reading. `tell` gives it the next, with so many pulses of each band more."""

    def __init__(
        self, identity: Identity = IDENTITY, ceiling_ua: int = 1_500, amplitude_ua: int = 1_000, **changes: Any
    ) -> None:
        self.targets = targets_at(amplitude_ua)
        self.judge = Plausibility(identity, PROGRAM, ceiling_ua, self.targets)
        self.judge.begin(1, DEVICE_US, STIMULATION_US, HOST_US)
        self.run_us = RUN_US
        self.amplitude_ua = amplitude_ua
        self.last = Channel(
            channel=1, flags=0, target_ua=amplitude_ua, applied_ua=amplitude_ua, measured_ua=amplitude_ua, ohm=800,
            pulses_0=700, pulses_1=30, charge_0_pc=700 * 200 * 1_000, charge_1_pc=30 * 600 * 1_000,
            net_charge_pc=NET_PC, device_time_us=DEVICE_US + RUN_US,
        )._replace(**changes)  # fmt: skip
        self.show()
        self.first = self.judge.channel(self.last, self.now_us)

    @property
    def now_us(self) -> int:
        return HOST_US + self.run_us

    def status(self, **changes: Any) -> Status:
        told = Status(
            device_time_us=DEVICE_US + self.run_us, boot_id=1, state=DeviceState.RUNNING, segment=0, end_reason=0,
            zero=0, active_mask=1, session=1, stimulation_us=STIMULATION_US + self.run_us, time_left_us=S,
            segment_left_us=0, hold_left_ms=0, keepalive_age_ms=100,
        )  # fmt: skip
        return told._replace(**changes)

    @property
    def device_us(self) -> int:
        return DEVICE_US + self.run_us

    def show(self, **changes: Any) -> Implausible | None:
        """The device's status now, judged."""
        told = self.status(**changes)
        return self.judge.status(told, self.now_us)

    def target(self, target_ua: int) -> None:
        """The device applied another target."""
        self.targets.applied(1, target_ua, self.now_us)

    def next(self, pulses: tuple[int, int] = (10, 0), after_us: int = 100_000, **changes: Any) -> Channel:
        """The next reading, its charge that of its pulses, unless `changes` say otherwise; a status came with it."""
        self.run_us += after_us
        self.show()
        last, applied_ua = self.last, changes.get("applied_ua", self.amplitude_ua)
        self.last = last._replace(
            pulses_0=last.pulses_0 + pulses[0],
            pulses_1=last.pulses_1 + pulses[1],
            charge_0_pc=last.charge_0_pc + pulses[0] * 200 * applied_ua,
            charge_1_pc=last.charge_1_pc + pulses[1] * 600 * applied_ua,
            device_time_us=self.device_us,
        )
        self.last = self.last._replace(**changes)
        return self.last

    def tell(self, pulses: tuple[int, int] = (10, 0), after_us: int = 100_000, **changes: Any) -> Implausible | None:
        """What is wrong with the next reading."""
        told = self.next(pulses, after_us, **changes)
        return self.judge.channel(told, self.now_us)


def text_of(finding: Implausible | None) -> str:
    return "" if finding is None else finding.text
