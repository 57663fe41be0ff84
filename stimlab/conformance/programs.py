"""The programs that the checks load: complete, within every limit, and small."""

from dataclasses import dataclass, replace
from hashlib import sha256

from stimctl.wire.codec import LoadProgram, LoadSegment, digest_bytes


@dataclass(frozen=True, slots=True)
class WireProgram:
    """A program as it stands on the wire."""

    header: LoadProgram
    segments: tuple[LoadSegment, ...]

    @property
    def digest(self) -> bytes:
        """Its SHA-256, as R-31 has it."""
        return sha256(digest_bytes(self.header, list(self.segments))).digest()

    @property
    def digest_head(self) -> int:
        """The first eight bytes of it, as Arm wants them."""
        return int.from_bytes(self.digest[:8], "little")

    def on(self, channel_mask: int) -> "WireProgram":
        """The same on other channels."""
        return replace(self, header=self.header._replace(channel_mask=channel_mask))


# 100 Hz, 200 us, symmetric, on channel 1: a target of 200 uA is reached after 0.7 s.
PLAIN = WireProgram(
    LoadProgram(segment_count=1, channel_mask=0b1, ramp_slope_ua_per_s=380, ramp_down_us=0),
    (LoadSegment(0, period_us=10_000, width_us=200, interphase_gap_us=0, second_width_us=200, dwell_us=0),),
)
# 2/100 Hz, half a second each.
TWO_BANDS = WireProgram(
    LoadProgram(segment_count=2, channel_mask=0b1, ramp_slope_ua_per_s=380, ramp_down_us=0),
    (
        LoadSegment(0, period_us=250_000, width_us=200, interphase_gap_us=0, second_width_us=200, dwell_us=500_000),
        LoadSegment(1, period_us=10_000, width_us=200, interphase_gap_us=0, second_width_us=200, dwell_us=500_000),
    ),
)
