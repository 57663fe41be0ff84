"""A ratio of two programs that means something on a shared machine: their blocks take turns.

Scheduler, cache and clock speed change between one second and the next. Timed one after the other the same two
programs have given ratios from 0.5 to 4.6; with blocks of A, B, A, B, ... both see the same weather, and the ratio
of the block medians holds within a few percent. Microseconds are shown for orientation and never judged.
"""

from collections.abc import Callable
from statistics import median, quantiles
from time import perf_counter_ns
from typing import NamedTuple


class Ratio(NamedTuple):
    """How long a candidate takes over how long its limit takes: 1 is as fast as the limit, 2 half as fast."""

    median: float
    spread: float
    """Half the distance between the quartiles of the pairs' ratios, over their median."""
    candidate_us: float
    limit_us: float

    @property
    def speed(self) -> float:
        """The candidate's speed as a part of the limit's."""
        return 1 / self.median

    def __str__(self) -> str:
        times = f"{self.candidate_us:,.1f} us against {self.limit_us:,.1f} us"
        return f"{self.median:.2f} times the limit (+/-{self.spread:.0%}), speed {self.speed:.2f} of it; {times}"


class Tails(NamedTuple):
    """The 99.9th percentiles of single calls, us."""

    candidate_us: float
    limit_us: float


def ratio(
    candidate: Callable[[], object], limit: Callable[[], object], *, blocks: int = 31, per_block: int = 10
) -> Ratio:
    """Time `candidate` and `limit` in turns: `blocks` blocks of each, `per_block` calls in a block.

    The first block of each is not counted: it fills caches. Needs at least 3 blocks.
    """
    return _ratio_of(lambda: _block_ns(candidate, per_block), lambda: _block_ns(limit, per_block), blocks, per_block)


def ratio_of_times(
    candidate_ns: Callable[[], int], limit_ns: Callable[[], int], *, blocks: int = 31, per_block: int = 10
) -> tuple[Ratio, Tails]:
    """The same for programs that tell how long they took, in ns; a block counts with its median.

    Also the 99.9th percentile of all calls of each, which is printed and never judged.
    """
    all_ns: tuple[list[int], list[int]] = ([], [])

    def block(program: Callable[[], int], seen: list[int]) -> int:
        times = [program() for _ in range(per_block)]
        seen += times
        return round(median(times) * per_block)

    found = _ratio_of(lambda: block(candidate_ns, all_ns[0]), lambda: block(limit_ns, all_ns[1]), blocks, per_block)
    far = [quantiles(times, n=1_000)[-1] / 1_000 for times in all_ns]
    return found, Tails(*far)


def _ratio_of(candidate_ns: Callable[[], int], limit_ns: Callable[[], int], blocks: int, per_block: int) -> Ratio:
    pairs = [(candidate_ns(), limit_ns()) for _ in range(blocks + 1)][1:]
    candidate_median_ns, limit_median_ns = (median(times) for times in zip(*pairs, strict=True))
    each = [candidate_block / limit_block for candidate_block, limit_block in pairs]
    low, middle, high = quantiles(each, n=4)
    per_call_us = 1_000 * per_block
    return Ratio(
        candidate_median_ns / limit_median_ns,
        (high - low) / 2 / middle,
        candidate_median_ns / per_call_us,
        limit_median_ns / per_call_us,
    )


def _block_ns(program: Callable[[], object], calls: int) -> int:
    begun = perf_counter_ns()
    for _ in range(calls):
        program()
    return perf_counter_ns() - begun
