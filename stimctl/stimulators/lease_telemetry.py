"""Telemetry for a device that has none: where the session stands, as a native device would say it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stimctl import limits
from stimctl.stimulators.base import Identity
from stimctl.stimulators.lease_tally import NO_DEVICE_TIME_US
from stimctl.stimulators.native import channel_mask
from stimctl.waveform import Program
from stimctl.wire.codes import DeviceState, EndReason
from stimctl.wire.messages import Channel, Counters, SessionRecord, Status


@dataclass(slots=True)
class Standing:
    """What the host holds of the session in the device's place."""

    session: int
    state: DeviceState = DeviceState.IDLE
    end_reason: EndReason = EndReason.NONE
    boot_id: int = 0
    connected_us: int = 0
    channels: tuple[int, ...] = ()
    ceiling_ua: int = 0
    nonce: int = 0
    digest: bytes = b""
    segment: int = 0
    stimulation_us: int = 0
    run_start_us: int = 0
    flags: dict[int, int] = field(default_factory=dict)

    def connected(self, identity: Identity, now_us: int) -> None:
        """The device was found."""
        self.boot_id = identity.boot_id
        self.connected_us = now_us
        self.nonce = now_us << 8

    def device_us(self, now_us: int) -> int:
        """The time that stands in for a device's own: since it was found."""
        return now_us - self.connected_us

    def arm(self, channels: tuple[int, ...], ceiling_ua: int) -> None:
        """Armed: a nonce of its own each time."""
        self.state = DeviceState.ARMED
        self.channels = channels
        self.ceiling_ua = ceiling_ua
        self.nonce += 1
        self.flags.clear()


def status(at: Standing, program: Program | None, held_us: int | None, alive_us: int, now_us: int) -> Status:
    """The device as a whole."""
    stimulation_us = program.stimulation_us if program is not None else 0
    held = at.state == DeviceState.HELD and held_us is not None
    return Status(
        device_time_us=at.device_us(now_us),
        boot_id=at.boot_id,
        state=int(at.state),
        segment=at.segment,
        end_reason=int(at.end_reason) if at.state in (DeviceState.HELD, DeviceState.ENDED) else 0,
        zero=0,
        active_mask=channel_mask(at.channels),
        session=at.session if at.channels else 0,
        stimulation_us=at.stimulation_us,
        time_left_us=max(0, stimulation_us - at.stimulation_us),
        segment_left_us=_band_left_us(at, program),
        hold_left_ms=max(0, limits.HOLD_US - (now_us - (held_us or 0))) // 1_000 if held else 0,
        keepalive_age_ms=min(0xFFFF, (now_us - alive_us) // 1_000) if at.channels else 0,
    )


def _band_left_us(at: Standing, program: Program | None) -> int:
    """To the switch of band in an uninterrupted run; 0 where there is one band."""
    if program is None or not program.cycle_us:
        return 0
    into_us = (at.stimulation_us - at.run_start_us) % program.cycle_us
    first_us = program.segments[0].dwell_us
    return first_us - into_us if into_us < first_us else program.cycle_us - into_us


def channel_reading(at: Standing, counted: Counters, target_ua: int, applied_ua: int, now_us: int) -> Channel:
    """One channel. Nothing is measured between completion reports, so nothing is told as measured."""
    return Channel(
        counted.channel,
        at.flags.get(counted.channel, 0),
        target_ua,
        applied_ua if at.state != DeviceState.HELD else 0,
        0,
        0,
        counted.pulses_0,
        counted.pulses_1,
        counted.charge_0_pc,
        counted.charge_1_pc,
        0,
        at.device_us(now_us),
    )


def session_record(at: Standing, band_us: Sequence[int]) -> SessionRecord:
    """The session as a device's flash would hold it."""
    return SessionRecord(
        session=at.session,
        boot_id=at.boot_id,
        end_reason=int(at.end_reason),
        ceiling_ua=at.ceiling_ua,
        channel_mask=channel_mask(at.channels),
        stimulation_us=at.stimulation_us,
        segment_0_us=band_us[0],
        segment_1_us=band_us[1],
        digest_head=int.from_bytes(at.digest[:8], "little"),
        nonce=at.nonce,
        device_time_us=NO_DEVICE_TIME_US,
    )
