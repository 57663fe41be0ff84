"""Nonces: half chance, half a count of arms, by the system or by a seed."""

from firmware_sim.native.nonces import by_seed, by_system, nonce


def test_the_lower_half_counts_and_the_upper_half_is_drawn() -> None:
    assert nonce(lambda _arms: 0xFFFF_FFFF, 7) == 0xFFFF_FFFF_0000_0007
    assert nonce(lambda arms: arms + 1, 1) == 0x0000_0002_0000_0001


def test_the_count_stays_in_its_half() -> None:
    assert nonce(lambda _arms: 3, (1 << 32) + 5) == 3 << 32 | 5


def test_by_seed_it_is_the_same_for_the_same_count_and_another_for_every_other() -> None:
    drawn = [by_seed(1)(arms) for arms in range(1, 1_001)]
    assert drawn == [by_seed(1)(arms) for arms in range(1, 1_001)]
    assert len(set(drawn)) == 1_000
    assert not set(drawn) & {by_seed(2)(arms) for arms in range(1, 1_001)}
    assert all(0 <= each < 1 << 32 for each in drawn)


def test_by_the_system_it_is_never_the_same_for_the_same_count() -> None:
    """Two of a hundred alike: once in 870 000 runs."""
    drawn = [by_system(1) for _ in range(100)]
    assert len(set(drawn)) == 100
    assert max(drawn) > 1 << 31, "all 32 bits are drawn"
