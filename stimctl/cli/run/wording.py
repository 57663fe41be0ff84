"""The words that the live screen, the plain lines and the summary share."""

from stimctl import limits
from stimctl.ledger.heads import REHEARSAL
from stimctl.prescription import PaperPrescription, Prescription
from stimctl.session.states import ON_HOLD, STIMULATING, End, State
from stimctl.session.view import SessionView
from stimctl.units import US_PER_MS, charge_text, clock_text, hz_text, ma_text
from stimctl.wire.codec import Channel, Status
from stimctl.wire.codes import NOT_MEASURED_OHM, SATURATED_OHM, ChannelFlag, ohm_text, simulator_or_hardware

# What the operator does in each state in which the session waits.
GATES = {
    State.TESTED: "Outputs read zero: connect the leads, then press Enter.",
    State.CHECKED: "Contacts are good: press Enter to start the ramp.",
    State.HELD: "On hold, all outputs at zero: press Enter to check the contacts again.",
    State.RECHECKED: "Contacts are good: press Enter to ramp up again, from zero.",
}
STOP_HELP = "STOP: s, space, q or Esc"
KEY_HELP = "+ raise   - lower   1-4 channel   h hold   Enter or r go on"


def banner(view: SessionView, prescription: Prescription) -> str:
    """SIMULATOR or HARDWARE once the device has said it; a rehearsal is one from its beginning."""
    if prescription.rehearsal:
        return REHEARSAL
    return simulator_or_hardware(None if view.identity is None else view.identity.simulator, "CONNECTING")


def doing(view: SessionView) -> str:
    """The state, and why it ended."""
    if view.end is not None:
        return f"{view.state.value} ({view.end.value})"
    return view.state.value


def band(prescription: Prescription, status: Status | None) -> str:
    """The band now and when it switches."""
    segments = prescription.program.segments
    if status is None or status.segment >= len(segments):
        return "-"
    now = hz_text(segments[status.segment].period_us)
    if len(segments) < 2 or not status.segment_left_us:
        return now
    other = hz_text(segments[1 - status.segment].period_us)
    return f"{now}, {other} in {status.segment_left_us / 1e6:.1f} s"


def shortfalls(view: SessionView) -> list[str]:
    """A sentence for each channel whose target will not be reached in the time that is left."""
    if view.state not in (State.RAMPING, State.RUNNING):
        return []
    return [
        f"channel {channel}: {ma_text(coming_ua)} will be reached, not {ma_text(view.targets_ua[channel])}: "
        "too little time is left"
        for channel, coming_ua in sorted(view.will_reach_ua.items())
        if coming_ua < view.targets_ua.get(channel, 0)
    ]


def time_left_us(prescription: Prescription, status: Status | None) -> int:
    """Stimulation left by the device's clock; all of it before the device has begun."""
    if status is None or not status.session:
        return prescription.stimulation_us
    return status.time_left_us or prescription.stimulation_us - status.stimulation_us


def time_left(prescription: Prescription, status: Status | None) -> str:
    """Time left of how much."""
    return f"{clock_text(time_left_us(prescription, status))} of {clock_text(prescription.stimulation_us)}"


def keepalive(view: SessionView) -> str:
    """How old the newest keepalive is, by the device's clock, while it needs one."""
    if view.status is None or view.state not in STIMULATING | ON_HOLD:
        return "-"
    return f"{view.status.keepalive_age_ms} ms"


def hold_left(view: SessionView) -> str:
    """How long a hold may still last; empty when there is none."""
    if view.state not in ON_HOLD or view.status is None or not view.status.hold_left_ms:
        return ""
    return f"hold ends in {clock_text(view.status.hold_left_ms * US_PER_MS)}"


def contact(reading: Channel | None) -> str:
    """Contact of a channel in a word."""
    if reading is None:
        return "-"
    for flag, word in (
        (ChannelFlag.OVER_CURRENT, "OVER-CURRENT"),
        (ChannelFlag.SHORT, "SHORT"),
        (ChannelFlag.LEAD_OFF, "OFF"),
        (ChannelFlag.COMPLIANCE, "AT THE RAIL"),
        (ChannelFlag.NET_CHARGE, "NET CHARGE"),
    ):
        if reading.flags & flag:
            return word
    if reading.ohm == NOT_MEASURED_OHM:
        return "-"
    return "good" if limits.SHORT_OHM <= reading.ohm <= limits.LEAD_OFF_OHM else "BAD"


def ohms(view: SessionView, channel: int) -> str:
    """Resistance in ohm, now or by the impedance check, in as little room as a column has."""
    ohm = _ohm(view, channel)
    return {NOT_MEASURED_OHM: "-", SATURATED_OHM: ">65k"}.get(ohm, str(ohm))


def resistance(view: SessionView, channel: int) -> str:
    """The same in words."""
    return ohm_text(_ohm(view, channel))


def _ohm(view: SessionView, channel: int) -> int:
    """What the last pulse found; before there is one, what the impedance check did."""
    found = (view.channels.get(channel), view.impedances.get(channel))
    return next((each.ohm for each in found if each is not None and each.ohm != NOT_MEASURED_OHM), NOT_MEASURED_OHM)


def measured(view: SessionView, reading: Channel | None) -> str:
    """What flowed in the last pulse; a device that is driven by leases tells it only when a lease is over."""
    if view.identity is not None and view.identity.by_lease:
        return "-"
    return ma_text(reading.measured_ua if reading else 0)


def charge(view: SessionView, reading: Channel | None) -> str:
    """First-phase charge so far; between two reports of a device that is driven by leases it is an estimate."""
    text = charge_text(charge_pc(reading))
    return f"~{text}" if view.identity is not None and view.identity.by_lease else text


def charge_pc(reading: Channel | None) -> int:
    """First-phase charge so far, as the device counts it."""
    return 0 if reading is None else reading.charge_0_pc + reading.charge_1_pc


def pair(prescription: PaperPrescription, channel: int) -> str:
    """The two ends of a channel, with the side said once where it is the same."""
    first, second = prescription.plan(channel).ends
    ends = f"{first} - {second}"
    if first.side == second.side and not (first.spot or second.spot):
        ends = f"{first.point}/{second.point}" + ("" if first.side == "none" else f" {first.side}")
    return ends


def plan_lines(prescription: PaperPrescription) -> list[str]:
    """What is going to be done, for a person to look at before it begins."""
    rx = prescription
    asked = "titrated from zero" if rx.titrate else None
    head = f"{clock_text(rx.stimulation_us)} min of {rx.mode}, ceiling {ma_text(rx.ceiling_ua)}"
    return [
        head,
        *(
            f"channel {each.channel}: {pair(rx, each.channel)}, {asked or ma_text(each.amplitude_ua)}"
            for each in rx.channels
        ),
        *needles(rx),
    ]


def needles(prescription: PaperPrescription) -> list[str]:
    """Charge density and k of each channel's declared needle, at the ceiling."""
    return [
        f"channel {plan.channel}: a load has no needle; charge density and k are not computed"
        if plan.needle is None
        else f"channel {plan.channel} at the ceiling: {prescription.density(plan.channel):.1f} uC/cm2, "
        f"k {prescription.shannon_k(plan.channel):.2f}, {prescription.rms_ma_per_cm2(plan.channel):.1f} mA/cm2 rms "
        f"({plan.needle.diameter_um / 1000:.2f} x {plan.needle.inserted_um / 1000:g} mm)"
        for plan in prescription.channels
    ]


def end_sentence(end: End, text: str) -> str:
    """The sentence on why a session ended, with nothing said twice."""
    return end.value if text in ("", end.value) else f"{end.value}: {text}"
