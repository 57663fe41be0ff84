"""What a session writes down: the entries of its log, as JSON-able facts.

Commanded and delivered stand apart: commanded is what the driver's own arithmetic says of what the device
confirmed; delivered is what the device counted; measured is what it measured.
"""

from collections.abc import Mapping
from statistics import median
from typing import Any

from stimctl.dose import ChannelDose
from stimctl.session.log import SessionLog
from stimctl.stimulators.base import Identity, Records
from stimctl.waveform import Program
from stimctl.wire.codes import NOT_MEASURED_OHM
from stimctl.wire.messages import Channel, Impedance


class Spread:
    """Minimum, median and maximum of what was sampled, and its first value."""

    def __init__(self) -> None:
        self._values: list[int] = []

    def add(self, value: int) -> None:
        self._values.append(value)

    def record(self) -> dict[str, float] | None:
        """JSON-able; None when nothing was sampled."""
        values = self._values
        if not values:
            return None
        return {"first": values[0], "min": min(values), "median": median(values), "max": max(values)}


class Journal:
    """Turns what happens in one session into log entries."""

    def __init__(self, log: SessionLog) -> None:
        self._log = log
        self._measured: dict[int, Spread] = {}
        self._applied: dict[int, Spread] = {}
        self._ohm: dict[int, Spread] = {}

    def put(self, kind: str, now_us: int, **body: Any) -> None:
        """Write one entry."""
        self._log.put(kind, now_us, body)

    def sample(self, reading: Channel) -> None:
        """Take a channel's reading into the session's spreads."""
        if reading.applied_ua:
            self._applied.setdefault(reading.channel, Spread()).add(reading.applied_ua)
            self._measured.setdefault(reading.channel, Spread()).add(reading.measured_ua)
            if reading.ohm != NOT_MEASURED_OHM:
                self._ohm.setdefault(reading.channel, Spread()).add(reading.ohm)

    def spreads(self, channel: int) -> dict[str, Any]:
        """A channel's sampled amplitudes and impedance, JSON-able."""
        found = {"applied_ua": self._applied, "measured_ua": self._measured, "ohm": self._ohm}
        return {name: spreads[channel].record() if channel in spreads else None for name, spreads in found.items()}


def impedance_record(result: Impedance) -> dict[str, Any]:
    """An impedance check of one channel, JSON-able."""
    return result._asdict()


def dose_record(dose: Mapping[int, ChannelDose]) -> dict[str, Any]:
    """A dose by channel, JSON-able: pulses and first-phase charge by segment."""
    return {
        str(channel): {"pulses": list(each.pulses), "charge_pc": list(each.charge_pc)} for channel, each in dose.items()
    }


def delivered(records: Records) -> dict[int, ChannelDose]:
    """What the device counted, by channel."""
    return {
        each.channel: ChannelDose((each.pulses_0, each.pulses_1), (each.charge_0_pc, each.charge_1_pc))
        for each in records.counters
    }


def measured_record(records: Records) -> dict[str, Any]:
    """What the device measured, by channel, JSON-able."""
    return {
        str(each.channel): {
            "charge_pc": [each.charge_0_pc, each.charge_1_pc],
            "net_charge_pc": each.net_charge_pc,
            "max_amplitude_ua": each.max_amplitude_ua,
            "compliance_hits": each.compliance_hits,
            "energy_nj": each.energy_nj,
        }
        for each in records.measured
    }


def measured_agrees(identity: Identity, program: Program, records: Records) -> bool:
    """Whether each measured charge lies within the device's stated error of the counted one."""
    # Half a step of the output's converter is part of what flows, so it is part of the comparison.
    fixed_ua = identity.readback_accuracy_ua + -(-identity.dac_step_na // 2_000)
    for counted, measured in zip(records.counters, records.measured, strict=True):
        pulses = (counted.pulses_0, counted.pulses_1)
        charge_pc = counted.charge_0_pc + counted.charge_1_pc
        width_time_us = sum(
            count * segment.width_us for count, segment in zip(pulses, program.segments, strict=False)
        )
        allowed_pc = charge_pc * identity.readback_accuracy_permille // 1_000 + width_time_us * fixed_ua
        if abs(measured.charge_0_pc + measured.charge_1_pc - charge_pc) > allowed_pc:
            return False
    return True
