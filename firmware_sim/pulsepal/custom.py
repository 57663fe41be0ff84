"""PulsePal's custom trains: the onset and the height of each pulse or burst."""

import struct

from firmware_sim.pulsepal.params import U32, ZERO_CODE

TRAIN_SIZE = 5_001


class CustomTrain:
    """Onset times in cycles and codes. What an earlier, longer one left behind its end stays there."""

    def __init__(self) -> None:
        self.count = 0
        self.times = [0] * (TRAIN_SIZE + 2)
        self.codes = [0] * (TRAIN_SIZE + 2)

    def load(self, times: tuple[int, ...], codes: tuple[int, ...]) -> None:
        """Replace it. More than fits is not kept; what it would overwrite is not modelled."""
        self.count = min(len(times), TRAIN_SIZE)
        self.times[: self.count] = times[: self.count]
        self.codes[: self.count] = codes[: self.count]

    def gap(self, index: int) -> int:
        """Cycles from one onset to the next, as 32 bits without a sign."""
        return self.times[index + 1] - self.times[index] & U32


def mirrored(code: int) -> int:
    """The code of the opposite voltage."""
    return min(65_535, 2 * ZERO_CODE - code)


def unpacked_train(data: bytes, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Times and codes of a custom train."""
    return struct.unpack_from(f"<{count}I", data), struct.unpack_from(f"<{count}H", data, 4 * count)
