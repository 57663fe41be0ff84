"""Devices that tell times, readings and loads otherwise than sections 23 to 27 have it: R-77 to R-86."""

from typing import Any

from firmware_sim.factory import SimulatedDevice
from firmware_sim.faults import Fault, FaultyDevice
from firmware_sim.native.device import Device
from firmware_sim.native.telemetry import TelemetrySender
from stimctl.wire.codec import Armed, Channel, Holding, SessionRecord
from tests.stimlab.conformance.mutants.mutant import mutant, saying


def _later(kind: type[Any], add_us: int) -> type[Device]:
    return saying(kind, lambda message: message._replace(device_time_us=max(0, message.device_time_us + add_us)))


mutant("R-77", "leaves the time out of Armed")(_later(Armed, -(10**9)))
mutant("R-77", "answers Hold with the time of a second ago")(_later(Holding, -1_000_000))
mutant("R-77", "answers ReadSession with the time of the session's beginning")(_later(SessionRecord, -400_000))


mutant("R-79", "composes each Channel when its turn comes")(
    saying(Channel, lambda message: message._replace(device_time_us=message.device_time_us + 5100 * message.channel))
)


@mutant("R-80", "tells what was measured of the last pulse while nothing flows")
class RemembersReadings(TelemetrySender):
    measured_ua = 0

    def _idle_row(self, channel: int) -> tuple[int, ...]:
        flags, target_ua, _, _, *rest = super()._idle_row(channel)
        return flags, target_ua, 0, self.measured_ua, *rest

    def tick(self, now_us: int) -> bytes:
        if self._machine.run is not None:
            self.measured_ua = self._machine.stage.row(1)[3]
        return super().tick(now_us)


@mutant("R-80", "tells of an amplitude that is applied while nothing is")
class StillApplied(TelemetrySender):
    def _idle_row(self, channel: int) -> tuple[int, ...]:
        flags, target_ua, _, measured_ua, *rest = super()._idle_row(channel)
        return flags, target_ua, 200, measured_ua, *rest


@mutant("R-82", "takes 60 ms for each answer")
def slow_answers(**given: Any) -> SimulatedDevice:
    return FaultyDevice([Fault("device.slow_answers", options={"delay_us": 60_000})], **given)


@mutant("R-84", "has a clock that is 0.1 % fast")
def fast_clock(**given: Any) -> SimulatedDevice:
    return FaultyDevice([Fault("device.clock_drift", options={"ppm": 1_000})], **given)


mutant("R-86", "tells of a load at any pulse")(
    saying(Channel, lambda message: message._replace(ohm=30) if 0 < message.applied_ua < 100 else message)
)


mutant("R-86", "tells of loads from 150 uA on")(
    saying(Channel, lambda message: message._replace(ohm=0) if message.applied_ua < 150 else message)
)
