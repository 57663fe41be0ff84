"""What a profile asks a stimulator for, as far as a bench can see it."""

from dataclasses import dataclass

from stimctl import limits
from stimctl.profile import choose, load_profiles, segments
from stimctl.units import US_PER_S, ua_from_ma
from stimctl.waveform import Segment


@dataclass(frozen=True, slots=True)
class Expected:
    """The bands in their order, and the amplitude: one that was commanded, or the range that the profile allows."""

    profile: str
    version: str
    title: str
    variant: str
    bands: tuple[Segment, ...]
    low_ua: float
    high_ua: float
    commanded: bool

    @property
    def periods_s(self) -> tuple[float, ...]:
        """Of each band."""
        return tuple(band.period_us / US_PER_S for band in self.bands)

    @property
    def cycle_s(self) -> float:
        """After how long all bands have been; 0 where there is one."""
        return sum(band.dwell_us for band in self.bands) / US_PER_S


def expected_of(name: str, variant: str | None, amplitude_ma: float | None) -> Expected:
    """What the profile `name` asks for. Raises `Misuse` where there is none such, or it leaves the pattern open."""
    profile = choose(load_profiles(), name)
    chosen = profile.variant(variant)
    bands = segments(profile, chosen)
    spec = profile.stimulation.amplitude_ma.value if profile.stimulation is not None else None
    low_ua, high_ua = float(limits.CEILING.low), float(limits.CEILING.high)
    if spec is not None:
        low_ua, high_ua = float(ua_from_ma(spec.low)), float(ua_from_ma(spec.high))
    if amplitude_ma is not None:
        low_ua = high_ua = float(ua_from_ma(amplitude_ma))
    return Expected(
        profile.id, profile.version, profile.title, chosen.id, bands, low_ua, high_ua, amplitude_ma is not None
    )
