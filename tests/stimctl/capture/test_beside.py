"""Work in two threads gives what it gives in one, in its order, and its errors where they are."""

from collections.abc import Iterator

import numpy as np
import pytest

from stimctl.capture.beside import one_ahead, side_by_side, unbuffered


def test_parts_keep_their_order_and_what_is_infinite_is_no_warning() -> None:
    parts = [np.array([np.inf, -np.inf, number]) for number in range(5)]
    sums = side_by_side(lambda part: float(part[2]) if np.isnan(part.sum()) else -1.0, parts)
    assert sums == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_one_is_made_ahead_and_no_more() -> None:
    made = []

    def parts() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    taken = one_ahead(parts())
    for number in range(4):
        assert next(taken) == number
        assert len(made) <= number + 2


def test_an_error_comes_after_the_parts_before_it() -> None:
    def parts() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    taken = one_ahead(parts())
    assert [next(taken), next(taken)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(taken)


def test_unbuffered_rows_are_the_same_and_leave_the_buffer_as_it_was() -> None:
    rows, each, before = np.arange(200_000.0).reshape(50, 4_000), np.arange(50.0)[:, None], np.getbufsize()
    with unbuffered():
        assert np.getbufsize() < 4_000
        taken = rows - each
    np.testing.assert_array_equal(taken, [row - number for row, number in zip(rows, each[:, 0], strict=True)])
    with pytest.raises(KeyError), unbuffered():
        raise KeyError
    assert np.getbufsize() == before
