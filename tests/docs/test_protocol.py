"""docs/protocol.md holds together: its worked examples, its figures, its numbering.

The pulse rules are written here once more, pulse by pulse, from section 13 alone: a third reading beside the
driver's and the simulator's.
"""

import hashlib
import re
from collections.abc import Iterator
from math import gcd, lcm
from pathlib import Path

import pytest

from tests.golden import by_hand

TEXT = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
LINES = TEXT.splitlines()
LOW = (500_000, 600, 0, 600, 3_000_000)
HIGH = (10_000, 200, 0, 200, 3_000_000)


def test_requirements_are_numbered_without_gaps() -> None:
    numbers = [int(number) for number in re.findall(r"^- \*\*R-(\d+)\*\*", TEXT, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {int(number) for number in re.findall(r"R-(\d+)", TEXT)} == set(numbers)


def test_links_in_the_document_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in LINES
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings


def test_the_worked_frame() -> None:
    line = by_hand.frame_of(bytes.fromhex("1F 00 00"))
    assert line.hex(" ").upper() == "02 1F 01 05 5F 3D 3B E8 00"
    assert TEXT.count("02 1F 01 05 5F 3D 3B E8 00") == 2
    assert f"0x{by_hand.crc32(bytes.fromhex('1F 00 00')):08X}" in TEXT


def test_the_worked_digest() -> None:
    start = next(n for n, line in enumerate(LINES) if line.startswith("    LoadProgram   02 |"))
    block = [line for line in LINES[start : start + 6] if " | " in line]
    written = "".join(line.split(maxsplit=1)[1].replace("|", "") for line in block)
    digest = hashlib.sha256(bytes.fromhex(written)).digest()
    assert f"    SHA-256       {digest.hex().upper()}" in LINES
    assert f"    digest_head   0x{int.from_bytes(digest[:8], 'little'):016X}" in TEXT


def pulses(limit_us: int, target_ua: int, slope: int, ramp_down_us: int) -> Iterator[tuple[int, int, int, int, int]]:
    """(t, segment, dt, aim, amplitude) of channel 1 in the worked example's two segments."""
    quantum = lcm(*(second // gcd(width, second) for _, width, _, second, _ in (LOW, HIGH)))
    level, previous, begin, index = 0, None, 0, 0
    while begin < limit_us:
        period, width, gap, second, dwell = (LOW, HIGH)[index]
        span = width + gap + second
        for offset in range(0, dwell - span + 1, period):
            t = begin + offset
            if t + span > limit_us:
                return
            aim = target_ua
            if t >= limit_us - ramp_down_us:
                aim = min(aim, target_ua * (limit_us - t) // ramp_down_us)
            dt = period if previous is None else t - previous
            step = min(100 - 100 % quantum, slope * dt // 1_000_000)
            level = min(aim, level + step) if aim > level else aim
            previous = t
            if level - level % quantum:
                yield t, index, dt, aim, level - level % quantum
        begin, index = begin + dwell, 1 - index


def test_the_worked_pulses() -> None:
    by_time = {t: rest for t, *rest in pulses(20_000_000, 2_000, 200, 5_000_000)}
    start = next(n for n, line in enumerate(LINES) if line.startswith("| t, us |")) + 2
    rows = 0
    for line in LINES[start:]:
        if not line.startswith("|"):
            break
        cells = [cell.strip().removesuffix("(its period)").replace(" ", "") for cell in line.strip("|").split("|")]
        t, index, dt, step, aim, amplitude = map(int, cells)
        assert by_time[t] == [index, dt, aim, amplitude], line
        assert step == min(100, 200 * dt // 1_000_000)
        rows += 1
    assert rows == 12


def test_the_worked_totals() -> None:
    counted = {0: [0, 0], 1: [0, 0]}
    for _, index, _, _, amplitude in pulses(20_000_000, 2_000, 200, 5_000_000):
        counted[index][0] += 1
        counted[index][1] += amplitude * (LOW, HIGH)[index][1]
    assert counted == {0: [22, 15_240_000], 1: [900, 263_550_000]}
    for index, (count, charge) in counted.items():
        assert f"{count} pulses and {charge:_} pC in segment {index}".replace("_", " ") in TEXT


@pytest.mark.parametrize(
    ("size", "milliseconds"),
    [("Arm, 27 bytes", "2.3"), ("the Stop frame (10 bytes)", "0.9"), ("Channel, 59 bytes", "5.1"), ("21 bytes", "1.8")],
)
def test_the_times_on_the_line(size: str, milliseconds: str) -> None:
    count = int(re.search(r"(\d+) bytes", size)[1])  # type: ignore[index]
    assert f"{count * 10 / 115.2:.1f}" == milliseconds
    assert any(size in line and line.endswith(f"| {milliseconds} |") for line in LINES)


def test_a_lost_stop_still_keeps_within_its_time() -> None:
    """Outputs off, 20 ms of zero, the next question, its answer behind the longest frame; then two lost."""
    frame_ms = {name: size * 10 / 115.2 for name, size in (("arm", 27), ("stop", 10), ("channel", 59), ("stopped", 21))}
    disabled = frame_ms["arm"] + frame_ms["stop"] + 1.9 + 1.0
    zero = disabled + 20
    asked = 40 + frame_ms["stop"]
    confirmed = asked + frame_ms["channel"] + frame_ms["stopped"]
    assert (round(disabled, 1), round(confirmed, 1)) == (6.1, 47.8)
    assert zero < asked
    assert confirmed + 40 < 100
