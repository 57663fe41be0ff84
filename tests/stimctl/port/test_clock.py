"""Whether the host slept, by two clocks that cannot be read in one moment."""

from collections.abc import Callable

import pytest

from stimctl.errors import Suspended
from stimctl.port import HostClock

MS = 1_000_000
S = 1_000 * MS


class Host:
    """Two clocks. Each read takes 100 ns; `before_read` may let the program stand still or the host sleep."""

    def __init__(self) -> None:
        self.monotonic_ns = 50 * S
        self.slept_ns = 7 * S
        self.reads = 0
        self.before_read: Callable[[int], None] = lambda _count: None

    def _read(self) -> None:
        self.monotonic_ns += 100
        self.reads += 1
        self.before_read(self.reads)

    def monotonic(self) -> int:
        self._read()
        return self.monotonic_ns

    def boottime(self) -> int:
        self._read()
        return self.monotonic_ns + self.slept_ns

    def clock(self) -> HostClock:
        return HostClock(self.monotonic, self.boottime)

    def stand_still_before(self, *reads: int, ns: int = 300 * MS) -> None:
        def before(count: int) -> None:
            if count - began in reads:
                self.monotonic_ns += ns

        began = self.reads
        self.before_read = before


def look(clock: HostClock, *, times: int) -> None:
    for _ in range(times):
        clock.check_awake()


def test_a_suspend_is_told_once() -> None:
    host = Host()
    clock = host.clock()
    clock.check_awake()
    host.slept_ns += 3 * S
    with pytest.raises(Suspended, match=r"suspended for 3\.0 s"):
        clock.check_awake()
    clock.check_awake()


def test_a_tenth_of_a_second_is_the_limit() -> None:
    host = Host()
    clock = host.clock()
    host.slept_ns += 99 * MS
    clock.check_awake()
    host.slept_ns += 2 * MS
    with pytest.raises(Suspended):
        clock.check_awake()


@pytest.mark.parametrize("read", range(1, 12))
def test_a_standstill_between_the_reads_is_no_suspend(read: int) -> None:
    host = Host()
    clock = host.clock()
    host.stand_still_before(read)
    for _ in range(5):
        clock.check_awake()


def test_not_even_one_between_all_reads() -> None:
    host = Host()
    clock = host.clock()
    host.stand_still_before(*range(1, 200))
    for _ in range(20):
        clock.check_awake()


@pytest.mark.parametrize("reads", [(1,), (2,), (3,), (2, 5, 8), tuple(range(1, 100))])
def test_a_standstill_as_the_session_begins_hides_no_suspend(reads: tuple[int, ...]) -> None:
    """When it stood still at every read, one look later without is enough."""
    host = Host()
    host.stand_still_before(*reads, ns=5 * S)
    clock = host.clock()
    host.before_read = lambda _count: None
    clock.check_awake()
    host.slept_ns += 200 * MS
    with pytest.raises(Suspended):
        clock.check_awake()


@pytest.mark.parametrize("read", range(1, 6))
def test_a_suspend_is_found_although_the_program_stood_still_too(read: int) -> None:
    host = Host()
    clock = host.clock()
    host.slept_ns += 3 * S
    host.stand_still_before(read)
    with pytest.raises(Suspended, match=r"for 3\.0 s"):
        clock.check_awake()


@pytest.mark.parametrize("read", range(1, 6))
def test_a_suspend_between_the_reads_is_found_by_the_next_look(read: int) -> None:
    host = Host()
    clock = host.clock()

    def sleep_once(count: int) -> None:
        if count == began + read:
            host.slept_ns += 3 * S

    began, host.before_read = host.reads, sleep_once
    with pytest.raises(Suspended):
        look(clock, times=4)


def test_looking_is_two_reads_as_long_as_nothing_happens() -> None:
    host = Host()
    clock = host.clock()
    began = host.reads
    for _ in range(10):
        clock.check_awake()
    assert host.reads - began == 20


def test_the_real_clocks_agree() -> None:
    clock = HostClock()
    before_us = clock.now_us()
    clock.check_awake()
    assert clock.now_us() >= before_us > 0
