"""Loads a program: checks each piece against the device's own limits, seals it by a digest, and checks that later."""

from functools import lru_cache
from hashlib import sha256
from math import gcd, lcm

from firmware_sim.native import gate
from firmware_sim.native.program import OutputProgram, OutputSegment
from firmware_sim.native.refusal import CommandDenied, require_between
from stimctl.wire.codec import LoadProgram, LoadSegment, digest_bytes
from stimctl.wire.codes import CHANNELS, MAX_SEGMENTS, Refusal, SelfTestFailure

CHANNEL_BITS = (1 << CHANNELS) - 1


def require_mask(channel_mask: int) -> None:
    """Refuse no channel, channels that do not exist, and more than three."""
    if channel_mask & ~CHANNEL_BITS:
        raise CommandDenied(Refusal.UNKNOWN_VALUE, channel_mask, CHANNEL_BITS)
    if channel_mask.bit_count() > gate.MAX_CHANNELS:
        raise CommandDenied(Refusal.TOO_MANY_CHANNELS, channel_mask.bit_count(), gate.MAX_CHANNELS)
    if not channel_mask:
        raise CommandDenied(Refusal.BELOW_LIMIT, 0, 1)


def quantum_ua(segments: list[LoadSegment]) -> int:
    """The step between amplitudes whose two phases have equal areas, in integers, in every segment."""
    return lcm(*(segment.second_width_us // gcd(segment.width_us, segment.second_width_us) for segment in segments))


def channels_of(channel_mask: int) -> list[int]:
    """The channels of a mask, by number."""
    return [channel for channel in range(1, CHANNELS + 1) if channel_mask >> (channel - 1) & 1]


def _rest_us(segment: LoadSegment, channel: int) -> int:
    """From a channel's last pulse in a band to its first in the next one, each at its own place in the slot."""
    span_us = segment.width_us + segment.interphase_gap_us + segment.second_width_us
    room_us = segment.dwell_us - (channel - 1) * gate.CHANNEL_SLOT_US - span_us
    return segment.dwell_us - room_us // segment.period_us * segment.period_us


class ProgramLoader:
    """One program while it is given: header first, then its segments in order."""

    def __init__(self, header: LoadProgram) -> None:
        require_between(header.segment_count, 1, MAX_SEGMENTS)
        require_mask(header.channel_mask)
        require_between(header.ramp_slope_ua_per_s, gate.MIN_SLOPE_UA_PER_S, gate.MAX_SLOPE_UA_PER_S)
        require_between(header.ramp_down_us, 0, gate.MAX_RAMP_DOWN_US)
        self._header = header
        self._segments: list[LoadSegment] = []

    def add(self, segment: LoadSegment) -> None:
        """Take the next segment. Refuses one out of order or outside a limit; nothing is kept of it."""
        require_between(segment.index, 0, self._header.segment_count - 1)
        require_between(segment.index, len(self._segments), len(self._segments))
        require_between(segment.period_us, gate.MIN_PERIOD_US, gate.MAX_PERIOD_US)
        require_between(segment.width_us, gate.MIN_WIDTH_US, gate.MAX_WIDTH_US)
        require_between(segment.interphase_gap_us, 0, gate.MAX_GAP_US)
        require_between(segment.second_width_us, segment.width_us, gate.MAX_SECOND_WIDTH_US)
        alone = self._header.segment_count == 1
        require_between(segment.dwell_us, *((0, 0) if alone else (gate.MIN_DWELL_US, gate.MAX_DWELL_US)))
        if not alone:
            rest_us = min(_rest_us(segment, channel) for channel in channels_of(self._header.channel_mask))
            require_between(rest_us, gate.MIN_PERIOD_US, segment.dwell_us)
        quantum = quantum_ua([*self._segments, segment])
        if quantum > gate.MAX_QUANTUM_UA:
            raise CommandDenied(Refusal.UNBALANCED, quantum, gate.MAX_QUANTUM_UA)
        self._segments.append(segment)

    def seal(self) -> tuple[OutputProgram, bytes]:
        """The program and its digest. Refuses one that still lacks a segment."""
        require_between(len(self._segments), self._header.segment_count, self._header.segment_count)
        header = self._header
        program = OutputProgram(
            segments=tuple(OutputSegment(*segment[1:]) for segment in self._segments),
            channel_mask=header.channel_mask,
            ramp_slope_ua_per_s=header.ramp_slope_ua_per_s,
            ramp_down_us=header.ramp_down_us,
        )
        return program, sha256(digest_bytes(header, self._segments)).digest()


@lru_cache(maxsize=64)
def digest_of(program: OutputProgram) -> bytes:
    """The digest of a program as it stands in memory."""
    header = LoadProgram(len(program.segments), program.channel_mask, program.ramp_slope_ua_per_s, program.ramp_down_us)
    segments = [
        LoadSegment(index, part.period_us, part.width_us, part.interphase_gap_us, part.second_width_us, part.dwell_us)
        for index, part in enumerate(program.segments)
    ]
    return sha256(digest_bytes(header, segments)).digest()


def is_intact(program: OutputProgram | None, digest: bytes) -> bool:
    """Whether the program in memory, if there is one, has the digest that it was sealed with.

    A digest that was read once says what the memory held then. So it is made again where it counts: in the self-test,
    at each arm and start, and with each status while the program runs.
    """
    return program is None or digest_of(program) == digest


def require_intact(program: OutputProgram | None, digest: bytes) -> None:
    """Refuse to go on with a program that has changed since it was sealed."""
    if not is_intact(program, digest):
        raise CommandDenied(Refusal.SELF_TEST_FAILED, SelfTestFailure.MEMORY)
