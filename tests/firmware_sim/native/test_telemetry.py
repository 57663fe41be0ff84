"""What the device says on its own: readings of now without output, and one time for a Status and its Channels."""

from typing import Any

import pytest

from stimctl.wire import codec as wire
from stimctl.wire.codes import DeviceState as S
from stimctl.wire.codes import Purpose


class Leak:
    """An output switch that lets something through while it is open."""

    def __init__(self, leak_ua: int) -> None:
        self.leak_ua = leak_ua

    def leak_na(self, _now_us: int) -> int:
        return self.leak_ua * 1_000


@pytest.mark.parametrize("state", [S.ARMED, S.HELD, S.ENDED])
def test_without_output_a_channel_says_what_is_read_of_it_now(host: Any, state: S) -> None:
    host.to(state)
    host.machine.stage.refit(2, switch=Leak(300))
    host.wait(200_000)
    first, second = host.told(wire.Channel)[-2:]
    assert (first.channel, first.applied_ua, second.channel, second.applied_ua) == (1, 0, 2, 0)
    assert first.measured_ua < 20
    assert 290 <= second.measured_ua <= 310


def test_while_an_impedance_check_runs_it_is_of_its_pulses(host: Any) -> None:
    host.to(S.TESTED)
    host.arm(Purpose.CHECK_IMPEDANCE)
    host.machine.stage.refit(2, switch=Leak(300))
    host.start()
    host.wait(150_000)
    assert host.state is S.CHECKING
    assert all(each.measured_ua < 290 for each in host.told(wire.Channel)[-2:])


def test_a_channel_carries_the_time_of_its_status(host: Any) -> None:
    host.to(S.RUNNING)
    told = [message for _, message in host.heard if type(message) in (wire.Status, wire.Channel)]
    status = None
    for each in told:
        if isinstance(each, wire.Status):
            status = each
        else:
            assert status is not None
            assert each.device_time_us == status.device_time_us
    assert status is not None
