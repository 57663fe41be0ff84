"""The tables of docs/firmware.md and docs/performance.md, measured on the machine code.

python -m tests.firmware.page --write [TABLE]...
"""

import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from firmware_sim.chip.built import BUILD, CHIP, EMULATOR, SECOND, built
from tests.firmware import gate_mutants, peripherals, session, speed, timing

PAGES = Path("docs/firmware.md"), Path("docs/performance.md")
RAM_BYTES, FLASH_BYTES, BOOT_BYTES = 2_048, 32_768, 512


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def peripheral_table() -> list[str]:
    """The self-test, on both emulators; figures rest on the first."""
    lines = [
        _row("peripheral", "datasheet, cycles", "simavr", "avr8js", "rests on it", "of the first"),
        "|---" * 6 + "|",
    ]
    for seen, other in zip(peripherals.look(), peripherals.look(built(SECOND)), strict=True):
        row = seen.row
        verdict = "right" if seen.right else "wrong: what rests on it is not evaluable"
        lines.append(_row(row.name, row.datasheet, seen.cycles, other.cycles, row.rests, verdict))
    return lines


def _figures(program: Path) -> list[timing.Figure]:
    lab = timing.Lab(program=program)
    try:
        return list(timing.figures(lab))
    finally:
        lab.close()


def timing_table() -> list[str]:
    """Figures by cycle, each with the row that it rests on. What one emulator keeps and one does not is no evidence."""
    wrong = peripherals.not_evaluable(peripherals.look())
    lines = [_row("what", "simavr", "avr8js", "limit", "rests on", ""), "|---" * 6 + "|"]
    for each, other in zip(_figures(EMULATOR), _figures(built(SECOND)), strict=True):
        verdict = "kept" if each.kept else "NOT KEPT"
        if each.rests in wrong or each.kept != other.kept:
            verdict = "not evaluable"
        told = (f"{value:g} {each.unit}" for value in (each.value, other.value, each.limit))
        lines.append(_row(each.name, *told, each.rests, verdict))
    return lines


def _symbols() -> list[tuple[str, int]]:
    told = subprocess.run(["avr-nm", "-S", CHIP], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in told.splitlines())
    sized = [
        (re.sub(r"\.lto_priv.*", "", row[3]), int(row[1], 16)) for row in rows if len(row) == 4 and row[2] in "bBdD"
    ]
    return sorted(sized, key=lambda each: -each[1])


def ram_table() -> list[str]:
    """Where the RAM goes, and what the stack leaves after a busy run."""
    lines, shown = [_row("what", "bytes"), "|---|---|"], 0
    for name, size in _symbols()[:14]:
        lines.append(_row(f"`{name}`", size))
        shown += size
    lines.append(_row("smaller ones", sum(size for _, size in _symbols()) - shown))
    lab = timing.Lab()
    timing.busy_run(lab, 1_000_000)
    lab.bench.nonce = None
    lab.bench.stop_to_zero()
    told = subprocess.run(["avr-nm", CHIP], capture_output=True, text=True, check=True).stdout
    (end,) = (int(line.split()[0], 16) & 0xFFFF for line in told.splitlines() if line.endswith(" _end"))
    free = lab.chip.emulator.untouched_ram(end)
    lab.close()
    lines.append(
        _row("stack, as deep as it went in a busy run of three channels, interrupts included", 0x900 - end - free)
    )
    lines.append(_row("never touched", free))
    flash = (BUILD / "stimulator.bin").stat().st_size
    lines.append("")
    lines.append(f"Flash: {flash} bytes of {FLASH_BYTES}, of which a bootloader takes {BOOT_BYTES}.")
    return lines


TABLES: dict[str, Callable[[], list[str]]] = {
    "peripherals": peripheral_table,
    "timing": timing_table,
    "ram": ram_table,
    "gate": gate_mutants.report,
    "session": session.table,
    "speed": speed.table,
}


def written(text: str, tables: Mapping[str, Sequence[str]]) -> str:
    """A page, with those of these tables that it has a place for."""
    for name, lines in tables.items():
        pattern = rf"(<!-- table: {name} -->\n)(?:(?!<!-- table).)*?(\n<!-- end -->)"
        if (found := re.search(pattern, text, flags=re.DOTALL)) is not None:
            text = text[: found.start()] + found[1] + "\n".join(lines) + found[2] + text[found.end() :]
    return text


if __name__ == "__main__":
    named = [name for name in sys.argv[1:] if name in TABLES]
    made = {name: TABLES[name]() for name in named or TABLES}
    for path in PAGES:
        page = written(path.read_text("utf-8"), made)
        if "--write" in sys.argv[1:]:
            path.write_text(page, "utf-8")
        else:
            print(page)
