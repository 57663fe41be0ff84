"""Tracks the dose of one session: planned, commanded, delivered and measured, each kept apart."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from stimctl.dose import ChannelDose, CommandedDose, dose_record, planned, planned_band_us
from stimctl.entries import CLOSED_ITSELF, Closed
from stimctl.errors import Misuse, Unsafe
from stimctl.prescription import Prescription
from stimctl.session.ledger_entries import LedgerEntries, measured_agrees, measured_record
from stimctl.session.states import ON_HOLD, State
from stimctl.session.view import SessionReport
from stimctl.stimulators.base import Identity, OrderedDose, SessionCounts
from stimctl.wire.codec import TargetSet

_AS_REPORTED = (
    "end_text", "armed", "planned", "commanded", "delivered", "measured", "agreement", "kept", "held_us",
    "zero_confirmed_us", "zero_measured",
)  # fmt: skip
UNSEEN = "no telemetry bore out the zero before the counts: more may have flowed than was counted"
CAME_BACK = "current was told after a zero, before the counts: more may have flowed than was counted"
UNMEASURED = "the zero at the end was not measured: more may have flowed than was counted"
UNANSWERED = "the answer to an order was lost: nobody knows what was commanded to the last pulse"


class DoseTracker:
    """Follows what the device confirmed, and draws up the report at the end."""

    def __init__(self, prescription: Prescription) -> None:
        self._prescription = prescription
        self._commanded = CommandedDose(prescription.program)
        self._held_since_us: int | None = None
        self._held_us = 0
        # By channel in uA, if nobody touches it any more; a new mapping each time, for views from other threads.
        self.will_reach_ua: Mapping[int, int] = {}
        self.contradiction: str | None = None
        # Whether an order was never answered, so that nobody knows if and when the device took it.
        self.unanswered = False
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

    def moved(self, state: State, now_us: int) -> None:
        if state in ON_HOLD and self._held_since_us is None:
            self._held_since_us = now_us
        elif state not in ON_HOLD and self._held_since_us is not None:
            self._held_us += now_us - self._held_since_us
            self._held_since_us = None

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
        of_channel = self._commanded.dose if ordered is None else partial(_dose, ordered)
        commanded = {plan.channel: of_channel(plan.channel) for plan in rx.channels}
        counted, kept, band_us = None, None, self._commanded.band_us()
        if records is not None:
            kept = records.kept
            counted = {
                each.channel: ChannelDose((each.pulses_0, each.pulses_1), (each.charge_0_pc, each.charge_1_pc))
                for each in records.counters
            }
            band_us = records.record.segment_0_us, records.record.segment_1_us
        agrees = measured_agrees(identity, rx.program, records) if records and identity else None
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
            "measured": (measured_record(records) or None) if records else None,
            "agreement": {
                "exact": exact,
                "reason": reason,
                "measured": agrees,
                "contradiction": self.contradiction,
            },
            "targets_ua": {plan.channel: self._commanded.targets_ua[plan.channel] for plan in rx.channels},
            # A device that plays by leases does not ramp by the program's own pulse rules.
            "reached_ua": self._commanded.reached_ua() if ordered is None else {},
            "band_us": band_us,
            "held_us": self._held_us,
            "kept": None if kept is None else kept.record(),
        }

    def _may_be(self, counted: Mapping[int, ChannelDose]) -> bool:
        """Whether orders whose answers were lost may explain a count: it is no more than a whole session's."""
        rx = self._prescription
        most = planned(rx.program, dict.fromkeys(counted, rx.ceiling_ua), flat=True)
        return all(
            told <= allowed
            for channel, dose in counted.items()
            for told, allowed in zip(
                dose.pulses + dose.charge_pc, most[channel].pulses + most[channel].charge_pc, strict=True
            )
        )

    def closed_entry(self, report: SessionReport, ledger_entries: LedgerEntries) -> Closed:
        """The log's last entry of a session."""
        return Closed(
            end_reason=str(report.end),
            closed_by=CLOSED_ITSELF,
            **{name: getattr(report, name) for name in _AS_REPORTED},
            targets_ua={str(channel): ua for channel, ua in report.targets_ua.items()},
            reached_ua={str(channel): ua for channel, ua in report.reached_ua.items()},
            band_us=list(report.band_us),
            line={"frames": report.frames, "damaged_frames": report.damaged_frames},
            spreads={str(plan.channel): ledger_entries.spreads(plan.channel) for plan in self._prescription.channels},
        )


def _dose(ordered: Mapping[int, OrderedDose], channel: int) -> ChannelDose:
    return ChannelDose(*ordered.get(channel, OrderedDose((0, 0), (0, 0))))
