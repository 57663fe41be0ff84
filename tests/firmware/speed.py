"""How fast the chip goes: cycles in a second of processor time, bare and in a session. Orientation, not a limit."""

import os
import time
from pathlib import Path
from statistics import median

from firmware_sim.chip.built import BUILD
from firmware_sim.chip.emulator import CYCLES_A_US, Emulator
from tests.firmware import peripherals, timing

AIM = 0.8  # of the bare emulator's speed
ROUNDS = 7
LOOP = 3  # the self-test's image that never sleeps: timers, interrupts and pins


def cpu_s(emulator: Emulator) -> float:
    """The processor time that an emulator's process has had."""
    fields = Path(f"/proc/{emulator.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bare(emulator: Emulator) -> float:
    """Cycles a second of an image that never sleeps, in one run, with nobody at the other end."""
    begun, before = emulator.cycle, cpu_s(emulator)
    emulator.run(begun + 80_000_000)
    return (emulator.cycle - begun) / (cpu_s(emulator) - before)


def busy(lab: timing.Lab) -> tuple[float, float]:
    """Cycles a second of a busy session in lockstep: of both processes' time, and of the emulator's alone."""
    emulator = lab.chip.emulator
    begun, before, own = emulator.cycle, cpu_s(emulator), time.process_time()
    timing.busy_run(lab, 5_000_000)
    timing.ended(lab)
    cycles, emulated_s, both_s = emulator.cycle - begun, cpu_s(emulator) - before, time.process_time() - own
    return cycles / (both_s + emulated_s), cycles / emulated_s


def measured() -> tuple[float, float, float, float]:
    """Medians of rounds in turns, as the machine may have other things to do: bare, emulator alone, both, the share."""
    peripherals.look()  # builds the image
    emulator, lab, rounds = Emulator(BUILD / f"selftest-{LOOP}.elf"), timing.Lab(), []
    emulator.run(16_000_000)
    for _ in range(ROUNDS):
        loop, (both, alone) = bare(emulator), busy(lab)
        rounds.append((loop, alone, both, both / loop))
    emulator.close()
    lab.close()
    loop, alone, both, share = (median(column) for column in zip(*rounds, strict=True))
    return loop, alone, both, share


def table() -> list[str]:
    """The rows."""
    loop, alone, both, share = measured()
    rows = (
        ("an endless loop with timers, interrupts and pins, in one run: cycles a second", f"{loop / 1e6:.0f} million"),
        ("a busy session of three channels in lockstep, the emulator alone", f"{alone / 1e6:.0f} million"),
        ("the same with the host's side and the pipe between them", f"{both / 1e6:.0f} million"),
        ("times real time", f"{both / CYCLES_A_US / 1e6:.1f}"),
        ("share of the bare emulator's speed", f"{share:.2f} (aim {AIM})"),
    )
    return ["| what, by processor time | |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows)]


if __name__ == "__main__":
    print("\n".join(table()))
