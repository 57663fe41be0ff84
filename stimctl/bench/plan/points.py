"""A plan's points: one session and one capture each, the smallest part that is done or not done."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from stimctl.bench.dummy_load import LoadRun, nearest_period_us, prescription_for
from stimctl.bench.plan import steps
from stimctl.errors import Misuse
from stimctl.prescription import Prescription, Subject
from stimctl.units import US_PER_S, hz_text, ma_text, ua_from_ma

ACT_AFTER_US = 1_000_000  # at full amplitude, before something is done to it
_LASTS_US = 20_000_000  # a session that is not to end by its timer, at full amplitude


class Act(StrEnum):
    """What is done to a session at its full amplitude."""

    NOTHING = "nothing"
    STOP = "stop"
    SILENCE = "silence"
    SHORT = "short"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class PlanPoint:
    """One session on a load, and what is done in it. The load of an act stays `stays_s`; then comes a rest."""

    key: str
    title: str
    kind: str
    run: LoadRun
    act: Act = Act.NOTHING
    stays_s: float = 0.0
    rest_s: float = 0.0
    whole_s: float | None = None

    @property
    def captured(self) -> bool:
        """Whether an oscilloscope has anything to say: across a short or an open circuit it has not."""
        return self.act not in (Act.SHORT, Act.OPEN)

    @property
    def peak_v(self) -> float:
        """Across the load."""
        return self.run.amplitude_ua * self.run.ohm / 1e6

    def prescription(self, subject: Subject = Subject.DUMMY_LOAD) -> Prescription:
        """As every session has one. Raises `Unsafe` with every limit that it breaks."""
        return prescription_for(self.run, subject)


def points_of(number: int, step: steps.PlanStep) -> tuple[PlanPoint, ...]:
    """The points of a step. Raises `Misuse` and `Unsafe`."""
    prefix = f"{number + 1:02d}-{step.kind}"
    made = _MAKERS[type(step)](step)
    return tuple(replace(point, key=f"{prefix}-{index:02d}") for index, point in enumerate(made, start=1))


def _run(step: steps.PlanStep) -> LoadRun:
    return LoadRun(
        ohm=step.ohm, amplitude_ua=ua_from_ma(str(step.amplitude_ma)), channels=(step.channel,),
        period_us=nearest_period_us(f"{step.rate_hz:f}"), width_us=step.width_us,
        plateau_us=round(step.seconds * US_PER_S), ramp_only=True,
    )  # fmt: skip


def _point(step: steps.PlanStep, run: LoadRun, **more: object) -> PlanPoint:
    channels = "channels" if len(run.channels) > 1 else "channel"
    pulses = f"{ma_text(run.amplitude_ua)}, {hz_text(run.period_us or 0)}, {run.width_us} us"
    title = f"{step.kind}: {pulses} over {run.ohm} ohm, {channels} {' and '.join(map(str, run.channels))}"
    return PlanPoint("", title, step.kind, run, **more)  # type: ignore[arg-type]


def _amplitudes(step: steps.AmplitudeStep) -> Iterator[PlanPoint]:
    for amplitude in step.amplitudes_ma:
        yield _point(step, replace(_run(step), amplitude_ua=ua_from_ma(str(amplitude))))


def _widths(step: steps.WidthStep) -> Iterator[PlanPoint]:
    for width_us in step.widths_us:
        yield _point(step, replace(_run(step), width_us=width_us))


def _rates(step: steps.RateStep) -> Iterator[PlanPoint]:
    for rate in step.rates_hz:
        period_us = nearest_period_us(f"{rate:f}")
        run = _run(step)
        yield _point(step, replace(run, period_us=period_us, plateau_us=max(run.plateau_us, 8 * period_us)))


def _loads(step: steps.LoadStep) -> Iterator[PlanPoint]:
    for ohm in step.ohms:
        yield _point(step, replace(_run(step), ohm=ohm))


def _pair(step: steps.PairStep) -> Iterator[PlanPoint]:
    if step.second_channel == step.channel:
        raise Misuse(f"second_channel is {step.second_channel}, as channel is: name two channels")
    yield _point(step, replace(_run(step), channels=(step.channel, step.second_channel)))


def _endurance(step: steps.EnduranceStep) -> Iterator[PlanPoint]:
    run = replace(_run(step), plateau_us=_LASTS_US)
    for cycle in range(1, step.cycles + 1):
        for act, stays_s, rest_s in ((Act.SHORT, step.short_s, 0.0), (Act.OPEN, step.open_s, step.rest_s)):
            point = _point(step, run, act=act, stays_s=stays_s, rest_s=rest_s)
            yield replace(point, title=f"{point.title}, cycle {cycle} of {step.cycles}: {act}")
    still = _point(step, _run(step))
    yield replace(still, title=f"{still.title}, after {step.cycles} cycles")


def _timer(step: steps.TimerStep) -> Iterator[PlanPoint]:
    run = replace(_run(step), plateau_us=0, stimulation_us=round(step.seconds * US_PER_S))
    yield _point(step, run, whole_s=step.seconds)


def _watchdog(step: steps.WatchdogStep) -> Iterator[PlanPoint]:
    yield _point(step, replace(_run(step), plateau_us=_LASTS_US), act=Act.SILENCE)


def _stop(step: steps.StopStep) -> Iterator[PlanPoint]:
    for _ in range(step.times):
        yield _point(step, replace(_run(step), plateau_us=_LASTS_US), act=Act.STOP)


_MAKERS: dict[type[steps.PlanStep], Callable[..., Iterator[PlanPoint]]] = {
    steps.AmplitudeStep: _amplitudes, steps.WidthStep: _widths, steps.RateStep: _rates, steps.LoadStep: _loads,
    steps.PairStep: _pair, steps.EnduranceStep: _endurance, steps.TimerStep: _timer, steps.WatchdogStep: _watchdog,
    steps.StopStep: _stop,
}  # fmt: skip
