"""The length of each PulsePal command, so that its bytes can be told from the next one's.

A command is 213, an op code, and data whose length follows from the op code and the first of its bytes.
"""

from collections.abc import Callable

from firmware_sim.pulsepal.params import CHANNELS, CODES, LINES, LOOP_CODE

MARK = 213
FIXED = {72: 0, 73: 178, 77: 1, 79: 3, 80: 0, 81: 0, 82: 2, 85: 0, 86: 2, 87: 1, 89: 6}
FIXED_22 = {**FIXED, 92: 182, 93: 0, 94: 0, 96: 3, 97: 0, 98: 1}
UNKNOWN = -1


def length(firmware: int, op: int, data: bytes) -> int:
    """How many bytes of data the command has, as far as `data` says: more are needed while it has fewer.

    `UNKNOWN` for an op, or a parameter code, of which the firmware does not know it.
    """
    fixed = FIXED_22 if firmware >= 22 else FIXED
    if op in fixed:
        return fixed[op]
    if op in {91, 95} and firmware < 22:
        return UNKNOWN
    measure = _MEASURES.get(op)
    return UNKNOWN if measure is None else measure(firmware, data)


def size_of(firmware: int, code: int) -> int:
    """The size of a parameter's value; 0 when there is no such code."""
    if code == LOOP_CODE and firmware >= 22:
        return 1
    return CODES[code][1] if code in CODES else 0


def _one(firmware: int, data: bytes) -> int:
    if not data:
        return 3
    size = size_of(firmware, data[0])
    if not size and firmware >= 22:
        return UNKNOWN
    return 2 + size  # 21 knows no size either, and takes code and channel only


def _row(_firmware: int, data: bytes) -> int:
    if not data:
        return 2
    size = size_of(22, data[0])
    return 1 + size * (LINES if data[0] == 128 else CHANNELS) if size else UNKNOWN


def _train(data: bytes, head: int) -> int:
    count = int.from_bytes(data[head : head + 4], "little") if len(data) >= head + 4 else 0
    return head + 4 + 6 * count


_MEASURES: dict[int, Callable[[int, bytes], int]] = {
    74: _one,
    75: lambda _, data: _train(data, 0),
    76: lambda _, data: _train(data, 0),
    78: lambda _, data: 1 + (data[0] if data else 0),
    90: lambda _, data: 2 + (data[1] if len(data) > 1 else 0),
    91: _row,
    95: lambda _, data: _train(data, 1),
}
