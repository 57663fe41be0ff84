"""Stop, and measured zero: section 12."""

from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, EndReason
from stimctl.wire.framing import frame
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut
from stimlab.conformance.link import STOP_FRAME
from stimlab.conformance.programs import PLAIN
from stimlab.conformance.state_setup import STATE_SETUPS
from stimlab.conformance.timing import OFF_US, OTHER_OFF_US, event, off_limit_us
from stimlab.conformance.tracked_session import TrackedSession

MOMENTS = 10  # of a period
ZERO_FOR_US = 20_000
ZERO_UA = 20


@check("R-46", "R-47", title="Stop ends any session, in any state, and otherwise changes no state")
def stop_in_every_state(dut: Dut) -> None:
    for setup in STATE_SETUPS:
        setup.go(dut)
        stopped = dut.stop()
        wanted = DeviceState.ENDED if setup.session_open else setup.state
        text = f"Stop in {setup.name} left it in {DeviceState(stopped.state).name}"
        dut.require("R-46", not setup.session_open or stopped.state != setup.state, text)
        dut.require("R-47", stopped.state == wanted, text)
        record = dut.get(m.ReadSession(), m.SessionRecord, by="R-28")
        if setup.session_open:
            text = f"Stop in {setup.name} ended the session for {EndReason(record.end_reason).name}"
            dut.require("R-47", record.end_reason == EndReason.STOP, text)
        if wanted is DeviceState.ENDED:
            dut.require("R-47", dut.stop().state == DeviceState.ENDED, "a Stop in ENDED led out of it")
            dut.acknowledge()


@check("R-46", title="every frame of kind 0x1F stops, whatever its number and length")
def stops_of_all_shapes(dut: Dut) -> None:
    shapes = {
        "one byte long": bytes([0x1F]),
        "two bytes long": bytes([0x1F, 0x07]),
        "at number 65 535": bytes([0x1F, 0xFF, 0xFF]),
        "a byte too long": bytes([0x1F, 0x00, 0x00, 0x00]),
        "58 bytes long": bytes([0x1F]) + bytes(range(57)),
    }
    for shape, payload in shapes.items():
        dut.running()
        first, dut.nonce = len(dut.received), None
        dut.send_raw(frame(payload))
        found = dut.answer_to(int.from_bytes(payload[1:3], "little"), first)
        dut.require("R-46", found is not None, f"a Stop {shape} was not answered under its number")
        assert found is not None
        stopped = isinstance(found.message, m.Stopped) and found.message.state == DeviceState.ENDED
        dut.require("R-46", stopped, f"a Stop {shape} was answered with {found.message}")
        dut.acknowledge()


@check("R-46", title="Stop is executed before a handshake", fixture=("power",))
def stop_before_a_handshake(dut: Dut) -> None:
    dut.power_cycle()
    stopped = dut.stop()
    dut.require("R-46", stopped.state == DeviceState.IDLE, f"after power-on Stop found it in {stopped.state}")
    dut.require("R-46", dut.ask(m.Stop(), sequence=4_711, by="R-46").sequence == 4_711, "another number came back")


@check("R-46", title="Stop is executed between other frames, noise and halves of frames")
def stop_in_the_middle(dut: Dut) -> None:
    question = m.encode(dut.next_sequence(), m.ReadIdentity(0))
    for before in (b"\x00\x00", question, question[:5] + b"\x00", bytes(range(1, 200)) + b"\x00"):
        dut.running()
        first, dut.nonce = len(dut.received), None
        dut.send_raw(before + STOP_FRAME)
        found = dut.answer_to(0, first)
        text = f"Stop behind {before[:8].hex(' ')}... was not executed"
        dut.require("R-46", found is not None and isinstance(found.message, m.Stopped), text)
        dut.stop()
        dut.acknowledge()


@check("R-47", title="Stop completes at most the pulse in flight")
def stop_is_at_once(dut: Dut) -> None:
    tracked = TrackedSession(dut, PLAIN.on(0b11))
    tracked.start(dut.amplitude_ua, dut.amplitude_ua)
    dut.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
    # At the instant of a pulse, in virtual time.
    dut.listen(-(dut.now_us - tracked.began_us) % 10_000)
    nonce, dut.nonce = dut.nonce, None
    assert nonce is not None
    first = len(dut.received)
    # The keepalive's answer holds the device's time just before the Stop.
    dut.send_raw(m.encode(dut.next_sequence(), m.KeepAlive(nonce)) + STOP_FRAME)
    dut.answer_to(0, first)
    ended = event(dut, DeviceState.ENDED)
    alive = next((each.message for each in dut.received[first:] if isinstance(each.message, m.Alive)), None)
    dut.require("R-47", ended.reason == EndReason.STOP, f"Stop ended it for {EndReason(ended.reason).name}")
    if alive is not None:
        off_us = ended.device_time_us - alive.device_time_us
        dut.measure("Stop to outputs disabled", off_us, off_limit_us(dut, STOP_FRAME, OFF_US), "us", by="R-47")
    dut.listen(200_000)
    tracked.counted(by="R-47")


@check("R-47", title="a Stop with other bytes than a host's takes 3 ms at most")
def other_stops_are_at_once(dut: Dut) -> None:
    slowest_us = 0
    for number in range(1, MOMENTS + 1):
        dut.running()
        dut.listen(number * 10_000 // MOMENTS)
        nonce, dut.nonce = dut.nonce, None
        assert nonce is not None
        first = len(dut.received)
        dut.send_raw(m.encode(dut.next_sequence(), m.KeepAlive(nonce)) + m.encode(number, m.Stop()))
        dut.answer_to(number, first)
        ended = event(dut, DeviceState.ENDED)
        alive = next((each.message for each in dut.received[first:] if isinstance(each.message, m.Alive)), None)
        if alive is not None:
            slowest_us = max(slowest_us, ended.device_time_us - alive.device_time_us)
        dut.acknowledge()
    limit_us = off_limit_us(dut, m.encode(MOMENTS, m.Stop()), OTHER_OFF_US)
    dut.measure("Stop with other bytes to outputs disabled", slowest_us, limit_us, "us", by="R-47")


@check("R-48", title="zero is told once it was measured for 20 ms, and not before")
def zero_takes_its_time(dut: Dut) -> None:
    dut.running()
    stopped = dut.stop()
    began_us = event(dut, DeviceState.ENDED).device_time_us
    while not stopped.zero and stopped.device_time_us < began_us + 5 * ZERO_FOR_US:
        dut.listen(2_000)
        stopped = dut.stop()
    took_us = stopped.device_time_us - began_us
    dut.require("R-48", bool(stopped.zero), f"{took_us} us after the outputs were disabled zero is not measured")
    dut.measure("outputs disabled to zero confirmed", took_us, 5 * ZERO_FOR_US, "us", by="R-48")
    text = f"zero was told {took_us} us after the outputs were disabled, before 20 ms of it could be measured"
    dut.require("R-48", took_us >= ZERO_FOR_US, text)
    dut.measure("current at zero", stopped.measured_ua, ZERO_UA - 1, "uA", by="R-48")


@check("R-48", title="zero is not told while something is driven")
def no_zero_while_driven(dut: Dut) -> None:
    dut.running()
    dut.listen(300_000)
    for status in dut.statuses():
        if status.state in {DeviceState.RAMPING, DeviceState.RUNNING}:
            dut.require("R-48", not status.zero, f"Status tells zero in {DeviceState(status.state).name}")


@check("R-48", title="Stopped goes ahead of everything that waits to be sent")
def stopped_goes_ahead(dut: Dut) -> None:
    dut.running()
    first, dut.nonce = len(dut.received), None
    burst = b"".join(m.encode(dut.next_sequence(), m.ReadIdentity(0)) for _ in range(8))
    dut.send_raw(burst + STOP_FRAME)
    dut.listen(200_000)
    received = dut.received[first:]
    place = next((index for index, each in enumerate(received) if isinstance(each.message, m.Stopped)), None)
    dut.require("R-48", place is not None, "a Stop behind eight questions was not answered")
    ahead = sum(isinstance(each.message, m.Maker) for each in received[:place])
    # What was sent while the questions came in went ahead: the line is as fast one way as the other.
    dut.measure("answers sent ahead of Stopped", ahead, 3, "of 8", by="R-48")


@check("R-50", title="each Stop is executed and answered afresh, and moves no number")
def stops_are_fresh(dut: Dut) -> None:
    newest = dut.sequence
    for sequence in (0, newest, newest + 1_000, 0):
        first = dut.ask(m.Stop(), sequence=sequence % 65_536, by="R-50").message
        dut.listen(5_000)
        second = dut.ask(m.Stop(), sequence=sequence % 65_536, by="R-50").message
        fresh = isinstance(first, m.Stopped) and isinstance(second, m.Stopped)
        dut.require("R-50", fresh, f"Stops at number {sequence} were answered with {first} and {second}")
        text = f"a Stop 5 ms after another was answered with the same time, {first.device_time_us} us"
        dut.require("R-50", second.device_time_us > first.device_time_us, text)
    # Had a Stop moved the newest number on, this one would be behind it.
    answer = dut.ask(m.ReadIdentity(0), by="R-50").message
    dut.require("R-50", isinstance(answer, m.Maker), f"after Stops the next command was answered with {answer}")


@check("R-50", title="a Stop at the number of an answered command stops")
def stop_at_a_kept_number(dut: Dut) -> None:
    dut.running()
    kept = dut.ask(m.ReadIdentity(0)).sequence
    dut.nonce = None
    stopped = dut.ask(m.Stop(), sequence=kept, by="R-50").message
    ended = isinstance(stopped, m.Stopped) and stopped.state == DeviceState.ENDED
    dut.require("R-50", ended, f"a Stop at the number of an answered command was answered with {stopped}")
    # And it is not kept: the old command is answered again with its own answer.
    again = dut.ask(m.ReadIdentity(0), sequence=kept, by="R-50").message
    dut.require("R-50", isinstance(again, m.Maker), f"the command of that number is now answered with {again}")
