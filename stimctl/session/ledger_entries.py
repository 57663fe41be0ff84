"""Makes the entries of a session for its log, as JSON-able facts.

Commanded is what the driver's own arithmetic says of what the device confirmed; delivered is what the device counted;
measured is what it measured.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable
from itertools import compress
from statistics import median
from struct import Struct
from typing import Any

from stimctl.session.log import SessionLog
from stimctl.stimulators.base import Identity, SessionCounts
from stimctl.waveform import Program
from stimctl.wire.codec import Channel

_pack = Struct("3H").pack


def _spread(column: Iterable[int]) -> dict[str, float] | None:
    read = [*column]
    if not read:
        return None
    first = read[0]
    read.sort()
    return {"first": first, "min": read[0], "median": median(read), "max": read[-1]}


class LedgerEntries:
    """Turns what happens in one session into log entries."""

    def __init__(self, log: SessionLog) -> None:
        self.put = log.put
        self.problem = log.problem
        # By channel: applied_ua, measured_ua and ohm of each reading, six bytes whatever the length of the session.
        self._taken: defaultdict[int, array[int]] = defaultdict(lambda: array("H"))

    def sample(self, reading: Channel) -> None:
        """Take a channel's reading into the session's spreads."""
        self._taken[reading[0]].frombytes(_pack(reading[3], reading[4], reading[5]))

    def spreads(self, channel: int) -> dict[str, Any]:
        """Of a channel's amplitudes and impedance, while pulses were given, the first, the least, the median and the
        greatest, JSON-able; None where nothing was."""
        applied_ua, measured_ua, ohm = (self._taken[channel][column::3] for column in range(3))
        columns = {"applied_ua": applied_ua, "measured_ua": measured_ua, "ohm": ohm}
        return {name: _spread(filter(None, compress(column, applied_ua))) for name, column in columns.items()}


def measured_record(records: SessionCounts) -> dict[str, Any]:
    """What the device measured, by channel, JSON-able. Where the host kept the counts, only charge and amplitude are,
    and of a channel none of whose pulses was measured nothing is."""
    bases = () if records.kept is None else records.kept.bases
    unmeasured = {basis.channel for basis in bases if not sum(basis.measured)}
    names = ["net_charge_pc", "max_amplitude_ua", *(["compliance_hits", "energy_nj"] if records.kept is None else ())]
    return {
        str(each.channel): {
            "charge_pc": [each.charge_0_pc, each.charge_1_pc],
            **{name: getattr(each, name) for name in names},
        }
        for each in records.measured
        if each.channel not in unmeasured
    }


def measured_agrees(identity: Identity, program: Program, records: SessionCounts) -> bool | None:
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
