"""Sequence numbers, answers, and what is answered again: section 4."""

from itertools import pairwise
from typing import Any

from stimctl.wire.codec import (
    Acknowledge,
    Acknowledged,
    Alive,
    Arm,
    Armed,
    Counters,
    Firmware,
    Hold,
    Holding,
    Impedance,
    KeepAlive,
    Maker,
    Measured,
    ProgramDigest,
    ProgramOpen,
    Ranges,
    ReadCounters,
    ReadDigest,
    ReadIdentity,
    ReadImpedance,
    ReadMeasured,
    ReadSession,
    Refused,
    SegmentLoaded,
    SelfTest,
    SelfTestDone,
    SessionRecord,
    SetTarget,
    Start,
    Started,
    TargetSet,
    encode,
)
from stimctl.wire.codes import Refusal
from stimlab.conformance.check import Nonconforming, check
from stimlab.conformance.dut import CEILING_UA, LIMIT_US, TIME_TO_LIVE_MS, Dut
from stimlab.conformance.link import ReceivedFrame, Transaction, shown
from stimlab.conformance.programs import PLAIN, TWO_BANDS

_CIRCLE = 1 << 16
_AFTER_US = 60_000
_QUESTION = ReadSession()
QUESTIONS: tuple[tuple[Any, type[Any]], ...] = (
    (ReadIdentity(0), Maker),
    (ReadIdentity(1), Firmware),
    (ReadIdentity(2), Ranges),
    (ReadImpedance(1), Impedance),
    (ReadSession(), SessionRecord),
    (ReadCounters(1), Counters),
    (ReadMeasured(1), Measured),
)


def _answers(bench: Dut, frame: bytes, sequence: int) -> list[ReceivedFrame]:
    """All answers to a frame under its number, also those that come late."""
    first = len(bench.heard)
    bench.send_raw(frame)
    bench.answer_to(sequence, first)
    bench.listen(_AFTER_US)
    return [each for each in bench.heard[first:] if each.is_answer and each.sequence == sequence]


def _one_answer(bench: Dut, order: Any, kind: type[Any]) -> Any:
    """The answer to `order`, which must be the only one and a `kind`."""
    nonce, bench.nonce = bench.nonce, None
    sequence = bench.next_sequence()
    answers = _answers(bench, encode(sequence, order), sequence)
    bench.nonce = nonce
    name = type(order).__name__
    bench.require("R-12", len(answers) == 1, f"{name} was answered {len(answers)} times under its number")
    bench.require("R-12", isinstance(answers[0].message, kind), f"{name} was answered with {shown(answers[0].message)}")
    return answers[0].message


@check("R-10", "R-12", title="each command is answered once, by its own answer, under its number")
def one_answer_each(bench: Dut) -> None:
    for order, kind in QUESTIONS:
        _one_answer(bench, order, kind)
    _one_answer(bench, PLAIN.header, ProgramOpen)
    _one_answer(bench, PLAIN.segments[0], SegmentLoaded)
    _one_answer(bench, ReadDigest(), ProgramDigest)
    _one_answer(bench, Hold(), Refused)
    _one_answer(bench, SelfTest(), SelfTestDone)
    bench.loaded = PLAIN
    bench.armed = _one_answer(bench, bench.arm_order(), Armed)
    assert bench.armed is not None
    nonce = bench.armed.nonce
    _one_answer(bench, KeepAlive(nonce), Alive)
    _one_answer(bench, bench.start_order(100), Started)
    _one_answer(bench, SetTarget(nonce, 1, 50), TargetSet)
    _one_answer(bench, Hold(), Holding)
    bench.stop()
    number = bench.get(ReadSession(), SessionRecord).session
    _one_answer(bench, Acknowledge(number), Acknowledged)


@check("R-10", title="answers carry the command's number, whatever it is")
def numbers_come_back(bench: Dut) -> None:
    for sequence in (1, 0x7FFF, 0xFFFE, 0xFFFF, 0, 5):
        bench.send_raw(encode(sequence, ReadIdentity(0)))
        found = bench.wait_for(lambda each: each.is_answer, 300_000)
        if found is None:
            raise Nonconforming("R-12", f"ReadIdentity under number {sequence} was not answered")
        bench.require("R-10", found.sequence == sequence, f"number {sequence} was answered under {found.sequence}")
    bench.sequence = 5


@check("R-10", title="what it sends on its own has a count of its own, whatever the host numbers")
def telemetry_has_its_own_count(bench: Dut) -> None:
    bench.running()
    bench.listen(500_000)
    bench.nonce = None
    for sequence in (bench.sequence + 1_000, bench.sequence + 20_000):
        bench.ask(ReadIdentity(0), sequence=sequence % _CIRCLE)
        bench.sequence = sequence % _CIRCLE
        bench.listen(200_000)
    counts = [each.sequence for each in bench.heard if not each.is_answer]
    steps = {(later - earlier) % _CIRCLE for earlier, later in pairwise(counts)}
    bench.require("R-10", steps == {1}, f"its own frames were numbered in steps of {sorted(steps)}, not of 1")


@check("R-13", title="the last command is answered again, to the byte, and not executed again")
def kept_answers_come_again(bench: Dut) -> None:
    bench.tested()
    nonce = bench.arm(time_to_live_ms=10_000).nonce
    bench.nonce = None
    for wrong in (0, 1, 0):
        # A wrong nonce is refused; the right one's answer holds a time, which tells it from another execution.
        order = KeepAlive(nonce + wrong)
        answer = bench.ask(order)
        bench.listen(20_000)
        _require_repeated(bench, order, answer)
        _require_repeated(bench, order, answer)


@check("R-13", title="a repeated command changes nothing a second time")
def repeats_change_nothing(bench: Dut) -> None:
    bench.tested()
    order = bench.arm_order()
    armed = bench.ask(order)
    _require_repeated(bench, order, armed)
    bench.armed = armed.message
    bench.start(0)
    # A Stop in between takes the place of no answer, and ends what it repeats.
    alive = KeepAlive(bench.start_order().nonce)
    answer = bench.ask(alive)
    bench.nonce = None
    bench.stop()
    _require_repeated(bench, alive, answer)


@check("R-13", title="refusals are kept too")
def kept_refusals_come_again(bench: Dut) -> None:
    bench.tested()
    order = bench.start_order()
    refused = bench.ask(order)
    bench.require("R-13", isinstance(refused.message, Refused), f"Start in TESTED got {shown(refused.message)}")
    _require_repeated(bench, order, refused)
    armed = bench.arm(channel_mask=0b1, time_to_live_ms=10_000)
    start = Start(armed.nonce, 0, 0, 0, 0)
    bench.get(start, Started)
    first, second = (SetTarget(armed.nonce, 1, ua) for ua in (50, 60))
    bench.get(first, TargetSet)
    soon = bench.ask(second)
    bench.require("R-13", isinstance(soon.message, Refused), f"a raise too soon got {shown(soon.message)}")
    bench.nonce = None
    bench.listen(100_000)
    _require_repeated(bench, second, soon)


def _require_repeated(bench: Dut, order: Any, answer: Transaction) -> None:
    """The last command, sent again, must be answered with the same bytes."""
    first = len(bench.heard)
    bench.send_raw(encode(answer.sequence, order))
    again = bench.answer_to(answer.sequence, first)
    said = "nothing" if again is None else shown(again.message)
    text = f"{order}, repeated, was answered with {said} after {shown(answer.message)}"
    bench.require("R-13", again is not None and again.payload == answer.payload, text)


def _require_stale(bench: Dut, sequence: int, order: Any = _QUESTION) -> None:
    refused = bench.refused(order, Refusal.STALE_SEQUENCE, by="R-14", sequence=sequence)
    bench.require("R-14", refused.detail == sequence, f"STALE_SEQUENCE of {sequence} names {refused.detail}")


@check("R-14", title="half of the circle ahead is new, everything else is stale")
def half_a_circle_is_new(bench: Dut) -> None:
    base = 40_000
    bench.sequence = base - 1
    bench.hello()  # at `base`
    for ahead in (0x8000, 0xFFFF, 0x9000):
        _require_stale(bench, (base + ahead) % _CIRCLE)
    newest = base
    for ahead in (0x7FFF, 2, 0x7FFE):
        newest = (newest + ahead) % _CIRCLE
        bench.get(ReadSession(), SessionRecord, sequence=newest, by="R-14")
    bench.sequence = newest


@check("R-14", title="the last number with other bytes is stale; so is the one before it")
def numbers_are_not_used_twice(bench: Dut) -> None:
    used = bench.ask(ReadIdentity(0)).sequence
    _require_stale(bench, used)
    bench.ask(ReadSession())
    _require_stale(bench, used, ReadIdentity(0))


@check("R-15", title="what was applied is what was sent, field by field")
def answers_hold_what_was_sent(bench: Dut) -> None:
    programs = (PLAIN, TWO_BANDS, PLAIN.on(0b1010))
    for program in programs:
        _require_echo(bench, program.header, ProgramOpen)
        for segment in program.segments:
            _require_echo(bench, segment, SegmentLoaded)
    bench.tested(PLAIN.on(0b11))
    order = Arm(0, 0b11, CEILING_UA + 120, LIMIT_US + 7, TIME_TO_LIVE_MS + 1, bench.loaded.digest_head)
    bench.armed = bench.get(order, Armed)
    _require_same(bench, order, bench.armed, order[:5], bench.armed[:5])
    start = bench.start_order(70, 30)
    started = bench.get(start, Started)
    _require_same(bench, start, started, start[1:], started[:4])
    lower = SetTarget(bench.armed.nonce, 2, 20)
    lowered = bench.get(lower, TargetSet)
    _require_same(bench, lower, lowered, lower[1:], lowered[:2])
    bench.nonce = bench.armed.nonce
    told = {(row.channel, row.target_ua) for row in bench.channels(bench.listen(300_000))}
    bench.require("R-15", told == {(1, 70), (2, 20)}, f"set to 70 and 20 uA it tells of targets {sorted(told)}")
    record = bench.get(ReadSession(), SessionRecord)
    bench.require("R-15", record.ceiling_ua == CEILING_UA + 120, f"the ceiling stands at {record.ceiling_ua} uA")


def _require_echo(bench: Dut, order: Any, kind: type[Any]) -> None:
    answer = bench.get(order, kind)
    _require_same(bench, order, answer, tuple(order), tuple(answer[:-1]))


def _require_same(bench: Dut, order: Any, answer: Any, sent: tuple[Any, ...], said: tuple[Any, ...]) -> None:
    bench.require("R-15", sent == said, f"{order} was answered with {answer}")
