"""Without its builds, or with wrong ones, the firmware as a device says what to do, in a sentence."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_sim.chip import built
from firmware_sim.chip.device import Chip
from firmware_sim.chip.emulator import Crashed
from firmware_sim.chip.host_build import HostBuild
from firmware_sim.sim_url import options_of
from stimctl.cli import main


@pytest.fixture
def nothing_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = tmp_path / "build"
    for made, name, path in ((Chip, "program", "emulator"), (HostBuild, "library", "libstimulator.so")):
        defaults = {**(made.__init__.__kwdefaults__ or {}), name: nowhere / path}
        monkeypatch.setattr(made.__init__, "__kwdefaults__", defaults)


@pytest.mark.usefixtures("nothing_built")
@pytest.mark.parametrize(("name", "file"), [("firmware", "emulator"), ("firmware-host", "libstimulator.so")])
def test_it_says_how_it_is_built(name: str, file: str) -> None:
    done = CliRunner().invoke(main, ["sim", "--device", name, "--tcp", "0"])
    assert done.exit_code == 3
    assert done.output.strip() == f"Error: {file} is not built: `make firmware` in {built.HERE} makes it"
    done = CliRunner().invoke(main, ["info", "--port", f"sim://?device={name}"])
    assert done.exit_code != 0
    assert "`make firmware`" in done.output


@pytest.mark.usefixtures("nothing_built")
def test_an_installed_package_says_that_it_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built, "HERE", tmp_path)
    done = CliRunner().invoke(main, ["sim", "--device", "firmware", "--tcp", "0"])
    assert done.exit_code == 3
    assert "use a checkout, and `make firmware` there" in done.output


def _as_another_chips(whole: bytes) -> bytes:
    """As for a Mega 2560: in the flags of its header, AVR of type 6."""
    return whole[:0x24] + bytes([whole[0x24] & 0x80 | 6]) + whole[0x25:]


@pytest.mark.parametrize(
    "broken",
    [
        lambda _: b"",
        lambda _: b"hello\n" * 100,
        lambda whole: whole[:3_000],
        lambda whole: whole[:-1],
        _as_another_chips,
        lambda whole: whole[:4] + b"\2" + whole[5:],
    ],
    ids=["empty", "text", "cut", "cut at its end", "another chip's", "of 64 bits"],
)
def test_an_image_that_is_none_is_refused(
    broken: Callable[[bytes], bytes], chip_image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "wrong.elf"
    wrong.write_bytes(broken(chip_image.read_bytes()))
    monkeypatch.setattr(Chip.__init__, "__kwdefaults__", {**(Chip.__init__.__kwdefaults__ or {}), "image": wrong})
    done = CliRunner().invoke(main, ["sim", "--device", "firmware", "--tcp", "0"])
    assert done.exit_code == 3
    assert "wrong.elf is no image for an ATmega328P, or is cut off" in done.output


def test_an_emulator_that_was_killed_says_so(chip_image: Path) -> None:
    chip = Chip(image=chip_image)
    os.kill(chip.emulator.pid, signal.SIGKILL)
    with pytest.raises(Crashed, match=r"^the emulator was killed by signal 9$"):
        chip.advance(1_000_000)
    chip.emulator.close()


def test_what_it_cannot_keep_is_refused(tmp_path: Path) -> None:
    for more, why in (
        (["--device", "firmware-host", "--journal", str(tmp_path / "j")], "has no pins and no journal"),
        (["--device", "firmware-host", "--record", str(tmp_path / "r")], "has no pins and no journal"),
        (["--device", "firmware", "--flash", str(tmp_path / "f")], "what firmware keeps, no file does"),
    ):
        done = CliRunner().invoke(main, ["sim", "--pty", *more])
        assert done.exit_code == 2
        assert why in done.output
    with pytest.raises(ValueError, match="option 'record': firmware-host has no pins"):
        options_of("sim://?device=firmware-host&record=r")
