"""The pytest plugin: fixtures for tests of and with a stimulator, on any endpoint.

`stimulator` is at the URL of `--stim-url`; `simulator`, `line` and `virtual_clock` are the world of a simulated
one, and skip where there is none. A test marked `stim_needs("watchdog", "simulator")` is skipped, with the reason,
where the stimulator cannot do that. Each test is followed by a stop and a measured zero.

pytest loads this module at every start: it imports nothing heavy before a fixture is asked for.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from stimctl.stimulators.discovery import DeviceChoice
    from stimlab.fixtures import LineFixture, SimulatorFixture, StimulatorFixture, VirtualClock

MARKER = (
    'stim_needs(*abilities): skip unless the stimulator has them: "simulator", "hardware", "virtual_time", or a '
    'capability in its own words, such as "watchdog" or "measures_current"'
)
CHOICE = {
    "device": ("NAME", "native, stimjim, pulsepal or auto; without it native, or what a simulator's URL asks for"),
    "dialect": ("X", "of a StimJim: a, b or c"),
    "isolator": ("MA_PER_VOLT", "of a PulsePal"),
    "isolator-offset": ("UA", "of that isolator, at most, at zero volts"),
    "isolator-bandwidth": ("KHZ", "of that isolator"),
}
WORLDS = ("simulator", "hardware", "virtual_time")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--stim-url` and what names a device that is not a native one."""
    group = parser.getgroup("stimctl", "a stimulator to test with")
    group.addoption(
        "--stim-url", metavar="URL", help="/dev/ttyUSB0, COM3, socket://host:port, or sim:// (which it is without it)"
    )
    for name, (metavar, text) in CHOICE.items():
        group.addoption(f"--stim-{name}", metavar=metavar, help=text)
    parser.addini("stim_url", "as --stim-url, which goes before it", default="sim://")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def stim_url(pytestconfig: pytest.Config) -> str:
    """The URL of the stimulator, from `--stim-url`."""
    return pytestconfig.getoption("--stim-url") or str(pytestconfig.getini("stim_url"))


@pytest.fixture(scope="session")
def stim_choice(pytestconfig: pytest.Config, stim_url: str) -> "DeviceChoice":
    """Which kind of stimulator it is."""
    from stimctl.errors import Misuse
    from stimctl.stimulators.discovery import DeviceChoice, choice_for

    device, *said = (pytestconfig.getoption(f"--stim-{name}") for name in CHOICE)
    try:
        if device is None and not any(said):
            return choice_for(stim_url)
        return DeviceChoice(device or "native", *said)
    except Misuse as wrong:
        raise pytest.UsageError(f"--stim-{wrong}") from None


@pytest.fixture
def simulator(stim_url: str) -> "Iterator[SimulatorFixture]":
    """The simulated stimulator of this test, and what goes wrong in it. Skips where --stim-url is none."""
    from stimlab.fixtures import SimulatorFixture

    why_not = _no_world(stim_url)
    if why_not:
        pytest.skip(why_not)
    world = SimulatorFixture(stim_url)
    yield world
    world.switch_off()


@pytest.fixture
def line(simulator: "SimulatorFixture") -> "LineFixture":
    """The line to the simulated stimulator, and what goes wrong on it."""
    from stimlab.fixtures import LineFixture

    return LineFixture(simulator)


@pytest.fixture
def virtual_clock(simulator: "SimulatorFixture") -> "VirtualClock":
    """The clock of the simulated world."""
    from stimlab.fixtures import VirtualClock

    return VirtualClock(simulator)


@pytest.fixture
def stimulator(
    request: pytest.FixtureRequest, stim_url: str, stim_choice: "DeviceChoice", tmp_path: Path
) -> "Iterator[StimulatorFixture]":
    """The stimulator at --stim-url. Skips where it lacks what the test is marked to need."""
    from stimlab.fixtures import StimulatorFixture

    world = None if _no_world(stim_url) else request.getfixturevalue("simulator")
    found = StimulatorFixture(stim_url, stim_choice, tmp_path / "dose-log.sqlite", world)
    needs = [name for marker in request.node.iter_markers("stim_needs") for name in marker.args]
    if needs:
        _skip_without(needs, found, virtual=stim_url.startswith("sim://"))
    yield found
    found.prove_zero()


def _no_world(url: str) -> str:
    """Why there is no simulated world behind a URL; empty where there is one."""
    if not url.startswith("sim://"):
        return f"needs the simulator in this process, and --stim-url is {url}"
    from firmware_sim.protocol_sim import options_of

    try:
        options = options_of(url)
    except ValueError as wrong:
        raise pytest.UsageError(f"--stim-url: {wrong}") from None
    device = options.spec.device
    return "" if device == "native" else f"faults belong to the simulated native device, and --stim-url is a {device}"


def _skip_without(needs: list[str], stimulator: "StimulatorFixture", *, virtual: bool) -> None:
    from stimctl.wire.codes import Capability

    known = {(flag.name or "").lower(): flag for flag in Capability}
    for name in needs:
        if name not in WORLDS and name not in known:
            raise pytest.UsageError(f"stim_needs: {name!r} is not one of {', '.join((*WORLDS, *known))}")
    identity = stimulator.identity
    has = {"simulator": identity.simulator, "hardware": not identity.simulator, "virtual_time": virtual}
    has |= {name: flag in identity.capabilities for name, flag in known.items()}
    lacks = [name for name in needs if not has[name]]
    if lacks:
        pytest.skip(f"{stimulator.url} ({identity.model}) lacks {', '.join(lacks)}")
