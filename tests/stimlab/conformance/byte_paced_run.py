"""The whole suite, full range and all, against the byte-paced simulator: `make byte-paced`, about twelve minutes.

None of this may fail a good device: bytes in any pieces, 16 ms of USB latency, a clock that is 0.05 % off.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from stimctl.port import open_port
from stimlab.conformance.check import Check, all_checks
from stimlab.conformance.dut import Dut
from stimlab.conformance.plan import MatrixPlan
from stimlab.conformance.result import SuiteResult
from stimlab.conformance.runner import SuiteRunner
from tests.stimctl.session.processes import next_line, started
from tests.stimlab.conformance.bench_world import failures

LINES = {
    "pty": ("--pty",),
    "tcp": ("--tcp", "0"),
    "usb adapter, fast clock": ("--pty", "--latency-us", "16000", "--clock-ppm", "500"),
    "usb adapter over tcp, slow clock": ("--tcp", "0", "--latency-us", "16000", "--clock-ppm", "-500"),
}


def run_over(arguments: tuple[str, ...], checks: list[Check], plan: MatrixPlan | None = None) -> SuiteResult:
    """Run checks against a byte-paced simulator of its own."""
    device = started("-m", "tests.stimlab.conformance.byte_paced", *arguments)
    try:
        port = open_port(next_line(device))
        try:
            return SuiteRunner(Dut(port)).run(checks, plan)
        finally:
            port.close()
    finally:
        device.terminate()
        device.communicate()


def main() -> int:
    """Run over all lines at once. Returns 1 when a good device failed on one."""
    with ThreadPoolExecutor(len(LINES)) as pool:
        runs = pool.map(lambda line: run_over(line, list(all_checks()), MatrixPlan(wanted=True)), LINES.values())
        wrong = 0
        for name, run in zip(LINES, runs, strict=True):
            sys.stdout.write("\n".join([f"{name}: {run.verdict}", *failures(run)]) + "\n")
            wrong += not run.conforms
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
