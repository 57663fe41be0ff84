"""A program on its way in: each of the device's own limits, at its edge."""

import pytest

from firmware_sim.native.loading import ProgramLoader, quantum_ua
from firmware_sim.native.refusal import CommandDenied
from stimctl.wire.codec import LoadProgram, LoadSegment
from stimctl.wire.codes import Refusal

HEADER = LoadProgram(1, 0b1, 200, 5_000_000)
PAIR = LoadProgram(2, 0b1, 200, 5_000_000)
ALONE = LoadSegment(0, 10_000, 200, 0, 200, 0)
FIRST = LoadSegment(0, 500_000, 600, 0, 600, 3_000_000)


def refusal(header: LoadProgram, *segments: LoadSegment) -> tuple[Refusal, int, int] | None:
    try:
        loading = ProgramLoader(header)
        for segment in segments:
            loading.add(segment)
    except CommandDenied as denied:
        return denied.reason, denied.detail, denied.limit
    return None


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("segment_count", 0, (Refusal.BELOW_LIMIT, 0, 1)),
        ("segment_count", 1, None),
        ("segment_count", 2, None),
        ("segment_count", 3, (Refusal.ABOVE_LIMIT, 3, 2)),
        ("channel_mask", 0, (Refusal.BELOW_LIMIT, 0, 1)),
        ("channel_mask", 0b1110, None),
        ("channel_mask", 0b1111, (Refusal.TOO_MANY_CHANNELS, 4, 3)),
        ("channel_mask", 0b1_0000, (Refusal.UNKNOWN_VALUE, 16, 15)),
        ("ramp_slope_ua_per_s", 99, (Refusal.BELOW_LIMIT, 99, 100)),
        ("ramp_slope_ua_per_s", 100, None),
        ("ramp_slope_ua_per_s", 380, None),
        ("ramp_slope_ua_per_s", 381, (Refusal.ABOVE_LIMIT, 381, 380)),
        ("ramp_down_us", 0, None),
        ("ramp_down_us", 30_000_000, None),
        ("ramp_down_us", 30_000_001, (Refusal.ABOVE_LIMIT, 30_000_001, 30_000_000)),
    ],
)
def test_header(field: str, value: int, expected: object) -> None:
    assert refusal(HEADER._replace(**{field: value})) == expected


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("index", 1, (Refusal.ABOVE_LIMIT, 1, 0)),
        ("period_us", 9_999, (Refusal.BELOW_LIMIT, 9_999, 10_000)),
        ("period_us", 1_000_000, None),
        ("period_us", 1_000_001, (Refusal.ABOVE_LIMIT, 1_000_001, 1_000_000)),
        ("interphase_gap_us", 100, None),
        ("interphase_gap_us", 101, (Refusal.ABOVE_LIMIT, 101, 100)),
        ("second_width_us", 199, (Refusal.BELOW_LIMIT, 199, 200)),
        ("second_width_us", 1_200, None),
        ("second_width_us", 1_201, (Refusal.ABOVE_LIMIT, 1_201, 1_200)),
        ("dwell_us", 500_000, (Refusal.ABOVE_LIMIT, 500_000, 0)),
    ],
)
def test_segment(field: str, value: int, expected: object) -> None:
    assert refusal(HEADER, ALONE._replace(**{field: value})) == expected


@pytest.mark.parametrize(
    ("width_us", "expected"),
    [
        (99, (Refusal.BELOW_LIMIT, 99, 100)),
        (100, None),
        (600, None),
        (601, (Refusal.ABOVE_LIMIT, 601, 600)),
    ],
)
def test_width(width_us: int, expected: object) -> None:
    assert refusal(HEADER, ALONE._replace(width_us=width_us, second_width_us=width_us)) == expected


@pytest.mark.parametrize(
    ("dwell_us", "expected"),
    [
        (0, (Refusal.BELOW_LIMIT, 0, 500_000)),
        (499_999, (Refusal.BELOW_LIMIT, 499_999, 500_000)),
        (500_000, None),
        (60_000_000, None),
        (60_000_001, (Refusal.ABOVE_LIMIT, 60_000_001, 60_000_000)),
    ],
)
def test_dwell_of_two(dwell_us: int, expected: object) -> None:
    assert refusal(PAIR, FIRST._replace(dwell_us=dwell_us)) == expected


def test_segments_come_in_order_and_once() -> None:
    second = FIRST._replace(index=1)
    assert refusal(PAIR, second) == (Refusal.ABOVE_LIMIT, 1, 0)
    assert refusal(PAIR, FIRST, FIRST) == (Refusal.BELOW_LIMIT, 0, 1)
    assert refusal(PAIR, FIRST, second) is None
    assert refusal(PAIR, FIRST, second, second) == (Refusal.BELOW_LIMIT, 1, 2)


@pytest.mark.parametrize(
    ("widths", "quantum"),
    [([(200, 200)], 1), ([(200, 400)], 2), ([(500, 600)], 6), ([(200, 300), (200, 500)], 15), ([(600, 1_200)], 2)],
)
def test_quantum(widths: list[tuple[int, int]], quantum: int) -> None:
    segments = [ALONE._replace(width_us=first, second_width_us=second) for first, second in widths]
    assert quantum_ua(segments) == quantum
    for amplitude_ua in range(quantum, 2_001, quantum):
        assert all(amplitude_ua * first % second == 0 for first, second in widths)


def test_areas_that_cannot_be_equal_are_refused() -> None:
    assert refusal(HEADER, ALONE._replace(width_us=100, second_width_us=101)) == (Refusal.UNBALANCED, 101, 100)
    assert refusal(HEADER, ALONE._replace(width_us=102, second_width_us=200)) is None, "a step of 100 uA just does"
    assert refusal(HEADER, ALONE._replace(width_us=101, second_width_us=200)) == (Refusal.UNBALANCED, 200, 100)
    # 9 and 7 alone would do; together they need 63, and with 4 far too much.
    one, other = (
        FIRST._replace(width_us=112, second_width_us=126),
        FIRST._replace(index=1, width_us=100, second_width_us=175),
    )
    assert refusal(PAIR, one, other) is None
    assert refusal(PAIR, one, other._replace(width_us=110, second_width_us=130)) == (Refusal.UNBALANCED, 117, 100)


def test_a_program_that_lacks_a_segment_is_not_sealed() -> None:
    loading = ProgramLoader(PAIR)
    loading.add(FIRST)
    with pytest.raises(CommandDenied) as caught:
        loading.seal()
    assert (caught.value.reason, caught.value.detail, caught.value.limit) == (Refusal.BELOW_LIMIT, 1, 2)


@pytest.mark.parametrize(
    ("dwell_us", "mask", "expected"),
    [
        (3_000_000, 0b0001, None),
        (3_000_000, 0b1000, None),
        (3_001_200, 0b0001, (Refusal.BELOW_LIMIT, 1_200, 10_000)),
        (3_010_000, 0b0001, None),
        # Channel 4 begins 7.5 ms late: its pulse at 3 000 000 us no longer fits, so the last one was 10 ms before.
        (3_001_200, 0b1000, None),
    ],
)
def test_pulses_at_a_switch_of_band_keep_the_distance_of_100_hz(dwell_us: int, mask: int, expected: object) -> None:
    band = LoadSegment(0, 10_000, 600, 0, 600, dwell_us)
    assert refusal(PAIR._replace(channel_mask=mask), band) == expected
