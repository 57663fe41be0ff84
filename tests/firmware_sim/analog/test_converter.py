"""Stated accuracy of the converters, over many devices; the noise table's closed sums."""

from random import Random

import pytest

from firmware_sim.analog.converter import (
    DAC_STEP_NA,
    NET_CHARGE_FLOOR_PC,
    READBACK_ACCURACY_PERMILLE,
    READBACK_ACCURACY_UA,
    Dac,
    Noise,
    made_readback,
)


def test_the_converter_has_twelve_bits_and_rounds_to_the_nearest() -> None:
    dac = Dac()
    currents = {dac.current_na(ua) for ua in range(-3_000, 3_001)}
    assert max(currents) == -min(currents) == 2_047 * DAC_STEP_NA
    assert all(current % DAC_STEP_NA == 0 for current in currents)
    for ua in range(-2_500, 2_501):
        assert abs(dac.current_na(ua) - ua * 1_000) <= DAC_STEP_NA // 2


def test_every_device_reads_inside_the_stated_accuracy_of_what_was_commanded() -> None:
    dac = Dac()
    worst = 0.0
    for seed in range(300):
        rng = Random(seed)
        noise = Noise(rng)
        readback = made_readback(rng, noise)
        for ua in (1, 100, 500, 1_234, 2_000):
            allowed = READBACK_ACCURACY_UA * 1_000 + ua * READBACK_ACCURACY_PERMILLE
            mean = readback.mean_na(dac.current_na(ua))
            for error in (mean + noise.peak_na - ua * 1_000, mean - noise.peak_na - ua * 1_000):
                worst = max(worst, abs(error) / allowed)
    assert 0.5 < worst <= 1.0  # it reaches into the band that it claims


def test_every_device_tells_balanced_pulses_from_none_within_its_stated_floor() -> None:
    dac = Dac()
    for seed in range(200):
        rng = Random(seed)
        readback = made_readback(rng, Noise(rng))
        for first_ua, width, second_width in ((2_000, 600, 1_200), (1_999, 600, 600), (7 * 4, 300, 1_200)):
            second_ua = first_ua * width // second_width
            if first_ua * width != second_ua * second_width:
                continue
            net = dac.current_na(first_ua) * width + dac.current_na(-second_ua) * second_width
            for index in range(0, 1_024, 7):
                read = readback.mean_net_fc(net) + readback.net_noise_fc(index, 1)
                assert abs(read) <= NET_CHARGE_FLOOR_PC * 1_000


@pytest.mark.parametrize(("index", "count"), [(0, 1), (5, 1_024), (1_000, 100), (3, 5_000), (1_023, 2)])
def test_noise_over_many_pulses_is_the_sum_and_the_maximum_of_each(index: int, count: int) -> None:
    noise = Noise(Random(4))
    each = [noise.at(index + number) for number in range(count)]
    assert noise.total(index, count) == sum(each)
    assert noise.highest(index, count) == max(each)
    assert any(each)


def test_noise_sums_to_zero_and_is_the_same_for_a_seed() -> None:
    assert Noise(Random(1)).total(0, 1_024) == 0
    assert [Noise(Random(1)).at(n) for n in range(50)] == [Noise(Random(1)).at(n) for n in range(50)]
    assert [Noise(Random(1)).at(n) for n in range(50)] != [Noise(Random(2)).at(n) for n in range(50)]
