"""What every stimulator has to do, as one class of tests: inherit it, name the device, and all of them run.

The load's record is the witness: not what an adapter says, and not what a device reports.
"""

from itertools import pairwise
from typing import Any

import pytest

from firmware_sim.analog.recorder import FlowKind
from firmware_sim.factory import DeviceSpec
from stimctl import limits
from stimctl.session.commands import AskHold, AskStop, AskTarget, Proceed, Raise
from stimctl.session.engine import ATTENDED, Engine
from stimctl.session.states import End
from stimctl.session.view import SessionReport
from stimctl.stimulators.discovery import DeviceChoice
from tests.stimctl.session.world import prescription
from tests.stimctl.stimulators.bench import Bench, S

PULSE_US = 1_300  # the longest pulse of these sessions, with its gap and a converter's settling
TOLD = 1.02  # what a converter may give beyond its setting


stop, hold, proceed = AskStop(), AskHold(), Proceed()


def starts(bench: Bench, channel: int = 1) -> list[tuple[int, float]]:
    """Each pulse of a channel: when it began, and its first phase in uA."""
    found = []
    for flow in bench.recorder.flows(channel, FlowKind.TRAIN):
        for number in range(flow.count):
            found.append((flow.first_us + number * flow.period_us, flow.shape.first_na / 1_000))
    return found


class StimulatorContract:
    """Inherit it and set `which` and `choice`; `check_pulses` where the contact check is a lease like any other.

    `told` is False where the device does not tell that a lease is over: its figures are then a most.
    """

    which: DeviceSpec
    choice: DeviceChoice
    check_pulses = 0
    told = True

    def bench(self, **options: Any) -> Bench:
        """A bench with this device."""
        return Bench(self.which, self.choice, options.pop("rx", None), **options)

    def session(self, bench: Bench) -> list[tuple[int, float]]:
        """The pulses of the session itself, the check's left out."""
        return starts(bench)[self.check_pulses :]

    def kinds_flowed(self, bench: Bench) -> int:
        return sum(bench.recorder.pulses(channel, kind) for channel in bench.recorder.channels for kind in FlowKind)

    def agrees(self, report: SessionReport) -> None:
        assert report.agreement["exact"] is (True if self.told else None), report.agreement
        assert report.commanded == report.delivered
        assert self.says_why(report)

    def says_why(self, report: SessionReport) -> bool:
        """Whether there is a reason where nobody knows if all is exact, and none where it is known."""
        agreement = report.agreement
        return (agreement["reason"] is not None) is (agreement["exact"] is None) and not agreement["contradiction"]

    @pytest.mark.parametrize("at_s", [0.05, 1.0371, 7.0371])
    def test_a_stop_in_the_middle_says_why_a_count_is_not_known_to_be_exact(self, at_s: float) -> None:
        assert self.says_why(self.bench().run((at_s, stop)))

    # --- before the start ---------------------------------------------------------------------------

    def test_nothing_flows_before_somebody_starts(self) -> None:
        bench = self.bench(auto=ATTENDED)
        report = bench.run((5, stop))
        assert bench.engine._context.device.identity is not None
        assert report.end is End.OPERATOR
        assert self.kinds_flowed(bench) == 0

    # --- a session ----------------------------------------------------------------------------------

    def test_a_session_to_its_timer(self) -> None:
        bench = self.bench()
        report = bench.run()
        assert report.end is End.TIMER
        assert report.zero_confirmed_us is not None
        self.agrees(report)
        delivered = report.delivered
        assert delivered is not None
        assert len(self.session(bench)) == sum(delivered["1"]["pulses"])
        assert not list(bench.log.of("alarm"))

    def test_never_above_the_ceiling(self) -> None:
        bench = self.bench(rx=prescription(seconds=30, amplitudes_ma={1: 1.0}, ceiling_ma=1.0))
        bench.run()
        assert 900 < bench.highest_ua() <= 1_000 * TOLD

    def test_every_pulse_is_balanced(self) -> None:
        bench = self.bench()
        bench.run()
        assert bench.recorder.charge_fc(1) > 0
        assert abs(bench.recorder.net_fc(1)) <= bench.recorder.charge_fc(1) // 50

    def test_it_rises_by_steps_and_takes_its_time(self) -> None:
        bench = self.bench(rx=prescription(seconds=30))
        bench.run()
        pulses = self.session(bench)
        assert pulses[0][1] <= limits.RAISE_STEP_UA * TOLD
        assert all(after[1] - before[1] <= limits.RAISE_STEP_UA * TOLD for before, after in pairwise(pulses))
        highest = next(at_us for at_us, level_ua in pulses if level_ua > 1_950)
        assert highest - pulses[0][0] >= 5 * S

    def test_it_falls_before_the_timer_ends(self) -> None:
        bench = self.bench(rx=prescription(seconds=30))
        bench.run()
        pulses = self.session(bench)
        assert pulses[-1][1] <= 150 * TOLD
        # 400 uA a second, 0.5 s between pulses of 2 Hz, and by leases a quarter of a second more.
        assert all(before[1] - after[1] <= 310 for before, after in pairwise(pulses))

    def test_pulses_are_never_closer_than_100_hz(self) -> None:
        """Nor when an order comes at any moment of the 100 Hz band."""
        bench = self.bench(rx=prescription(seconds=30))
        falling = ((15.5013, 1_900), (16.1037, 1_500), (16.7059, 1_200), (17.2081, 1_000))
        bench.run(*((at_s, AskTarget(1, ua)) for at_s, ua in falling))
        pulses = self.session(bench)
        assert len({round(level_ua, -2) for at_us, level_ua in pulses if at_us > 15 * S}) >= 5
        assert min(after[0] - before[0] for before, after in pairwise(pulses)) >= limits.PERIOD.low - 60

    def test_20_minutes_of_2_and_100_hz_to_the_pulse(self) -> None:
        bench = self.bench(rx=prescription(seconds=1_200))
        report = bench.run()
        assert report.end is End.TIMER
        self.agrees(report)
        delivered = report.delivered
        assert delivered is not None
        assert delivered["1"]["pulses"] == [1_200, 60_000]
        assert len(self.session(bench)) == 61_200

    def test_two_channels_never_drive_at_once(self) -> None:
        bench = self.bench(rx=prescription(seconds=20, amplitudes_ma={1: 1.0, 2: 2.0}))
        report = bench.run()
        assert report.end is End.TIMER
        self.agrees(report)
        spans = sorted((at_us, channel) for channel in (1, 2) for at_us, _level in starts(bench, channel))
        other = [pair for pair in pairwise(spans) if pair[0][1] != pair[1][1]]
        assert other
        assert all(after[0] - before[0] >= PULSE_US for before, after in other)

    # --- stop, hold, lower --------------------------------------------------------------------------

    @pytest.mark.parametrize("at_s", [1.234, 6.0, 9.999, 12.3456, 16.5])
    def test_a_stop_ends_output_within_one_pulse(self, at_s: float) -> None:
        bench = self.bench(rx=prescription(seconds=60))
        report = bench.run((at_s, stop))
        assert report.end is End.OPERATOR
        assert report.zero_confirmed_us is not None
        assert report.zero_confirmed_us <= limits.STOP_CONFIRM_US
        assert bench.last_us() <= bench.stopping_us() + PULSE_US + 1_000
        assert not [alarm for alarm in report.alarms if "PULL" in alarm.action]

    def test_a_stop_never_tells_too_small_a_dose(self) -> None:
        bench = self.bench(rx=prescription(seconds=60))
        report = bench.run((16.7, stop))
        delivered = report.delivered
        assert delivered is not None
        flowed = len(self.session(bench))
        assert flowed <= sum(delivered["1"]["pulses"]) <= flowed + 2

    def test_hold_is_zero_and_it_goes_on_from_zero(self) -> None:
        bench = self.bench(rx=prescription(seconds=40))
        report = bench.run((14.2, hold), (17, proceed), (18, proceed))
        assert report.end is End.TIMER
        pulses = self.session(bench)
        pause_us, index = max((after[0] - before[0], place) for place, (before, after) in enumerate(pairwise(pulses)))
        assert pause_us >= 2 * S
        assert pulses[index][0] <= 14.2 * S + PULSE_US + 10_000
        resumed = [level_ua for at_us, level_ua in pulses if at_us > pulses[index][0]]
        first_ua = resumed[self.check_pulses] if self.check_pulses else resumed[0]
        assert first_ua <= limits.RAISE_STEP_UA * TOLD

    def test_lowering_acts_at_the_next_pulse(self) -> None:
        bench = self.bench(rx=prescription(seconds=30))
        report = bench.run((16.1, AskTarget(1, 800)))
        assert report.end is End.TIMER
        late = [level_ua for at_us, level_ua in self.session(bench) if at_us > 16.1 * S + 10_000]
        assert late
        assert max(late) <= 800 * TOLD

    def test_raising_is_a_step(self) -> None:
        bench = self.bench(rx=prescription(seconds=30, amplitudes_ma={1: 1.0}))
        report = bench.run((14, Raise(1)))
        assert report.end is End.TIMER
        self.agrees(report)
        assert 1_080 <= max(level_ua for _at, level_ua in self.session(bench)) <= 1_100 * TOLD

    def test_it_tells_its_state_ten_times_a_second(self) -> None:
        bench = self.bench()
        seen: list[int] = []

        def look(engine: Engine, now_us: int) -> None:
            status = engine.view(now_us).status
            assert status is not None
            seen.append(status.stimulation_us)

        bench.run((8, look), (8.5, look), (9, look))
        assert seen == sorted(seen)
        assert 900_000 <= seen[-1] - seen[0] <= 1_100_000
