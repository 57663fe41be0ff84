"""The suite itself: the genuine simulator passes it, it speaks of every requirement, and it ends safely."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stimctl.errors import LineLost
from stimctl.wire.codec import Acknowledge
from stimctl.wire.codes import Capability, DeviceState
from stimlab.conformance import requirements
from stimlab.conformance.check import NOTHING, Check, all_checks
from stimlab.conformance.dut import Dut
from stimlab.conformance.link import STOP_FRAME
from stimlab.conformance.requirements import NOT_ON_THE_WIRE
from stimlab.conformance.result import SuiteResult
from stimlab.conformance.runner import SuiteRunner
from stimlab.conformance.verdict import FixtureAction, Nonconforming
from tests.stimlab.conformance import coverage_table
from tests.stimlab.conformance.bench_world import bench_on, failures, run_checks
from tests.stimlab.conformance.mutants import early, late  # noqa: F401  they list their devices
from tests.stimlab.conformance.mutants.mutant import MUTANTS


@pytest.mark.slow
def test_the_simulator_conforms() -> None:
    run = run_checks(all_checks())
    assert failures(run) == []
    assert run.count("skipped") == 0
    assert run.conforms


def test_every_requirement_is_checked_or_named_with_a_reason() -> None:
    checked = {number for each in all_checks() for number in each.requirements}
    document = set(requirements.read(requirements.DOCUMENT.read_text("utf-8")))
    assert len(document) == 90
    assert checked | set(NOT_ON_THE_WIRE) == document
    assert not checked & set(NOT_ON_THE_WIRE)


def test_every_requirement_that_is_checked_has_a_device_that_breaks_it() -> None:
    broken = {mutant.requirement for mutant in MUTANTS}
    assert broken == set(requirements.texts()) - set(NOT_ON_THE_WIRE)


class TestRequirements:
    """The data say what the document says."""

    def test_they_are_those_of_the_document(self) -> None:
        assert requirements.main(["--check"]) == 0

    def test_stale_data_are_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stale = tmp_path / "requirements.json"
        stale.write_text("{}")
        monkeypatch.setattr(requirements, "DATA", stale)
        assert requirements.main(["--check"]) == 1
        assert requirements.main(["--write"]) == 0
        assert requirements.main(["--check"]) == 0


def made(
    body: Callable[[Dut], object], *, needs: Capability = NOTHING, fixture: tuple[FixtureAction, ...] = ()
) -> Check:
    return Check("made", ("R-46",), "made for this test", "made", lambda dut: void(body(dut)), needs, fixture)


def void(_: object) -> None:
    """A check gives nothing back."""


def runs_on(dut: Dut) -> None:
    dut.running()


class TestRunner:
    """Whatever a check does, the device is left at zero, and the run says what happened."""

    def test_a_requirement_that_is_not_kept_is_found(self) -> None:
        def wrong(dut: Dut) -> None:
            dut.require("R-46", False, "seen")

        run = run_checks([made(wrong), made(runs_on)])
        assert [outcome.verdict for outcome in run.outcomes] == ["failed", "passed"]
        assert failures(run) == ["made: R-46: seen"]
        assert not run.conforms

    def test_a_measurement_over_its_limit_is_found(self) -> None:
        run = run_checks([made(lambda dut: dut.measure("a time", 11, 10, "us", by="R-46"))])
        assert failures(run) == ["made: R-46: a time: 11 us, over the limit of 10 us"]
        assert not run.outcomes[0].measurements[0].passed

    def test_zero_is_measured_after_each_check(self) -> None:
        run = run_checks([made(runs_on)])
        (zero,) = run.outcomes[0].measurements
        assert zero.name == "zero confirmed after the last stop"
        assert 20_000 <= zero.value <= 100_000

    def test_a_fault_that_nothing_asked_for_is_found(self) -> None:
        def starves(dut: Dut) -> None:
            dut.running()
            dut.nonce = None
            dut.listen(1_500_000)

        assert failures(run_checks([made(starves)])) == [
            "made: R-44: WATCHDOG on channel 0 (value 0), which nothing asked for"
        ]

    def test_what_the_device_does_not_state_is_skipped_with_a_reason(self) -> None:
        dut = bench_on()
        checks = [made(runs_on, needs=Capability.WATCHDOG | Capability.RAMPS)]
        identify = dut.identify

        def poor(within_ms: int) -> object:
            identity = identify(within_ms)
            dut.capabilities = Capability.RAMPS
            return identity

        dut.identify = poor  # type: ignore[method-assign, assignment]
        run = SuiteRunner(dut).run(checks)
        assert run.outcomes[0].verdict == "skipped"
        assert run.outcomes[0].reason == "the device does not state: watchdog"

    def test_hands_that_nobody_has_are_skipped_with_a_reason(self) -> None:
        def never_called(dut: Dut) -> None:
            dut.require("R-46", False, "it was called")

        dut = Dut(bench_on().port)
        in_the_middle = made(Dut.power_cycle)
        run = SuiteRunner(dut).run(
            [made(never_called, fixture=("power",)), made(never_called, fixture=("load",)), in_the_middle]
        )
        assert [outcome.verdict for outcome in run.outcomes] == ["skipped"] * 3
        switch, connect = "cannot switch its power here", "cannot change what it drives here"
        assert [outcome.reason.partition(";")[0] for outcome in run.outcomes] == [switch, connect, switch]

    def test_ctrl_c_leaves_the_device_at_zero(self) -> None:
        dut = bench_on()

        def interrupted(dut: Dut) -> None:
            dut.running()
            raise KeyboardInterrupt

        run = SuiteRunner(dut).run([made(interrupted), made(runs_on)])
        assert run.broken_off == "interrupted"
        assert [(each.verdict, each.reason) for each in run.outcomes] == [
            ("skipped", "interrupted"),
            ("skipped", "not reached"),
        ]
        assert run.verdict.startswith("BROKEN OFF, no verdict; 2 not examined")
        state = dut.state()
        assert state is DeviceState.IDLE
        assert dut.status().zero == 1

    def test_a_lost_line_ends_the_run_and_says_that_zero_is_not_sure(self) -> None:
        dut = bench_on()

        def unplugged(dut: Dut) -> None:
            dut.running()

            def gone(_: object) -> bytes:
                raise LineLost("the cable is out")

            dut.port.wait = gone  # type: ignore[method-assign, assignment]

        run = SuiteRunner(dut).run([made(unplugged), made(runs_on)])
        assert run.line_lost
        assert [each.verdict for each in run.outcomes] == ["skipped", "skipped"]
        assert run.outcomes[0].reason == "the line was lost: the cable is out"
        assert run.verdict.startswith("BROKEN OFF, no verdict; 2 not examined")
        assert run.broken_off.startswith("the line was lost in made: the cable is out")
        assert "zero was NOT confirmed" in run.broken_off
        assert dut.traffic[-1].data.endswith(STOP_FRAME)

    def test_a_board_that_boots_when_its_port_is_opened_is_waited_for(self) -> None:
        dut = bench_on()
        write, up_us = dut.port.write, dut.now_us + 1_600_000

        def heard_once_up(data: bytes) -> None:
            if dut.now_us >= up_us:
                write(data)

        dut.port.write = heard_once_up  # type: ignore[method-assign]
        run = SuiteRunner(dut).run([made(runs_on)])
        assert [outcome.verdict for outcome in run.outcomes] == ["passed"], run.broken_off

    def test_a_check_that_raises_is_an_error_with_its_trace_and_the_run_goes_on(self) -> None:
        dut = bench_on()

        def mistaken(dut: Dut) -> None:
            dut.running()
            raise ZeroDivisionError("by nothing")

        run = SuiteRunner(dut).run([made(mistaken), made(runs_on)])
        assert [outcome.verdict for outcome in run.outcomes] == ["error", "passed"]
        assert "ZeroDivisionError: by nothing" in run.outcomes[0].reason
        assert "in mistaken" in run.outcomes[0].reason
        assert not run.conforms
        assert not run.broken_off

    def test_a_run_leaves_no_session_and_the_same_result_comes_twice(self) -> None:
        dut = bench_on()
        runs = [SuiteRunner(dut).run([made(runs_on), made(Dut.tested)]) for _ in range(2)]
        assert [run.conforms for run in runs] == [True, True]
        assert dut.hello().session == 0
        assert dut.state() is DeviceState.IDLE

    def test_the_load_that_was_found_is_left(self) -> None:
        dut = bench_on(url="sim://?load=nominal&seed=4")
        run = SuiteRunner(dut).run([made(runs_on)])
        assert run.conforms
        assert dut.port.line.port == "sim://?load=nominal&seed=4"  # type: ignore[attr-defined]

    def test_a_dose_that_waits_is_not_thrown_away_unasked(self) -> None:
        dut = bench_on()
        dut.hello()
        dut.ended()
        run: SuiteResult = SuiteRunner(dut).run([made(runs_on)])
        assert run.broken_off.startswith("session 1 waits in the device with its dose")
        assert [each.reason for each in run.outcomes] == ["not reached"]
        with pytest.raises(Nonconforming):
            dut.get(Acknowledge(2), int)
        assert SuiteRunner(dut, discard_dose=True).run([made(runs_on)]).conforms


def test_the_documents_table_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage_table.main(["--check"]) == 0, capsys.readouterr().err
