"""docs/hardware.md: its table is what the code says, and the files it names exist."""

import re
from pathlib import Path

import pytest

from stimctl.stimulators.capabilities import table
from stimctl.stimulators.discovery import DeviceChoice, identify

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "hardware.md").read_text("utf-8")
DEVICES = (
    ("sim://", DeviceChoice()),
    *((f"sim://?device=stimjim&dialect={dialect}", DeviceChoice("stimjim", dialect=dialect)) for dialect in "abc"),
    ("sim://?device=pulsepal", DeviceChoice("pulsepal", isolator="1")),
)


def test_the_table_is_what_the_code_says() -> None:
    block = re.search(r"<!-- capabilities:.*?-->\n(.*?)<!-- end -->", TEXT, re.DOTALL)
    assert block is not None
    now = table(identify(url, choice).identity for url, choice in DEVICES)
    assert block[1].strip() == now, f"docs/hardware.md is stale; between its two marks must stand:\n{now}"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`((?:stimctl|tests|firmware_sim)/[\w/]+\.py)`", TEXT))))
def test_what_it_names_exists(name: str) -> None:
    assert (ROOT / name).is_file() or "NAME" in name
