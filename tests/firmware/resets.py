"""A reset at every write to the memory that lasts: what is counted afterwards, against what had left the board.

python -m tests.firmware.resets        (each byte of a session's writes: minutes)
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from firmware_sim.chip.built import HOST
from firmware_sim.chip.host_build import HostBuild
from stimctl.wire.codec import Armed, Counters, LoadProgram, LoadSegment, ReadCounters, ReadSession, SessionRecord
from stimctl.wire.codes import DeviceState, EndReason
from stimlab.conformance.dut import Dut
from stimlab.conformance.programs import WireProgram
from stimlab.conformance.verdict import Nonconforming
from tests.stimlab.conformance.bench_world import bench_on

CHANNELS = (1, 2)
PROGRAM = WireProgram(
    LoadProgram(2, 0b11, 380, 0),
    (LoadSegment(0, 20_000, 600, 0, 600, 500_000), LoadSegment(1, 10_000, 200, 0, 400, 500_000)),
)


class Wrong(AssertionError):
    """Counts that are not those of what was given."""


def session(bench: Dut) -> Iterator[Armed]:
    """A handshake, two arms with a hold between them, a stop, the answer to it. Yields each arm's answer."""
    bench.settle()
    bench.identify()
    bench.tested(PROGRAM)
    for _ in range(2):
        yield bench.arm(ceiling_ua=2_000)
        bench.start(500, 500)
        bench.listen(40_000)
        bench.hold()
    bench.nonce = None
    bench.stop_to_zero()
    bench.acknowledge()


def tried(after: int, *, library: Path = HOST) -> bool:
    """Cut the power after so many bytes of a session's writes. False where the session came to its end before that."""
    bench = bench_on(lambda **given: HostBuild(library=library, **given))
    device: HostBuild = bench.port.line.device  # type: ignore[attr-defined]
    device.library.call.host_cut_power_after(after)
    armed: Armed | None = None
    try:
        for each in session(bench):
            armed = each
    except Nonconforming:
        pass
    else:
        return False
    flows = device.library.flows()
    bench.nonce = None
    device.reset()
    bench.restart_line()
    _judge(bench, armed, flows, after)
    bench.port.close()
    return True


def _judge(bench: Dut, armed: Armed | None, flows: list[object], after: int) -> None:
    where = f"cut after {after} bytes"
    welcome = bench.hello()
    if welcome.state != DeviceState.IDLE:
        raise Wrong(f"{where}: it boots in {DeviceState(welcome.state).name}")
    if armed is not None and welcome.boot_id < 2:
        raise Wrong(f"{where}: boot {welcome.boot_id} comes again")
    if welcome.session:
        _counted(bench, flows, where)
        bench.acknowledge()
    elif flows and not bench.channels():
        raise Wrong(f"{where}: {len(flows)} pulses are forgotten")
    bench.tested(PROGRAM)
    again = bench.arm(ceiling_ua=2_000)
    if armed is not None and (again.session <= armed.session or again.nonce & 0xFFFFFFFF <= armed.nonce & 0xFFFFFFFF):
        raise Wrong(f"{where}: numbers of a session or an arm come again")


def _counted(bench: Dut, flows: list[object], where: str) -> None:
    record = bench.get(ReadSession(), SessionRecord, by="R-69")
    if record.end_reason not in (EndReason.RESET, EndReason.STOP):
        raise Wrong(f"{where}: ended with {EndReason(record.end_reason).name}")
    for channel in CHANNELS:
        own = [flow for flow in flows if flow.channel == channel]  # type: ignore[attr-defined]
        given = len(own), sum(round(f.first_na / 1_000) * f.first_us for f in own)  # type: ignore[attr-defined]
        counters = bench.get(ReadCounters(channel), Counters, by="R-69")
        counted = sum(counters[2:4]), sum(counters[4:6])
        if counted != given:
            raise Wrong(f"{where}: channel {channel} gave {given} (pulses, pC), and counted {counted}")


def every(step: int = 1, first: int = 1, *, library: Path = HOST) -> int:
    """Try every so manieth byte; how many were tried."""
    after = first
    while tried(after, library=library):
        after += step
    return (after - first) // step


if __name__ == "__main__":
    print(f"{every()} resets: no pulse is lost, doubled, or counted that was not given")
    sys.exit(0)
