"""Without its builds the firmware as a device says what to do, in a sentence, and nothing else breaks."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_sim.chip import built
from firmware_sim.chip.device import Chip
from firmware_sim.chip.host_build import HostBuild
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
