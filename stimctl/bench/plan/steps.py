"""Each kind of step, as a plan's file may hold it."""

from typing import Annotated

from pydantic import AfterValidator, Field

from stimctl.limits import LEAD_OFF_OHM
from stimctl.profile.sourced import Strict, Text

MOST = 20  # points of one step


def _whole_ua(value: float) -> float:
    if abs(value * 1_000 - round(value * 1_000)) > 1e-6:
        raise ValueError("must be a whole number of uA")
    return value


def _driven(ohm: int) -> int:
    if ohm > LEAD_OFF_OHM:
        raise ValueError(
            f"must be {LEAD_OFF_OHM} at most: more is no contact to a session, which does not begin on it. For the "
            "sheet's 10000 see docs/bench.md, the sheet over three loads"
        )
    return ohm


Amplitude = Annotated[float, Field(gt=0, le=10), AfterValidator(_whole_ua)]
Width = Annotated[int, Field(gt=0, description="us of a phase")]
Rate = Annotated[float, Field(gt=0, le=1_000, description="Hz")]
Ohm = Annotated[
    int, Field(ge=50, description="a resistor over 5000 is no contact to a session"), AfterValidator(_driven)
]
Seconds = Annotated[float, Field(gt=0, le=600, description="s")]
ChannelNumber = Annotated[int, Field(ge=1, le=4, description="1 to 4; on the oscilloscope's input of that number")]


class PlanStep(Strict):
    """What every step has: the pulse and the load that are not stepped through."""

    kind: str
    channel: ChannelNumber = 1
    ohm: Ohm = 1_000
    amplitude_ma: Amplitude = 1.0
    rate_hz: Rate = 100.0
    width_us: Width = 200
    seconds: Annotated[float, Field(ge=0.5, le=60, description="at full amplitude")] = 2.0


class AmplitudeStep(PlanStep):
    """Several amplitudes."""

    amplitudes_ma: Annotated[tuple[Amplitude, ...], Field(min_length=1, max_length=MOST)]


class WidthStep(PlanStep):
    """Several widths."""

    widths_us: Annotated[tuple[Width, ...], Field(min_length=1, max_length=MOST)]


class RateStep(PlanStep):
    """Several rates."""

    rates_hz: Annotated[tuple[Rate, ...], Field(min_length=1, max_length=MOST)]


class LoadStep(PlanStep):
    """Several loads."""

    ohms: Annotated[tuple[Ohm, ...], Field(min_length=1, max_length=MOST)]


class PairStep(PlanStep):
    """Two channels at once, on two inputs: with differential probes."""

    second_channel: ChannelNumber = 2


class EnduranceStep(PlanStep):
    """A short, an open circuit and a rest under the step's amplitude, again and again; then still in tolerance.

    5 s, 15 s, 60 s, ten times: the cycle of a Chinese standard on a related device.
    """

    amplitude_ma: Amplitude = 2.0
    short_s: Seconds = 5.0
    open_s: Seconds = 15.0
    rest_s: Seconds = 60.0
    cycles: Annotated[int, Field(ge=1, le=100)] = 10


class TimerStep(PlanStep):
    """How long stimulation lasts, against what was ordered."""

    seconds: Annotated[float, Field(ge=10, le=200, description="of the whole stimulation, ramps included")] = 60.0


class WatchdogStep(PlanStep):
    """The host falls silent."""


class StopStep(PlanStep):
    """A stop in the middle, so many times."""

    times: Annotated[int, Field(ge=1, le=MOST)] = 3


KINDS: dict[str, type[PlanStep]] = {
    "amplitude": AmplitudeStep,
    "width": WidthStep,
    "rate": RateStep,
    "loads": LoadStep,
    "pair": PairStep,
    "endurance": EnduranceStep,
    "timer": TimerStep,
    "watchdog": WatchdogStep,
    "stop": StopStep,
}


class ScopePart(Strict):
    """What is declared of the oscilloscope; what is not declared is assumed as in the tolerances, and said so."""

    probe: Annotated[float, Field(ge=1e-3, le=1e4, description="what its numbers have to be multiplied by")] = 1.0
    gain_percent: Annotated[float, Field(ge=0, lt=100)] | None = None
    load_percent: Annotated[float, Field(ge=0, lt=100)] | None = None
    timebase_ppm: Annotated[float, Field(ge=0, lt=1e5)] | None = None


class PlanHead(Strict):
    """The file without its steps, which are read one by one."""

    format: Annotated[int, Field(ge=1, le=1, description="1")]
    title: Text
    reference: Annotated[bool, Field(description="take captures with the outputs disabled, for net charge")] = False
    scope: ScopePart = Field(default_factory=ScopePart)
