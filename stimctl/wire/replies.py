"""The messages from device to host: replies (kinds 0x40 to 0x5F), and what it sends on its own (0x60 to 0x6F).

Every answer of a session ends with the device time at which it was made, so that a host can tell telemetry that
is older than an answer. Refused and Stopped keep their bytes in every version, and the identity never changes.
"""

from typing import Annotated, NamedTuple

from stimctl.wire.schema import FieldSchema, message

MADE = "when this answer was made, since boot"


@message(0x40)
class Refused(NamedTuple):
    """The command was not executed and nothing has changed."""

    command: Annotated[int, FieldSchema("B", "its kind")]
    reason: Annotated[int, FieldSchema("B", "a refusal code")]
    detail: Annotated[int, FieldSchema("I", "the value that was refused, where there is one")]
    limit: Annotated[int, FieldSchema("I", "the limit that it broke, where there is one")]


@message(0x41)
class Welcome(NamedTuple):
    """The handshake is open."""

    version: Annotated[int, FieldSchema("H", "protocol version")]
    boot_id: Annotated[int, FieldSchema("I", "count of boots, never repeated")]
    simulator: Annotated[int, FieldSchema("B", "1 when no current can flow into anything real")]
    state: Annotated[int, FieldSchema("B", "device state")]
    session: Annotated[int, FieldSchema("I", "a session whose counters wait to be acknowledged; 0 for none")]


@message(0x42)
class Maker(NamedTuple):
    """Identity, page 0. Text is ASCII, padded with zero bytes."""

    model: Annotated[bytes, FieldSchema("24s", "model")]
    serial: Annotated[bytes, FieldSchema("24s", "serial number")]


@message(0x43)
class Firmware(NamedTuple):
    """Identity, page 1."""

    major: Annotated[int, FieldSchema("B", "version")]
    minor: Annotated[int, FieldSchema("B", "version")]
    patch: Annotated[int, FieldSchema("B", "version")]
    sha256: Annotated[bytes, FieldSchema("32s", "SHA-256 of the firmware image")]


@message(0x44)
class Ranges(NamedTuple):
    """Identity, page 2."""

    calibrated_on: Annotated[int, FieldSchema("I", "date as the decimal number yyyymmdd; 0 for never")]
    channels: Annotated[int, FieldSchema("B", "number of outputs, at most 4")]
    capabilities: Annotated[int, FieldSchema("H", "capability bits")]
    max_amplitude_ua: Annotated[int, FieldSchema("H", "highest ceiling it accepts")]
    dac_step_na: Annotated[int, FieldSchema("I", "one step of the output's converter, nA")]
    readback_accuracy_ua: Annotated[int, FieldSchema("H", "stated: fixed part of the error of a measured amplitude")]
    readback_accuracy_permille: Annotated[int, FieldSchema("H", "stated: proportional part of that error")]
    net_charge_floor_pc: Annotated[
        int, FieldSchema("I", "stated: smallest net charge of a pulse that it can tell from none")
    ]
    compliance_mv: Annotated[int, FieldSchema("H", "highest output voltage")]
    watchdog_ms: Annotated[int, FieldSchema("H", "output is zero so long after the last keepalive")]


@message(0x45)
class ProgramOpen(NamedTuple):
    """LoadProgram was applied: its fields, as they stand in the device."""

    segment_count: Annotated[int, FieldSchema("B", "as applied")]
    channel_mask: Annotated[int, FieldSchema("B", "as applied")]
    ramp_slope_ua_per_s: Annotated[int, FieldSchema("H", "as applied")]
    ramp_down_us: Annotated[int, FieldSchema("I", "as applied")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x46)
class SegmentLoaded(NamedTuple):
    """LoadSegment was applied: its fields, as they stand in the device."""

    index: Annotated[int, FieldSchema("B", "as applied")]  # type: ignore[assignment]  # hides tuple.index
    period_us: Annotated[int, FieldSchema("I", "as applied")]
    width_us: Annotated[int, FieldSchema("H", "as applied")]
    interphase_gap_us: Annotated[int, FieldSchema("H", "as applied")]
    second_width_us: Annotated[int, FieldSchema("H", "as applied")]
    dwell_us: Annotated[int, FieldSchema("I", "as applied")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x47)
class ProgramDigest(NamedTuple):
    """The program is complete."""

    sha256: Annotated[bytes, FieldSchema("32s", "SHA-256 of the fields of LoadProgram and each LoadSegment, in order")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x48)
class SelfTestDone(NamedTuple):
    """The outcome of a self-test."""

    failures: Annotated[int, FieldSchema("H", "self-test bits; 0 is a pass")]
    zero_ua: Annotated[int, FieldSchema("H", "largest current measured with the outputs disconnected")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x49)
class Armed(NamedTuple):
    """Arm was applied."""

    purpose: Annotated[int, FieldSchema("B", "as applied")]
    channel_mask: Annotated[int, FieldSchema("B", "as applied")]
    ceiling_ua: Annotated[int, FieldSchema("H", "as applied")]
    stimulation_limit_us: Annotated[int, FieldSchema("I", "as applied")]
    time_to_live_ms: Annotated[int, FieldSchema("H", "as applied")]
    session: Annotated[int, FieldSchema("I", "the session this arm belongs to")]
    nonce: Annotated[int, FieldSchema("Q", "never given before, over all boots")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x4A)
class Started(NamedTuple):
    """Start was applied."""

    target_1_ua: Annotated[int, FieldSchema("H", "as applied")]
    target_2_ua: Annotated[int, FieldSchema("H", "as applied")]
    target_3_ua: Annotated[int, FieldSchema("H", "as applied")]
    target_4_ua: Annotated[int, FieldSchema("H", "as applied")]
    stimulation_us: Annotated[int, FieldSchema("I", "stimulation of the session so far; pulses follow from here")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x4B)
class Alive(NamedTuple):
    """KeepAlive was accepted."""

    state: Annotated[int, FieldSchema("B", "device state")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x4C)
class TargetSet(NamedTuple):
    """SetTarget was applied."""

    channel: Annotated[int, FieldSchema("B", "as applied")]
    target_ua: Annotated[int, FieldSchema("H", "as applied")]
    stimulation_us: Annotated[int, FieldSchema("I", "pulses that start at or after this use it")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x4D)
class Holding(NamedTuple):
    """Hold was applied."""

    state: Annotated[int, FieldSchema("B", "device state")]
    stimulation_us: Annotated[int, FieldSchema("I", "pulses that started before this were delivered")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x4E)
class Impedance(NamedTuple):
    """A channel's last impedance check. Its charge is not part of the session's counters."""

    channel: Annotated[int, FieldSchema("B", "1 to 4")]
    ohm: Annotated[int, FieldSchema("H", "0 not measured, 65 535 that or more")]
    pulses: Annotated[int, FieldSchema("H", "delivered, at most 10")]
    amplitude_ua: Annotated[int, FieldSchema("H", "commanded")]
    measured_ua: Annotated[int, FieldSchema("H", "mean of what flowed")]
    charge_pc: Annotated[int, FieldSchema("I", "one phase, all pulses")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x4F)
class SessionRecord(NamedTuple):
    """What the device knows of the session that is open or waits. It survives a reset."""

    session: Annotated[
        int, FieldSchema("I", "count of sessions, never repeated; 0, as all else, when none is open or waits")
    ]
    boot_id: Annotated[int, FieldSchema("I", "boot in which it was armed")]
    end_reason: Annotated[int, FieldSchema("B", "end reason; 0 while it is open")]
    ceiling_ua: Annotated[int, FieldSchema("H", "as armed")]
    channel_mask: Annotated[int, FieldSchema("B", "as armed")]
    stimulation_us: Annotated[int, FieldSchema("I", "in all, ramps counted, holds not")]
    segment_0_us: Annotated[int, FieldSchema("I", "of it in segment 0")]
    segment_1_us: Annotated[int, FieldSchema("I", "of it in segment 1")]
    digest_head: Annotated[int, FieldSchema("Q", "program, as armed")]
    nonce: Annotated[int, FieldSchema("Q", "of its newest arm")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x50)
class Counters(NamedTuple):
    """What a channel delivered, as commanded: counted exactly."""

    channel: Annotated[int, FieldSchema("B", "1 to 4")]
    session: Annotated[int, FieldSchema("I", "session")]
    pulses_0: Annotated[int, FieldSchema("I", "in segment 0")]
    pulses_1: Annotated[int, FieldSchema("I", "in segment 1")]
    charge_0_pc: Annotated[int, FieldSchema("Q", "first phases in segment 0")]
    charge_1_pc: Annotated[int, FieldSchema("Q", "first phases in segment 1")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x51)
class Measured(NamedTuple):
    """What a channel measured: first phases, with the readback's stated error."""

    channel: Annotated[int, FieldSchema("B", "1 to 4")]
    session: Annotated[int, FieldSchema("I", "session")]
    charge_0_pc: Annotated[int, FieldSchema("Q", "first phases in segment 0")]
    charge_1_pc: Annotated[int, FieldSchema("Q", "first phases in segment 1")]
    net_charge_pc: Annotated[int, FieldSchema("q", "both phases, all pulses")]
    max_amplitude_ua: Annotated[int, FieldSchema("H", "highest")]
    compliance_hits: Annotated[int, FieldSchema("I", "pulses that reached the rail")]
    energy_nj: Annotated[int, FieldSchema("Q", "voltage times current, both phases, all pulses")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x52)
class Acknowledged(NamedTuple):
    """The counters are forgotten and a new session may be armed."""

    session: Annotated[int, FieldSchema("I", "as applied")]
    state: Annotated[int, FieldSchema("B", "device state")]
    device_time_us: Annotated[int, FieldSchema("Q", MADE)]


@message(0x5F)
class Stopped(NamedTuple):
    """Outputs are disabled. `zero` comes later than the first answer: the host asks again until it is 1."""

    state: Annotated[int, FieldSchema("B", "device state")]
    zero: Annotated[int, FieldSchema("B", "1 once under 20 uA was measured for 20 ms without a break")]
    measured_ua: Annotated[int, FieldSchema("H", "largest current on any channel now")]
    device_time_us: Annotated[int, FieldSchema("Q", "since boot")]


# --- device to host, on its own ---------------------------------------------------------------------


@message(0x60)
class Status(NamedTuple):
    """The device as a whole, ten times a second."""

    device_time_us: Annotated[int, FieldSchema("Q", "since boot")]
    boot_id: Annotated[int, FieldSchema("I", "another one than at the handshake means a reset")]
    state: Annotated[int, FieldSchema("B", "device state")]
    segment: Annotated[int, FieldSchema("B", "the segment (band) now")]
    end_reason: Annotated[int, FieldSchema("B", "why it is ended or held; 0 otherwise")]
    zero: Annotated[int, FieldSchema("B", "1 while outputs are disabled and zero is measured")]
    active_mask: Annotated[int, FieldSchema("B", "channels of the newest arm")]
    session: Annotated[int, FieldSchema("I", "session; 0 when none is open or waits")]
    stimulation_us: Annotated[int, FieldSchema("I", "of the session so far")]
    time_left_us: Annotated[int, FieldSchema("I", "to the end of stimulation, by the device's timer")]
    segment_left_us: Annotated[int, FieldSchema("I", "to the next switch of band; 0 when there is none")]
    hold_left_ms: Annotated[int, FieldSchema("I", "to the end of a hold; 0 when not held")]
    keepalive_age_ms: Annotated[int, FieldSchema("H", "since the last keepalive, at most 65 535")]


@message(0x61)
class Channel(NamedTuple):
    """One active channel, ten times a second."""

    channel: Annotated[int, FieldSchema("B", "1 to 4")]
    flags: Annotated[int, FieldSchema("B", "channel flags")]
    target_ua: Annotated[int, FieldSchema("H", "where the ramp goes")]
    applied_ua: Annotated[int, FieldSchema("H", "commanded for the last pulse; 0 without output")]
    measured_ua: Annotated[int, FieldSchema("H", "of the last pulse; without output what is read of the output now")]
    ohm: Annotated[int, FieldSchema("H", "voltage over current of the last pulse; 0 not measured, 65 535 that or more")]
    pulses_0: Annotated[int, FieldSchema("I", "in segment 0")]
    pulses_1: Annotated[int, FieldSchema("I", "in segment 1")]
    charge_0_pc: Annotated[int, FieldSchema("Q", "first phases in segment 0, as commanded")]
    charge_1_pc: Annotated[int, FieldSchema("Q", "first phases in segment 1, as commanded")]
    net_charge_pc: Annotated[int, FieldSchema("q", "measured, both phases, all pulses")]
    device_time_us: Annotated[int, FieldSchema("Q", "that of the Status which this frame follows")]


@message(0x62)
class Event(NamedTuple):
    """Something changed. Also told by the next Status: a lost event loses no safety."""

    device_time_us: Annotated[int, FieldSchema("Q", "since boot")]
    state: Annotated[int, FieldSchema("B", "device state after it")]
    reason: Annotated[int, FieldSchema("B", "end reason; 0 for a plain change of state")]
    channel: Annotated[int, FieldSchema("B", "1 to 4; 0 for the whole device")]
    value: Annotated[int, FieldSchema("I", "what was measured or counted, where there is something")]
