"""An impedance check that does not come to its end: what it gave until then stands in the log, on every device."""

import pytest

from firmware_sim.analog.recorder import FlowKind
from firmware_sim.factory import DeviceSpec
from stimctl.session.commands import AskHold, AskStop, Proceed
from stimctl.session.states import State
from stimctl.stimulators.discovery import DeviceChoice
from tests.stimctl.session.world import Cut, Deed, prescription
from tests.stimctl.stimulators.bench import Bench, S

DEVICES = {
    "native": (DeviceSpec("native"), DeviceChoice("native")),
    "stimjim a": (DeviceSpec("stimjim", dialect="a"), DeviceChoice("stimjim", dialect="a")),
    "stimjim c": (DeviceSpec("stimjim", dialect="c"), DeviceChoice("stimjim", dialect="c")),
}
# From before the first pulse to behind the last of the second channel.
INTO_CHECK_US = [0, 1_000, 4_100, 35_000, 98_000, 103_000, 155_000, 199_500]
RX = prescription(amplitudes_ma={1: 1.0, 2: 1.0})


def logged(bench: Bench, channel: int) -> int:
    return sum(each["pulses"] for each in bench.log.of("impedance") if each["channel"] == channel)


def flowed(bench: Bench, channel: int, from_us: int = 0) -> int:
    kinds = (FlowKind.CHECK, FlowKind.TRAIN)
    return sum(flow.count for kind in kinds for flow in bench.recorder.flows(channel, kind) if flow.first_us >= from_us)


def entered_us(name: str, state: State, *before: tuple[float, Deed]) -> int:
    """When a session comes into `state`: every one of this device does then."""
    bench = Bench(*DEVICES[name], RX)
    bench.run(*before, (5, AskStop()))
    return next(entry.at_us for entry in bench.log.entries if entry.body.get("now") == state)


@pytest.mark.parametrize("into_us", INTO_CHECK_US)
@pytest.mark.parametrize("name", DEVICES)
def test_a_check_that_a_stop_breaks_off(name: str, into_us: int) -> None:
    bench = Bench(*DEVICES[name], RX)
    bench.run(((entered_us(name, State.CHECKING) + into_us) / S, AskStop()))
    for channel in (1, 2):
        gave = flowed(bench, channel)
        assert gave <= logged(bench, channel) <= gave + (name != "native")


@pytest.mark.parametrize("into_us", INTO_CHECK_US)
@pytest.mark.parametrize("name", DEVICES)
def test_the_check_after_a_hold_is_not_taken_for_the_one_before_it(name: str, into_us: int) -> None:
    goes_on = (2.0, AskHold()), (3.0, Proceed())
    began_us = entered_us(name, State.RECHECKING, *goes_on)
    bench = Bench(*DEVICES[name], RX)
    bench.run(*goes_on, ((began_us + into_us) / S, AskStop()))
    for channel in (1, 2):
        gave = flowed(bench, channel, 3 * S)
        assert gave <= logged(bench, channel) - 10 <= gave + (name != "native")


def test_a_line_that_is_lost_in_a_check_of_a_board_that_counts_nothing_tells_the_most() -> None:
    at_us = entered_us("stimjim a", State.CHECKING) + 135_000
    bench = Bench(*DEVICES["stimjim a"], RX, line=lambda port: Cut(port, at_us))
    bench.run()
    assert (logged(bench, 1), logged(bench, 2)) == (10, 10)
