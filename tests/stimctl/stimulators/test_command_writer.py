"""A write that the line took a part of, or nothing: what is left goes first at the next, and a stop takes its place."""

from typing import cast

import pytest

from firmware_sim.analog.recorder import Recorder
from firmware_sim.factory import DeviceSpec
from stimctl.errors import LineFault, LineLost, NotSent, WrongDevice
from stimctl.port import Port
from stimctl.session.commands import AskHold, AskStop, AskTarget, Command, Proceed
from stimctl.session.states import End
from stimctl.session.view import PULL_THE_LEADS
from stimctl.stimulators.command_writer import NOT_TAKEN, CommandWriter
from stimctl.stimulators.discovery import DeviceChoice, detect, handshake, stimulator
from stimctl.stimulators.lease.device import ZeroReported
from stimctl.stimulators.native import NativeAdapter
from stimctl.stimulators.pulsepal.gate import REST_ALL, PulsePalGate, program_frame
from stimctl.stimulators.stimjim.dialects import DIALECTS
from stimctl.stimulators.stimjim.gate import HARMLESS_SLOT, READ_CURRENTS, STOP, StimJimGate
from tests.stimctl.session.world import Delayed, Line, Rig, at_1_ma, high, prescription
from tests.stimctl.stimulators.bench import Bench, S, port_of
from tests.stimctl.stimulators.contract import TOLD

PULSEPALS = {
    firmware: (DeviceSpec("pulsepal", firmware=firmware), DeviceChoice("pulsepal", isolator="1"))
    for firmware in ("21", "22")
}
STIMJIMS = {
    letter: (DeviceSpec("stimjim", dialect=letter), DeviceChoice("stimjim", dialect=letter)) for letter in "abc"
}
BOARDS = {**PULSEPALS, **STIMJIMS}
ABORT, TRIGGER, ZERO = b"\xd5\x50", b"\xd5\x4d\x01", b"\xd5\x4f\x01\x00\x80"


class Taking:
    """A line that takes so many bytes of each write, and then all."""

    def __init__(self, *takes: int) -> None:
        self.takes = list(takes)
        self.took = b""

    def write(self, data: bytes) -> None:
        some = self.takes.pop(0) if self.takes else len(data)
        self.took += data[:some]
        if some < len(data):
            raise NotSent("it took no more", some)


@pytest.mark.parametrize("takes", [(4,), (4, 0), (4, 1), (4, 1, 1), (4, 3), (3,), (4, 4), (0,), (2,), (7,)])
def test_what_is_sent_next_follows_whole_commands(takes: tuple[int, ...]) -> None:
    line = Taking(*takes)
    writer = CommandWriter(line.write, PulsePalGate(1_000).follow_cut)
    assert writer.send(ABORT + ZERO) is (takes[0] == 7)
    for _ in takes[1:]:
        assert not writer.send(ABORT)
    assert writer.send(ABORT)
    assert writer.owed == b""
    left = line.took
    while left:
        whole = next(each for each in (ABORT, ZERO) if left.startswith(each))
        left = left[len(whole) :]
    assert line.took.endswith(ABORT)


@pytest.mark.parametrize("some", [1, 2])
def test_the_rest_of_a_trigger_starts_nothing(some: int) -> None:
    line = Taking(some, 0)
    writer = CommandWriter(line.write, PulsePalGate(1_000).follow_cut)
    assert not writer.send(TRIGGER)
    assert not writer.send(b"")
    assert writer.send(ABORT)
    assert line.took == b"\xd5\x4d\x00" + ABORT


def test_the_rest_of_a_program_is_as_it_was() -> None:
    frame = program_frame(92, REST_ALL)
    assert PulsePalGate(1_000).follow_cut(ABORT + frame, 50, ABORT) == ABORT + frame + ABORT


SLOT = HARMLESS_SLOT.line(2)


@pytest.mark.parametrize("data", [STOP, STOP + READ_CURRENTS, SLOT, b"R0,-1\n"])
def test_a_stop_behind_a_cut_line_finds_it_whole(data: bytes) -> None:
    for some in range(len(data)):
        for more in (0, 1, 2):
            line = Taking(some, more)
            writer = CommandWriter(line.write, StimJimGate().follow_cut)
            assert not writer.send(data)
            assert not writer.send(STOP)
            assert writer.send(STOP)
            lines = line.took.splitlines(keepends=True)
            assert set(lines) <= set((data + STOP).splitlines(keepends=True))
            assert line.took.endswith(STOP)


@pytest.mark.parametrize("takes", [(0,), (1,), (2,), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2)])
def test_no_start_that_was_cut_or_refused_comes_with_a_stop(takes: tuple[int, ...]) -> None:
    line, gate = Taking(*takes), StimJimGate()
    writer = CommandWriter(line.write, gate.follow_cut)
    assert not writer.send(b"T1\n")
    for _ in takes[1:]:
        assert not writer.send(STOP)
    assert writer.send(STOP)
    before, _, after = line.took.partition(STOP)
    assert not after
    assert not before or int(before[1:]) >= 100
    assert gate.took_back is bool(before)


def answers(took: bytes) -> list[bytes]:
    """What a StimJim of dialect A says to each whole line of these."""
    said = {b"T-1": b"Forcing T train to stop", b"U-1": b"Forcing U train to stop"}
    said |= {b"M%d,3" % channel: b"Set channel %d to mode 3" % channel for channel in (0, 1)}
    return [said[line] + b"\n" for line in took.split(b"\n")[:-1] if line in said]


@pytest.mark.parametrize("earlier", [0, 1])
@pytest.mark.parametrize("more", [0, 1, 18, len(STOP)])
@pytest.mark.parametrize("some", range(len(STOP) + 1))
def test_zero_is_told_with_the_answer_to_its_own_stop(some: int, more: int, earlier: int) -> None:
    """A cut of a lease whose stop the port takes in part, or not at all; then a stop, of which it takes all."""
    line, jim = Taking(*[len(STOP)] * earlier, some, more), DIALECTS["a"]()
    writer = CommandWriter(line.write, jim.command_gate.follow_cut)

    def turn(at_us: int) -> None:
        if writer.send(jim.take_output()):
            jim.wrote(at_us)

    for at_us in range(0, 20_000 * (3 + earlier), 20_000):
        jim.stop(at_us, measure=False)
        turn(at_us)
    later_us, told = at_us + 1_000, iter(answers(line.took))
    assert any(jim.receive(answer, later_us) == [ZeroReported(None)] for answer in told)
    before = len(line.took)
    jim.stop(later_us, measure=False)
    turn(later_us)
    *others, own = [*told, *answers(line.took[before:])]
    assert [jim.receive(answer, later_us) for answer in others] == [[]] * len(others)
    assert jim.receive(own, later_us) == [ZeroReported(None)]


@pytest.mark.parametrize("some", range(len(SLOT) + 3))
def test_orders_go_on_as_they_were_where_no_stop_comes(some: int) -> None:
    line = Taking(some, 0)
    writer = CommandWriter(line.write, StimJimGate().follow_cut)
    assert not writer.send(SLOT + b"T1\n")
    assert writer.owed == (SLOT + b"T1\n")[some:]
    assert not writer.send(b"")
    assert writer.send(b"E0,1\n")
    assert line.took == SLOT + b"T1\nE0,1\n"
    assert writer.owed == b""


def test_what_a_native_device_did_not_get_is_sent_by_its_exchange() -> None:
    line = Taking(3)
    writer = CommandWriter(line.write, NativeAdapter().follow_cut)
    assert not writer.send(b"frame\0")
    assert writer.owed == b""
    assert writer.send(b"another\0")
    assert line.took == b"fraanother\0"


def test_nothing_is_sent_on_a_line_that_is_gone() -> None:
    line = Taking()
    writer = CommandWriter(line.write, PulsePalGate(1_000).follow_cut)
    writer.line_gone = True
    assert not writer.send(ABORT)
    assert line.took == b""


class Short(Line):
    """From `at_us` on two writes go in part only; `first` and `second` bytes of them do."""

    def __init__(self, port: Port, at_us: int, first: int, second: int) -> None:
        super().__init__(port)
        self._at_us, self._takes = at_us, [first, second]

    def write(self, data: bytes) -> None:
        if self.now_us() < self._at_us or not self._takes or self._takes[0] >= len(data):
            self.inner.write(data)
            return
        some = self._takes.pop(0)
        self.inner.write(data[:some])
        raise NotSent("the port took only a part", some)


ORDERS: dict[str, list[tuple[float, Command]]] = {
    "stop": [(4.0, AskStop())],
    "hold": [(4.0, AskHold("")), (6.0, Proceed()), (7.0, Proceed())],
    "lower": [(4.0, AskTarget(1, 600))],
}


@pytest.mark.parametrize("some", [*range(20), 21, 30])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("letter", STIMJIMS)
def test_half_a_line_of_ours_is_nobody_elses(letter: str, order: str, some: int) -> None:
    rx = prescription(seconds=9, profile="bench-100hz")
    bench = Bench(*STIMJIMS[letter], rx, line=lambda port: Short(port, 4 * S, some, 10_000))
    report = bench.run(*ORDERS[order])
    assert report.end is (End.OPERATOR if order == "stop" else End.TIMER)
    assert report.zero_confirmed_us is not None
    assert report.agreement["exact"] is not False
    assert not [alarm.text for alarm in report.alarms]


class Refusing(Line):
    """Takes nothing for `for_us` from the first write after `at_us` on."""

    def __init__(self, port: Port, at_us: int, for_us: int) -> None:
        super().__init__(port)
        self._at_us, self._for_us = at_us, for_us
        self.refused = 0

    def write(self, data: bytes) -> None:
        now_us = self.now_us()
        if now_us >= self._at_us and not self.refused:
            self._at_us = now_us
        if self._at_us <= now_us < self._at_us + self._for_us:
            self.refused += 1
            raise NotSent("the port takes no bytes")
        self.inner.write(data)


@pytest.mark.parametrize("at_us", [1, 3 * S, 5 * S + 400_000, 7 * S])
@pytest.mark.parametrize("board", BOARDS)
def test_an_order_that_left_no_byte_is_given_again(board: str, at_us: int) -> None:
    rx = prescription(seconds=9, profile="bench-100hz")
    bench = Bench(*BOARDS[board], rx, line=lambda port: Refusing(port, at_us, 30_000))
    report = bench.run()
    assert cast(Refusing, bench.port).refused
    assert report.end is End.TIMER
    assert report.agreement["exact"] is not False
    assert not [alarm.text for alarm in report.alarms]


@pytest.mark.parametrize("at_us", [1, 5 * S])
@pytest.mark.parametrize("board", BOARDS)
def test_a_port_that_takes_nothing_is_not_the_device(board: str, at_us: int) -> None:
    rx = prescription(seconds=9, profile="bench-100hz")
    bench = Bench(*BOARDS[board], rx, line=lambda port: Refusing(port, at_us, 2_500_000))
    report = bench.run()
    assert report.end is End.LINE_LOST
    assert report.end_text == NOT_TAKEN
    assert report.zero_confirmed_us is not None


@pytest.mark.parametrize("board", BOARDS)
def test_a_zero_that_comes_after_the_last_entry_is_in_the_report(board: str) -> None:
    rx = prescription(seconds=9, profile="bench-100hz")
    bench = Bench(*BOARDS[board], rx, line=lambda port: Refusing(port, 4 * S, 8 * S))
    report = bench.run((4.0, AskStop()))
    zero = bench.log.of("stop")[-1]
    assert bench.log.entries[-1].kind == "stop"  # behind the session's last
    assert report.zero_confirmed_us == zero["after_us"] >= 8 * S
    assert report.zero_measured is zero["measured"]


@pytest.mark.parametrize("at_us", range(4 * S, 4 * S + 40_000, 4_000))
@pytest.mark.parametrize("board", BOARDS)
def test_a_device_is_at_rest_though_its_line_took_nothing_for_a_while(board: str, at_us: int) -> None:
    rx = prescription(seconds=20, profile="bench-100hz")
    bench = Bench(*BOARDS[board], rx, line=lambda port: Refusing(Delayed(port, 3_000), at_us, 15_000))
    report = bench.run((4.0, AskTarget(1, 700)), (4.005, AskStop()))
    assert report.end is End.OPERATOR
    assert report.zero_confirmed_us is not None
    assert not [alarm.text for alarm in report.alarms]
    assert bench.last_us() < 4 * S + 60_000


@pytest.mark.parametrize("for_us", [0, 25_000, 45_000])
@pytest.mark.parametrize("board", BOARDS)
def test_a_stop_that_the_port_refused_makes_no_later_zero_late(board: str, for_us: int) -> None:
    rx = prescription(seconds=20, profile="bench-100hz")
    bench = Bench(*BOARDS[board], rx, line=lambda port: Refusing(Delayed(port, 3_000), 4 * S, for_us))
    report = bench.run((4.0, AskTarget(1, 600)), (4.08, AskStop()))
    assert report.zero_confirmed_us is not None
    assert report.zero_confirmed_us < 15_000


@pytest.mark.parametrize("second", [3, 40, 150])
@pytest.mark.parametrize("first", [1, 24, 30, 190])
@pytest.mark.parametrize("firmware", PULSEPALS)
def test_a_stop_of_which_parts_went_sets_no_amplitudes(firmware: str, first: int, second: int) -> None:
    rx = prescription(seconds=20, profile="bench-100hz", amplitudes_ma={1: 2.0})
    bench = Bench(*PULSEPALS[firmware], rx, line=lambda port: Short(port, 4 * S, first, second))
    report = bench.run((4.0, AskStop()))
    assert bench.highest_ua() <= 2_000 * TOLD
    assert bench.last_us() < 5 * S
    assert report.end is End.OPERATOR
    assert report.zero_confirmed_us is not None


class Pulled(Line):
    """Takes `takes` bytes in all; for `stuck_us` then none, or its cable is pulled where that is None."""

    def __init__(self, port: Port, takes: int, stuck_us: int | None) -> None:
        super().__init__(port)
        self._takes, self._stuck_us = takes, stuck_us
        self._at_us: int | None = None
        self._plugged = False

    def let_pass(self, time_us: int) -> None:
        """Plug it in again, and let time pass."""
        self._plugged, until_us = True, self.now_us() + time_us
        while self.now_us() < until_us:
            self.wait(until_us)

    def write(self, data: bytes) -> None:
        if self._at_us is None and len(data) <= self._takes:
            self._takes -= len(data)
            self.inner.write(data)
            return
        some = 0
        if self._at_us is None:
            self._at_us, some = self.now_us(), self._takes
            self.inner.write(data[:some])
        elif self._plugged or (self._stuck_us is not None and self.now_us() - self._at_us >= self._stuck_us):
            self.inner.write(data)
            return
        raise NotSent("the port took only a part", some)

    def wait(self, deadline_us: int | None) -> bytes:
        if self._at_us is not None and self._stuck_us is None and not self._plugged:
            raise LineLost("the port is gone")
        return self.inner.wait(deadline_us)


@pytest.mark.parametrize(
    ("takes", "stuck_us", "stands"),
    [
        (60, None, True),  # the stop that the handshake ends with
        (60, 250_000, True),
        (460, None, True),
        (500, 250_000, True),  # the stop of the self-test: what did not come is confirmed as if it had
        (7_000, None, True),  # a lease
        (7_000, 250_000, True),
        (7_804, None, True),  # the stop at the end
        (7_804, 250_000, True),
        (7_929, 40_000, False),  # whether it is at rest, after its zero
        (7_804, 40_000, False),
        (6_766, 20_000, False),
        (2, 0, False),
    ],
)
def test_output_that_stands_is_never_told_as_zero(takes: int, stuck_us: int | None, stands: bool) -> None:
    rx = prescription(seconds=12, profile="bench-2-100hz", amplitudes_ma={1: 2.0, 2: 0.5})
    bench = Bench(*PULSEPALS["22"], rx, line=lambda port: Pulled(port, takes, stuck_us))
    report = bench.runner.run()
    cast(Pulled, bench.port).let_pass(S)
    assert (bench.highest_ua() > 2_000 * TOLD) is stands
    assert (report.zero_confirmed_us is None) is stands
    assert any(alarm.action.startswith(PULL_THE_LEADS) for alarm in report.alarms) is stands
    assert not any("by itself" in alarm.action + alarm.text for alarm in report.alarms)


@pytest.mark.parametrize(("takes", "stuck_us"), [(60, 0), (60, 60_000), (300, 0), (300, 60_000)])
@pytest.mark.parametrize("firmware", PULSEPALS)
def test_a_command_that_was_cut_in_a_handshake_is_brought_to_its_end(firmware: str, takes: int, stuck_us: int) -> None:
    spec, choice = PULSEPALS[firmware]
    recorder = Recorder()
    line = Pulled(port_of(spec.make(seed=1, load="r1k", recorder=recorder)), takes, stuck_us)
    assert handshake(line, stimulator(choice, line)).identity.firmware == firmware
    line.let_pass(S)
    assert recorder.end_us() == 0


@pytest.mark.parametrize("stuck_us", [None, 900_000])
@pytest.mark.parametrize("firmware", PULSEPALS)
def test_half_a_command_that_a_handshake_leaves_behind_is_told(firmware: str, stuck_us: int | None) -> None:
    spec, choice = PULSEPALS[firmware]
    line = Pulled(port_of(spec.make(seed=1, load="r1k")), 60, stuck_us)
    with pytest.raises(LineLost, match=r"(took only a part|is gone). Its output may stay driven: PULL THE LEADS"):
        handshake(line, stimulator(choice, line))
    line.let_pass(S)
    with pytest.raises(WrongDevice, match="PULL THE LEADS"):
        handshake(line, stimulator(choice, line))


DEVICES = {**BOARDS, "native": (DeviceSpec("native"), DeviceChoice())}


@pytest.mark.parametrize("for_us", [20_000, 300_000, 2_500_000])
@pytest.mark.parametrize("device", DEVICES)
def test_a_handshake_that_left_no_byte_is_tried_again(device: str, for_us: int) -> None:
    spec, choice = DEVICES[device]
    line = Refusing(port_of(spec.make(seed=1, load="r1k")), 0, for_us)
    identity = handshake(line, stimulator(choice, line)).identity
    assert identity.model
    assert line.refused
    assert line.now_us() < for_us + 60_000


@pytest.mark.parametrize("device", ["native", "21", "b"])
def test_a_search_that_left_no_byte_is_tried_again(device: str) -> None:
    spec, choice = DEVICES[device]
    line = Refusing(port_of(spec.make(seed=1, load="r1k")), 0, 900_000)
    assert detect(line)[0] == choice.device


@pytest.mark.parametrize("at_us", [0, 1])
@pytest.mark.parametrize("device", BOARDS)
def test_a_port_that_takes_no_handshake_is_named(device: str, at_us: int) -> None:
    spec, choice = DEVICES[device]
    line = Refusing(port_of(spec.make(seed=1, load="r1k")), at_us, 60 * S)
    with pytest.raises(LineFault, match="the port takes no bytes"):
        handshake(line, stimulator(choice, line))
    assert line.now_us() <= 3 * S + 20_000
    with pytest.raises(NotSent):
        detect(line)


class TakesNothing(Line):
    """A port that refuses every write of a while."""

    def __init__(self, port: Port, from_us: int, until_us: int) -> None:
        super().__init__(port)
        self._while = range(from_us, until_us)

    def write(self, data: bytes) -> None:
        if self.now_us() in self._while:
            raise NotSent("sim://: the port takes no bytes")
        self.inner.write(data)


def test_where_the_port_takes_nothing_a_native_device_is_not_blamed() -> None:
    rig = Rig(at_1_ma(), line=lambda port: TakesNothing(port, 7 * S, 9 * S))
    report = rig.run()
    assert (report.end, report.end_text) == (End.LINE_LOST, NOT_TAKEN)
    assert high(rig) == [NOT_TAKEN, "no zero output confirmed 100 ms after the stop, which the port does not take"]
    assert report.zero_confirmed_us is not None
    stopped = Rig(at_1_ma(), line=lambda port: TakesNothing(port, 7 * S, 7_200_000))
    stopped.run((7 * S + 1, AskStop()))
    assert high(stopped) == ["no zero output confirmed 100 ms after the stop, which the port does not take"]


def test_where_the_device_takes_nothing_the_port_is_not_blamed() -> None:
    class Deaf(Line):
        def write(self, data: bytes) -> None:
            if self.now_us() < 7 * S:
                self.inner.write(data)

    report = Rig(at_1_ma(), line=Deaf).run()
    assert report.end is End.LINE_LOST
    assert report.end_text.startswith("no answer to KeepAlive after ")
    assert "the port does not take" not in " ".join(alarm.text for alarm in report.alarms)
