"""The host build keeps docs/protocol.md; so does the chip, as far as there is time for it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from firmware_sim.chip.device import Chip
from firmware_sim.chip.host_build import HostBuild
from stimlab.conformance.check import all_checks
from tests.stimlab.conformance.bench_world import failures, run_checks

# Of each topic what is most, and what a chip may do otherwise than a model of it.
ON_THE_CHIP = frozenset({
    "silent_after_power_on", "it_sends_whole_frames", "it_takes_long_frames", "zeros_come_through",
    "wrong_crc_is_dropped",
    "numbers_come_back", "one_answer_each", "kept_answers_come_again", "numbers_are_not_used_twice",
    "hello_ends_a_session", "other_versions_are_refused", "boots_are_counted", "it_waits_after_a_reset",
    "loading_forgets", "segments_in_order", "segments_within_limits", "digests_are_right", "self_test_drives_nothing",
    "arms_within_limits", "nonces_count_arms", "starts_from_zero", "lowering_is_never_refused", "raises_are_small",
    "stop_before_a_handshake", "stopped_goes_ahead", "measured_within_accuracy", "answers_in_time",
    "wrong_lengths_are_refused", "unknown_values_are_refused", "the_order_of_frames",
})  # fmt: skip


def test_the_host_build_conforms(host_library: Path) -> None:
    run = run_checks(all_checks(), partial(HostBuild, library=host_library))
    assert failures(run) == []
    assert run.count("skipped") == 0


@pytest.mark.slow
@pytest.mark.parametrize("part", range(3))
def test_the_chip_conforms_in_thirty_checks(part: int, chip_image: Path) -> None:
    chosen = [each for each in all_checks() if each.name in ON_THE_CHIP]
    assert len(chosen) == len(ON_THE_CHIP) == 30
    make: Callable[..., Chip] = partial(Chip, image=chip_image)
    run = run_checks(chosen[part::3], make)
    assert failures(run) == []
    assert run.count("skipped") == 0
