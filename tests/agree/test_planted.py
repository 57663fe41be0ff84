"""The machine is worth something only if it finds what is wrong: a defect is planted in each of those that agree."""

import re
import tomllib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from firmware_sim.analog.recorder import Flow, Recorder
from firmware_sim.native import gate
from firmware_sim.native.train import ChannelTrain
from stimctl import limits
from stimctl.dose import ChannelDose, CommandedDose
from stimctl.session import stimulation
from stimctl.session.targets import TargetRules
from stimctl.stimulators import exchange
from stimctl.stimulators.stop import StopSequence
from stimctl.stimulators.targets import Target, Targets
from stimlab.play.play import play
from stimlab.scenario.reader import Scenario, scenario_from
from tests.agree.model import Channel
from tests.agree.same import Disagreement
from tests.agree.test_late import Late
from tests.agree.test_leased import Leased
from tests.agree.test_session import Sessions

Plant = Callable[[pytest.MonkeyPatch], None]


def steep_ramp(patch: pytest.MonkeyPatch) -> None:
    """Simulator: a level climbs by 1 uA too much at a pulse."""
    true_take = ChannelTrain.take

    def take(train: ChannelTrain) -> int:
        before_ua = train.level_ua
        true_take(train)
        if before_ua < train.level_ua < train.target_ua:
            train.level_ua += 1
        return train.amplitude_ua

    patch.setattr(ChannelTrain, "take", take)


def late_watchdog(patch: pytest.MonkeyPatch) -> None:
    """Simulator: a microsecond late."""
    patch.setattr(gate, "WATCHDOG_US", gate.WATCHDOG_US + 1)


def forgetful_dose(patch: pytest.MonkeyPatch) -> None:
    """Driver: the last pulse is not counted."""
    true_dose = CommandedDose.dose

    def dose(commanded: CommandedDose, channel: int, until_us: int | None = None) -> ChannelDose:
        counted = true_dose(commanded, channel, until_us)
        return ChannelDose((max(0, counted.pulses[0] - 1), counted.pulses[1]), counted.charge_pc)

    patch.setattr(CommandedDose, "dose", dose)


def long_steps(patch: pytest.MonkeyPatch) -> None:
    """Driver: a step down is two."""
    true_down = TargetRules.down
    patch.setattr(TargetRules, "down", lambda rules, channel: max(0, true_down(rules, channel) - limits.RAISE_STEP_UA))


def slow_model(patch: pytest.MonkeyPatch) -> None:
    """Model: its first pulse comes a period after the start."""
    true_start = Channel.start

    def start(channel: Channel, target: int) -> None:
        true_start(channel, target)
        channel.due = next(channel.scheduled)

    patch.setattr(Channel, "start", start)


def leaky_record(patch: pytest.MonkeyPatch) -> None:
    """Load: a hundredth of each current is lost on the way."""
    true_add = Recorder.add

    def add(recorder: Recorder, channel: int, flow: Flow) -> None:
        first_na = flow.shape.first_na * 99 // 100
        true_add(recorder, channel, Flow(flow.first_us, flow.period_us, flow.count,
                                         flow.shape._replace(first_na=first_na), flow.kind))  # fmt: skip

    patch.setattr(Recorder, "add", add)


def old_intent(patch: pytest.MonkeyPatch) -> None:
    """Driver: after a hold it goes on to what the device had, whatever was asked for since."""

    def on_hold(targets: Targets) -> None:
        targets._each = {channel: Target(target.applied_ua) for channel, target in targets._each.items()}
        targets.stopped()

    patch.setattr(Targets, "on_hold", on_hold)


def patient_lowering(patch: pytest.MonkeyPatch) -> None:
    """Driver: a lowering waits for whatever is under way."""
    patch.setattr(exchange, "_OVERTAKEN", ())


def idle_deadline(patch: pytest.MonkeyPatch) -> None:
    """Driver: a stop is due when it began, and nobody acts on that any more."""
    patch.setattr(StopSequence, "next_deadline_us", lambda stop: stop.began_us)


def hold_once(patch: pytest.MonkeyPatch) -> None:
    """Driver: a hold that a keepalive overtook is not sent again."""
    true_send = exchange.Exchange._send

    def send(line: exchange.Exchange, command: exchange.PendingCommand, now_us: int) -> None:
        holds = [overtaken for overtaken, _ in line._overtaken.values() if overtaken.urgency is exchange.Urgency.HOLD]
        if command not in holds:
            true_send(line, command, now_us)

    patch.setattr(exchange.Exchange, "_send", send)
    patch.setattr(stimulation, "HOLD_COMES_US", 1 << 62)


PLANTS = (steep_ramp, late_watchdog, forgetful_dose, long_steps, slow_model, leaky_record)


def failure(
    phases: list[Phase], examples: int, steps: int, machine: type[RuleBasedStateMachine] = Sessions
) -> Disagreement:
    """What the machine finds."""
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, phases=phases, derandomize=True, database=None, deadline=None,
        report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with pytest.raises(Disagreement) as found:
        run_state_machine_as_test(machine, settings=chosen)
    return found.value


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: str(plant.__name__))
def test_a_planted_defect_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    failure([Phase.generate], 400, 25)


@pytest.mark.slow
@pytest.mark.parametrize("plant", [old_intent, patient_lowering, hold_once], ids=lambda plant: str(plant.__name__))
def test_a_defect_that_only_a_slow_line_shows_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    failure([Phase.generate], 800, 12, Late)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("machine", [Sessions, Late, Leased])
def test_a_deadline_that_nobody_acts_on_is_found(
    machine: type[RuleBasedStateMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    idle_deadline(monkeypatch)
    assert "us is not done" in str(failure([Phase.generate], 5, 5, machine))


def shown(found: Disagreement) -> Scenario:
    """The scenario that was printed with a failure."""
    text = "\n".join(found.__notes__)
    return scenario_from(tomllib.loads(re.findall(r'^name = ".*?^\[expect\]$', text, re.S | re.M)[-1]))


@pytest.mark.slow
def test_a_failure_shrinks_to_a_short_scenario_that_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    steep_ramp(monkeypatch)
    scenario = shown(failure([Phase.generate, Phase.shrink], 20, 4))
    assert len(scenario.actions) + len(scenario.faults) <= 1
    played = play(scenario)
    assert played.error is None
    assert played.report is not None
