"""Tracks the dose of one session: planned, commanded, delivered and measured, each kept apart."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import compress
from statistics import median
from struct import Struct
from typing import Any

from stimctl.dose import ChannelDose, CommandedDose, dose_record, planned, planned_band_us
from stimctl.entries import CLOSED_ITSELF, Closed
from stimctl.errors import Misuse, Unsafe
from stimctl.prescription import Prescription
from stimctl.session.states import ON_HOLD, State
from stimctl.session.view import SessionReport
from stimctl.stimulators.base import Identity, OrderedDose, SessionCounts
from stimctl.waveform import Program
from stimctl.wire.codec import Channel, TargetSet

_AS_REPORTED = (
    "end_text", "armed", "planned", "commanded", "delivered", "measured", "agreement", "kept", "held_us",
    "zero_confirmed_us", "zero_measured",
)  # fmt: skip
UNSEEN = "no telemetry bore out the zero before the counts: more may have flowed than was counted"
CAME_BACK = "current was told after a zero, before the counts: more may have flowed than was counted"
UNMEASURED = "the zero at the end was not measured: more may have flowed than was counted"
UNANSWERED = "the answer to an order was lost: nobody knows what was commanded to the last pulse"

_pack = Struct("3H").pack


class DoseTracker:
    """Follows what the device confirmed, and draws up the report at the end."""

    def __init__(self, prescription: Prescription) -> None:
        self._prescription = prescription
        self._commanded = CommandedDose(prescription.program)
        self.held_since_us: int | None = None
        self._held_us = 0
        # By channel in uA, if nobody touches it any more; a new mapping each time, for views from other threads.
        self.will_reach_ua: Mapping[int, int] = {}
        self.contradiction: str | None = None
        # Whether an order was never answered, so that nobody knows if and when the device took it.
        self.unanswered = False
        # By channel: applied_ua, measured_ua and ohm of each reading, six bytes whatever the length of the session.
        self._taken: defaultdict[int, array[int]] = defaultdict(lambda: array("H"))
        self.came_back = False  # current, after a zero

    def plan_record(self) -> dict[str, Any]:
        """What is going to be done, JSON-able."""
        rx = self._prescription
        return {
            "stimulation_us": rx.stimulation_us,
            "band_us": list(planned_band_us(rx.program)),
            "targets_ua": {str(channel): ua for channel, ua in rx.targets_ua.items()},
            "titrated": rx.titrate,
        }

    def planned_record(self) -> dict[str, Any]:
        """The dose by channel if nobody changes anything, JSON-able: none where the operator titrates."""
        return dose_record(planned(self._prescription.program, self._prescription.targets_ua))

    def started(self, targets: Mapping[int, int], stimulation_us: int) -> None:
        self._replay(self._commanded.started, targets, stimulation_us)

    def target_set(self, applied: TargetSet) -> None:
        self._replay(self._commanded.target_set, applied.channel, applied.target_ua, applied.stimulation_us)

    def on_hold(self, stimulation_us: int) -> None:
        self._replay(self._commanded.on_hold, stimulation_us)

    def _replay(self, trigger: Callable[..., None], *what: Any) -> None:
        """Take in what the device said. What makes no sense (a clock that goes back) is kept as a contradiction."""
        try:
            trigger(*what)
            self.will_reach_ua = self._commanded.will_reach_ua()
        except (Misuse, Unsafe) as odd:
            self.contradiction = self.contradiction or str(odd)

    def sample(self, reading: Channel) -> None:
        """Take a channel's reading into the session's spreads."""
        self._taken[reading[0]].frombytes(_pack(reading[3], reading[4], reading[5]))

    def moved(self, state: State, now_us: int) -> None:
        if state in ON_HOLD and self.held_since_us is None:
            self.held_since_us = now_us
        elif state not in ON_HOLD and self.held_since_us is not None:
            self._held_us += now_us - self.held_since_us
            self.held_since_us = None

    def doses(
        self,
        identity: Identity | None,
        records: SessionCounts | None,
        last_us: int,
        ordered: Mapping[int, OrderedDose] | None,
        *,
        zero_seen: bool,
    ) -> dict[str, Any]:
        """What the report says of the dose, by the fields of `SessionReport`.

        `records` is None when the device could not be asked; `last_us` is the stimulation time it told last; `ordered`
        what the adapter ordered, where the device does not play by the program's own pulse rules; `zero_seen` whether
        the output was measured to be at zero before the counts were asked for: else they may not be all that flowed.
        """
        rx = self._prescription
        # Without the device's own record the last telemetry says how far it certainly came.
        ended_us = max(last_us, self._commanded.now_us) if records is None else records.record.stimulation_us
        self._replay(self._commanded.ended, ended_us)
        channels = [plan.channel for plan in rx.channels]
        commanded = {
            channel: self._commanded.dose(channel) if ordered is None else ChannelDose(*ordered.get(channel, ()))
            for channel in channels
        }
        counted, kept, band_us = None, None, self._commanded.band_us()
        if records is not None:
            kept = records.kept
            counted = {
                each.channel: ChannelDose((each.pulses_0, each.pulses_1), (each.charge_0_pc, each.charge_1_pc))
                for each in records.counters
            }
            band_us = records.record.segment_0_us, records.record.segment_1_us
        agrees = _measured_agrees(identity, rx.program, records) if records and identity else None
        exact = None if counted is None else counted == commanded and self.contradiction is None
        reason = None
        if exact:
            unseen = CAME_BACK if self.came_back else UNSEEN if kept is None else UNMEASURED
            reason = (kept and kept.unsure) or (None if zero_seen else unseen)
        elif counted and self.unanswered and self.contradiction is None and self._may_be(counted):
            reason = UNANSWERED
        exact = None if reason else exact
        return {
            "planned": self.planned_record(),
            "commanded": dose_record(commanded),
            "delivered": None if counted is None else dose_record(counted),
            "measured": (_measured_record(records) or None) if records else None,
            "agreement": {"exact": exact, "reason": reason, "measured": agrees, "contradiction": self.contradiction},
            "targets_ua": {channel: self._commanded.targets_ua[channel] for channel in channels},
            # A device that plays by leases does not ramp by the program's own pulse rules.
            "reached_ua": self._commanded.reached_ua() if ordered is None else {},
            "band_us": band_us,
            "held_us": self._held_us,
            "kept": None if kept is None else kept.record(),
        }

    def _may_be(self, counted: Mapping[int, ChannelDose]) -> bool:
        """Whether orders whose answers were lost may explain a count: no band has more than a whole session in it.

        Each run may begin with a pulse more, and one of them may be unheard of.
        """
        program, ceiling_ua = self._prescription.program, self._prescription.ceiling_ua
        bands = [(program.stimulation_us // each.period_us, each.width_us) for each in program.segments]
        return all(
            pulses <= (most and most + self._commanded.runs + 1) and charge_pc <= pulses * width_us * ceiling_ua
            for dose in counted.values()
            for pulses, charge_pc, (most, width_us) in zip(dose.pulses, dose.charge_pc, [*bands, (0, 0)], strict=False)
        )

    def closed_entry(self, report: SessionReport) -> Closed:
        """The log's last entry of a session."""
        return Closed(
            end_reason=str(report.end),
            closed_by=CLOSED_ITSELF,
            **{name: getattr(report, name) for name in _AS_REPORTED},
            targets_ua={str(channel): ua for channel, ua in report.targets_ua.items()},
            reached_ua={str(channel): ua for channel, ua in report.reached_ua.items()},
            band_us=list(report.band_us),
            line={"frames": report.frames, "damaged_frames": report.damaged_frames},
            spreads={str(plan.channel): self._spreads(plan.channel) for plan in self._prescription.channels},
        )

    def _spreads(self, channel: int) -> dict[str, Any]:
        """Of a channel's amplitudes and impedance, while pulses were given, the first, the least, the median and the
        greatest, JSON-able; None where nothing was."""
        applied_ua, measured_ua, ohm = (self._taken[channel][column::3] for column in range(3))
        columns = {"applied_ua": applied_ua, "measured_ua": measured_ua, "ohm": ohm}
        return {name: _spread(filter(None, compress(column, applied_ua))) for name, column in columns.items()}


def _spread(column: Iterable[int]) -> dict[str, float] | None:
    read = [*column]
    if not read:
        return None
    first = read[0]
    read.sort()
    return {"first": first, "min": read[0], "median": median(read), "max": read[-1]}


def _measured_record(records: SessionCounts) -> dict[str, Any]:
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


def _measured_agrees(identity: Identity, program: Program, records: SessionCounts) -> bool | None:
    """Whether each measured charge lies within the device's stated error of the counted one; None where nothing was
    measured, or not every pulse was."""
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
