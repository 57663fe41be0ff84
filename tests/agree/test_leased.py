"""Boards that play by lease: whatever is asked for on whatever line, the load's record bears out what is told of it.

The board and its load are sound. A line takes up to 35 ms each way, to the device unevenly. A machine only collects
what is asked for; the session is played and judged at the end, by what flowed:

- It ends for the operator or a timer and for nothing else, and after the zero that is told nothing flows.
- The dose is not told too low, and what is called least is not too much. A pulse that was ended in its middle stands
  in the log as a charge that may be left.
- No pulse is above what was asked for last, from when the order can have come through.
"""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from firmware_sim.analog.recorder import FlowKind
from firmware_sim.factory import DeviceSpec
from firmware_sim.pulsepal import FIRMWARES
from firmware_sim.stimjim import DIALECTS
from stimctl import limits
from stimctl.port import Port
from stimctl.session.commands import AskHold, AskStop, AskTarget, Command, Lower, Proceed, Raise
from stimctl.session.states import End
from stimctl.session.view import SessionReport
from stimctl.stimulators.discovery import DeviceChoice
from tests.agree.progress import Progress
from tests.agree.running import runs
from tests.stimctl.session.world import Delayed, prescription
from tests.stimctl.stimulators.bench import Bench, S
from tests.stimctl.stimulators.contract import TOLD, starts

BOARDS = {
    **{f"stimjim {each}": (DeviceSpec("stimjim", dialect=each), DeviceChoice("stimjim", dialect=each))
       for each in DIALECTS},
    **{f"pulsepal {each}": (DeviceSpec("pulsepal", firmware=each), DeviceChoice("pulsepal", isolator="1"))
       for each in FIRMWARES},
}  # fmt: skip
PROFILES = ["bench-2hz", "bench-100hz", "bench-2-100hz"]
TARGETS_UA = st.sampled_from([0, 500, 700, 1_000, 1_300, 2_000]) | st.integers(500, 2_000)
CHANNEL = st.integers(1, 2)
ORDERS = st.one_of(st.builds(AskTarget, CHANNEL, TARGETS_UA), st.builds(Lower, CHANNEL), st.builds(Raise, CHANNEL))
GAPS_US = st.integers(0, 60_000) | st.integers(0, 500_000) | st.integers(0, 5 * S)
ENDS = (End.TIMER, End.OPERATOR, End.HOLD_EXPIRED)
THROUGH_US = 200_000  # what an order may wait for: a start that is under way, a cut before it, a gap between two pulses
CHECK_UA = limits.RAISE_STEP_UA * TOLD


class Uneven(Delayed):
    """Each order takes up to `jitter_us` longer than the delay, none overtakes another."""

    def __init__(self, port: Port, delay_us: int, jitter_us: int, seed: int) -> None:
        super().__init__(port, delay_us)
        self._jitter_us, self._dice = jitter_us, Random(seed)
        self._progress = Progress()

    def wait(self, deadline_us: int | None) -> bytes:
        data = super().wait(deadline_us)
        self._progress.waited(deadline_us, self.now_us())
        return data

    def write(self, data: bytes) -> None:
        due_us = self.now_us() + self._delay_us + self._dice.randint(0, self._jitter_us)
        self._to.append((max([due_us, *(at_us for at_us, _data in self._to)]), data))


class Leased(RuleBasedStateMachine):
    """What is asked of one session."""

    @initialize(
        board=st.sampled_from(sorted(BOARDS)),
        profile=st.sampled_from(PROFILES),
        seconds=st.integers(15, 40),
        amplitudes_ma=st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0]), min_size=1, max_size=2),
        delay_us=st.sampled_from([0, 1_000, 3_000, 8_000, 15_000]),
        jitter_us=st.sampled_from([0, 0, 5_000, 20_000]),
        seed=st.integers(0, 1_000),
        titrate=st.sampled_from([False, False, True]),
    )
    def begin(
        self, board: str, profile: str, seconds: int, amplitudes_ma: list[float], delay_us: int, jitter_us: int,
        seed: int, *, titrate: bool,
    ) -> None:  # fmt: skip
        channels = dict(enumerate(amplitudes_ma, 1))
        rx = prescription(seconds=seconds, profile=profile, amplitudes_ma=channels, titrate=titrate)
        self.bench = Bench(*BOARDS[board], rx, line=lambda port: Uneven(port, delay_us, jitter_us, seed))
        self.asked: list[tuple[int, Command]] = []
        self.way_us = delay_us + jitter_us
        self.now_us = 2 * S  # it has begun: what is asked for before is refused

    @rule(wait_us=GAPS_US, order=ORDERS)
    def order(self, wait_us: int, order: Command) -> None:
        self.now_us += wait_us
        self.asked.append((self.now_us, order))

    @rule(wait_us=GAPS_US, goes_on=st.booleans())
    def hold(self, wait_us: int, *, goes_on: bool) -> None:
        """By a person who waits for each."""
        self.order(wait_us, AskHold())
        for _ in range(2 * goes_on):
            self.order(S, Proceed())

    @rule(wait_us=GAPS_US)
    def stop(self, wait_us: int) -> None:
        self.order(wait_us, AskStop())

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            judge(
                self.bench,
                self.bench.run(*((at_us / S, order) for at_us, order in self.asked)),
                self.asked,
                self.way_us,
            )


def judge(bench: Bench, report: SessionReport, asked: list[tuple[int, Command]], way_us: int) -> None:
    """Hold what is told of a session to the load's record."""
    assert report.end in ENDS, report.alarms
    assert report.zero_confirmed_us is not None
    assert bench.last_us() <= bench.stopping_us() + report.zero_confirmed_us, "zero was told too early"
    assert bench.highest_ua() <= bench.rx.ceiling_ua * TOLD
    told, leases = report.delivered, list(bench.log.of("lease"))
    for channel in bench.rx.program.channels:
        results = [each for each in bench.log.entries if each.kind == "impedance" and each.body["channel"] == channel]
        checked = sum(each.body["pulses"] for each in results)
        # What is told after the stop is of a check that was broken off: a most.
        surely_checked = sum(each.body["pulses"] for each in results if each.at_us < bench.stopping_us())
        flows = bench.recorder.flows(channel, FlowKind.TRAIN)
        flowed = sum(flow.count for flow in flows)
        # All shapes here are symmetric.
        ended_early = sum(flow.count for flow in flows if flow.shape.second_width_us != flow.shape.width_us)
        given = [each for each in leases if str(channel) in each["levels_ua"]]
        assert sum(each["least"] for each in given) <= flowed - surely_checked
        assert ended_early <= sum(each["open_charge_pc"] > 0 for each in given), "an open charge is not told"
        if told is not None:
            assert flowed - checked <= sum(told[str(channel)]["pulses"]) == sum(each["pulses"] for each in given)
        for at_us, until_us, most_ua in wanted(bench.rx.plan(channel).amplitude_ua, channel, asked):
            high = [each for each in starts(bench, channel) if at_us + 4 * way_us + THROUGH_US < each[0] < until_us]
            assert all(ua <= max(CHECK_UA, most_ua * TOLD) for _, ua in high), (at_us, most_ua)


def wanted(first_ua: int, channel: int, asked: list[tuple[int, Command]]) -> list[tuple[int, int, int]]:
    """From when to when how much was asked for at most."""
    most_ua, since = first_ua, [(0, first_ua)]
    for at_us, order in asked:
        if isinstance(order, AskTarget) and order.channel == channel:
            most_ua = order.target_ua
        elif isinstance(order, Raise) and order.channel == channel:
            most_ua = min(2_000, most_ua + limits.RAISE_STEP_UA)
        since.append((at_us, most_ua))
    return [(at_us, until_us, ua) for (at_us, ua), (until_us, _) in pairwise([*since, (10**12, 0)])]


@pytest.mark.parametrize("one_way_us", [0, 9_000])
@pytest.mark.parametrize("order", [AskHold(), AskTarget(1, 500), AskStop()])
@pytest.mark.parametrize("board", sorted(BOARDS))
def test_a_cut_at_any_moment_of_a_period(board: str, order: Command, one_way_us: int) -> None:
    for phase_us in range(0, 10_000, 2_700):
        rx = prescription(seconds=12, profile="bench-100hz", amplitudes_ma={1: 1.0, 2: 1.0})
        bench = Bench(*BOARDS[board], rx, line=lambda port: Uneven(port, one_way_us, 0, 0))
        asked = [(6_500_000 + phase_us, order), (6_700_000, AskStop())]
        judge(bench, bench.run(*((at_us / S, each) for at_us, each in asked)), asked, one_way_us)
        if isinstance(order, AskTarget):
            assert {flow.shape.span_us for flow in bench.recorder.flows(1)} == {400}, "a lowering ended a pulse early"


def test_held_while_a_program_is_read_back() -> None:
    """The hold is sent again before the answer that is owed has come: both its answers are still known as its own."""
    rx = prescription(seconds=15, profile="bench-2hz", amplitudes_ma={1: 0.5})
    bench = Bench(*BOARDS["pulsepal 22"], rx, line=lambda port: Uneven(port, 15_000, 0, 0))
    asked: list[tuple[int, Command]] = [(2 * S, AskHold()), (3 * S, Proceed()), (4 * S, Proceed())]
    report = bench.run(*((at_us / S, each) for at_us, each in asked))
    assert report.end is End.TIMER
    judge(bench, report, asked, 15_000)


TestLeased = pytest.mark.slow(Leased.TestCase)
TestLeased.settings = runs(examples=20, steps=8)
