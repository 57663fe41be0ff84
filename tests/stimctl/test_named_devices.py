"""Devices by name: which file is read, what may stand there, what a wrong one says."""

from pathlib import Path

import pytest

from stimctl.errors import InputInvalid, Misuse
from stimctl.named_devices import named_device, named_devices
from stimctl.stimulators.discovery import DeviceChoice

BENCH = '[devices.bench1]\nport = "/dev/ttyACM0"\nkind = "stimjim"\ndialect = "b"\n'
PAL = '[devices.pal]\nport = "COM3"\nkind = "pulsepal"\nisolator = 10\nisolator_offset = 2.5\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("STIMCTL_CONFIG", raising=False)
    return tmp_path


def of_user(here: Path, text: str) -> None:
    (here / "config" / "stimctl").mkdir(parents=True)
    (here / "config" / "stimctl" / "stimctl.toml").write_text(text)


def test_without_a_file_there_are_none(here: Path) -> None:
    assert named_devices() == {}


def test_a_name_stands_for_port_and_device(here: Path) -> None:
    (here / "stimctl.toml").write_text(BENCH + PAL)
    assert named_device("bench1").port == "/dev/ttyACM0"
    assert named_device("bench1").choice == DeviceChoice("stimjim", "b")
    assert named_device("pal").choice == DeviceChoice("pulsepal", None, "10", "2.5")


def test_the_working_folder_counts_more_than_the_user(here: Path) -> None:
    of_user(here, BENCH + PAL)
    (here / "stimctl.toml").write_text('[devices.bench1]\nport = "sim://"\n')
    assert named_device("bench1").port == "sim://"
    assert named_device("pal").port == "COM3"


def test_the_named_file_is_the_only_one(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "stimctl.toml").write_text(BENCH)
    (here / "other.toml").write_text(PAL)
    monkeypatch.setenv("STIMCTL_CONFIG", "other.toml")
    assert [*named_devices()] == ["pal"]
    monkeypatch.setenv("STIMCTL_CONFIG", "none.toml")
    with pytest.raises(Misuse, match=r"STIMCTL_CONFIG names none\.toml, where there is no file"):
        named_devices()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[devices.native]\nport = "sim://"\n', "is the name of a kind of device"),
        ("devices = 5\n", "devices is 5: must be a table"),
        (
            '[devices.a]\nport = "sim://"\nkinds = "auto"\n',
            "fields are port, kind, dialect, isolator",
        ),
        ('[devices."B\u202e"]\nport = "sim://"\n', "must be written otherwise .small letters"),
        ('[devices.auto]\nport = "sim://"\n', "is the name of a kind of device"),
        ('[devices.x]\nkind = "stimjim"\n', "port"),
        ('[devices.x]\nport = "sim://"\nkind = "other"\n', "is not one of native"),
        ('[devices.x]\nport = "COM3"\nkind = "pulsepal"\n', "there is no default"),
        ('[devices.x]\nport = "COM3"\nprot = 1\n', "prot"),
        ("[devices.x\n", "stimctl.toml"),
    ],
)
def test_a_wrong_file_names_what_is_wrong(text: str, said: str, here: Path) -> None:
    (here / "stimctl.toml").write_text(text)
    with pytest.raises(InputInvalid, match=said):
        named_devices()


def test_a_name_that_is_not_there_says_which_are(here: Path) -> None:
    (here / "stimctl.toml").write_text(BENCH)
    with pytest.raises(Misuse, match="'bench2' is not one of native, stimjim, pulsepal, auto, bench1"):
        named_device("bench2")
