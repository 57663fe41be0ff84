"""Two pulses as near as they may be, at a switch of band: each at its time, and what the first one showed is obeyed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from firmware_sim.chip.device import Chip
from firmware_sim.chip.host_build import HostBuild
from firmware_sim.native.device import Device
from stimctl.wire.codec import LoadProgram, LoadSegment, ReadSession, SessionRecord
from stimctl.wire.codes import DeviceState, EndReason
from stimlab.conformance.programs import WireProgram
from stimlab.conformance.timing import event
from stimlab.conformance.tracked_session import TrackedSession
from tests.firmware import timing
from tests.stimlab.conformance.bench_world import bench_on

# Channel 4's third pulse ends 600 us before the switch.
TIGHTEST = WireProgram(
    LoadProgram(2, 0b1001, 380, 0),
    (LoadSegment(0, 300_000, 600, 100, 1_200, 610_000), LoadSegment(1, 10_000, 200, 0, 200, 500_000)),
)
THIRD_US, SPAN_US = 607_500, 1_900


@pytest.mark.parametrize("kind", ["native", "host", "chip"])
def test_a_third_pulse_trips_before_the_one_600_us_later(
    kind: str, host_library: Path, request: pytest.FixtureRequest
) -> None:
    make: dict[str, Callable[..., object]] = {"native": Device, "host": partial(HostBuild, library=host_library)}
    if kind == "chip":
        make["chip"] = partial(Chip, image=request.getfixturevalue("chip_image"))
    bench = bench_on(make[kind])  # type: ignore[arg-type]
    bench.settle()
    bench.identify()
    course = TrackedSession(bench, TIGHTEST, ceiling_ua=2_000)
    bench.swap(4, "short")
    bench.expect(EndReason.SHORT)
    course.start(2_000, 0, 0, 2_000)
    bench.listen(700_000)
    assert event(bench, DeviceState.ENDED).reason == EndReason.SHORT
    record = bench.get(ReadSession(), SessionRecord, by="R-69")
    assert abs(record.stimulation_us - (THIRD_US + SPAN_US)) <= 4, "some microseconds pass between the phases"
    counted = course.counted(by="R-56")
    assert [counted[channel][:2] for channel in (1, 4)] == [(3, 0), (3, 0)]
    bench.port.close()


def test_both_come_at_their_times(chip_image: Path) -> None:
    lab = timing.Lab(chip_image)
    course, pulses = timing.busy_run(lab, 1_400_000, program=TIGHTEST, targets_ua=(2_000, 0, 0, 2_000))
    late_us = timing.onsets_us(course, pulses)
    assert len(late_us) > 100
    assert max(map(abs, late_us)) < 2
    lab.close()
