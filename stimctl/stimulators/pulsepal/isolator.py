"""The isolator behind a PulsePal, as its own data have it: the user declares it, nothing measures it."""

from dataclasses import dataclass
from decimal import Decimal
from math import ceil, tau

from stimctl import limits
from stimctl.errors import Misuse
from stimctl.units import whole

# Below this 2 mA needs more than 10 V; above it a code is a step of more than 3 uA [choice].
UA_PER_V = range(201, 10_001)
OFFSET_NA = range(1_000_001)
BANDWIDTH_HZ = range(100, 10_000_001)


@dataclass(frozen=True, slots=True)
class Isolator:
    """Its transfer, which has no default; its offset at zero volts and its bandwidth, None where they were not said."""

    ua_per_v: int
    offset_na: int | None = None
    bandwidth_hz: int | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What of it nobody would notice."""
        if self.offset_na is None or self.bandwidth_hz is None:
            return ("the isolator's offset and bandwidth were not declared: how sure the dose is, is not known",)
        if self.offset_na <= limits.MEAN_DC_UA * 1_000:
            return ()
        amount = f"{self.offset_na / 1_000:g} uA"
        return (f"the isolator may pass {amount} of direct current by its own data, over {limits.MEAN_DC_UA} uA",)

    def unsure_pc(self, charge_pc: int, width_us: int, pulses: int) -> int | None:
        """How far the charge of so many first phases of one width may be off; rounded up.

        The offset flows for the width of each; of a step that settles with the bandwidth's time constant, as much as
        flows in that constant may come late.
        """
        if self.offset_na is None or self.bandwidth_hz is None:
            return None
        late_us = 1e6 / (tau * self.bandwidth_hz)
        return ceil(pulses * width_us * self.offset_na / 1_000 + charge_pc * min(1.0, late_us / width_us))


def declared(transfer: str | Decimal, offset_ua: str | None = None, bandwidth_khz: str | None = None) -> Isolator:
    """An isolator of so many mA per volt. Raises `Misuse` for what no isolator is."""
    ua_per_v = whole(transfer, 1_000, name="isolator", unit="uA per volt")
    if ua_per_v not in UA_PER_V:
        raise Misuse(f"isolator: {transfer} mA per volt is not between 0.201 and 10; read it from the isolator's data")
    offset_na = None if offset_ua is None else whole(offset_ua, 1_000, name="isolator offset", unit="nA")
    if offset_na is not None and offset_na not in OFFSET_NA:
        raise Misuse(f"isolator offset: {offset_ua} uA is not between 0 and 1000; read it from the isolator's data")
    bandwidth_hz = None if bandwidth_khz is None else whole(bandwidth_khz, 1_000, name="isolator bandwidth", unit="Hz")
    if bandwidth_hz is not None and bandwidth_hz not in BANDWIDTH_HZ:
        raise Misuse(f"isolator bandwidth: {bandwidth_khz} kHz is not between 0.1 and 10000; read it from its data")
    return Isolator(ua_per_v, offset_na, bandwidth_hz)
