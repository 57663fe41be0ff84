"""A leased device follows the session's one record of targets, and remembers none of its own."""

from typing import Any

import pytest

from firmware_sim.analog.recorder import Recorder
from firmware_sim.factory import DeviceSpec
from stimctl.port import Port
from stimctl.stimulators import base
from stimctl.stimulators.lease.adapter import LeaseAdapter
from stimctl.stimulators.lease.device import TICK_US
from stimctl.stimulators.pulsepal.adapter import PulsePalAdapter
from stimctl.stimulators.pulsepal.isolator import Isolator
from stimctl.stimulators.stimjim.dialects import DIALECTS
from stimctl.stimulators.targets import Targets
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, Purpose
from tests.stimctl.session.world import prescription
from tests.stimctl.stimulators.bench import S, port_of


class Run:
    """An adapter by itself on its simulated device, with the least that a session does for it."""

    def __init__(self, device: str) -> None:
        self.recorder = Recorder()
        which = DeviceSpec("pulsepal", firmware="22") if device == "pulsepal" else DeviceSpec("stimjim", dialect=device)
        self.port: Port = port_of(which.make(seed=1, load="r1k", recorder=self.recorder))
        self.adapter = LeaseAdapter(
            PulsePalAdapter(Isolator(1_000)) if device == "pulsepal" else DIALECTS[device](simulator=True)
        )
        self.targets = self.adapter.targets = Targets({1: 2_000})
        self.rx = prescription(seconds=60, profile="bench-100hz")
        self.told: list[Any] = []
        self.adapter.connect(0)
        self.until(base.DeviceIdentified).load(self.rx.program, self.port.now_us())
        self.until(base.ProgramLoaded).self_test(self.port.now_us())
        self.until(base.SelfTested)
        self.start(2_000)

    def start(self, target_ua: int) -> None:
        """Arm and start towards a target."""
        self.adapter.arm(Purpose.STIMULATE, [1], 2_000, self.rx.stimulation_us, self.port.now_us())
        self.until(m.Armed).start({1: target_ua}, self.port.now_us())
        self.until(m.Started)

    def want(self, target_ua: int) -> None:
        """A person wants another target."""
        self.targets.want(1, target_ua)
        self.adapter.retarget(self.port.now_us())

    def until(self, kind: type[Any]) -> LeaseAdapter:
        """Go on until it says something of this kind."""
        began_us = self.port.now_us()
        self.told.clear()
        while not any(isinstance(event, kind) for event in self.told):
            assert self.port.now_us() < began_us + 5 * S
            self._turn(began_us + 5 * S)
        return self.adapter

    def go_on(self, for_us: int) -> None:
        """For so long."""
        until_us = self.port.now_us() + for_us
        self.told.clear()
        while self.port.now_us() < until_us:
            self._turn(until_us)

    def _turn(self, until_us: int) -> None:
        adapter, port = self.adapter, self.port
        if data := adapter.take_output():
            port.write(data)
            adapter.wrote(port.now_us())
        due_us = adapter.next_deadline_us()
        data = port.wait(until_us if due_us is None else min(until_us, due_us))
        now_us = port.now_us()
        adapter.keep_alive(now_us)
        for event in [*adapter.receive(data, now_us), *adapter.advance(now_us)]:
            self.told.append(event)
            if isinstance(event, m.Started):
                self.targets.started({1: event.target_1_ua}, now_us)
            elif isinstance(event, m.TargetSet):
                self.targets.applied(event.channel, event.target_ua, now_us)
            elif isinstance(event, m.Holding):
                self.targets.on_hold()

    def highest_ua(self, since_us: int) -> float:
        """The highest current of any pulse that began after this."""
        return max(
            (abs(flow.shape.first_na) / 1_000 for flow in self.recorder.flows(1) if flow.last_us >= since_us), default=0
        )


@pytest.fixture(params=["a", "b", "c", "pulsepal"])
def run(request: pytest.FixtureRequest) -> Run:
    """A run that stands at 2.0 mA."""
    run = Run(request.param)
    run.go_on(13 * S)
    assert run.adapter.targets[1].applied_ua == 2_000
    return run


def test_a_lowering_is_sent_at_once_and_applied_once_what_ran_above_is_over(run: Run) -> None:
    run.want(1_000)
    assert run.targets[1].heading_ua == 1_000
    assert run.targets[1].highest_ua == 2_000
    run.until(m.TargetSet)
    assert run.targets[1].applied_ua == run.targets[1].highest_ua == 1_000
    now_us = run.port.now_us()
    run.go_on(S)
    assert 980 <= run.highest_ua(now_us) <= 1_020


def test_the_newest_of_three_lowerings_counts(run: Run) -> None:
    for target_ua in (1_800, 1_400, 1_000):
        run.want(target_ua)
    run.go_on(S // 10)
    assert [event.target_ua for event in run.told if isinstance(event, m.TargetSet)] == [1_800, 1_400, 1_000]
    assert not any(run.targets.by_channel("sent_ua").values())
    now_us = run.port.now_us()
    run.go_on(S)
    assert run.highest_ua(now_us) <= 1_020


@pytest.mark.parametrize("later_us", [0, 2_000, 12_000, 300_000])
def test_held_after_a_lowering_it_goes_on_to_what_was_wanted_last(run: Run, later_us: int) -> None:
    run.want(1_000)
    run.go_on(later_us)
    run.adapter.hold(run.port.now_us())
    run.until(m.Holding)
    assert run.targets[1].resume_ua == 1_000
    now_us = run.port.now_us()
    run.start(run.targets[1].resume_ua)
    run.go_on(15 * S)
    assert 980 <= run.highest_ua(now_us) <= 1_020


def test_a_run_that_begins_again_is_told_from_zero(run: Run) -> None:
    run.adapter.hold(run.port.now_us())
    run.until(m.Holding)
    run.adapter.arm(Purpose.STIMULATE, [1], 2_000, run.rx.stimulation_us, run.port.now_us())
    run.until(m.Armed).start({1: 2_000}, run.port.now_us())
    told = run.adapter.advance(run.port.now_us() + TICK_US)
    assert [event.applied_ua for event in told if isinstance(event, m.Channel)] == [0]


def test_a_raise_above_the_ceiling_is_declined(run: Run) -> None:
    run.want(2_100)
    run.go_on(S // 10)
    (declined,) = [event for event in run.told if isinstance(event, base.OrderDeclined)]
    assert (declined.channel, declined.target_ua) == (1, 2_100)
    assert run.targets[1].heading_ua == 2_000
    told = list(run.told)
    run.go_on(4 * S)
    assert not [event for event in [*told, *run.told] if isinstance(event, base.StimulatorFailed)]
    assert run.highest_ua(0) <= 2_040


def test_a_timer_that_ends_the_session_in_the_middle_of_a_hold_is_not_undone_by_it(run: Run) -> None:
    run.adapter.hold(run.port.now_us())
    run.adapter._at.armed_us = run.port.now_us() - 46 * 60 * S
    run.go_on(S // 2)
    states = [event.state for event in run.told if isinstance(event, m.Status)]
    assert states[-1] == DeviceState.ENDED
    assert set(states[states.index(DeviceState.ENDED) :]) == {DeviceState.ENDED}
    ended = next(event for event in run.told if isinstance(event, m.Status) and event.state == DeviceState.ENDED)
    assert not [event for event in run.told[run.told.index(ended) :] if isinstance(event, m.Holding)]
    now_us = run.port.now_us()
    run.go_on(4 * S)
    assert run.highest_ua(now_us) == 0
