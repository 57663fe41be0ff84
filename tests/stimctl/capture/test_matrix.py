"""Rows that cross at the same samples are measured all at once, with the same figures as each by itself."""

import numpy as np
import pytest

from stimctl.capture import shape
from stimctl.capture.matrix import AlikeRows, EachRow, UnlikeRows
from stimctl.capture.pulses import measure_samples
from tests.stimctl.capture.synthesis import Bench, Truth, capture, steady

LEAD, FIRST = 25, 40
_PARTS = ("overshoot", "second_overshoot", "droop")  # one less nearly one: the rounding of a float32 is left


def rows(count: int, length: int, seed: int = 3) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Pulses of like places and heights of their own, some upside down, with a little noise."""
    rng = np.random.default_rng(seed)
    made = np.zeros((count, length))
    made[:, 31] = 0.4
    made[:, 32:50], made[:, 50:68] = 1.0, -1.0
    made[:, 68] = -0.1
    made *= rng.uniform(0.8, 1.2, (count, 1)) * rng.choice((-1, 1), (count, 1))
    return (made + rng.normal(0, 1e-3, made.shape) + rng.uniform(-0.3, 0.3, (count, 1))).astype(np.float32)


@pytest.mark.parametrize("length", [91, 300], ids=["turned", "as they lie"])
def test_alike_rows_have_the_figures_of_each(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    some = rows(200, length)
    with monkeypatch.context() as alone:
        alone.setattr(shape, "EachRow", None)
        at_once, odd = shape.measured(some, LEAD, FIRST, 1e-5, 1e-3)
    monkeypatch.setattr(shape, "AlikeRows", EachRow)
    each, odd_each = shape.measured(some, LEAD, FIRST, 1e-5, 1e-3)
    assert not odd.any()
    assert not odd_each.any()
    assert set(at_once["sign"]) == {-1, 1}
    for name in shape.FIELDS.names or ():
        np.testing.assert_allclose(
            at_once[name], each[name], rtol=2e-6, atol=2e-7 if name in _PARTS else 1e-9, err_msg=name
        )


def test_one_row_that_is_shifted_is_seen() -> None:
    some = rows(200, 91)
    some[117] = np.roll(some[117], 1)  # not of those that are looked at first
    turned = AlikeRows(some, LEAD, LEAD - 1)
    turned.up(np.where(turned.at(np.array([FIRST - LEAD + 1])) >= 0, 1, -1))
    with pytest.raises(UnlikeRows):
        turned.beyond(0.5 * turned.peaks())
    made, odd = shape.measured(some, LEAD, FIRST, 1e-5, 1e-3)
    assert not odd.any()
    assert made["onset_s"][117] - np.median(made["onset_s"]) == pytest.approx(1e-5, abs=2e-8)


def test_a_search_in_two_halves_finds_what_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pulse that lies where the halves meet is one pulse."""
    from stimctl.capture import search

    samples = capture(steady(0.0100037, 200, 0.0003), Truth(), Bench(noise_v=0.004), 2.02).astype(np.float32)
    monkeypatch.setattr(search, "_WORTH_TWO", 1 << 30)
    whole = measure_samples(samples, 1e-6).pulses
    monkeypatch.setattr(search, "_WORTH_TWO", 1)
    for begin in range(600, 1_200, 50):  # a pulse lies at 1,000,670, and the halves meet that far from the begin
        halves = measure_samples(samples[begin:], 1e-6).pulses
        assert len(halves) >= len(whole) - 1
        np.testing.assert_allclose(
            halves["onset_s"][1:] + begin * 1e-6, whole["onset_s"][-len(halves) + 1 :], atol=1e-6
        )


@pytest.mark.parametrize("length", [9, 5_000, 16_384, 16_385, 600_000, 1_234_567, 2_200_001])
def test_a_search_tells_of_all_samples_that_it_looks_at(length: int) -> None:
    from stimctl.capture.search import Levels, spans_in

    told: list[tuple[int, int]] = []
    spans_in(np.zeros(length, np.float32), 1e-5, Levels(0.0, 0.0), lambda begin, end: told.append((begin, end)))
    assert [begin for begin, _ in sorted(told)] == [0, *(end for _, end in sorted(told)[:-1])]
    assert max(end for _, end in told) == length


@pytest.mark.parametrize("length", [50_000, 500_000, 1_234_567, 2_200_000])
@pytest.mark.parametrize("rate_hz", [100_000, 1_000_000])
def test_what_stands_out_is_found_where_it_is(length: int, rate_hz: int) -> None:
    from stimctl.capture.search import Levels, spans_in, stride_of

    samples, long, stride = np.zeros(length, np.float32), rate_hz // 1_000, stride_of(1 / rate_hz)
    begins = np.append(np.arange(7_000, length - 2 * long, 31_111), length - long)  # the last goes on to the end
    for begin in begins:
        samples[begin : begin + long] = 0.5
    spans = spans_in(samples, 1 / rate_hz, Levels(0.001, 0.0))
    assert [begin // stride for begin in spans.first - 1] == [(begin - 1) // stride for begin in begins]
    assert [end // stride for end in spans.last] == [(begin + long - 1) // stride for begin in begins]
