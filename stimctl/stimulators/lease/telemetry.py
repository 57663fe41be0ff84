"""Makes telemetry for a device that has none: the state of the session, as a native device would report it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stimctl import limits
from stimctl.stimulators.base import Identity
from stimctl.stimulators.lease.tally import NO_DEVICE_TIME_US
from stimctl.stimulators.native import channel_mask, program_digest
from stimctl.waveform import Program
from stimctl.wire.codec import Channel, Counters, SessionRecord, Status
from stimctl.wire.codes import DeviceState, EndReason

STIMULATING = (DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN)
WATCHED = (*STIMULATING, DeviceState.ARMED, DeviceState.CHECKING, DeviceState.HELD)


@dataclass(slots=True)
class EmulatedStatus:
    """The status of the session, which the host keeps in the device's place. `run_start_us` is stimulation time."""

    session: int
    state: DeviceState = DeviceState.IDLE
    end_reason: EndReason = EndReason.NONE
    identity: Identity | None = None
    program: Program | None = None
    channels: tuple[int, ...] = ()
    ceiling_ua: int = 0
    nonce: int = 0
    run_start_us: int = 0
    connected_us: int = 0
    armed_us: int | None = None
    alive_us: int = 0
    held_us: int | None = None
    flags: dict[int, int] = field(default_factory=dict)

    def device_time_us(self, now_us: int) -> int:
        """The host's clock from the handshake on, in the place of the device's own."""
        return now_us - self.connected_us

    def arm(self, channels: tuple[int, ...], ceiling_ua: int, now_us: int) -> None:
        """Armed: a nonce of its own each time. The session's time counts from the first."""
        self.state, self.channels, self.ceiling_ua = DeviceState.ARMED, channels, ceiling_ua
        self.nonce += 1
        self.flags.clear()
        self.armed_us = now_us if self.armed_us is None else self.armed_us
        self.alive_us = now_us

    def end(self, reason: EndReason) -> None:
        """The session is over; the first reason stays."""
        if self.state != DeviceState.ENDED:
            self.state, self.end_reason = DeviceState.ENDED, reason

    def expired(self, now_us: int) -> limits.SessionTimer | None:
        """The timer that has run out, if one has: the device holds none."""
        if self.armed_us is None or self.state not in WATCHED:
            return None
        held_us = self.held_us if self.state == DeviceState.HELD else None
        return limits.expired(now_us, self.armed_us, self.alive_us, held_us)


def status(at: EmulatedStatus, segment: int, stimulation_us: int, now_us: int) -> Status:
    held_us = at.held_us if at.state == DeviceState.HELD else None
    return Status(
        device_time_us=at.device_time_us(now_us),
        boot_id=at.identity.boot_id if at.identity is not None else 0,
        state=int(at.state),
        segment=segment,
        end_reason=int(at.end_reason) if at.state in (DeviceState.HELD, DeviceState.ENDED) else 0,
        zero=0,
        active_mask=channel_mask(at.channels),
        session=at.session if at.channels else 0,
        stimulation_us=stimulation_us,
        time_left_us=max(0, (at.program.stimulation_us if at.program is not None else 0) - stimulation_us),
        segment_left_us=_band_left_us(at, stimulation_us),
        hold_left_ms=0 if held_us is None else max(0, limits.HOLD_US - (now_us - held_us)) // 1_000,
        keepalive_age_ms=min(0xFFFF, (now_us - at.alive_us) // 1_000) if at.channels else 0,
    )


def _band_left_us(at: EmulatedStatus, stimulation_us: int) -> int:
    """To the switch of band in an uninterrupted run; 0 where there is one band."""
    if at.program is None or not at.program.cycle_us:
        return 0
    into_us = (stimulation_us - at.run_start_us) % at.program.cycle_us
    first_us = at.program.segments[0].dwell_us
    return first_us - into_us if into_us < first_us else at.program.cycle_us - into_us


def channel_reading(at: EmulatedStatus, counted: Counters, target_ua: int, applied_ua: int, now_us: int) -> Channel:
    """One channel. Nothing is measured between completion reports, so nothing is told as measured."""
    applied_ua = 0 if at.state == DeviceState.HELD else applied_ua
    flags, sums = at.flags.get(counted.channel, 0), counted[2:6]
    return Channel(counted.channel, flags, target_ua, applied_ua, 0, 0, *sums, 0, at.device_time_us(now_us))


def session_record(at: EmulatedStatus, stimulation_us: int, band_us: Sequence[int]) -> SessionRecord:
    """The session as a device's flash would hold it."""
    return SessionRecord(
        session=at.session,
        boot_id=at.identity.boot_id if at.identity is not None else 0,
        end_reason=int(at.end_reason),
        ceiling_ua=at.ceiling_ua,
        channel_mask=channel_mask(at.channels),
        stimulation_us=stimulation_us,
        segment_0_us=band_us[0],
        segment_1_us=band_us[1],
        digest_head=int.from_bytes(program_digest(at.program)[:8], "little") if at.program is not None else 0,
        nonce=at.nonce,
        device_time_us=NO_DEVICE_TIME_US,
    )
