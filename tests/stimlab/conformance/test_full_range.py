"""The full range: the genuine simulator passes it, and what is dangerous only somewhere in it is found, in words."""

from collections.abc import Iterable, Iterator

import pytest

from firmware_sim.native.device import Device
from stimctl.wire.codec import Channel, encode, parse
from stimctl.wire.framing import DELIMITER, unframe
from stimlab.conformance.check import Check
from stimlab.conformance.extremes import EXTREMES
from stimlab.conformance.matrix import CELLS, OperatingPoint, SafetyAction, pairwise, seconds_of, within
from stimlab.conformance.operating_point import check_of
from stimlab.conformance.plan import MatrixPlan
from stimlab.conformance.result import SuiteResult
from tests.stimlab.conformance.bench_world import bench_on, failures, first_failed, run_checks
from tests.stimlab.conformance.dangerous import controls, outputs, tellings  # noqa: F401  they list their devices
from tests.stimlab.conformance.dangerous.device import DANGEROUS, Dangerous

PAIRWISE = pairwise(CELLS)


def test_the_matrix_is_the_whole_product() -> None:
    assert len(CELLS) == len(set(CELLS)) == 10 * 3 * 3 * 4 * 5
    assert len({cell.name for cell in CELLS}) == len(CELLS)


def test_any_two_coordinates_meet_in_the_part_for_real_time() -> None:
    def pairs(cells: Iterable[OperatingPoint]) -> set[tuple[object, object]]:
        return {(one, other) for cell in cells for one in cell for other in cell if one is not other}

    assert pairs(PAIRWISE) == pairs(CELLS)
    without_hands = [cell for cell in CELLS if cell.action in tuple(SafetyAction)[:5]]
    some = pairwise(without_hands)
    assert within(some, 15 * 60) == some
    assert sum(map(seconds_of, within(PAIRWISE, 60))) <= 60


@pytest.fixture(scope="module")
def run() -> SuiteResult:
    return run_checks(map(check_of, PAIRWISE))


def test_the_simulator_passes_where_any_two_coordinates_meet(run: SuiteResult) -> None:
    assert failures(run) == []
    assert run.count("passed") == len(PAIRWISE)


def test_the_cells_take_about_as_long_as_is_planned(run: SuiteResult) -> None:
    for outcome in run.outcomes:
        assert outcome.check.cell is not None
        assert outcome.took_us / 1e6 < seconds_of(outcome.check.cell) + 3
    assert sum(outcome.took_us for outcome in run.outcomes) / 1e6 < 15 * 60


def test_the_simulator_passes_the_extremes() -> None:
    run = run_checks(EXTREMES)
    assert failures(run) == []
    assert run.count("passed") == len(EXTREMES)


class RepeatsTheCommand(Device):
    """Tells what it was told to give, whatever flows."""

    def take_output(self) -> bytes:
        out = filter(None, super().take_output().split(DELIMITER))
        reported = [parse(unframe(frame)) for frame in out]
        return b"".join(
            encode(number, each._replace(measured_ua=each.applied_ua) if isinstance(each, Channel) else each)
            for number, each in reported
        )


def test_a_readback_that_repeats_the_command_is_found_where_nothing_can_flow() -> None:
    outcome = first_failed([each for each in EXTREMES if "nothing_flows" in each.name], RepeatsTheCommand)
    assert outcome is not None
    assert "its measured current does not collapse" in outcome.found[0].text


def likely_first(device: Dangerous) -> Iterator[Check]:
    """The part for real time, those that look at the device's requirement first, and then all others."""
    checks = [check_of(cell) for cell in (*PAIRWISE, *CELLS)]
    yield from sorted(checks[: len(PAIRWISE)], key=lambda each: device.requirement not in each.requirements)
    yield from (each for each in checks[len(PAIRWISE) :] if device.requirement in each.requirements)


@pytest.mark.parametrize("device", DANGEROUS, ids=lambda each: each.text)
def test_a_dangerous_device_is_found_and_told_in_words(device: Dangerous) -> None:
    outcome = first_failed(likely_first(device), device.make)
    assert outcome is not None, f"a device that {device.text} passed"
    said = [f"{found.requirement}: {found.text}" for found in outcome.found]
    assert any(each.startswith(device.requirement) and device.words in each for each in said), said


def test_what_nobody_can_cause_is_told_as_not_examined() -> None:
    dut = bench_on()
    dut.identify()
    dut.fixture.can_swap = lambda load: load in {"open", "r1k"}  # type: ignore[method-assign]
    reasons = {check.name: reason for check, reason in MatrixPlan()(dut)}
    assert len(reasons) == len(CELLS) + len(EXTREMES)
    reported = {reason for reason in reasons.values() if reason}
    assert reported == {
        "nobody here can cause over-current", "nobody here can cause short", "nobody here can cause 10 kohm",
        "nobody here can cause net charge",
    }  # fmt: skip


def test_a_device_that_is_no_simulator_is_driven_over_the_range_only_when_asked() -> None:
    dut = bench_on()
    who = dut.identify()
    dut.identity = type(who)(who.welcome._replace(simulator=0), who.maker, who.firmware, who.ranges)
    assert {reason for _, reason in MatrixPlan()(dut)} == {"`--full-range` tries it"}
    assert {reason for _, reason in MatrixPlan(wanted=True)(dut)} == {""}
