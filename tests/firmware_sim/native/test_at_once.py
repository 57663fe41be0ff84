"""What the device does by itself it says when it happens, to whoever looks only when it asks to be looked at."""

from typing import Any

import pytest

from firmware_sim.analog.converter import Dac
from firmware_sim.analog.load import ScriptedLoad, load_named
from stimctl.wire import codec as wire
from stimctl.wire.codes import DeviceState as S
from stimctl.wire.codes import EndReason

SECOND_US = 1_000_000
JUST_AFTER_US = 1  # a pulse that is due at a time has begun just after it


class Loud(Dac):
    """Five times what it is asked for."""

    def current_na(self, amplitude_ua: int) -> int:
        return super().current_na(amplitude_ua) * 5


def followed(host: Any, until_us: int, *, alive_us: int = 250_000) -> list[tuple[int, wire.Event]]:
    """Each Event with the time at which it was said, up to `until_us`; time moves from one asked look to the next."""
    events, alive_at_us = [], host.now_us
    while host.now_us < until_us:
        host.now_us = min(until_us, alive_at_us + alive_us, max(host.now_us, host.device.next_event_us()))
        if host.now_us >= alive_at_us + alive_us:
            host.device.receive(wire.encode(0x7000 + host.now_us // alive_us, wire.KeepAlive(host.armed.nonce)),
                                host.now_us)  # fmt: skip
            alive_at_us = host.now_us
        else:
            host.device.advance(host.now_us)
        events += [(host.now_us, told) for _, told in host.listen() if isinstance(told, wire.Event)]
    return events


@pytest.mark.parametrize("off_us", range(0, 100_000, 13_331))
def test_a_lead_that_comes_off_is_told_at_the_third_pulses_end(new_host: Any, off_us: int) -> None:
    load = ScriptedLoad(load_named("nominal"))
    host = new_host(load=load).to(S.RUNNING)
    followed(host, host.now_us + off_us)
    load.set(host.now_us, load_named("open"))
    before_us = host.now_us
    [(said_us, event)] = followed(host, host.now_us + 200_000)
    assert (event.state, event.reason) == (S.HELD, EndReason.LEAD_OFF)
    assert 0 <= said_us - event.device_time_us <= JUST_AFTER_US
    assert event.device_time_us - before_us <= 30_400


def test_the_targets_are_said_to_be_reached_by_the_pulse_that_reaches_them(new_host: Any) -> None:
    """0.6 mA at 200 uA/s are 2 uA a pulse: 300 pulses, the last of them 299 periods after the first."""
    host = new_host().to(S.ARMED)
    host.now_us += 37_000
    host.start()
    started_us = host.now_us
    [(said_us, event)] = [each for each in followed(host, started_us + 4 * SECOND_US) if each[1].state == S.RUNNING]
    assert event.device_time_us == started_us + 299 * 10_000
    assert said_us - event.device_time_us <= JUST_AFTER_US


def test_the_time_of_running_does_not_depend_on_who_looks_when(new_host: Any) -> None:
    host = new_host().to(S.ARMED)
    host.start()
    started_us = host.now_us
    host.wait(4 * SECOND_US)
    [event] = [each for each in host.told(wire.Event) if each.state == S.RUNNING]
    assert event.device_time_us == started_us + 299 * 10_000


def test_over_current_in_a_check_is_told_when_it_is_cut(new_host: Any) -> None:
    host = new_host().to(S.CHECKING)
    began_us = host.now_us
    followed(host, began_us + 133_000)
    host.machine.stage.refit(2, dac=Loud())
    [(said_us, event)] = followed(host, began_us + 300_000)
    assert (event.state, event.reason, event.channel) == (S.ENDED, EndReason.OVER_CURRENT, 2)
    assert said_us == event.device_time_us == began_us + 140_020


def test_a_channel_at_zero_asks_for_no_looks(new_host: Any) -> None:
    """Of two channels one was lowered to nothing: the device is looked at for its telemetry, and not at each pulse."""
    host = new_host().to(S.RUNNING)
    host.ask(wire.SetTarget(host.armed.nonce, 1, 0))
    host.wait(SECOND_US)
    looks, until_us = 0, host.now_us + 500_000
    while host.now_us < until_us:
        host.now_us = max(host.now_us, host.device.next_event_us())
        host.device.advance(host.now_us)
        looks += 1
    assert looks <= 6
    assert host.machine.stage.readout(1).applied_ua == 0
    assert host.machine.stage.readout(2).pulses_0 > host.machine.stage.readout(1).pulses_0 + 100
