"""Whether the program in memory still is what was sealed: its digest, made anew from what stands there now.

A digest that was read once says what the memory held then. So it is made again where it counts: in the
self-test, at each arm and start, and with each status while the program runs.
"""

from functools import lru_cache
from hashlib import sha256

from firmware_sim.native.machine import Machine
from firmware_sim.native.program import OutputProgram
from firmware_sim.native.refusal import CommandDenied
from stimctl.wire.codec import LoadProgram, LoadSegment, digest_bytes
from stimctl.wire.codes import Refusal, SelfTestFailure


@lru_cache(maxsize=64)
def digest_of(program: OutputProgram) -> bytes:
    """The digest of a program as it stands in memory."""
    header = LoadProgram(len(program.segments), program.channel_mask, program.ramp_slope_ua_per_s, program.ramp_down_us)
    segments = [
        LoadSegment(index, part.period_us, part.width_us, part.interphase_gap_us, part.second_width_us, part.dwell_us)
        for index, part in enumerate(program.segments)
    ]
    return sha256(digest_bytes(header, segments)).digest()


def holds(machine: Machine) -> bool:
    """Whether the program in memory has the digest that it was sealed with."""
    return machine.program is None or digest_of(machine.program) == machine.digest


def require_memory(machine: Machine) -> None:
    """Refuse to go on with a program that has changed since it was sealed."""
    if not holds(machine):
        raise CommandDenied(Refusal.SELF_TEST_FAILED, SelfTestFailure.MEMORY)
