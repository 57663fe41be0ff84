"""Stops and times of leased devices on lines that lose, delay or hold up what passes.

A stop goes on every 20 ms until it is answered, and what was answered to an earlier one counts. Times count from when
bytes have left. The load's record says what flowed.
"""

import re
from itertools import pairwise

import pytest

from firmware_sim.analog.recorder import FlowKind
from firmware_sim.factory import DeviceSpec
from stimctl import limits
from stimctl.port import Port
from stimctl.session.commands import AskHold, AskTarget, Proceed
from stimctl.session.states import End
from stimctl.session.view import OperatorMessage
from stimctl.stimulators.base import ZeroConfirmed, ZeroOverdue
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.stimulators.lease.adapter import LeaseAdapter
from stimctl.stimulators.lease.device import ANSWER_US, Foreign, ReplyTimes, ZeroReported
from stimctl.stimulators.lease.scheduler import PAUSED
from stimctl.stimulators.pulsepal.adapter import PulsePalAdapter
from stimctl.stimulators.pulsepal.gate import START
from stimctl.stimulators.pulsepal.isolator import Isolator
from stimctl.stimulators.stimjim.dialects import DIALECTS
from stimctl.stimulators.stimjim.gate import READ_CURRENTS, STOP
from tests.stimctl.session.world import Cut, Delayed, Line, prescription
from tests.stimctl.stimulators.bench import Bench, S
from tests.stimctl.stimulators.contract import stop
from tests.stimctl.stimulators.test_faults import checked

MS = 1_000
STIMJIM = [(DeviceSpec("stimjim", dialect=dialect), DeviceChoice("stimjim", dialect=dialect)) for dialect in "abc"]
PULSEPAL = [
    (DeviceSpec("pulsepal", firmware=firmware), DeviceChoice("pulsepal", isolator="1")) for firmware in ("21", "22")
]
DEVICES = [*STIMJIM, *PULSEPAL]
NAMES = [f"{which.device}-{which.dialect or which.firmware}" for which, _choice in DEVICES]


@pytest.fixture(params=["a", "b", "c", "pulsepal"])
def adapter(request: pytest.FixtureRequest) -> LeaseAdapter:
    """An adapter that nothing has happened to yet."""
    name = request.param
    return LeaseAdapter(PulsePalAdapter(Isolator(1_000)) if name == "pulsepal" else DIALECTS[name]())


def run_on(adapter: LeaseAdapter, until_us: int) -> tuple[list[tuple[int, bytes]], list[tuple[int, object]]]:
    """What it sends and says on a line that never answers, at its own deadlines."""
    sent, said, now_us = [], [], 0
    while now_us <= until_us:
        said += [(now_us, event) for event in adapter.advance(now_us)]
        if data := adapter.take_output():
            sent.append((now_us, data))
            adapter.wrote(now_us)
        due_us = adapter.next_deadline_us()
        assert due_us is not None
        now_us = max(now_us, due_us)
    return sent, said


@pytest.mark.parametrize("apart", [False, True])
def test_a_stop_that_nobody_answers_goes_on_every_20_ms_and_is_an_alarm_once(
    adapter: LeaseAdapter, *, apart: bool
) -> None:
    if apart:
        adapter = adapter.apart()
    adapter.stop(0)
    sent, said = run_on(adapter, 2 * S)
    assert [at_us for at_us, _data in sent] == list(range(0, 2 * S + 1, limits.STOP_RESEND_US))
    assert all(data == STOP or data[:2] == bytes((START, 80)) for _at, data in sent)
    assert said == [(limits.STOP_CONFIRM_US, ZeroOverdue(limits.STOP_CONFIRM_US))]


@pytest.mark.parametrize("dialect", "abc")
def test_what_was_answered_to_an_earlier_stop_counts(dialect: str) -> None:
    """The two outputs' answers lie 30 ms apart, with a stop in between."""
    adapter = LeaseAdapter(DIALECTS[dialect]())
    *first, last = answers(dialect).splitlines(keepends=True)
    adapter.stop(0)
    assert adapter.receive(b"".join(first), 5 * MS) == []
    adapter.advance(20 * MS)
    assert adapter.receive(last, 35 * MS) == []
    assert adapter.take_output().endswith(READ_CURRENTS)
    reading = b"Read value: 0 (%d uA)\n" if dialect == "c" else b"Read value: 0 (%duA)\n"
    told = adapter.receive(reading % 3 + reading % -4, 37 * MS)
    assert told == [ZeroConfirmed(37 * MS, 37 * MS, 4)]


def answers(dialect: str) -> bytes:
    """What a StimJim says to one stop."""
    if dialect == "c":
        return b"Stimulus cancelled.\nCh0 output mode set to 3\nCh1 output mode set to 3\n"
    forced = b"Forcing T train to stop\nForcing U train to stop\n"
    return forced + b"Set channel 0 to mode 3\nSet channel 1 to mode 3\n"


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("dialect", "abc")
def test_two_readings_of_one_output_are_no_reading_of_both(dialect: str, lost: int) -> None:
    """One output's reading is lost, of each time that both were asked; the stop goes on every 20 ms meanwhile."""
    adapter = LeaseAdapter(DIALECTS[dialect]())
    adapter.stop(0)
    told = adapter.receive(answers(dialect), 5 * MS)
    for at_us in range(5 * MS, 100 * MS, 5 * MS):
        asked = adapter.take_output().splitlines(keepends=True)
        adapter.wrote(at_us)
        if READ_CURRENTS.splitlines(keepends=True)[1 - lost] in asked:
            told += adapter.receive(b"Read value: 0 (1 uA)\n" if dialect == "c" else b"Read value: 0 (1uA)\n", at_us)
        told += adapter.advance(at_us)
    (zero,) = told
    assert isinstance(zero, ZeroConfirmed)
    assert not zero.measured


@pytest.mark.parametrize("dialect", "abc")
def test_a_reading_that_a_stop_overtook_is_asked_behind_it(dialect: str) -> None:
    adapter = LeaseAdapter(DIALECTS[dialect]())
    adapter.stop(0)
    adapter.receive(answers(dialect), 20 * MS)
    adapter.advance(20 * MS)
    assert adapter.take_output() == STOP + READ_CURRENTS
    adapter.wrote(20 * MS)
    adapter.advance(40 * MS)
    assert adapter.take_output() == STOP


@pytest.mark.parametrize(("later_us", "counts"), [(30 * MS, False), (700 * MS, True)])
@pytest.mark.parametrize("dialect", "abc")
def test_an_answer_to_an_earlier_cut_is_none_to_this_one(dialect: str, later_us: int, *, counts: bool) -> None:
    """A stop that was sent twice is answered twice; what never came is not waited for longer than half a second."""
    jim = DIALECTS[dialect]()
    for at_us in (0, 20 * MS):
        jim.stop(at_us, measure=False)
        assert jim.take_output() == STOP
        jim.wrote(at_us)
    assert jim.receive(answers(dialect), 25 * MS) == [ZeroReported(None)]
    jim.stop(later_us, measure=False)
    jim.take_output()
    jim.wrote(later_us)
    assert jim.receive(answers(dialect), later_us + 15 * MS) == ([ZeroReported(None)] if counts else [])
    assert jim.receive(answers(dialect), later_us + 25 * MS) == ([] if counts else [ZeroReported(None)])


def test_an_answer_to_an_earlier_stop_is_no_zero_while_half_a_program_is_on_its_way() -> None:
    """A PulsePal that waits in vain for the rest of it drives what it holds."""
    pal = PulsePalAdapter(Isolator(1_000))
    pal.stop(0, measure=False)
    pal.take_output()
    pal.wrote(0)
    pal.stop(20 * MS, measure=False)
    pal.take_output()
    assert pal.receive(b"\1" * 5, 21 * MS) == []
    pal.wrote(22 * MS)
    pal.stop(40 * MS, measure=False)
    pal.take_output()
    pal.wrote(40 * MS)
    assert pal.receive(b"\1" * 5, 41 * MS) == [ZeroReported(None)]


@pytest.mark.parametrize("dialect", "abc")
def test_answers_to_a_stop_are_nobody_elses_while_anything_of_it_is_owed(dialect: str) -> None:
    """Sent again, and taken by the port piece by piece: the second is answered after zero was told for the first."""
    jim, left_us = DIALECTS[dialect](), 700 * MS
    for at_us in (0, 20 * MS):
        jim.stop(at_us, measure=False)
        jim.take_output()
    first, *others = answers(dialect).splitlines(keepends=True)
    assert jim.receive(answers(dialect), 25 * MS) == [ZeroReported(None)]
    assert jim.receive(first, left_us - MS) == []
    jim.wrote(left_us)
    assert jim.receive(b"".join(others), left_us + ANSWER_US - 1) == []
    (somebody,) = jim.receive(first, left_us + ANSWER_US)
    assert isinstance(somebody, Foreign)


@pytest.mark.parametrize("dialect", "abc")
def test_a_train_that_may_play_must_have_stopped_for_a_zero(dialect: str) -> None:
    """An adapter that nothing has happened to does not know what plays: grounding alone is undone by a pulse."""
    adapter = LeaseAdapter(DIALECTS[dialect]())
    adapter.stop(0)
    adapter.take_output()
    adapter.receive(b"".join(answers(dialect).splitlines(keepends=True)[-2:]), 5 * MS)
    assert adapter.take_output() == b""


@pytest.mark.parametrize("at_us", [16_031_500, 16_036_000, 16_261_000, 16_265_500])
@pytest.mark.parametrize("apart_us", [4_000, 12_000])
@pytest.mark.parametrize(("which", "choice"), DEVICES, ids=NAMES)
def test_of_several_lowerings_the_last_one_stands(
    which: DeviceSpec, choice: DeviceChoice, at_us: int, apart_us: int
) -> None:
    """The lease that the first one cuts may end by itself meanwhile: a later one was told ahead of it, and undone."""
    bench = Bench(which, choice, prescription(seconds=30), line=lambda port: Delayed(port, 8 * MS))
    lowered = [((at_us + n * apart_us) / S, AskTarget(1, ua)) for n, ua in enumerate((900, 700, 500))]
    report = bench.run(*lowered, (at_us / S + 0.5, stop))
    assert report.targets_ua == {1: 500}
    late = [flow for flow in bench.recorder.flows(1) if flow.first_us > at_us + 2 * apart_us + 60 * MS]
    assert all(abs(flow.shape.first_na) <= 501_000 for flow in late)


@pytest.mark.parametrize("one_way_ms", [1, 3, 8, 15])
@pytest.mark.parametrize(("which", "choice"), DEVICES, ids=NAMES)
def test_a_slow_line(which: DeviceSpec, choice: DeviceChoice, one_way_ms: int) -> None:
    """Lowered twice, the second time while answers to the first may still come, then stopped."""
    bench = Bench(which, choice, prescription(seconds=30), line=lambda port: Delayed(port, one_way_ms * MS))
    at_s = 17.0 + one_way_ms / 100
    report = bench.run((16.1, AskTarget(1, 1_500)), (16.1 + one_way_ms / 300, AskTarget(1, 1_000)), (at_s, stop))
    assert report.end is End.OPERATOR
    assert report.zero_confirmed_us is not None
    assert 2 * one_way_ms * MS <= report.zero_confirmed_us <= 6 * one_way_ms * MS + 10 * MS
    assert bench.last_us() <= bench.stopping_us() + report.zero_confirmed_us
    assert report.delivered is not None
    flowed = bench.pulses() - checked(bench)
    assert flowed <= sum(report.delivered["1"]["pulses"]) <= flowed + 3 + one_way_ms
    late = [flow for flow in bench.recorder.flows(1) if flow.first_us > (16.1 + one_way_ms / 50) * S + 20 * MS]
    assert all(abs(flow.shape.first_na) <= 1_020 * MS for flow in late)


class Watched(Cut):
    """What is written, with times; nothing is heard from a time on."""

    def __init__(self, port: Port, at_us: int) -> None:
        super().__init__(port, at_us, to_device=False)
        self.written: list[tuple[int, bytes]] = []

    def write(self, data: bytes) -> None:
        self.written.append((self.now_us(), data))
        super().write(data)


@pytest.mark.parametrize("order", [AskHold(), AskTarget(1, 800)])
@pytest.mark.parametrize(("which", "choice"), DEVICES, ids=NAMES)
def test_a_hold_or_a_lowering_that_nobody_answers_ends_the_session(
    which: DeviceSpec, choice: DeviceChoice, order: AskHold | AskTarget
) -> None:
    lines: list[Watched] = []

    def line(port: Port) -> Port:
        lines.append(Watched(port, 16 * S))
        return lines[-1]

    bench = Bench(which, choice, prescription(seconds=60), line=line)
    report = bench.run((16.0, order))
    assert report.end is End.LINE_LOST
    assert bench.stopping_us() <= 16 * S + 550 * MS
    stops = [at_us for at_us, data in lines[0].written if at_us >= 16 * S and (STOP in data or data[:2] == b"\xd5\x50")]
    assert all(after - before <= limits.STOP_RESEND_US for before, after in pairwise(stops))
    assert stops[0] <= 16 * S + 15 * MS
    assert any("PULL THE LEADS" in alarm.action for alarm in report.alarms)


class HeldUp(Line):
    """Every third trigger leaves late; the world goes on meanwhile."""

    def __init__(self, port: Port, late_us: int) -> None:
        super().__init__(port)
        self._late_us = late_us
        self._count = 0
        self._rest = b""

    def write(self, data: bytes) -> None:
        self._count += data[:2] == b"\xd5\x4d"
        if data[:2] == b"\xd5\x4d" and self._count % 3 == 0:
            until_us = self.now_us() + self._late_us
            while self.now_us() < until_us:
                self._rest += self.inner.wait(until_us)
        self.inner.write(data)

    def wait(self, deadline_us: int | None) -> bytes:
        rest, self._rest = self._rest, b""
        return rest or self.inner.wait(deadline_us)


@pytest.mark.parametrize("late_us", [5 * MS, 12 * MS, 40 * MS])
@pytest.mark.parametrize(("which", "choice"), PULSEPAL, ids=str)
def test_a_lease_lasts_from_when_its_trigger_has_left(which: DeviceSpec, choice: DeviceChoice, late_us: int) -> None:
    rx = prescription(seconds=20, amplitudes_ma={1: 1.0}, profile="bench-100hz")
    bench = Bench(which, choice, rx, line=lambda port: HeldUp(port, late_us))
    report = bench.run()
    assert report.end is End.TIMER
    assert report.commanded == report.delivered
    began = sorted(flow.first_us + n * flow.period_us for flow in bench.recorder.flows(1) for n in range(flow.count))
    assert min(after - before for before, after in pairwise(began)) >= limits.PERIOD.low - 60


def test_an_answer_is_late_from_when_its_question_has_left() -> None:
    answer = ReplyTimes()
    answer.expect(500, 1_000)
    answer.wrote(1_700)
    answer.wrote(2_000)
    assert answer.due_us == 2_200
    assert [answer.is_late(at_us) for at_us in (2_199, 2_200, 2_300)] == [False, True, False]
    answer.expect(500, 3_000, written=True)
    answer.wrote(3_400)
    assert answer.due_us == 3_500


class Swallowed(Line):
    """From a time on a line of the device's is lost, once."""

    def __init__(self, port: Port, at_us: int, line: bytes) -> None:
        super().__init__(port)
        self._at_us = at_us
        self._line = line

    def wait(self, deadline_us: int | None) -> bytes:
        data = self.inner.wait(deadline_us)
        if self.now_us() < self._at_us:
            return data
        kept = re.sub(self._line, b"", data, count=1)
        self._at_us += 100 * S if kept != data else 0
        return kept


def test_an_echo_that_is_lost_while_a_lease_runs_is_missed_when_that_is_over() -> None:
    line = lambda port: Swallowed(port, 15 * S, rb"S[123],[-\d,;]+\r\n")  # noqa: E731
    bench = Bench(
        DeviceSpec("stimjim", dialect="b"), DeviceChoice("stimjim", dialect="b"), prescription(seconds=60), line=line
    )
    report = bench.run()
    assert report.end is End.LINE_LOST
    assert "no answer from the device in time" in report.end_text
    assert bench.stopping_us() <= 15 * S + 2 * limits.LEASE_US + 600 * MS


@pytest.mark.parametrize("dialect", "abc")
def test_a_start_whose_telling_is_lost_is_no_doing_of_another_program(dialect: str) -> None:
    """Its train's end is told, and that is ours: nobody else is blamed, and nobody is told to examine the device."""
    line = lambda port: Swallowed(port, 5 * S, rb"Started [^\n]*\n")  # noqa: E731
    bench = Bench(DeviceSpec("stimjim", dialect=dialect), DeviceChoice("stimjim", dialect=dialect), line=line)
    report = bench.run()
    assert report.end is End.LINE_LOST
    assert report.delivered is not None
    assert sum(report.delivered["1"]["pulses"]) >= bench.pulses() - checked(bench)
    assert bench.last_us() <= 5 * S + limits.LEASE_US + 600 * MS
    assert not any("not ordered" in alarm.text or "examined" in alarm.action for alarm in report.alarms)


@pytest.mark.parametrize(("which", "choice"), DEVICES, ids=NAMES)
def test_a_silence_that_would_end_while_it_is_being_cut(which: DeviceSpec, choice: DeviceChoice) -> None:
    """Nothing is raised from zero yet; the stop is asked for at any moment of a silent quarter of a second."""
    for into_ms in range(0, 250, 30):
        rx = prescription(seconds=20, titrate=True)
        bench = Bench(which, choice, rx, line=lambda port: Delayed(port, 15 * MS))
        report = bench.run((2.0 + into_ms / 1_000, stop))
        assert report.end is End.OPERATOR
        assert report.zero_confirmed_us is not None


class Slow(Delayed):
    """From 2 s on each way takes `delay_us`. Where commands are named as `late`, only these do, and always."""

    def __init__(self, port: Port, delay_us: int, late: bytes = b"") -> None:
        super().__init__(port, delay_us)
        self._late, self._slow_us = late, delay_us

    def wait(self, deadline_us: int | None) -> bytes:
        self._delay_us = self._slow_us if self.now_us() > 2 * S and not self._late else 0
        return super().wait(deadline_us)

    def write(self, data: bytes) -> None:
        slow = data[1] in self._late if self._late else self.now_us() > 2 * S
        due_us = self.now_us() + slow * self._slow_us
        self._to.append((max([due_us, *(at_us for at_us, _data in self._to)]), data))


@pytest.mark.parametrize(("which", "choice"), PULSEPAL, ids=["21", "22"])
def test_a_train_whose_trigger_was_late_is_not_changed_by_the_next_program(
    which: DeviceSpec, choice: DeviceChoice
) -> None:
    """Answers have been as late before, so that it is known how long a trigger may be on its way."""
    handshake, trigger, read_back = 72, 77, 93
    rx = prescription(seconds=12, profile="bench-100hz", amplitudes_ma={1: 1.0})
    late = bytes((handshake, trigger, read_back))
    bench = Bench(which, choice, rx, line=lambda port: Slow(port, 30 * MS, late))
    report = bench.run()
    assert report.end is End.TIMER
    assert report.delivered is not None
    assert sum(report.delivered["1"]["pulses"]) == bench.pulses()


def test_a_preparation_of_several_questions_has_the_time_of_as_many_answers() -> None:
    """Firmware 22 is asked three of them, one after the other, and each answer comes within 0.2 s."""
    rx = prescription(seconds=8, profile="bench-100hz", amplitudes_ma={1: 1.0})
    report = Bench(*PULSEPAL[1], rx, line=lambda port: Slow(port, 100 * MS)).run()
    assert report.end is End.TIMER


@pytest.mark.parametrize(("which", "choice"), DEVICES, ids=NAMES)
def test_nothing_begins_closer_to_what_a_hold_cut_off_than_the_shortest_period(
    which: DeviceSpec, choice: DeviceChoice
) -> None:
    """Held at ten places of a period and let go on as soon as it may: what comes first is the check's pulse, or a new
    run's."""
    closest_us = []
    for place in range(10):
        bench = Bench(which, choice, prescription(seconds=10, profile="bench-100hz"))
        held_s = 6 + place * 0.001
        bench.run((held_s, AskHold()), *[(held_s + n / 2_000, Proceed()) for n in (*range(1, 40), 500, 1_000)])
        closest_us.append(closest(bench, after_us=0))
    assert min(closest_us) >= limits.PERIOD.low


@pytest.mark.parametrize(("which", "choice"), DEVICES, ids=NAMES)
def test_after_a_lowering_the_next_pulse_comes_no_sooner_than_the_pattern_had_it(
    which: DeviceSpec, choice: DeviceChoice
) -> None:
    closest_us = []
    for lowered_s in (6.0, 6.1, 6.25, 6.4):
        bench = Bench(which, choice, prescription(seconds=10, profile="bench-2hz"))
        bench.run((lowered_s, AskTarget(1, 500)))
        closest_us.append(closest(bench, after_us=S))
    assert min(closest_us) >= 500 * MS


def closest(bench: Bench, after_us: int) -> int:
    """The shortest time from one pulse's beginning to the next one's, as the load had them from then on."""
    begun_us = sorted(
        flow.first_us + number * flow.period_us
        for flow in bench.recorder.flows(1, FlowKind.TRAIN)
        for number in range(flow.count)
    )
    assert begun_us[-1] > 7 * S
    return min(later_us - before_us for before_us, later_us in pairwise(begun_us) if before_us >= after_us)


def said_of_pauses(bench: Bench) -> list[float]:
    """When the operator was told that lowering keeps the output at zero."""
    told = [event for event in bench.runner.take_events() if isinstance(event, OperatorMessage)]
    return [event.at_us / S for event in told if event.text == PAUSED]


@pytest.mark.parametrize(("which", "choice"), DEVICES, ids=NAMES)
def test_an_output_that_pauses_while_a_slider_goes_down_is_told_once_and_comes_back(
    which: DeviceSpec, choice: DeviceChoice
) -> None:
    rx = prescription(seconds=30, profile="bench-100hz")
    bench = Bench(which, choice, rx, line=lambda port: Delayed(port, 8 * MS))
    slider = [(17 + n / 60, AskTarget(1, 2_000 - 5 * n)) for n in range(1, 241)]
    report = bench.run(*slider)
    assert report.end is End.TIMER
    (told_s,) = said_of_pauses(bench)
    assert 17.2 < told_s < 17.5
    began = [flow.first_us + n * flow.period_us for flow in bench.recorder.flows(1) for n in range(flow.count)]
    assert sum(17.1 * S < at_us < 21 * S for at_us in began) < 40
    assert sum(21.1 * S < at_us < 22 * S for at_us in began) > 80


@pytest.mark.parametrize(
    "changes", [[1_900, 1_500, 1_000], [1_900, 2_000, 1_900, 2_000]], ids=["lowered", "to and fro"]
)
@pytest.mark.parametrize(("which", "choice"), DEVICES, ids=NAMES)
def test_a_target_that_is_lowered_now_and_then_pauses_nothing(
    which: DeviceSpec, choice: DeviceChoice, changes: list[int]
) -> None:
    bench = Bench(which, choice, prescription(seconds=26), line=lambda port: Delayed(port, 15 * MS))
    bench.run(*[(17 + 1.1 * n, AskTarget(1, target_ua)) for n, target_ua in enumerate(changes)])
    assert said_of_pauses(bench) == []


def test_a_raise_between_two_leases_on_a_slow_line_is_no_lowering() -> None:
    """Firmware 22 is waited for four times from one lease to the next: longer than it takes for a pause to be told."""

    def run(*actions: tuple[float, AskTarget]) -> Bench:
        rx = prescription(seconds=22, profile="bench-100hz", amplitudes_ma={1: 1.0})
        bench = Bench(*PULSEPAL[1], rx, line=lambda port: Delayed(port, 45 * MS))
        assert bench.run(*actions).end is End.TIMER
        return bench

    over_us = next(flow.last_us for flow in run().recorder.flows(1) if flow.first_us > 12 * S)
    bench = run((over_us / S + 0.06, AskTarget(1, 1_050)))
    assert bench.adapter.targets[1].applied_ua == 1_050
    assert said_of_pauses(bench) == []
