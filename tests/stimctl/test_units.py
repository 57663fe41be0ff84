"""Quantities: what a person writes becomes whole units exactly, or is refused with a sentence."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl import units
from stimctl.errors import Misuse
from stimctl.units import counted


@pytest.mark.parametrize(
    ("convert", "written", "whole"),
    [
        (units.ua_from_ma, 0.6, 600),
        (units.ua_from_ma, "1.5", 1_500),
        (units.ua_from_ma, Decimal("0.001"), 1),
        (units.ua_from_ma, -1, -1_000),
        (units.us_from_minutes, 20, 1_200_000_000),
        (units.us_from_minutes, "0.5", 30_000_000),
    ],
)
def test_what_is_written_in_a_large_unit_is_exact_in_the_small_one(convert: Any, written: Any, whole: int) -> None:
    assert convert(written) == whole


@pytest.mark.parametrize("written", ["abc", "", "nan", "sNaN", "inf", "-Infinity", float("nan"), None, True])
@pytest.mark.parametrize("convert", [units.ua_from_ma, units.us_from_minutes])
def test_what_is_no_number_is_refused(convert: Any, written: Any) -> None:
    with pytest.raises(Misuse, match="is not a number"):
        convert(written)


@pytest.mark.parametrize(
    "written",
    ["0.0005", 1.00001, "1e-999999", "0.60000000000000000000000000000000000001", "1e999999", "1e30"],
)
def test_what_is_not_a_whole_number_of_units_or_too_large_is_refused(written: Any) -> None:
    with pytest.raises(Misuse, match=r"^amplitude: .*(is not a whole number of uA|is too large)$"):
        units.ua_from_ma(written)


@given(st.integers(-(10**9), 10**9))
def test_floats_are_read_as_they_are_typed(whole_ua: int) -> None:
    assert units.ua_from_ma(whole_ua / 1_000) == whole_ua


@given(st.floats() | st.text(max_size=20))
def test_anything_else_is_a_misuse_at_worst(written: Any) -> None:
    for convert in (units.ua_from_ma, units.us_from_minutes):
        with suppress(Misuse):
            assert isinstance(convert(written), int)


def test_texts_for_people() -> None:
    assert [units.hz_text(period_us) for period_us in (500_000, 10_000, 800_000)] == ["2 Hz", "100 Hz", "1.25 Hz"]
    assert units.ma_text(1_500) == "1.50 mA"
    assert units.charge_text(1_200_000) == "1.200 uC"
    assert units.charge_text(25_440_000_000) == "25.440 mC"
    assert units.charge_text(-1_000_000_000) == "-1.000 mC"
    assert [units.clock_text(us) for us in (0, 1_199_999_999, 1_800_000_000)] == ["0:00", "19:59", "30:00"]


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "entry", "0 entries"),
        (1, "entry", "1 entry"),
        (2, "entry", "2 entries"),
        (1, "day", "1 day"),
        (2, "day", "2 days"),
        (1_200, "pulse", "1,200 pulses"),
    ],
)
def test_a_number_of_things(number: int, noun: str, said: str) -> None:
    assert counted(number, noun) == said
