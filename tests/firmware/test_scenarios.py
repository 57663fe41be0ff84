"""A handful of the shipped scenarios on the chip; `make firmware-scenarios` plays all that can be tried there."""

from pathlib import Path

import pytest

from firmware_sim.chip.faulty_chip import IN_THE_FIRMWARE
from firmware_sim.faults.catalogue import CATALOGUE
from stimlab.scenario.reader import shipped
from tests.firmware.scenarios import OTHERWISE, compared, why_not


@pytest.mark.parametrize(
    "name",
    [
        "load-short",
        "line-unplug",
        "device-dac-gain-high",
        "device-reset",
        "device-readback-offset",
        "device-stuck-on-after-stop",
        "device-watchdog-dead-host-frozen",
    ],
)
def test_it_comes_out_on_the_chip_as_on_the_simulator(name: str, chip_image: Path) -> None:
    assert name not in OTHERWISE
    came = compared(shipped()[name])
    assert not came.skipped
    assert came.wrong == ""


def test_what_cannot_be_tried_says_why() -> None:
    assert set(IN_THE_FIRMWARE) <= set(CATALOGUE)
    assert why_not(shipped()["device-frozen"])
    assert why_not(shipped()["host-killed"])
    tried = [name for name, scenario in shipped().items() if not why_not(scenario)]
    assert len(tried) >= 65
