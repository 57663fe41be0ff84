"""What a session writes down: the entries of its log, as JSON-able facts.

Commanded is what the driver's own arithmetic says of what the device confirmed; delivered is what the device counted;
measured is what it measured.
"""

from array import array
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from stimctl.dose import ChannelDose
from stimctl.session.log import SessionLog
from stimctl.stimulators.base import Identity, Records
from stimctl.waveform import Program
from stimctl.wire.messages import Channel


class Samples:
    """A channel's readings, six bytes each, whatever the length of the session."""

    def __init__(self) -> None:
        self._taken = array("H")
        extend = self._taken.extend

        def take(reading: Channel) -> None:
            # applied_ua, measured_ua and ohm stand side by side in the message.
            extend(reading[3:6])

        self.take = take

    def record(self) -> dict[str, dict[str, float] | None]:
        """First, least, median and greatest of each while pulses were given, JSON-able; None where nothing was."""
        taken = self._taken
        pulsed = [at for at in range(0, len(taken), 3) if taken[at]]
        columns = {"applied_ua": 0, "measured_ua": 1, "ohm": 2}
        return {name: _spread([taken[at + column] for at in pulsed]) for name, column in columns.items()}


def _spread(column: list[int]) -> dict[str, float] | None:
    read = [value for value in column if value]
    if not read:
        return None
    return {"first": read[0], "min": min(read), "median": median(read), "max": max(read)}


class Journal:
    """Turns what happens in one session into log entries."""

    def __init__(self, log: SessionLog) -> None:
        self._log = log
        self._samples: dict[int, Samples] = {}
        self._take: dict[int, Callable[[Channel], None]] = {}

    def put(self, kind: str, now_us: int, /, **body: Any) -> None:
        self._log.put(kind, now_us, body)

    def sample(self, reading: Channel) -> None:
        """Take a channel's reading into the session's spreads."""
        try:
            self._take[reading[0]](reading)
        except KeyError:
            samples = self._samples[reading.channel] = Samples()
            self._take[reading.channel] = samples.take
            samples.take(reading)

    def spreads(self, channel: int) -> dict[str, Any]:
        """A channel's sampled amplitudes and impedance, JSON-able."""
        return (self._samples.get(channel) or Samples()).record()


def dose_record(dose: Mapping[int, ChannelDose]) -> dict[str, Any]:
    """A dose by channel, JSON-able: pulses and first-phase charge by segment."""
    return {
        str(channel): {"pulses": list(each.pulses), "charge_pc": list(each.charge_pc)} for channel, each in dose.items()
    }


def delivered(records: Records) -> dict[int, ChannelDose]:
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


def measured_agrees(identity: Identity, program: Program, records: Records) -> bool | None:
    """Whether each measured charge lies within the device's stated error of the counted one.

    None where it cannot be said: nothing was measured, or not every pulse was.
    """
    kept = records.kept
    whole = kept is None or all(sum(each.measured) == sum(each.counted) for each in kept.bases)
    if not records.measured or not whole or (kept is not None and kept.estimated):
        return None
    # Half a step of the output's converter is part of what flows, so it is part of the comparison.
    fixed_ua = identity.readback_accuracy_ua + -(-identity.dac_step_na // 2_000)
    for counted, measured in zip(records.counters, records.measured, strict=True):
        pulses = (counted.pulses_0, counted.pulses_1)
        charge_pc = counted.charge_0_pc + counted.charge_1_pc
        width_time_us = sum(count * segment.width_us for count, segment in zip(pulses, program.segments, strict=False))
        allowed_pc = charge_pc * identity.readback_accuracy_permille // 1_000 + width_time_us * fixed_ua
        if abs(measured.charge_0_pc + measured.charge_1_pc - charge_pc) > allowed_pc:
            return False
    return True
