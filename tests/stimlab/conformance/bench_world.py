"""Running checks of the suite against a simulator, genuine or broken on purpose."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache

from firmware_sim.factory import SimulatedDevice
from firmware_sim.native.device import Device
from firmware_sim.protocol_sim import Serial
from stimctl.port import VirtualPort
from stimlab.conformance.check import Check, all_checks
from stimlab.conformance.dut import Dut
from stimlab.conformance.fixture import fixture_for
from stimlab.conformance.result import CheckResult, SuiteResult
from stimlab.conformance.runner import SuiteRunner

URL = "sim://?seed=1&load=r1k"
Make = Callable[..., SimulatedDevice]


def bench_on(make: Make = Device, url: str = URL) -> Dut:
    """A bench at a `sim://` port whose device `make` makes."""
    port = VirtualPort(url, Serial.powering(make, url))
    return Dut(port, fixture=fixture_for(port))


def run_checks(checks: Iterable[Check], make: Make = Device, url: str = URL) -> SuiteResult:
    """Run `checks` against a device made by `make`."""
    return SuiteRunner(bench_on(make, url)).run(checks)


@cache
def checks_naming(requirement: str) -> tuple[Check, ...]:
    """The checks that look at a requirement."""
    return tuple(each for each in all_checks() if requirement in each.requirements)


def failures(run: SuiteResult) -> list[str]:
    """What was found, one line each, for a test's message."""
    lines = [f"{out.check.name}: {found.requirement}: {found.text}" for out in run.outcomes for found in out.found]
    lines += [f"{out.check.name}: {out.reason}" for out in run.outcomes if out.verdict == "error"]
    return lines + ([run.broken_off] if run.broken_off else [])


def first_failed(checks: Iterable[Check], make: Make = Device, url: str = URL) -> CheckResult | None:
    """Run checks one after the other until one fails; its outcome."""
    dut = bench_on(make, url)
    failed: list[CheckResult] = []

    def until_failed() -> Iterator[Check]:
        for check in checks:
            if failed:
                return
            yield check

    def reported(_: Check, outcome: CheckResult | None) -> None:
        if outcome is not None and outcome.verdict in {"failed", "error"}:
            failed.append(outcome)

    run = SuiteRunner(dut, progress=reported).run(until_failed())
    return failed[0] if failed else next((each for each in run.outcomes if each.found), None)
