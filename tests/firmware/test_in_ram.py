"""Where a fault of the program strikes in the chip's RAM is where `firmware/core/program.h` has the field."""

import re
from pathlib import Path

import pytest

from firmware_sim.chip import in_ram

CORE = Path(__file__).parents[2] / "firmware" / "core"
MAX_SEGMENTS = int(re.findall(r"MAX_SEGMENTS\s+(\d+)", (CORE / "limits.h").read_text("utf-8"))[0])
# By what the protocol calls them.
NAMES = {"gap_us": "interphase_gap_us", "slope_ua_per_s": "ramp_slope_ua_per_s", "mask": "channel_mask"}


def layout(struct: str) -> dict[str, tuple[int, int]]:
    """Of each field the byte where it lies and its bits; an AVR leaves no room between fields."""
    body = re.findall(rf"struct {struct} {{(.*?)}};", (CORE / "program.h").read_text("utf-8"), re.DOTALL)[0]
    found, at = {}, 0
    for bits, names in re.findall(r"(?:uint(\d+)_t|struct segment) ([^;]+);", body):
        for name in names.split(", "):
            found[NAMES.get(name, name)] = at, int(bits or 8 * in_ram._SEGMENT * MAX_SEGMENTS)
            at += found[NAMES.get(name, name)][1] // 8
    return {**found, "": (at, 0)}


@pytest.mark.parametrize(("struct", "table"), [("program", in_ram._OF_PROGRAM), ("segment", in_ram._OF_SEGMENT)])
def test_fields_lie_where_the_header_has_them(struct: str, table: dict[str, tuple[int, int]]) -> None:
    assert table.items() <= layout(struct).items()


def test_so_do_the_segments_and_their_number() -> None:
    program = layout("program")
    assert (program["segments[MAX_SEGMENTS]"][0], layout("segment")[""][0]) == (in_ram._SEGMENTS, in_ram._SEGMENT)
    assert program["count"][0] == in_ram.PROGRAM_COUNT
