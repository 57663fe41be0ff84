"""Plays a scenario: the real driver against a faulty device, and everything that is known of it afterwards.

In virtual time, which is quick and the same each time; or, with `over="pty"` or `"tcp"`, against a simulator in
a process of its own and in real time, which is the only way for a process to die.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from firmware_sim.analog.recorder import Recorder
from firmware_sim.factory import DeviceSpec, UnknownDevice
from firmware_sim.faults import FaultyDevice
from firmware_sim.protocol_sim import Serial
from stimctl.errors import InputInvalid, Misuse, Unsafe
from stimctl.ledger import Ledger
from stimctl.port import VirtualPort
from stimctl.prescription import Prescription
from stimlab.play.host import command_of, run_host
from stimlab.play.host_faults import OF_THE_LOG
from stimlab.play.port import ScenarioPort
from stimlab.play.result import HostResult, PlayedSession, concluded
from stimlab.scenario.model import NEED_A_LENGTH, OF_PROCESSES, Scenario
from stimlab.scenario.reader import prescribed

__all__ = ["AFTERMATH_US", "OVER", "command_of", "play", "way_for"]

OVER = ("sim", "pty", "tcp")
MOST_US = 2 * 60 * 60 * 1_000_000  # a session has 45 min from its arm to its end, and some before and after
AFTERMATH_US = 5_000_000  # the world goes on for so long after the host has ended, to see what the device does alone


def play(
    scenario: Scenario,
    *,
    ledger: Ledger | Path | None = None,
    over: str = "sim",
    device: str = "native",
    make: Callable[..., FaultyDevice] | None = None,
) -> PlayedSession:
    """Play it once. `ledger` is one to write to, or its file; without one the log is in memory.

    `device` is what `stimctl sim --device` takes; in virtual time `make` may make another one.

    A fault of the log gets a ledger in a temporary folder where none is given. Raises `Misuse` for a fault that
    needs a process where there is none, and whatever the lab itself cannot do.
    """
    if over not in OVER:
        raise Misuse(f"over: {over!r} is not one of {', '.join(OVER)}")
    kinds = {fault.kind for fault in scenario.faults}
    if over == "sim" and kinds & set(OF_PROCESSES):
        named = ", ".join(sorted(kinds & set(OF_PROCESSES)))
        raise Misuse(f"{scenario.name}: {named} needs a process: play it over pty or tcp")
    for fault in scenario.faults:
        if fault.kind in NEED_A_LENGTH and fault.for_us is None:
            raise Misuse(f"{scenario.name}: {fault.kind} needs for_s: how long it lasts")
    try:
        prescription = prescribed(scenario)
    except (InputInvalid, Unsafe) as refusal:
        return concluded(scenario, None, HostResult(refused=str(refusal)), Recorder(), [])
    with ExitStack() as stack:
        if ledger is None and kinds & set(OF_THE_LOG):
            ledger = Path(stack.enter_context(TemporaryDirectory(prefix="stimctl-lab-"))) / "ledger.sqlite"
        if over != "sim":
            # Here, because only this way needs processes.
            from stimlab.play.realtime import play_in_real_time

            path = ledger.path if isinstance(ledger, Ledger) else ledger
            return play_in_real_time(scenario, prescription, over, path, device)
        return _play_virtually(scenario, prescription, ledger, make or DeviceSpec(device).make_faulty)


def way_for(scenario: Scenario) -> str:
    """In virtual time, unless a process has to die."""
    return "pty" if any(fault.kind in OF_PROCESSES for fault in scenario.faults) else "sim"


# --- in virtual time ---------------------------------------------------------------------------------


class DeviceJournal:
    """The device's journal, and when the device first came into each state, by the world's clock."""

    def __init__(self) -> None:
        self.entries: list[Mapping[str, Any]] = []
        self._entered_us: dict[str, int] = {}

    def __call__(self, entry: Mapping[str, Any]) -> None:
        self.entries.append(entry)
        if entry["event"] == "state":
            self._entered_us.setdefault(entry["state"], int(entry["at_us"]))

    def entered_us(self, state: str) -> int | None:
        """When, or None when it has not been there."""
        return self._entered_us.get(state)


def _play_virtually(
    scenario: Scenario,
    prescription: Prescription,
    ledger: Ledger | Path | None,
    make_faulty: Callable[..., FaultyDevice],
) -> PlayedSession:
    recorder, diary = Recorder(), DeviceJournal()
    made: list[FaultyDevice] = []

    def make(**given: Any) -> FaultyDevice:
        kept: dict[str, Any] = {"load": scenario.load, "recorder": recorder, "journal": diary}
        made.append(make_faulty(scenario.faults, **{**given, **kept}))
        return made[-1]

    url = f"sim://?seed={scenario.seed}"
    try:
        serial = Serial.powering(make, url)
    except UnknownDevice as none:
        raise Misuse(f"{scenario.name}: {none}") from None
    with closing(ScenarioPort(VirtualPort(url, serial))) as port:
        port.end_by(MOST_US)
        host = run_host(scenario, prescription, port, diary.entered_us, ledger)
        device = made[-1]
        device.advance(serial.now_us() + AFTERMATH_US)
    return concluded(
        scenario,
        prescription,
        host,
        recorder,
        diary.entries,
        device=device,
        fired=device.fired,
        fired_us=device.fired_us,
    )
