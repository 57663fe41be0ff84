"""Time goes on, whatever the port's clock does, and a wait still ends where it was to."""

from stimctl.port import MonotonicPort
from tests.stimctl.session.test_port import Back
from tests.stimctl.session.world import Rig, at_1_ma


def test_it_is_the_ports_own_clock_as_long_as_that_goes_on() -> None:
    rig = Rig(at_1_ma())
    port = MonotonicPort(rig.line)
    assert port.wait(5_000) == b""
    assert port.now_us() == rig.line.now_us() == 5_000
    assert not port.went_back


def test_what_the_clock_lost_is_added_from_then_on() -> None:
    rig = Rig(at_1_ma())
    line = Back(rig.line, 6_000, 4_000)
    port = MonotonicPort(line)
    port.wait(5_000)
    assert (port.now_us(), port.went_back) == (5_000, False)
    port.wait(7_000)
    assert (line.now_us(), port.now_us(), port.went_back) == (3_000, 5_000, True)
    port.wait(9_000)
    assert (line.now_us(), port.now_us()) == (7_000, 9_000)


def test_it_goes_on_from_where_a_wait_was_to_end_and_says_by_how_much() -> None:
    port = MonotonicPort(Rig(at_1_ma()).line)
    port.wait(5_000)
    assert port.now_us() == 5_000
    assert [port.skip_to(until_us) for until_us in (8_000, 8_000, 3_000)] == [3_000, 0, 0]
    assert port.now_us() == 8_000
