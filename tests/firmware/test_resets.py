"""A reset in the midst of a write to the memory that lasts loses no pulse and doubles none."""

from pathlib import Path

import pytest

from firmware_sim.chip.host_build import HostBuild
from stimctl.wire.codec import Counters, ReadCounters
from stimlab.conformance.tracked_session import TrackedSession
from tests.firmware import resets, timing


def test_cut_in_the_midst_of_writes(host_library: Path) -> None:
    assert resets.every(37, library=host_library) > 60


def test_it_would_be_seen(host_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board whose memory loses a bit of both records."""
    took = HostBuild.reset

    def reset(device: HostBuild) -> None:
        memory = device.library.memory
        for at in range(256, 512, 128):  # both slots of channel 1: none holds any more
            memory[at + 4] = bytes([memory[at + 4][0] ^ 1])
        took(device)

    monkeypatch.setattr(HostBuild, "reset", reset)
    with pytest.raises(resets.Wrong):
        resets.every(61, library=host_library)


MARKS = (256, 257, 258)  # bytes: three records about the pulses that come, then a mark at each


@pytest.mark.parametrize("power", [False, True], ids=["RAM kept", "RAM lost"])
def test_the_chip_is_reset_in_the_midst_of_writes(chip_image: Path, power: bool) -> None:
    """Between a mark and its edge lie some microseconds: a reset in them counts the pulse, and no other does."""
    lab = timing.Lab(chip_image)
    for after in (1, 60, 85, 255, *MARKS, 259, 343):
        course = TrackedSession(lab.bench, timing.BUSY, ceiling_ua=2_000)
        lab.chip.pulse_log.pulses.clear()
        course.start(2_000, 2_000, 2_000)
        lab.bench.listen(30_000)
        lab.chip.emulator.reset_after_writes(after, power=power)
        lab.bench.listen(200_000)
        lab.bench.nonce = None
        lab.bench.restart_line()
        lab.bench.hello()
        given = len(lab.chip.pulse_log.pulses)
        counted = sum(sum(lab.bench.get(ReadCounters(n), Counters, by="R-69")[2:4]) for n in (1, 2, 3))
        assert counted - given == (after in MARKS), f"cut after {after} bytes: {given} given, {counted} counted"
        lab.bench.acknowledge()
    lab.close()
