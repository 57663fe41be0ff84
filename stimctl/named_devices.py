"""Devices with names of their own, from `stimctl.toml`: `--device bench1` stands for port, kind, dialect and isolator.

Read are the user's file, then the working folder's, whose devices count more; or the one that `STIMCTL_CONFIG` names,
and no other. A file that is wrong is an error, whichever device is asked for.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import Field

from stimctl.errors import Misuse, Problem
from stimctl.look import is_file
from stimctl.profile.sourced import Slug, Strict
from stimctl.profile.toml_text import check, read_file
from stimctl.stimulators.discovery import DEVICES, DeviceChoice
from stimctl.user_folder import user_folder

FILE_NAME = "stimctl.toml"
VARIABLE = "STIMCTL_CONFIG"


class NamedDevice(Strict):
    """One device: where it is, and what it is."""

    port: str = Field(min_length=1, description="as for --port")
    kind: str = Field("native", description=f"one of {', '.join(DEVICES)}")
    dialect: str | None = Field(None, description="of a StimJim: a, b or c")
    isolator: float | None = Field(None, description="of a PulsePal: mA for each volt")
    isolator_offset: float | None = Field(None, description="the most that the isolator gives at zero volts, uA")
    isolator_bandwidth: float | None = Field(None, description="of the isolator, kHz")

    @property
    def choice(self) -> DeviceChoice:
        """What it is. Raises `Misuse` for what does not go together."""
        numbers = (self.isolator, self.isolator_offset, self.isolator_bandwidth)
        return DeviceChoice(self.kind, self.dialect, *(None if each is None else f"{each:g}" for each in numbers))


class DevicesFile(Strict):
    """What stands in `stimctl.toml`."""

    devices: Annotated[dict[Slug, NamedDevice], Field(description="as [devices.bench1]")] = Field(default_factory=dict)


def named_devices() -> dict[str, NamedDevice]:
    """All of them, by name. Raises `InputInvalid` for a file that is wrong, `Misuse` for one that is not there."""
    found: dict[str, NamedDevice] = {}
    for path in _files():
        found |= _read(path)
    return found


def named_device(name: str) -> NamedDevice:
    """The device of this name. Raises `Misuse`, naming those there are."""
    devices = named_devices()
    if name not in devices:
        known = f"{', '.join(DEVICES)}" + "".join(f", {each}" for each in sorted(devices))
        raise Misuse(f"device: {name!r} is not one of {known}; {FILE_NAME} gives a device a name, as [devices.{name}]")
    return devices[name]


def _files() -> list[Path]:
    named = os.environ.get(VARIABLE)
    if named:
        if not is_file(Path(named)):
            raise Misuse(f"{VARIABLE} names {named}, where there is no file")
        return [Path(named)]
    places = []
    with suppress(Misuse):  # who has no home has no file in it
        places.append(user_folder("config", VARIABLE))
    return [path for place in (*places, Path.cwd()) if is_file(path := place / FILE_NAME)]


def _read(path: Path) -> dict[str, NamedDevice]:
    text = read_file(path)
    problems, file = check(DevicesFile, text.values)
    if file is None:
        raise text.invalid(problems)
    problems = [
        Problem(f"devices.{name}", None, f"is the name of a kind of device ({', '.join(DEVICES)}); choose another")
        for name in file.devices
        if name in DEVICES
    ]
    for name, device in file.devices.items():
        try:
            _ = device.choice
        except Misuse as wrong:
            problems.append(Problem(f"devices.{name}", None, str(wrong)))
    if problems:
        raise text.invalid(problems)
    return file.devices
