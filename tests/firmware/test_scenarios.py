"""A handful of the shipped scenarios on the chip, and each fault of its board; `make firmware-scenarios` plays all.

Those in which no zero is ever confirmed take 65 s of the chip's time, and are left to that.
"""

from functools import partial
from pathlib import Path

import pytest

from firmware_sim.chip.device import Chip
from firmware_sim.chip.in_ram import address_of
from firmware_sim.factory import DeviceSpec, UnknownDevice
from firmware_sim.faults import Fault
from stimctl.wire.codec import SelfTest, SelfTestDone
from stimlab.play.play import play
from stimlab.scenario.reader import shipped
from tests.firmware.scenarios import OTHERWISE, compared
from tests.stimlab.conformance.bench_world import bench_on


@pytest.mark.parametrize(
    "name",
    [
        "load-short",
        "line-unplug",
        "device-dac-gain-high",
        "device-reset",
        "device-readback-gain-low",
        "device-watchdog-dead-host-frozen",
        "device-program-flip",
        "device-clock-too-slow",
    ],
)
def test_it_comes_out_on_the_chip_as_on_the_simulator(name: str, chip_image: Path) -> None:
    assert compared(shipped()[name]).wrong == ""


def test_what_cannot_befall_a_chip_is_refused(chip_image: Path) -> None:
    for fault, why in (
        (Fault("device.watchdog_dead"), "an image of its own"),
        (Fault("device.clock_freeze", options={"output": "pulses"}), "by interrupts"),
    ):
        with pytest.raises(UnknownDevice, match=why):
            DeviceSpec("firmware").make_faulty([fault], seed=1, load="r1k")


def test_a_frozen_firmware_holds_its_current_until_its_watchdog_ends_it(chip_image: Path) -> None:
    assert "device-frozen" in OTHERWISE
    played = play(shipped()["device-frozen"], device="firmware")
    held_us = played.recorder.end_us() - played.fired_us[0]
    assert 30_000 < held_us < 40_000
    assert [entry["event"] for entry in played.journal].count("boot") == 2


@pytest.mark.parametrize(
    "broken", [{"leak_ua": 500.0}, {"offset_ua": 300.0}, {"offset_ua": -300.0}, {"gain": 0.8}], ids=str
)
def test_an_output_that_is_broken_is_found_by_its_self_test(broken: dict[str, float], chip_image: Path) -> None:
    bench = bench_on(partial(Chip, image=chip_image))
    bench.settle()
    bench.identify()
    bench.tested()
    bench.port.line.device.emulator.break_output(1, **broken)  # type: ignore[attr-defined]
    bench.load()
    done = bench.get(SelfTest(), SelfTestDone, by="R-32")
    assert done.failures
    assert (done.zero_ua > 100) == ("gain" not in broken)
    bench.port.close()


@pytest.mark.realtime
def test_a_host_that_is_killed_beside_a_chip_in_real_time(chip_image: Path) -> None:
    played = play(shipped()["host-killed"], over="pty", device="firmware")
    assert played.unmet == ()
    assert played.idle == ()
    states = [entry["state"] for entry in played.journal]
    assert states[0] == "IDLE"
    assert "RAMPING" in states


def test_its_journal_and_record_begin_at_its_power_on(chip_image: Path) -> None:
    """In real time a device is powered late on a clock that began when the machine did."""
    told: list[dict[str, int | str]] = []
    boot_us = 7_000_000_000
    chip = Chip(boot_us=boot_us, journal=lambda entry: told.append(dict(entry)))
    chip.advance(boot_us + 5_000)
    chip.reset()
    assert 0 <= chip.pulse_log.at_us(40_000) <= 40_000
    assert [(entry["event"], entry["state"]) for entry in told] == [("boot", "IDLE")] * 2
    assert [int(entry["at_us"]) for entry in told] == pytest.approx([0, 5_000], abs=1_000)
    chip.close()


def test_a_variable_that_is_not_there_is_said(chip_image: Path) -> None:
    with pytest.raises(LookupError, match=r"stimulator-emulated.elf has no variable nothing"):
        address_of(chip_image, "nothing")
