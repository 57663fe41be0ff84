"""Sequence numbers, and answers that are repeated: section 4."""

from itertools import pairwise
from typing import Any

from stimctl.wire import codec as m
from stimctl.wire.codes import Refusal
from stimlab.conformance.check import check
from stimlab.conformance.dut import CEILING_UA, LIMIT_US, TIME_TO_LIVE_MS, Dut
from stimlab.conformance.link import ReceivedFrame, Transaction, shown
from stimlab.conformance.programs import PLAIN, TWO_BANDS
from stimlab.conformance.verdict import Nonconforming

_CIRCLE = 1 << 16
_AFTER_US = 60_000
_QUESTION = m.ReadSession()
QUESTIONS: tuple[tuple[Any, type[Any]], ...] = (
    (m.ReadIdentity(0), m.Maker),
    (m.ReadIdentity(1), m.Firmware),
    (m.ReadIdentity(2), m.Ranges),
    (m.ReadImpedance(1), m.Impedance),
    (m.ReadSession(), m.SessionRecord),
    (m.ReadCounters(1), m.Counters),
    (m.ReadMeasured(1), m.Measured),
)


def _answers(dut: Dut, frame: bytes, sequence: int) -> list[ReceivedFrame]:
    """All answers to a frame under its number, also those that come late."""
    first = len(dut.received)
    dut.send_raw(frame)
    dut.answer_to(sequence, first)
    dut.listen(_AFTER_US)
    return [each for each in dut.received[first:] if each.is_answer and each.sequence == sequence]


def _one_answer(dut: Dut, order: Any, kind: type[Any]) -> Any:
    """The answer to `order`, which must be the only one and a `kind`."""
    nonce, dut.nonce = dut.nonce, None
    sequence = dut.next_sequence()
    answers = _answers(dut, m.encode(sequence, order), sequence)
    dut.nonce = nonce
    name = type(order).__name__
    dut.require("R-12", len(answers) == 1, f"{name} was answered {len(answers)} times under its number")
    dut.require("R-12", isinstance(answers[0].message, kind), f"{name} was answered with {shown(answers[0].message)}")
    return answers[0].message


@check("R-10", "R-12", title="each command is answered once, by its own answer, under its number")
def one_answer_each(dut: Dut) -> None:
    for order, kind in QUESTIONS:
        _one_answer(dut, order, kind)
    _one_answer(dut, PLAIN.header, m.ProgramOpen)
    _one_answer(dut, PLAIN.segments[0], m.SegmentLoaded)
    _one_answer(dut, m.ReadDigest(), m.ProgramDigest)
    _one_answer(dut, m.Hold(), m.Refused)
    _one_answer(dut, m.SelfTest(), m.SelfTestDone)
    dut.loaded = PLAIN
    dut.armed = _one_answer(dut, dut.arm_order(), m.Armed)
    assert dut.armed is not None
    nonce = dut.armed.nonce
    _one_answer(dut, m.KeepAlive(nonce), m.Alive)
    _one_answer(dut, dut.start_order(100), m.Started)
    _one_answer(dut, m.SetTarget(nonce, 1, 50), m.TargetSet)
    _one_answer(dut, m.Hold(), m.Holding)
    dut.stop()
    number = dut.get(m.ReadSession(), m.SessionRecord).session
    _one_answer(dut, m.Acknowledge(number), m.Acknowledged)


@check("R-10", title="answers carry the command's number, whatever it is")
def numbers_come_back(dut: Dut) -> None:
    for sequence in (1, 0x7FFF, 0xFFFE, 0xFFFF, 0, 5):
        dut.send_raw(m.encode(sequence, m.ReadIdentity(0)))
        found = dut.wait_for(lambda each: each.is_answer, 300_000)
        if found is None:
            raise Nonconforming("R-12", f"ReadIdentity under number {sequence} was not answered")
        dut.require("R-10", found.sequence == sequence, f"number {sequence} was answered under {found.sequence}")
    dut.sequence = 5


@check("R-10", title="what it sends on its own has a count of its own, whatever the host numbers")
def telemetry_has_its_own_count(dut: Dut) -> None:
    dut.running()
    dut.listen(500_000)
    dut.nonce = None
    for sequence in (dut.sequence + 1_000, dut.sequence + 20_000):
        dut.ask(m.ReadIdentity(0), sequence=sequence % _CIRCLE)
        dut.sequence = sequence % _CIRCLE
        dut.listen(200_000)
    counts = [each.sequence for each in dut.received if not each.is_answer]
    steps = {(later - earlier) % _CIRCLE for earlier, later in pairwise(counts)}
    dut.require("R-10", steps == {1}, f"its own frames were numbered in steps of {sorted(steps)}, not of 1")


@check("R-13", title="the last command is answered again, to the byte, and not executed again")
def kept_answers_come_again(dut: Dut) -> None:
    dut.tested()
    nonce = dut.arm(time_to_live_ms=10_000).nonce
    dut.nonce = None
    for wrong in (0, 1, 0):
        # A wrong nonce is refused; the right one's answer holds a time, which tells it from another execution.
        order = m.KeepAlive(nonce + wrong)
        answer = dut.ask(order)
        dut.listen(20_000)
        _require_repeated(dut, order, answer)
        _require_repeated(dut, order, answer)


@check("R-13", title="a repeated command changes nothing a second time")
def repeats_change_nothing(dut: Dut) -> None:
    dut.tested()
    order = dut.arm_order()
    armed = dut.ask(order)
    _require_repeated(dut, order, armed)
    dut.armed = armed.message
    dut.start(0)
    # A Stop in between takes the place of no answer, and ends what it repeats.
    alive = m.KeepAlive(dut.start_order().nonce)
    answer = dut.ask(alive)
    dut.nonce = None
    dut.stop()
    _require_repeated(dut, alive, answer)


@check("R-13", title="refusals are kept too")
def kept_refusals_come_again(dut: Dut) -> None:
    dut.tested()
    order = dut.start_order()
    refused = dut.ask(order)
    dut.require("R-13", isinstance(refused.message, m.Refused), f"Start in TESTED got {shown(refused.message)}")
    _require_repeated(dut, order, refused)
    armed = dut.arm(channel_mask=0b1, time_to_live_ms=10_000)
    start = m.Start(armed.nonce, 0, 0, 0, 0)
    dut.get(start, m.Started)
    first, second = (m.SetTarget(armed.nonce, 1, ua) for ua in (50, 60))
    dut.get(first, m.TargetSet)
    soon = dut.ask(second)
    dut.require("R-13", isinstance(soon.message, m.Refused), f"a raise too soon got {shown(soon.message)}")
    dut.nonce = None
    dut.listen(100_000)
    _require_repeated(dut, second, soon)


def _require_repeated(dut: Dut, order: Any, answer: Transaction) -> None:
    """The last command, sent again, must be answered with the same bytes."""
    first = len(dut.received)
    dut.send_raw(m.encode(answer.sequence, order))
    again = dut.answer_to(answer.sequence, first)
    first_reply = "nothing" if again is None else shown(again.message)
    text = f"{order}, repeated, was answered with {first_reply} after {shown(answer.message)}"
    dut.require("R-13", again is not None and again.payload == answer.payload, text)


def _require_stale(dut: Dut, sequence: int, order: Any = _QUESTION) -> None:
    refused = dut.refused(order, Refusal.STALE_SEQUENCE, by="R-14", sequence=sequence)
    dut.require("R-14", refused.detail == sequence, f"STALE_SEQUENCE of {sequence} names {refused.detail}")


@check("R-14", title="half of the circle ahead is new, everything else is stale")
def half_a_circle_is_new(dut: Dut) -> None:
    base = 40_000
    dut.sequence = base - 1
    dut.hello()  # at `base`
    for ahead in (0x8000, 0xFFFF, 0x9000):
        _require_stale(dut, (base + ahead) % _CIRCLE)
    newest = base
    for ahead in (0x7FFF, 2, 0x7FFE):
        newest = (newest + ahead) % _CIRCLE
        dut.get(m.ReadSession(), m.SessionRecord, sequence=newest, by="R-14")
    dut.sequence = newest


@check("R-14", title="the last number with other bytes is stale; so is the one before it")
def numbers_are_not_used_twice(dut: Dut) -> None:
    used = dut.ask(m.ReadIdentity(0)).sequence
    _require_stale(dut, used)
    dut.ask(m.ReadSession())
    _require_stale(dut, used, m.ReadIdentity(0))


@check("R-15", title="what was applied is what was sent, field by field")
def answers_hold_what_was_sent(dut: Dut) -> None:
    programs = (PLAIN, TWO_BANDS, PLAIN.on(0b1010))
    for program in programs:
        _require_echo(dut, program.header, m.ProgramOpen)
        for segment in program.segments:
            _require_echo(dut, segment, m.SegmentLoaded)
    dut.tested(PLAIN.on(0b11))
    order = m.Arm(0, 0b11, CEILING_UA + 120, LIMIT_US + 7, TIME_TO_LIVE_MS + 1, dut.loaded.digest_head)
    dut.armed = dut.get(order, m.Armed)
    _require_same(dut, order, dut.armed, order[:5], dut.armed[:5])
    start = dut.start_order(70, 30)
    started = dut.get(start, m.Started)
    _require_same(dut, start, started, start[1:], started[:4])
    lower = m.SetTarget(dut.armed.nonce, 2, 20)
    lowered = dut.get(lower, m.TargetSet)
    _require_same(dut, lower, lowered, lower[1:], lowered[:2])
    dut.nonce = dut.armed.nonce
    reported = {(row.channel, row.target_ua) for row in dut.channels(dut.listen(300_000))}
    dut.require("R-15", reported == {(1, 70), (2, 20)}, f"set to 70 and 20 uA it tells of targets {sorted(reported)}")
    record = dut.get(m.ReadSession(), m.SessionRecord)
    dut.require("R-15", record.ceiling_ua == CEILING_UA + 120, f"the ceiling stands at {record.ceiling_ua} uA")


def _require_echo(dut: Dut, order: Any, kind: type[Any]) -> None:
    answer = dut.get(order, kind)
    _require_same(dut, order, answer, tuple(order), tuple(answer[:-1]))


def _require_same(dut: Dut, order: Any, answer: Any, sent: tuple[Any, ...], first_reply: tuple[Any, ...]) -> None:
    dut.require("R-15", sent == first_reply, f"{order} was answered with {answer}")
