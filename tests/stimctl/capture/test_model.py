"""A part of a capture is what lies between two times, however the file is cut into blocks."""

from collections.abc import Iterator

import numpy as np
import pytest

from stimctl.capture.model import Block, Capture, Column


def in_blocks(values: list[int], sizes: list[int]) -> Capture:
    samples = np.array(values, np.float32)

    def blocks(_columns: tuple[int, ...]) -> Iterator[Block]:
        begin = 0
        for size in sizes:
            yield Block([samples[begin : begin + size]], 1.0)
            begin += size

    return Capture("x", "x", 0.1, 2.0, (Column("1"),), blocks)


@pytest.mark.parametrize("sizes", [[10], [3, 3, 4], [1] * 10, [5, 5]])
@pytest.mark.parametrize(("from_s", "to_s", "left"), [(0, 9, range(10)), (0.3, 0.7, range(3, 7)), (-1, 0.2, range(2)),
                                                      (0.5, 0.6, [5]), (0.95, 5, [])])  # fmt: skip
def test_a_part_is_what_lies_between(sizes: list[int], from_s: float, to_s: float, left: "list[int] | range") -> None:
    part = in_blocks(list(range(10)), sizes).part(from_s, to_s)
    got = [float(value) for block in part.blocks((0,)) for value in block.values[0]]
    assert got == [float(value) for value in left]
    assert part.start_s == pytest.approx(2.0 + max(0.0, round(from_s * 10) / 10))
