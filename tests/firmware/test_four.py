"""Model, simulator, host build and chip agree after each step; a defect in any of them is found, and it is named."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from firmware_sim.chip.device import Chip
from firmware_sim.chip.host_build import HostBuild
from tests.agree.test_planted import slow_model, steep_ramp
from tests.firmware.four import DEVICES, Make, blamed, disagreements
from tests.firmware.planted import planted

# A level climbs by 1 uA too much at a pulse.
STEEP = ("core/train.c", "train->before_us = train->next_us;\n", "train->before_us = train->next_us - 3000u;\n")


@pytest.fixture
def built(host_library: Path, chip_image: Path) -> Mapping[str, Make]:
    return {**DEVICES, "host build": partial(HostBuild, library=host_library), "chip": partial(Chip, image=chip_image)}


@pytest.mark.parametrize("seed", [2, 5])
def test_all_four_agree(seed: int, built: Mapping[str, Make]) -> None:
    assert disagreements(seed, built, steps=16) == {}


def test_a_defect_of_the_simulator_is_found(built: Mapping[str, Make], monkeypatch: pytest.MonkeyPatch) -> None:
    steep_ramp(monkeypatch)
    assert blamed(disagreements(2, built, steps=2)) == "simulator"


def test_a_defect_of_the_model_is_found(built: Mapping[str, Make], monkeypatch: pytest.MonkeyPatch) -> None:
    slow_model(monkeypatch)
    assert blamed(disagreements(2, built, steps=2)) == "the model"


def test_a_defect_of_the_host_build_is_found(built: Mapping[str, Make], tmp_path: Path) -> None:
    library = planted(tmp_path, *STEEP, "libstimulator.so")
    assert (
        blamed(disagreements(2, {**built, "host build": partial(HostBuild, library=library)}, steps=2)) == "host build"
    )


def test_a_defect_of_the_machine_code_is_found(built: Mapping[str, Make], tmp_path: Path) -> None:
    image = planted(tmp_path, *STEEP, "stimulator-emulated.elf")
    assert blamed(disagreements(2, {**built, "chip": partial(Chip, image=image)}, steps=2)) == "chip"
