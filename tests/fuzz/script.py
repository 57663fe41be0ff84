"""A fuzzer's bytes as a small script, and what the scripts of devices and driver have in common.

A script is steps of an opcode, a length and a body: what to send, how long to wait, what to order.
"""

from collections.abc import Iterator
from functools import cache

from stimctl.prescription import Prescription, from_mapping

MAX_STEPS = 120
MAX_US = 30_000_000  # of simulated time in one script


def steps(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Opcodes and bodies."""
    at = 0
    for _ in range(MAX_STEPS):
        if at >= len(data):
            return
        size = data[at + 1] % 64 if at + 1 < len(data) else 0
        yield data[at], data[at + 2 : at + 2 + size]
        at += 2 + size


def wait_us(body: bytes) -> int:
    """How long a step waits, up to 16.8 s."""
    return int.from_bytes(body[:3], "little")


@cache
def prescription() -> Prescription:
    """3 s of 0.5 mA at 100 Hz on channel 1."""
    plan = {
        "channel": 1,
        "first": {"point": "terminal 1"},
        "second": {"point": "terminal 2"},
        "needle": {"diameter_mm": 0.3, "inserted_mm": 30, "coating": "none"},
        "amplitude_ma": 0.5,
    }
    answers = {
        "format": 1,
        "profile": "bench-100hz",
        "subject": "simulator",
        "operator": "fuzz",
        "pseudonym": "fuzz",
        "seconds": 3,
        "ramp_only": True,
        "ceiling_ma": 1.0,
        "channels": [plan],
    }
    return from_mapping(answers)
