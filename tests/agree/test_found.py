"""What the machine found, as plain tests, and the size of the model."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from firmware_sim.faults import Fault
from stimctl.session.states import STIMULATING, End, State
from stimctl.stimulators.base import OrderDeclined
from stimctl.wire.codes import DeviceState
from stimlab.play.play import play
from stimlab.play.port import Piece
from stimlab.scenario.reader import OperatorAction, Scenario
from tests.agree import model
from tests.agree.hand import Sent
from tests.agree.session import Agreement

S = 1_000_000
MOST_LINES = 99


def test_the_model_can_be_read_at_one_sitting() -> None:
    """Comments and docstrings counted, empty lines not."""
    path = Path(model.__file__)
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES


def test_the_model_shares_nothing_with_what_it_judges() -> None:
    text = Path(model.__file__).read_text("utf-8")
    assert "stimctl" not in text
    assert "firmware_sim" not in text


def test_a_channel_lowered_before_its_first_reading_is_believed() -> None:
    """Its one pulse went to the target before: that is no current above what was set."""
    answers = {"profile": "bench-2-100hz", "seconds": 12, "channels": [{"amplitude_ma": 0.5}, {"channel": 2}]}
    played = play(Scenario(name="x", answers=answers, actions=(OperatorAction(300_001, "lower", 1),)))
    assert played.report is not None
    assert played.report.end is End.TIMER, played.outcome


@pytest.mark.parametrize("between_us", [660_000, 900_000, S, 1_140_000])
def test_a_step_down_each_second_at_2_hz_is_believed(between_us: int) -> None:
    """The last pulse may have gone to the target between two steps, for as long as a period lasts."""
    answers = {"profile": "bench-2hz", "seconds": 20, "channels": [{"amplitude_ma": 1.0}]}
    actions = (OperatorAction(8_050_000, "lower", 1), OperatorAction(8_050_000 + between_us, "lower", 1))
    played = play(Scenario(name="x", answers=answers, actions=actions))
    assert played.report is not None
    assert played.report.end is End.TIMER, played.outcome


@pytest.mark.parametrize("stall_us", [240_000, 490_000, 740_000])
def test_a_host_that_stood_still_after_a_hold_does_not_blame_the_device(stall_us: int) -> None:
    """The status that it then reads first is from just after the hold, before zero could be measured."""
    stall = Fault("host.stall", at_us=3_090_003, for_us=stall_us)
    played = play(
        Scenario(name="x", actions=(OperatorAction(3_090_002, "hold"), OperatorAction(5 * S, "stop")), faults=(stall,))
    )
    assert played.report is not None
    assert played.report.end is End.OPERATOR, played.outcome


def test_what_was_done_slice_by_slice_plays_as_a_scenario_byte_for_byte() -> None:
    """Orders between two deadlines, a stall and a loss: a printed failure is the failure."""
    loss = Fault("line.loss", 1_500_000, S, "RAMPING", None, {"permille": 300})
    at = Agreement({"profile": "bench-2-100hz", "seconds": 12, "channels": [{}, {"channel": 3}]}, [loss])
    for step in (300_000, 12_345, 1_000_001, 0, 777_777):
        at.wait(step)
        at.order("raise", 1)
        at.order("lower", 3)
    at.befall(Fault("host.stall", for_us=240_000))
    at.wait(123_456)
    at.order("hold")
    at.finish()
    played = play(at.rig.script)
    assert played.report == at.rig.engine.report
    assert joined(played.traffic) == joined(at.rig.port.traffic)
    assert joined(played.traffic), "something passed"


def joined(traffic: Sequence[Piece]) -> list[Piece]:
    """Pieces of one instant and direction as one: reads may cut them anywhere."""
    pieces: list[Piece] = []
    for at_us, sender, data in traffic:
        alike = pieces and pieces[-1][:2] == (at_us, sender)
        before = pieces.pop()[2] if alike else b""
        pieces.append((at_us, sender, before + data))
    return pieces


def test_an_order_at_the_instant_at_which_the_driver_starts_by_itself_is_not_blamed_for_the_start() -> None:
    """The status at 200 ms ends the contact check, and nobody is waited for before the first run."""
    at = Agreement({"profile": "bench-2hz", "seconds": 7, "channels": [{"amplitude_ma": 1.0}]}, [])
    at.wait(199_999 - at.rig.now_us)
    at.order("proceed")
    assert at.rig.engine.state is State.RAMPING


@pytest.mark.timeout(20)
def test_what_a_device_refuses_because_it_has_ended_is_not_sent_again() -> None:
    """Two lowerings, each sent again once the other one was refused, went on until the next status: on a line without
    delay for ever."""
    at = Agreement({"profile": "bench-2hz", "seconds": 12, "channels": [{"amplitude_ma": 1.6}, {"channel": 2}]}, [])
    at.wait(300_000 - at.rig.now_us)
    at.befall(Fault("host.second_driver", options={"says": "hello"}))
    at.order("lower", 1)
    assert at.sent == [Sent("SetTarget", 1, 1_500)]
    at.order("lower", 2)
    assert at.sent == []
    at.wait(200_000)
    assert at.rig.engine.report is not None
    assert at.rig.engine.report.agreement["exact"] is True


@pytest.mark.timeout(20)
def test_what_a_device_refuses_because_it_holds_is_not_sent_again_and_counts_for_what_is_resumed() -> None:
    """The lead came off, and the next status tells of the hold; until then both channels are lowered."""
    answers = {"profile": "bench-100hz", "seconds": 40, "channels": [{"amplitude_ma": 1.6}, {"channel": 2}]}
    at = Agreement(answers, [Fault("load.open", 3 * S + 7_000, S, "RAMPING", 1)])
    while at.model is None or at.model.state != "HELD":
        at.wait(1_000)
    assert at.rig.engine.state in STIMULATING, "it knows already"
    was_ua = at.model.channels[1].target
    at.order("lower", 1)
    assert at.sent == [Sent("SetTarget", 1, was_ua - 100)]
    at.order("lower", 2)
    assert at.sent == []
    at.wait(200_000)
    assert at.rig.engine.state is State.HELD
    assert at.rig.engine._context.targets.by_channel("resume_ua") == {1: was_ua - 100, 2: at.hand.wanted_ua[2] - 100}


def test_a_refusal_from_before_a_hold_takes_nothing_from_the_run_after_it() -> None:
    """It comes late, and its target is none that this run has sent."""
    at = Agreement({"profile": "bench-2hz", "seconds": 12, "channels": [{"amplitude_ma": 1.6}]}, [])
    at.wait(300_000 - at.rig.now_us)
    late = OrderDeclined("SetTarget", "wrong state", int(DeviceState.HELD), 0, 1, 1_400)
    at.rig.engine._stimulate.on_declined(late, at.rig.now_us)
    at.order("lower", 1)
    assert at.sent == [Sent("SetTarget", 1, 1_500)]


def test_many_orders_on_a_slow_line_lose_no_answer() -> None:
    """Three channels are lowered each 50 ms: two dozen orders are overtaken before the first answer, 400 ms later."""
    answers = {
        "profile": "bench-2-100hz", "seconds": 12, "channels": [{"channel": n, "amplitude_ma": 1.6} for n in (1, 2, 3)]
    }  # fmt: skip
    orders = [OperatorAction(5 * S + 50_000 * k + n, "lower", n) for k in range(10) for n in (1, 2, 3)]
    slow = Fault("line.delay", 0, None, "CHECKING", None, {"delay_us": 200_000})
    played = play(Scenario(name="x", answers=answers, actions=tuple(orders), faults=(slow,)))
    assert played.report is not None
    assert played.report.end is End.TIMER, played.report.end_text
