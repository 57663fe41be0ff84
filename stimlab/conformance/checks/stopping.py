"""Stop, and zero that is measured: section 12."""

from stimctl.wire.codec import (
    Alive,
    KeepAlive,
    Maker,
    ReadIdentity,
    ReadSession,
    SessionRecord,
    Stop,
    Stopped,
    encode,
)
from stimctl.wire.codes import DeviceState, EndReason
from stimctl.wire.framing import frame
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut
from stimlab.conformance.link import STOP_FRAME
from stimlab.conformance.programs import PLAIN
from stimlab.conformance.state_setup import WAYS
from stimlab.conformance.timing import event
from stimlab.conformance.tracked_session import TrackedSession

OFF_US = 5_000  # the frame, the pulse in flight and the order: section 21
ZERO_FOR_US = 20_000
ZERO_UA = 20


@check("R-46", "R-47", title="Stop ends any session, in any state, and otherwise changes no state")
def stop_in_every_state(bench: Dut) -> None:
    for way in WAYS:
        way.go(bench)
        stopped = bench.stop()
        wanted = DeviceState.ENDED if way.session_open else way.state
        text = f"Stop in {way.name} left it in {DeviceState(stopped.state).name}"
        bench.require("R-46", not way.session_open or stopped.state != way.state, text)
        bench.require("R-47", stopped.state == wanted, text)
        record = bench.get(ReadSession(), SessionRecord, by="R-28")
        if way.session_open:
            text = f"Stop in {way.name} ended the session for {EndReason(record.end_reason).name}"
            bench.require("R-47", record.end_reason == EndReason.STOP, text)
        if wanted is DeviceState.ENDED:
            bench.require("R-47", bench.stop().state == DeviceState.ENDED, "a Stop in ENDED led out of it")
            bench.acknowledge()


@check("R-46", title="every frame of kind 0x1F stops, whatever its number and length")
def stops_of_all_shapes(bench: Dut) -> None:
    shapes = {
        "one byte long": bytes([0x1F]),
        "two bytes long": bytes([0x1F, 0x07]),
        "at number 65 535": bytes([0x1F, 0xFF, 0xFF]),
        "a byte too long": bytes([0x1F, 0x00, 0x00, 0x00]),
        "58 bytes long": bytes([0x1F]) + bytes(range(57)),
    }
    for shape, payload in shapes.items():
        bench.running()
        first, bench.nonce = len(bench.heard), None
        bench.send_raw(frame(payload))
        found = bench.answer_to(int.from_bytes(payload[1:3], "little"), first)
        bench.require("R-46", found is not None, f"a Stop {shape} was not answered under its number")
        assert found is not None
        stopped = isinstance(found.message, Stopped) and found.message.state == DeviceState.ENDED
        bench.require("R-46", stopped, f"a Stop {shape} was answered with {found.message}")
        bench.acknowledge()


@check("R-46", title="Stop is executed before a handshake", hands=("power",))
def stop_before_a_handshake(bench: Dut) -> None:
    bench.power_cycle()
    stopped = bench.stop()
    bench.require("R-46", stopped.state == DeviceState.IDLE, f"after power-on Stop found it in {stopped.state}")
    bench.require("R-46", bench.ask(Stop(), sequence=4_711, by="R-46").sequence == 4_711, "another number came back")


@check("R-46", title="Stop is executed between other frames, noise and halves of frames")
def stop_in_the_middle(bench: Dut) -> None:
    question = encode(bench.next_sequence(), ReadIdentity(0))
    for before in (b"\x00\x00", question, question[:5] + b"\x00", bytes(range(1, 200)) + b"\x00"):
        bench.running()
        first, bench.nonce = len(bench.heard), None
        bench.send_raw(before + STOP_FRAME)
        found = bench.answer_to(0, first)
        text = f"Stop behind {before[:8].hex(' ')}... was not executed"
        bench.require("R-46", found is not None and isinstance(found.message, Stopped), text)
        bench.stop()
        bench.acknowledge()


@check("R-47", title="Stop completes at most the pulse in flight")
def stop_is_at_once(bench: Dut) -> None:
    course = TrackedSession(bench, PLAIN.on(0b11))
    course.start(bench.amplitude_ua, bench.amplitude_ua)
    bench.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
    # At the instant of a pulse, in virtual time.
    bench.listen(-(bench.now_us - course.began_us) % 10_000)
    nonce, bench.nonce = bench.nonce, None
    assert nonce is not None
    first = len(bench.heard)
    # The keepalive's answer holds the device's time just before the Stop.
    bench.send_raw(encode(bench.next_sequence(), KeepAlive(nonce)) + STOP_FRAME)
    bench.answer_to(0, first)
    ended = event(bench, DeviceState.ENDED)
    alive = next((each.message for each in bench.heard[first:] if isinstance(each.message, Alive)), None)
    bench.require("R-47", ended.reason == EndReason.STOP, f"Stop ended it for {EndReason(ended.reason).name}")
    if alive is not None:
        off_us = ended.device_time_us - alive.device_time_us
        # Both go out at once; a line may still bring them in pieces.
        bench.measure("Stop to outputs disabled", off_us, OFF_US + bench.slack_us, "us", by="R-47")
    bench.listen(200_000)
    course.counted(by="R-47")


@check("R-48", title="zero is told once it was measured for 20 ms, and not before")
def zero_takes_its_time(bench: Dut) -> None:
    bench.running()
    stopped = bench.stop()
    began_us = event(bench, DeviceState.ENDED).device_time_us
    while not stopped.zero and stopped.device_time_us < began_us + 5 * ZERO_FOR_US:
        bench.listen(2_000)
        stopped = bench.stop()
    took_us = stopped.device_time_us - began_us
    bench.require("R-48", bool(stopped.zero), f"{took_us} us after the outputs were disabled zero is not measured")
    bench.measure("outputs disabled to zero confirmed", took_us, 5 * ZERO_FOR_US, "us", by="R-48")
    text = f"zero was told {took_us} us after the outputs were disabled, before 20 ms of it could be measured"
    bench.require("R-48", took_us >= ZERO_FOR_US, text)
    bench.measure("current at zero", stopped.measured_ua, ZERO_UA - 1, "uA", by="R-48")


@check("R-48", title="zero is not told while something is driven")
def no_zero_while_driven(bench: Dut) -> None:
    bench.running()
    bench.listen(300_000)
    for status in bench.statuses():
        if status.state in {DeviceState.RAMPING, DeviceState.RUNNING}:
            bench.require("R-48", not status.zero, f"Status tells zero in {DeviceState(status.state).name}")


@check("R-48", title="Stopped goes ahead of everything that waits to be sent")
def stopped_goes_ahead(bench: Dut) -> None:
    bench.running()
    first, bench.nonce = len(bench.heard), None
    burst = b"".join(encode(bench.next_sequence(), ReadIdentity(0)) for _ in range(8))
    bench.send_raw(burst + STOP_FRAME)
    bench.listen(200_000)
    heard = bench.heard[first:]
    place = next((index for index, each in enumerate(heard) if isinstance(each.message, Stopped)), None)
    bench.require("R-48", place is not None, "a Stop behind eight questions was not answered")
    ahead = sum(isinstance(each.message, Maker) for each in heard[:place])
    # What was sent while the questions came in went ahead: the line is as fast one way as the other.
    bench.measure("answers sent ahead of Stopped", ahead, 3, "of 8", by="R-48")


@check("R-50", title="each Stop is executed and answered afresh, and moves no number")
def stops_are_fresh(bench: Dut) -> None:
    newest = bench.sequence
    for sequence in (0, newest, newest + 1_000, 0):
        first = bench.ask(Stop(), sequence=sequence % 65_536, by="R-50").message
        bench.listen(5_000)
        second = bench.ask(Stop(), sequence=sequence % 65_536, by="R-50").message
        fresh = isinstance(first, Stopped) and isinstance(second, Stopped)
        bench.require("R-50", fresh, f"Stops at number {sequence} were answered with {first} and {second}")
        text = f"a Stop 5 ms after another was answered with the same time, {first.device_time_us} us"
        bench.require("R-50", second.device_time_us > first.device_time_us, text)
    # Had a Stop moved the newest number on, this one would be behind it.
    answer = bench.ask(ReadIdentity(0), by="R-50").message
    bench.require("R-50", isinstance(answer, Maker), f"after Stops the next command was answered with {answer}")


@check("R-50", title="a Stop at the number of an answered command stops")
def stop_at_a_kept_number(bench: Dut) -> None:
    bench.running()
    kept = bench.ask(ReadIdentity(0)).sequence
    bench.nonce = None
    stopped = bench.ask(Stop(), sequence=kept, by="R-50").message
    ended = isinstance(stopped, Stopped) and stopped.state == DeviceState.ENDED
    bench.require("R-50", ended, f"a Stop at the number of an answered command was answered with {stopped}")
    # And it is not kept: the old command is answered again with its own answer.
    again = bench.ask(ReadIdentity(0), sequence=kept, by="R-50").message
    bench.require("R-50", isinstance(again, Maker), f"the command of that number is now answered with {again}")
