"""What the dose log's entries hold: one class for each kind, written by the session and read by whoever shows it.

`body` is what is written. `read` takes a body as it stands in a ledger, which may be an older one or cut short: what it
does not say is None, and what this version does not know is left out. `docs/ledger.md` is made from these classes.
Times are microseconds of the session's own clock unless their name says otherwise; doses are keyed by the channel's
number as text.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, ClassVar, Self, TypedDict

from stimctl.wire.codes import Purpose

CLOSED_ITSELF = "its own program"
CLOSED_LATER = "a later start"

KINDS: dict[str, type["LogEntry"]] = {}


class Dose(TypedDict):
    """Pulses and first-phase charge of one channel, by band, in the order of the program's segments."""

    pulses: list[int]
    charge_pc: list[int]


class Spread(TypedDict):
    """How one sampled quantity ran."""

    first: float
    min: float
    median: float
    max: float


class MeasuredDose(TypedDict, total=False):
    """What the device measured on one channel. What it does not measure is not there."""

    charge_pc: list[int]
    net_charge_pc: int
    max_amplitude_ua: int
    compliance_hits: int
    energy_nj: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry's body."""

    kind: ClassVar[str] = ""

    @classmethod
    def __init_subclass__(cls, *, kind: str = "") -> None:
        # A dataclass with slots is made anew from the first, which registers again under the same kind.
        cls.kind = kind or cls.kind
        KINDS[cls.kind] = cls

    def body(self) -> dict[str, Any]:
        """JSON-able. A field that may be left out is left out where it is None."""
        said = {field.name: (getattr(self, field.name), field.default is None) for field in fields(self)}
        return {name: value for name, (value, optional) in said.items() if value is not None or not optional}

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """From a body as a ledger holds it."""
        values = {}
        for field in fields(cls):
            default = None if field.default is MISSING else field.default
            values[field.name] = body.get(field.name, default)
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(LogEntry, kind="opened"):
    """The device said who it is, and the session begins: who, what, on what, and what is going to be done."""

    subject: Annotated[str, "`person`, `animal`, `dummy_load` or `simulator`"]
    operator: Annotated[str, "who attends"]
    pseudonym: Annotated[str, "of the subject; never a name"]
    profile: Annotated[dict[str, Any], "id, version and SHA-256 of the profile's file"]
    prescription: Annotated[dict[str, Any], "the whole of it: channels, pairs, needles, program, ceiling"]
    device: Annotated[dict[str, Any], "its identity; `lacks` lists in sentences what it cannot do"]
    simulator: Annotated[bool, "whether the device says that it is a simulation"]
    url: Annotated[str, "the port"]
    plan: Annotated[dict[str, Any], "stimulation_us, band_us, targets_ua and whether the operator titrates"]
    planned: Annotated[dict[str, Dose], "the dose if nobody changes anything; none where the operator titrates"]
    software: Annotated[str | None, "name and version of the program"] = None
    clock: Annotated[str | None, "`real`, or `virtual`: the session's clock ran apart from the wall's"] = None
    calibration: Annotated[
        dict[str, Any] | str | None,
        "what `stimctl bench calibrate` keeps of the device: date, due date, certificate, gain and offset by channel; "
        "`none` where there is no record",
    ] = None
    started_utc: Annotated[str | None, "when it began, where that is not the moment of this entry"] = None
    course: Annotated[str | None, "the course that it belongs to"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened(LogEntry, kind="screening"):
    """The answers that were given before a person was connected."""

    pseudonym: Annotated[str, "of whom they are"]
    asked_at_us: Annotated[int, "when"]
    answers: Annotated[dict[str, Any], "by the question's id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEntered(LogEntry, kind="state"):
    """The session moved to another state, a hold was asked for, or the device told of an orderly event."""

    was: Annotated[str | None, "the state before"] = None
    now: Annotated[str | None, "the state from here on"] = None
    end: Annotated[str | None, "why it ends, once it does"] = None
    asked: Annotated[str | None, "`hold`: what was asked for"] = None
    why: Annotated[str | None, "the reason for what was asked"] = None
    source: Annotated[str | None, "`device`, where the device told it"] = None
    reason: Annotated[str | None, "the device's reason"] = None
    channel: Annotated[int | None, "of the device's event; 0 for none"] = None
    value: Annotated[int | None, "of the device's event"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestRun(LogEntry, kind="self_test"):
    """The device's self-test ran."""

    failures: Annotated[int, "0 for a pass, else a bit for each failure"]
    zero_ua: Annotated[int, "what flowed at zero, uA"]
    note: Annotated[str | None, "what was tested instead, where the device has no self-test"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStopped(LogEntry, kind="stop"):
    """A stop is complete: the one that is tried before any lead is on, or the one at the end."""

    tried: Annotated[bool, "whether it was only tried"]
    after_us: Annotated[int, "until zero was known, from the first stop frame"]
    answered_us: Annotated[int, "until the device answered"]
    measured_ua: Annotated[int, "the current then, where it was measured"]
    measured: Annotated[bool, "whether zero was measured, and not only acknowledged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceArmed(LogEntry, kind="armed"):
    """The device armed, by its own answer."""

    session: Annotated[int, "the device's own number of the session"]
    nonce: Annotated[int, "its number of this arming"]
    purpose: Annotated[int, ", ".join(f"{each.value} {each.name.lower().replace('_', ' ')}" for each in Purpose)]
    channel_mask: Annotated[int, "a bit for each channel"]
    ceiling_ua: Annotated[int, "the most that the device will give"]
    stimulation_limit_us: Annotated[int | None, "how long it may give output"] = None
    time_to_live_ms: Annotated[int | None, "how long it waits for its start"] = None
    device_time_us: Annotated[int | None, "by the device's clock"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpedanceChecked(LogEntry, kind="impedance"):
    """The impedance of one channel before the session."""

    channel: Annotated[int, "the channel"]
    ohm: Annotated[int, "65535 for an open circuit"]
    pulses: Annotated[int, "how many test pulses were given"]
    amplitude_ua: Annotated[int, "of the test pulses"]
    measured_ua: Annotated[int, "what flowed"]
    charge_pc: Annotated[int | None, "first-phase charge of the test pulses"] = None
    device_time_us: Annotated[int | None, "by the device's clock"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStarted(LogEntry, kind="started"):
    """A run began: at the start, or after a hold."""

    targets_ua: Annotated[dict[str, int], "by channel"]
    stimulation_us: Annotated[int, "stimulation time by then"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetChanged(LogEntry, kind="target"):
    """The device took another target, or refused one."""

    channel: Annotated[int | None, "the channel"] = None
    target_ua: Annotated[int | None, "what the device confirmed"] = None
    stimulation_us: Annotated[int | None, "stimulation time from which it counts"] = None
    device_time_us: Annotated[int | None, "by the device's clock"] = None
    refused: Annotated[dict[str, Any] | None, "order, reason, detail and limit of a refusal"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputHeld(LogEntry, kind="held"):
    """All channels are at zero; the session goes on."""

    stimulation_us: Annotated[int, "stimulation time by then"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled(LogEntry, kind="sample"):
    """The newest reading of each channel, every 10 s of a run."""

    stimulation_us: Annotated[int | None, "stimulation time by then"]
    channels: Annotated[dict[str, dict[str, Any]], "the device's readings, by channel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseEnded(LogEntry, kind="lease"):
    """One lease of a device that is given its output in leases is over."""

    segment: Annotated[int, "the band"]
    stimulation_us: Annotated[int, "when it began, in stimulation time"]
    levels_ua: Annotated[dict[str, int], "by channel"]
    ordered: Annotated[int, "pulses ordered"]
    pulses: Annotated[int, "pulses given, at most"]
    least: Annotated[int, "pulses that certainly flowed"]
    evidence: Annotated[str, "`counted`, or `estimated` by time"]
    measured_ua: Annotated[list[list[int]], "channel, phase and mean current, where the device measures"]
    between_pulses_ua: Annotated[
        list[list[int]] | None, "channel, mean current and us of the rests, where measured"
    ] = None
    open_charge_pc: Annotated[int | None, "at most left unbalanced by a pulse that was ended in its middle"] = None
    gap_us: Annotated[int | None, "how much later it began than the pattern's grid; null: never confirmed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRaised(LogEntry, kind="alarm"):
    """An alarm of the host, or of the device."""

    source: Annotated[str, "`host` or `device`"]
    priority: Annotated[str | None, "`HIGH`, `MEDIUM` or `LOW`, of the host's"] = None
    text: Annotated[str | None, "what is wrong, of the host's"] = None
    action: Annotated[str | None, "what to do, of the host's"] = None
    reason: Annotated[str | None, "of the device's"] = None
    channel: Annotated[int | None, "of the device's; 0 for none"] = None
    value: Annotated[int | None, "of the device's"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed(LogEntry, kind="closed"):
    """How the session ended, with its dose. Of one that was cut short, what a later start could say of it."""

    end_reason: Annotated[str, "why it ended; `interrupted` where the program died"]
    end_text: Annotated[str | None, "more of the reason"] = None
    reason: Annotated[str | None, "how it came to be closed by a later start"] = None
    closed_by: Annotated[str | None, "`its own program`, or `a later start`"] = None
    last_seen_utc: Annotated[str | None, "of its last entry, where a later start closed it"] = None
    ended_utc: Annotated[str | None, "when it ended, where that is not the moment of this entry"] = None
    armed: Annotated[bool | None, "false: nothing was ever armed, so nothing can have been delivered"] = None
    planned: Annotated[dict[str, Dose] | None, "as in `opened`"] = None
    commanded: Annotated[dict[str, Dose] | None, "by the driver's arithmetic of what the device confirmed"] = None
    delivered: Annotated[dict[str, Dose] | None, "as counted (or estimated, or a most: `kept`); not there: unknown"] = (
        None
    )
    measured: Annotated[dict[str, MeasuredDose] | None, "as the device measured; not there: unknown"] = None
    kept: Annotated[dict[str, Any] | None, "what `delivered` rests on, where the host kept the counts"] = None
    spreads: Annotated[dict[str, Any] | None, "applied_ua, measured_ua and ohm by channel: first, min, median, max"] = (
        None
    )
    targets_ua: Annotated[dict[str, int] | None, "by channel, as they were at the end"] = None
    reached_ua: Annotated[dict[str, int] | None, "the highest amplitude of a pulse, by the program's own rules"] = None
    band_us: Annotated[list[int] | None, "stimulation in each band"] = None
    held_us: Annotated[int | None, "time on hold"] = None
    zero_confirmed_us: Annotated[int | None, "from the stop until zero was known; not there: never"] = None
    zero_measured: Annotated[bool | None, "whether that zero was measured, and not only acknowledged"] = None
    agreement: Annotated[
        dict[str, Any] | None,
        "exact, and the reason where that is not known; measured, contradiction: whether the doses agree",
    ] = None
    line: Annotated[dict[str, int] | None, "frames that came whole, and damaged"] = None

    def body(self) -> dict[str, Any]:
        """JSON-able. A session that its own program closed says of what it could not learn that it is null."""
        said = LogEntry.body(self)
        if self.commanded is not None:
            said |= {name: said.get(name) for name in ("delivered", "measured", "zero_confirmed_us")}
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseRecovered(LogEntry, kind="recovered"):
    """What a device still held of an earlier session, fetched at a later connection. It does not tell when it began."""

    device: Annotated[dict[str, Any], "its identity"]
    simulator: Annotated[bool | None, "whether it says that it is a simulation"]
    record: Annotated[dict[str, Any], "the device's record: session, end reason, times in each band"]
    counters: Annotated[list[dict[str, Any]], "counted pulses and charge, by channel"]
    measured: Annotated[list[dict[str, Any]], "what the device measured, by channel"]
    checked: Annotated[
        list[dict[str, Any]] | None, "its newest impedance check, by channel; the session may have logged it too"
    ] = None
    known_here: Annotated[bool | None, "whether the session was run from this ledger"] = None
    arm_logged: Annotated[bool | None, "whether its last arming had been logged too"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(LogEntry, kind="counters"):
    """Counts of one channel that were fetched apart from the closing; no longer written."""

    channel: Annotated[int, "the channel"]
    pulses: Annotated[list[int], "by band"]
    charge_pc: Annotated[list[int], "first phases, by band"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteTaken(LogEntry, kind="note"):
    """Something that a person wrote down, during the session or after it."""

    text: Annotated[str | None, "the note"] = None
    author: Annotated[str | None, "who wrote it"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdverseEvent(LogEntry, kind="adverse"):
    """An adverse event, in a person's words, during the session or after it."""

    text: Annotated[str, "what happened, and what was done"]
    author: Annotated[str | None, "who wrote it"] = None
    severity: Annotated[str | None, "`mild`, `moderate` or `severe`, as the author judged it"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeScored(LogEntry, kind="outcome"):
    """Scores, 0 to 10, before or after the session. One that is given later takes the place of an earlier one."""

    when: Annotated[str | None, "`before` or `after`"] = None
    pain: Annotated[float | None, "0 none, 10 the worst"] = None
    sensation: Annotated[float | None, "at the needles"] = None
    author: Annotated[str | None, "who wrote it, where that was after the session"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected(LogEntry, kind="correction"):
    """What is right, where an earlier entry is wrong. That entry stays as it is."""

    number: Annotated[int, "of the entry that is wrong"]
    text: Annotated[str, "what is right"]
    author: Annotated[str | None, "who says so"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseBegun(LogEntry, kind="course"):
    """A course of sessions is planned for one subject. The course's id stands where a session's does."""

    pseudonym: Annotated[str, "of the subject; never a name"]
    profile: Annotated[dict[str, Any], "id, version, title and SHA-256 of the profile's file"]
    plan: Annotated[
        dict[str, dict[str, Any]],
        "by the profile's name for it: `low`, `high`, `from` (who says so), `section`, `quote`, `note`, `slip`",
    ]
    follow_up: Annotated[list[str], "what comes after the course, in the profile's words"]
    simulated: Annotated[bool, "whether its sessions are rehearsals and simulations; else none of them is"]
    author: Annotated[str | None, "who planned it"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseChanged(LogEntry, kind="course_changed"):
    """A correction of a course: what stands in it takes the place of what was said before, which stays."""

    why: Annotated[str, "the reason"]
    plan: Annotated[dict[str, dict[str, Any]] | None, "values of the plan, as in `course`"] = None
    counts: Annotated[dict[str, bool] | None, "sessions by their id: whether each belongs to the course"] = None
    author: Annotated[str | None, "who changed it"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseEnded(LogEntry, kind="course_ended"):
    """A course is over: done, or given up. Sessions no longer join it."""

    why: Annotated[str, "the reason"]
    author: Annotated[str | None, "who ended it"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed(LogEntry, kind="sealed"):
    """Of the ledger itself: something was lost or replaced before this entry, and a new stretch begins with it."""

    reason: Annotated[str, "what was found"]
    kept_number: Annotated[int, "the last entry that was there"]
    kept_hash: Annotated[str, "its hash"]
    anchor_number: Annotated[int | None, "the last entry that the anchor told of"]
    anchor_hash: Annotated[str | None, "its hash, which this entry follows where it is the later one"]
    missing: Annotated[list[list[int]], "first and last number of each run of entries that are gone"]
    aside: Annotated[str | None, "folder with a copy of the files as they were found"]
    source: Annotated[str | None, "the file that was restored or recovered"] = None
    replaced_number: Annotated[int | None, "the last entry of the ledger that a restore replaced"] = None
    replaced_hash: Annotated[str | None, "its hash"] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed(LogEntry, kind="signed"):
    """An Ed25519 signature over this session and the entry before it, by a key that is kept outside the ledger."""

    number: Annotated[int, "the entry up to which it vouches"]
    head: Annotated[str, "the hash of that entry"]
    public_key: Annotated[str, "32 bytes in hex"]
    signature: Annotated[str, "64 bytes in hex"]
    signer: Annotated[str | None, "who says to have signed"] = None
