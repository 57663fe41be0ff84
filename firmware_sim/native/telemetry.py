"""Sends telemetry: a status and each active channel ten times a second, events on change.

These two messages are nine tenths of all traffic, so they are packed here straight from the numbers.
"""

from firmware_sim.native.machine import Machine
from firmware_sim.native.run_state import StateChange
from firmware_sim.native.timers import DeviceTimer
from stimctl.wire.codec import SHAPE_OF, Channel, Event, Status, encode
from stimctl.wire.codes import DeviceState, EndReason
from stimctl.wire.framing import frame_sized

PERIOD_US = 100_000
_CIRCLE = 0xFFFF
_STATUS, _CHANNEL = SHAPE_OF[Status], SHAPE_OF[Channel]
_pack_status, _STATUS_KIND = _STATUS.packer.pack, _STATUS.kind
_pack_channel, _CHANNEL_KIND = _CHANNEL.packer.pack, _CHANNEL.kind


class TelemetrySender:
    """Frames under the device's own count."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._count = 0

    def event(self, change: StateChange) -> bytes:
        """A change of state."""
        self._count = (self._count + 1) & _CIRCLE
        at_us, _, state, reason, channel, value = change
        return encode(self._count, Event(at_us, state, reason, channel, value))

    def tick(self, now_us: int) -> bytes:
        """Status, and a frame for each channel of the newest arm."""
        machine, frames = self._machine, self._status(now_us)
        arming, count = machine.arming, self._count
        if arming is None:
            return frames
        row = machine.stage.row if machine.run is not None or machine.delivers else self._idle_row
        for channel in arming.channels:
            count = (count + 1) & _CIRCLE
            frames += frame_sized(_pack_channel(_CHANNEL_KIND, count, channel, *row(channel), now_us))
        self._count = count
        return frames

    def _idle_row(self, channel: int) -> tuple[int, ...]:
        """A channel without output: what is told as applied and measured is of now, so that a leak is seen."""
        stage = self._machine.stage
        flags, target_ua, _, _, *rest = stage.row(channel)
        return flags, target_ua, 0, stage.idle_ua(channel, self._machine.now_us), *rest

    def _status(self, now_us: int) -> bytes:
        machine = self._machine
        session, run, arming = machine.flash.session, machine.run, machine.arming
        segment = segment_left_us = stimulation_us = number = left_us = age_ms = reason = hold_left_ms = 0
        if session is not None:
            number, limit_us, stimulation_us = session.number, session.limit_us, session.stimulation_us
            if run is not None:
                stimulation_us = now_us - run.offset_us
                segment, segment_left_us = run.bands.at(now_us - run.began_us)
            if session.end_reason == 0 and stimulation_us < limit_us:
                left_us = limit_us - stimulation_us
            if arming is not None:
                age_ms = (now_us - machine.alive_us) // 1000
                age_ms = age_ms if age_ms < 0xFFFF else 0xFFFF
        if run is None:
            reason, hold_left_ms = _why(machine), _hold_left_ms(machine, now_us)
        self._count = count = (self._count + 1) & _CIRCLE
        return frame_sized(
            _pack_status(
                _STATUS_KIND,
                count,
                now_us,
                machine.boot_id,
                machine.state,
                segment,
                reason,
                machine.zero.sure,
                0 if arming is None else arming.channel_mask,
                number,
                stimulation_us,
                left_us,
                segment_left_us,
                hold_left_ms,
                age_ms,
            )
        )


def _why(machine: Machine) -> int:
    if machine.state is DeviceState.HELD:
        return machine.hold_reason
    waiting = machine.waiting
    return waiting.end_reason if waiting is not None and machine.state is DeviceState.ENDED else EndReason.NONE


def _hold_left_ms(machine: Machine, now_us: int) -> int:
    at_us = machine.timers.at_us(DeviceTimer.HOLD)
    return 0 if at_us is None else (at_us - now_us) // 1000
