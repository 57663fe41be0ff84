"""A pulse as it should be, in characters: what `bench watch` and the screen of `bench run` both draw."""

from stimctl.bench.drawn_pulse import drawn_pulse


def test_up_zero_down() -> None:
    """200 us up, 100 us at zero, 400 us down at half of it: 60 columns over 770 us."""
    pulse = drawn_pulse(10_000, 200, 100, 400)
    assert min(y for _, y in pulse.corners) == -0.5
    name, up, zero, down = pulse.text.split("\n")
    assert name == "100 Hz: 200 us up, 100 us at zero, 400 us down"
    assert up.strip() == "#" * 16
    assert zero.split() == ["-" * 7, "-" * 5]
    assert down.strip() == "#" * 32


def test_no_gap_has_no_name() -> None:
    assert drawn_pulse(10_000, 200, 0, 200).name == "100 Hz: 200 us up, 200 us down"
