"""The shipped scenarios on the machine code, beside the simulator: docs/firmware-scenarios.md.

python -m tests.firmware.scenarios --write
"""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from firmware_sim.chip.faulty_chip import FaultyChip
from firmware_sim.faults import FaultyDevice
from stimlab.play.play import play, way_for
from stimlab.play.result import PlayedSession
from stimlab.scenario.model import Scenario
from stimlab.scenario.reader import shipped
from tests.firmware.planted import planted

SEEDS = 3
# A timer that never falls due is built so: a line of core/machine.c, which sets it.
DEAD_TIMERS = {
    "device.watchdog_dead": ("T_WATCHDOG", "machine.now_us + WATCHDOG_US"),
    "device.session_timer_dead": ("T_STIMULATION", "machine.now_us + left_us"),
}
DOCUMENT = Path(__file__).parents[2] / "docs" / "firmware-scenarios.md"
# Its board does otherwise than the simulated one, for this reason.
OTHERWISE = {
    "device-dac-stuck-low": (
        "IMPLAUSIBLE",
        "behind a bridge both phases of a stuck converter are alike: no charge is left, and the host sees that less "
        "flows than it asked for",
    ),
    "device-frozen": (
        "RESET",
        "the chip's own watchdog resets a firmware that stands still: the current ends within 35 ms, and the host sees "
        "a device that has started anew",
    ),
}
# It comes out as on the simulator, but for what is said here.
NOTES = {
    "device-clock-too-slow": "the same, as the emulator's line works at any clock: a board whose crystal is 20 % off "
    "would garble each byte, and no session would begin",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One scenario on both: how each ended, and what is wrong about it on the chip."""

    name: str
    simulator: str
    chip: str
    wrong: str = ""
    note: str = ""


def ended(played: PlayedSession) -> str:
    """How it ended, in a word."""
    if played.error is not None:
        return "broke"
    if played.refused is not None:
        return "refused"
    return "no report" if played.report is None else played.report.end.name


def compared(scenario: Scenario) -> Compared:
    """Play it on both. What a line does by chance strikes other frames on the chip: such a one has three seeds."""
    first = _compared(scenario)
    by_chance = any(fault.kind.startswith("line.") for fault in scenario.faults)
    for seed in range(scenario.seed + 1, scenario.seed + SEEDS) if first.wrong and by_chance else ():
        other = _compared(replace(scenario, seed=seed))
        if not other.wrong:
            return replace(other, note=f"the same with seed {seed}; with seed {scenario.seed}: {first.wrong}")
    return first


def _compared(scenario: Scenario) -> Compared:
    simulated, chip = play(scenario, over=way_for(scenario)), _on_the_chip(scenario)
    wanted, told = ended(simulated), ended(chip)
    unmet = [*chip.unmet, *chip.idle]
    if scenario.name in OTHERWISE:
        wanted, unmet = OTHERWISE[scenario.name][0], list(chip.idle)
    if told != wanted:
        unmet.append(f"{told}, not {wanted}: {chip.outcome}")
    return Compared(scenario.name, ended(simulated), told, "; ".join(unmet))


def _on_the_chip(scenario: Scenario) -> PlayedSession:
    dead = [DEAD_TIMERS[fault.kind] for fault in scenario.faults if fault.kind in DEAD_TIMERS]
    if not dead:
        return play(scenario, over=way_for(scenario), device="firmware")
    ((timer, due),) = dead
    with TemporaryDirectory() as folder:
        line = f"    machine.due_us[{timer}] = "
        image = planted(Path(folder), "core/machine.c", f"{line}{due};", f"{line}NEVER;", "stimulator-emulated.elf")
        return play(scenario, make=partial(FaultyDevice, firmware=partial(FaultyChip, image=image)))


def rows(every: list[Compared]) -> Iterator[str]:
    """The table."""
    yield "| scenario | on the simulator | on the chip |  |"
    yield "|---|---|---|---|"
    for each in every:
        note = each.wrong or each.note or NOTES.get(each.name, "the same")
        if not each.wrong and each.name in OTHERWISE:
            note = OTHERWISE[each.name][1]
        yield f"| {each.name} | {each.simulator} | {each.chip} | {note} |"


def document(every: list[Compared]) -> str:
    """The page."""
    return "\n".join((
        "# Scenarios on the machine code",
        "",
        "Made by `make firmware-scenarios`: each scenario of [scenarios.md](scenarios.md) with the driver at one end",
        "of the line and the reference firmware on the emulated chip at the other, beside the simulator: in virtual",
        "time, or, where a process has to die or stand still, in real time behind a pseudo-terminal. Ends, alarms and",
        "times are what the scenario's file asks for. One of them by itself:",
        "",
        "    stimctl scenario run load-short --device firmware",
        "",
        f"**{len(every)} played, {sum(not each.wrong for each in every)} as they must come out.**",
        "",
        *rows(every),
        "",
    ))  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Play all of them. Returns 1 when one comes out wrong."""
    parser = argparse.ArgumentParser(description="The shipped scenarios on the machine code.")
    parser.add_argument("--write", action="store_true", help="write docs/firmware-scenarios.md")
    parser.add_argument("--jobs", type=int, default=2, help="chips side by side")
    options = parser.parse_args(arguments)
    with ProcessPoolExecutor(options.jobs) as pool:
        every = list(pool.map(compared, shipped().values()))
    page = document(every)
    if options.write:
        DOCUMENT.write_text(page, "utf-8")
    sys.stdout.write(page)
    return 1 if any(each.wrong for each in every) else 0


if __name__ == "__main__":
    sys.exit(main())
