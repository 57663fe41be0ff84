"""Telemetry, which the device sends without a command: section 16."""

from itertools import pairwise

from stimctl.wire.codec import Channel, Event, Hello, Maker, ReadIdentity, Status, encode
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState, EndReason, Purpose
from stimlab.conformance.check import check
from stimlab.conformance.dut import STATUS_US, Dut
from stimlab.conformance.link import ReceivedFrame
from stimlab.conformance.programs import PLAIN
from stimlab.conformance.timing import EXACT_US

AT_ONCE_US = 25_000  # a burst of telemetry takes 19.5 ms of the line: section 21
_STATES_OF_A_SESSION = (
    DeviceState.LOADING,
    DeviceState.LOADED,
    DeviceState.TESTED,
    DeviceState.ARMED,
    DeviceState.CHECKING,
    DeviceState.TESTED,
    DeviceState.ARMED,
    DeviceState.RAMPING,
    DeviceState.RUNNING,
    DeviceState.HELD,
    DeviceState.ARMED,
    DeviceState.RAMPING,
    DeviceState.ENDED,
    DeviceState.IDLE,
)


@check("R-65", title="the first Status comes 100 ms after the first Hello", fixture=("power",))
def first_status(dut: Dut) -> None:
    dut.power_cycle()
    welcome = dut.ask(Hello(PROTOCOL_VERSION))
    found = dut.wait_for(lambda each: isinstance(each.message, Status), 3 * STATUS_US)
    dut.require("R-65", found is not None, "no Status came within 300 ms of Hello")
    assert found is not None
    off_us = abs(found.at_us - welcome.at_us - STATUS_US)
    dut.measure("first Status, away from 100 ms", off_us, EXACT_US + dut.slack_us, "us", by="R-65")


@check("R-65", title="a Status ten times a second, in every state")
def ten_a_second(dut: Dut) -> None:
    dut.idle()
    _even(dut, "IDLE")
    dut.running()
    _even(dut, "RUNNING")
    dut.hold()
    _even(dut, "HELD")
    dut.stop()
    _even(dut, "ENDED")


@check("R-65", title="a Channel for each channel of the newest arm, until the session is acknowledged")
def channels_are_told(dut: Dut) -> None:
    _channels(dut, set())
    dut.tested(PLAIN.on(0b111))
    dut.arm(Purpose.CHECK_IMPEDANCE)
    _channels(dut, {1, 2, 3})
    dut.start()
    dut.reach(DeviceState.TESTED, 600_000, by="R-24")
    dut.arm(channel_mask=0b101)
    _channels(dut, {1, 3})
    dut.start()
    _channels(dut, {1, 3})
    dut.hold()
    _channels(dut, {1, 3})
    dut.stop()
    _channels(dut, {1, 3})
    dut.acknowledge()
    _channels(dut, set())


@check("R-66", title="an Event at each change of state, at once, and the next Status says the same")
def events_at_each_change(dut: Dut) -> None:
    dut.idle()
    dut.listen(STATUS_US)
    first = len(dut.received)
    dut.tested()
    dut.arm(Purpose.CHECK_IMPEDANCE)
    dut.start()
    dut.reach(DeviceState.TESTED, 300_000, by="R-66")
    dut.arm()
    dut.start()
    dut.reach(DeviceState.RUNNING, 5_000_000, by="R-66")
    dut.hold()
    dut.listen(250_000)
    _same(dut, DeviceState.HELD, EndReason.HELD_BY_HOST)
    dut.arm()
    dut.start()
    dut.listen(250_000)
    dut.stop()
    dut.listen(250_000)
    _same(dut, DeviceState.ENDED, EndReason.STOP)
    dut.acknowledge()
    dut.listen(100_000)
    received = dut.received[first:]
    reported = tuple(DeviceState(each.state) for each in dut.events(received))
    text = f"its Events told of {_names(reported)}, where it went through {_names(_STATES_OF_A_SESSION)}"
    dut.require("R-66", reported == _STATES_OF_A_SESSION, text)
    _at_once(dut, received)


@check("R-67", title="a device that is asked much answers all of it")
def answers_are_never_dropped(dut: Dut) -> None:
    dut.running(PLAIN.on(0b111))
    missing = 0
    for _ in range(20):
        # One after the other, none sent twice: they fill a real line for 50 ms, with telemetry due in it now and then.
        for _ in range(8):
            number, first = dut.next_sequence(), len(dut.received)
            dut.send_raw(encode(number, ReadIdentity(0)))
            found = dut.answer_to(number, first)
            missing += found is None or not isinstance(found.message, Maker)
        dut.listen(47_000)
    dut.measure("answers missing of 160", missing, 0, "answers", by="R-67")


@check("R-67", title="telemetry never waits in front of an answer")
def answers_go_ahead(dut: Dut) -> None:
    dut.running(PLAIN.on(0b111))
    slowest_us = 0
    for _ in range(40):
        dut.listen(17_000)
        answer = dut.ask(ReadIdentity(0), by="R-67")
        slowest_us = max(slowest_us, answer.took_us)
    dut.measure("slowest answer", slowest_us, AT_ONCE_US + dut.slack_us, "us", by="R-67")


def _even(dut: Dut, where: str) -> None:
    """Two seconds of Status, each a tenth of a second after the one before."""
    received = dut.listen(2_050_000 + dut.slack_us)
    # One that an answer overtook is counted too: it was made in its time.
    times = [each.message.device_time_us for each in received if isinstance(each.message, Status)]
    text = f"in {where} it sent {len(times)} Status in two seconds, not 20"
    dut.require("R-65", abs(len(times) - 20) <= 1, text)
    off_us = max(abs(later - earlier - STATUS_US) for earlier, later in pairwise(times))
    dut.measure(f"Status in {where}, away from every 100 ms", off_us, EXACT_US, "us", by="R-65")


def _channels(dut: Dut, wanted: set[int]) -> None:
    """The channels told of with each Status from now on."""
    dut.status()
    received = dut.listen(3 * STATUS_US)
    reported = [each.message for each in received if isinstance(each.message, Channel | Status)]
    for channel in wanted:
        count = sum(isinstance(each, Channel) and each.channel == channel for each in reported)
        text = f"with channels {sorted(wanted)} armed it told {count} times of channel {channel} in 0.3 s"
        dut.require("R-65", 2 <= count <= 4, text)
    # The first ones may have belonged to what was before.
    begun = next((index for index, each in enumerate(reported) if isinstance(each, Status)), 0)
    others = {each.channel for each in reported[begun:] if isinstance(each, Channel)} - wanted
    dut.require("R-65", not others, f"with channels {sorted(wanted)} armed it told of {sorted(others)}")


def _same(dut: Dut, state: DeviceState, reason: EndReason) -> None:
    status = dut.status()
    said = DeviceState(status.state), EndReason(status.end_reason)
    text = f"its Event told of {state.name} for {reason.name}, its Status of {said[0].name} for {said[1].name}"
    dut.require("R-66", said == (state, reason), text)


def _at_once(dut: Dut, received: list[ReceivedFrame]) -> None:
    """Each Event must have been heard when it was made: by its own clock, against the fastest frame heard."""
    timed = [each for each in received if isinstance(each.message, Event | Status)]
    fastest_us = min(each.at_us - each.message.device_time_us for each in timed)
    ages_us = [each.at_us - each.message.device_time_us for each in timed if isinstance(each.message, Event)]
    late_us = max(ages_us) - fastest_us
    dut.measure("Event after its change, at most", late_us, AT_ONCE_US + dut.slack_us, "us", by="R-66")


def _names(states: tuple[DeviceState, ...]) -> str:
    return ", ".join(state.name for state in states)
