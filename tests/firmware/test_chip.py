"""The machine code itself: timing by cycle, its stack, a hang, resets, and a session as a person starts it."""

import re
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_sim.chip.emulator import CYCLES_A_US
from stimctl.cli import main
from stimctl.wire.codec import Counters, ReadCounters, ReadSession, SessionRecord
from stimctl.wire.codes import DeviceState, EndReason
from tests.firmware import peripherals, timing

pytestmark = pytest.mark.slow

LEAST_STACK = 64  # bytes that are never touched, at the least [choice]


@pytest.fixture(scope="module")
def seen(chip_image: Path) -> list[peripherals.Seen]:
    return peripherals.look()


@pytest.fixture(scope="module")
def lab(chip_image: Path) -> timing.Lab:
    return timing.Lab(chip_image)


def test_what_timing_rests_on_is_right(seen: list[peripherals.Seen]) -> None:
    assert not {"clock", "edges", "naps", "watchdog"} & peripherals.not_evaluable(seen), seen


def test_a_row_that_is_wrong_makes_what_rests_on_it_not_evaluable() -> None:
    row = peripherals.ROWS[0]
    assert peripherals.not_evaluable([peripherals.Seen(row, row.datasheet + row.tolerance)]) == frozenset()
    assert peripherals.not_evaluable([peripherals.Seen(row, row.datasheet + row.tolerance + 1)]) == {"clock"}


def test_timing_by_cycle(seen: list[peripherals.Seen], lab: timing.Lab) -> None:
    wrong = peripherals.not_evaluable(seen)
    over = [each for each in timing.figures(lab, moments=4) if not each.kept and each.rests not in wrong]
    assert over == []


@pytest.mark.parametrize("shape", [(100, 0, 100), (100, 100, 100), (130, 0, 130), (600, 100, 1_200)], ids=str)
def test_every_shape_keeps_its_edges(lab: timing.Lab, shape: tuple[int, int, int]) -> None:
    """The narrowest pulses leave the least time for readings, the widest the least between two of them."""
    course, pulses = timing.busy_run(lab, 500_000, program=timing.at_100_hz(*shape))
    given = list(pulses)
    assert len(given) > 120
    assert max(map(abs, timing.onsets_us(course, given))) < 2.0
    for edges in given:
        assert abs((edges.first_end - edges.begun) / CYCLES_A_US - shape[0]) < 1.0
        assert abs((edges.second_end - edges.second_begun) / CYCLES_A_US - shape[2]) < 1.0
    timing.ended(lab)


def test_converters_are_given_the_time_that_they_need(lab: timing.Lab) -> None:
    assert lab.chip.emulator.hurried() == 0


def test_the_stack_leaves_room(chip_image: Path, lab: timing.Lab) -> None:
    lines = subprocess.run(["avr-nm", chip_image], capture_output=True, text=True, check=True).stdout.splitlines()
    (end,) = (int(line.split()[0], 16) & 0xFFFF for line in lines if line.endswith(" _end"))
    assert lab.chip.emulator.untouched_ram(end) >= LEAST_STACK


def test_a_hang_reaches_zero_by_the_hardware_watchdog(lab: timing.Lab) -> None:
    timing.busy_run(lab, 300_000)
    before = lab.chip.emulator.cycle
    lab.chip.emulator.hang()
    lab.bench.nonce = None
    lab.bench.listen(200_000)
    last = lab.chip.pulse_log.pulses[-1]
    ended = max(last.first_end, last.second_end)
    assert ended - before < 0.040 * 16_000_000, "outputs on for longer than the watchdog's 30 ms and some"
    lab.bench.restart_line()
    lab.bench.hello()
    record = lab.bench.get(ReadSession(), SessionRecord, by="R-69")
    assert record.end_reason == EndReason.RESET
    assert lab.bench.welcome is not None
    assert lab.bench.welcome.state == DeviceState.IDLE
    counted = sum(sum(lab.bench.get(ReadCounters(channel), Counters, by="R-69")[2:4]) for channel in (1, 2, 3))
    assert counted == len(lab.chip.pulse_log.pulses)
    lab.bench.acknowledge()


@pytest.mark.parametrize("after_us", range(0, 10_000, 1_900))
def test_a_reset_loses_and_doubles_no_pulse(lab: timing.Lab, after_us: int) -> None:
    _, pulses = timing.busy_run(lab, 600_000 + after_us)
    lab.bench.listen(after_us)
    lab.chip.emulator.reset()
    lab.bench.nonce = None
    lab.bench.listen(60_000)
    lab.bench.restart_line()
    lab.bench.hello()
    counted = [sum(lab.bench.get(ReadCounters(channel), Counters, by="R-69")[2:4]) for channel in (1, 2, 3)]
    assert counted == [sum(each.channel == channel for each in pulses) for channel in (1, 2, 3)]
    lab.bench.acknowledge()


def test_it_says_who_it_is_through_the_command(chip_image: Path) -> None:
    done = CliRunner().invoke(main, ["info", "--port", "sim://?device=firmware"])
    assert done.exit_code == 0, done.output
    assert "stimctl reference" in done.output
    assert "SIMULATOR" in done.output


def test_the_image_says_its_own_hash(chip_image: Path, lab: timing.Lab) -> None:
    image = chip_image.with_suffix(".bin").read_bytes()
    assert lab.bench.identity is not None
    told = lab.bench.identity.firmware.sha256
    assert image.count(told) == 1
    assert sha256(image.replace(told, bytes(32))).digest() == told


def test_a_session(chip_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2/100 Hz for half a minute, the driver at one end of the line and machine code at the other."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    text, times = re.subn(
        r"seconds = \d+", "seconds = 30", Path("profiles/examples/bench-2-100hz.toml").read_text("utf-8")
    )
    assert times == 1
    short = tmp_path / "short.toml"
    short.write_text(text, "utf-8")
    order = ["run", "bench-2-100hz", "--port", "sim://?device=firmware", "--prescription", str(short), "--unattended"]
    done = CliRunner().invoke(main, order)
    assert done.exit_code == 0, done.output
    assert "ended        timer" in done.output
    assert "counted      by the device, exactly what was commanded: yes" in done.output
    assert re.search(r"all pulses +([\d,]+) +\1 +\1\b", done.output), done.output
