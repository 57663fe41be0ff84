"""Where benchmarks put what they found, and the page that is made of it."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.interleave import Ratio, Tails

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
HEAD = """# Performance

Written by `make bench`; every figure was measured on the machine named here. Each row sets a part of stimctl beside a
limit or a peer that ran in turns with it in the same run (`benchmarks/interleave.py`), so a ratio means something where
microseconds do not: they are shown for orientation and change from day to day. No test fails for being slow.
Of captures: at 100 Hz and 100 kS/s there are 1,000 samples a pulse, and their maximum in float64, by the row below,
takes about a quarter of a microsecond. Four times that is left for all of a pulse: finding it, cutting it out,
summing its phases in doubles and looking through it for four edges. NumPy does that for all pulses together, those of
an even train with one look for all, in two threads. The samples are read from memory once: while the search has them
in the cache, what flows between the pulses is summed too. It is still not there. A compiler as an extra dependency
was not taken.
Figures of the firmware's machine code, by cycle, stand [below](#machine-code).

"""
BELOW = "\n## Machine code\n"  # written by `make firmware-page`, from here on


class Row(NamedTuple):
    """One thing measured: `ratio.median` is the candidate's time over its limit's."""

    name: str
    ratio: Ratio
    target: str
    note: str


ROWS: list[Row] = []


def report(name: str, ratio: Ratio, *, target: str, tails: Tails | None = None, note: str = "") -> None:
    """Print a finding and keep it for the page."""
    if tails is not None:
        times = f"{tails.candidate_us:,.0f} us against {tails.limit_us:,.0f} us"
        note = f"p99.9 {tails.candidate_us / tails.limit_us:.1f} times ({times}){'; ' if note else ''}{note}"
    print(f"\n{name}: {ratio}; target {target}{f'; {note}' if note else ''}")
    ROWS.append(Row(name, ratio, target, note))


def machine() -> str:
    """What it was measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    versions = f"Python {platform.python_version()}, {platform.system()} {platform.release().split('-')[0]}"
    return f"{datetime.now(UTC):%Y-%m-%d}: {model}, {os.cpu_count()} processors, {versions}, {sys.platform}."


def page(before: str) -> str:
    """The findings as a page; what stands below them, as the page had it before."""
    lines = [
        HEAD + machine(),
        "",
        "| what / beside what | time over the limit's | spread | us a call / limit's | target | note |",
        "|---|---|---|---|---|---|",
    ]
    for name, ratio, target, note in ROWS:
        times = f"{ratio.candidate_us:,.1f} / {ratio.limit_us:,.1f}"
        lines.append(f"| {name} | {ratio.median:.2f} | {ratio.spread:.0%} | {times} | {target} | {note} |")
    _, mark, below = before.partition(BELOW)
    return "\n".join(lines) + "\n" + mark + below
