"""The circuit of a pair of needles in tissue: a series resistance and two electrode interfaces.

Each interface is a double layer's capacitance beside a charge transfer resistance (Randles). Both needles are
alike, so that they act as one: half the capacitance beside twice the resistance. Constant current charges it
on an exponential; when the voltage would pass the rail, the rail stays and the current decays instead. All of
it has closed forms, used here: nothing is stepped through.

Units: uA, us, V and ohm; uA x us is pC, and times V is pJ. Currents are signed; first phases are positive.
"""

from dataclasses import dataclass, field
from math import exp, inf, log
from typing import NamedTuple

_AMP = 1e-6  # of a uA


class Curve(NamedTuple):
    """A current that does not stay what it was: `held_ua` for `held_us`, then from one value toward another.

    Signed, in uA. `tau_us` is the time constant of the change.
    """

    held_ua: float
    held_us: float
    from_ua: float
    to_ua: float
    tau_us: float

    def at(self, into_us: float) -> float:
        """The current `into_us` after its start."""
        if into_us < self.held_us:
            return self.held_ua
        return self.to_ua + (self.from_ua - self.to_ua) * exp((self.held_us - into_us) / self.tau_us)

    def times(self, factor: float) -> "Curve":
        """The same, at a part of its current or the other way round."""
        return self._replace(held_ua=self.held_ua * factor, from_ua=self.from_ua * factor, to_ua=self.to_ua * factor)

    def slowed(self, factor: float) -> "Curve":
        """The same in `factor` times the time."""
        return self._replace(held_us=self.held_us * factor, tau_us=self.tau_us * factor)


class PhaseResponse(NamedTuple):
    """The currents of one phase of a pulse. Without a `curve` its mean current flowed all the time."""

    mean_ua: float
    end_volt: float
    cap_volt: float
    energy_pj: float
    clipped: bool
    curve: Curve | None = None

    def peak_ua(self, width_us: int) -> float:
        """The highest current of a phase of that width, signed: a current on the rail changes one way only."""
        if self.curve is None:
            return self.mean_ua
        return max(self.curve.at(0), self.curve.at(width_us), key=abs)


@dataclass(frozen=True, slots=True)
class NeedlePair:
    """`cdl_uf` and `rct_ohm` are each needle's; without them it is a plain resistor.

    `leak_permille` of its current also shows on channel `leaks_to`, where the two touch. `earthed_permille` of a
    second phase finds its way to earth through a diode, past the channel's own readback.
    """

    series_ohm: float
    cdl_uf: float = 0.0
    rct_ohm: float = 0.0
    leaks_to: int = 0
    leak_permille: int = 0
    earthed_permille: int = 0
    # How fast the interfaces discharge by themselves; the same for one and for both.
    tau_us: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tau_us", self.rct_ohm * self.cdl_uf)

    def rested(self, cap_volt: float, for_us: float) -> float:
        """The interfaces' voltage after no current for so long."""
        tau_us = self.tau_us
        return cap_volt * exp(-for_us / tau_us) if tau_us else 0.0

    def drive(self, current_ua: float, width_us: int, cap_volt: float, rail_volt: float = inf) -> PhaseResponse:
        """Drive `current_ua` for `width_us`, as far as the rail allows."""
        back, clipped, curve = current_ua < 0, False, None
        if back:  # the mirror of a current forward
            current_ua, cap_volt = -current_ua, -cap_volt
        left_volt, area = self._charged(current_ua, width_us, cap_volt)
        drop_volt = current_ua * _AMP * self.series_ohm
        mean_ua, end_volt, energy_pj = current_ua, drop_volt + left_volt, current_ua * (drop_volt * width_us + area)
        if drop_volt + max(cap_volt, left_volt) > rail_volt:
            phase = self._clipped(current_ua, width_us, cap_volt, rail_volt)
            mean_ua, end_volt, left_volt, energy_pj, clipped, curve = phase
        if not back:
            return PhaseResponse(mean_ua, end_volt, left_volt, energy_pj, clipped, curve)
        kept_permille = 1_000 - self.earthed_permille
        curve = None if curve is None else curve.times(-kept_permille / 1_000)
        return PhaseResponse(-(mean_ua * kept_permille / 1_000), -end_volt, -left_volt, energy_pj, clipped, curve)

    def _charged(self, current_ua: float, for_us: float, cap_volt: float) -> tuple[float, float]:
        """The interfaces' voltage after constant current, and its integral in V us."""
        tau_us = self.tau_us
        if not tau_us:
            return 0.0, 0.0
        final_volt = current_ua * _AMP * 2 * self.rct_ohm
        left = exp(-for_us / tau_us)
        return final_volt + (cap_volt - final_volt) * left, final_volt * for_us + (cap_volt - final_volt) * tau_us * (
            1 - left
        )

    def _clipped(self, current_ua: float, width_us: int, cap_volt: float, rail_volt: float) -> PhaseResponse:
        if not self.tau_us:
            mean_ua = rail_volt / self.series_ohm / _AMP
            return PhaseResponse(mean_ua, rail_volt, 0.0, mean_ua * rail_volt * width_us, True)
        free_us = self._until_rail(current_ua, cap_volt, rail_volt - current_ua * _AMP * self.series_ohm)
        rail_us = width_us - free_us
        at_rail_volt, free_area = self._charged(current_ua, free_us, cap_volt)
        # From here the rail drives the interfaces through the series resistance.
        conductance = 1 / self.series_ohm + 1 / (2 * self.rct_ohm)
        tau_us = self.cdl_uf / 2 / conductance
        final_volt = rail_volt / self.series_ohm / conductance
        left = exp(-rail_us / tau_us)
        end_volt = final_volt + (at_rail_volt - final_volt) * left
        rail_area = final_volt * rail_us + (at_rail_volt - final_volt) * tau_us * (1 - left)
        rail_pc = (rail_volt * rail_us - rail_area) / self.series_ohm / _AMP
        free_pj = current_ua * (current_ua * _AMP * self.series_ohm * free_us + free_area)
        mean_ua = (current_ua * free_us + rail_pc) / width_us
        from_ua, to_ua = ((rail_volt - volt) / self.series_ohm / _AMP for volt in (at_rail_volt, final_volt))
        curve = Curve(current_ua, free_us, from_ua, to_ua, tau_us)
        return PhaseResponse(mean_ua, rail_volt, end_volt, free_pj + rail_volt * rail_pc, True, curve)

    def discharge(self, cap_volt: float, through_ohm: float) -> Curve | None:
        """The current by which charged interfaces empty themselves through a resistance; None where none are."""
        if not self.tau_us or not cap_volt:
            return None
        path_ohm = self.series_ohm + through_ohm
        tau_us = self.cdl_uf / 2 / (1 / path_ohm + 1 / (2 * self.rct_ohm))
        return Curve(0.0, 0.0, -cap_volt / path_ohm / _AMP, 0.0, tau_us)

    def _until_rail(self, current_ua: float, cap_volt: float, head_volt: float) -> float:
        """How long the current is held before the interfaces leave no more than `head_volt` for it."""
        if cap_volt >= head_volt:
            return 0.0
        final_volt = current_ua * _AMP * 2 * self.rct_ohm
        return self.tau_us * log((cap_volt - final_volt) / (head_volt - final_volt))
