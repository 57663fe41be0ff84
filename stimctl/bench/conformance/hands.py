"""What no command can do: switch a device's power, and change what its outputs drive.

Behind `sim://` the port itself can. At real hardware a person has to, and is asked; without one, checks that
need it are left out.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from stimctl.bench.conformance.check import Hand
from stimctl.errors import LineLost
from stimctl.port import Port

DUMMY = "r1k"
# Loads by the names that sim:// has for them, and what a person is asked to connect.
LOADS = {
    DUMMY: "a resistor of 1 kohm on each channel",
    "open": "nothing: take all leads off",
    "short": "a wire across each channel",
    "r10k": "a resistor of 10 kohm on each channel",
    f"{DUMMY},2=open": "a resistor of 1 kohm on each channel, and nothing on channel 2",
    "bridged": "the leads of channels 1 and 2 to each other, so that a fifth of channel 1's current flows in channel 2",
}


class Hands(Protocol):
    """Somebody, or something, who can."""

    def can(self, hand: Hand) -> bool:
        """Whether this can be done here."""

    def power_cycle(self) -> None:
        """Take the device's power away and give it back."""

    def connect(self, load: str) -> None:
        """Let every channel drive one of `LOADS`. The device may have lost its power in between."""


class NoHands:
    """Nobody is there."""

    def can(self, hand: Hand) -> bool:  # noqa: ARG002
        """No."""
        return False

    def power_cycle(self) -> None:
        """Never called: `can` says no."""
        raise LineLost("nobody is there to switch the power")

    def connect(self, load: str) -> None:
        """Never called: `can` says no."""
        raise LineLost(f"nobody is there to connect {load}")


class Person:
    """Somebody is asked, and says when it is done."""

    def __init__(self, ask: Callable[[str], None]) -> None:
        self._ask = ask

    def can(self, hand: Hand) -> bool:  # noqa: ARG002
        """A person can."""
        return True

    def power_cycle(self) -> None:
        """Ask for it. The port has to outlive it: a device that takes its USB port along loses the line."""
        self._ask("Switch the device off, wait for two seconds, and switch it on again")

    def connect(self, load: str) -> None:
        """Ask for it."""
        self._ask(f"Connect {LOADS[load]}")


class SimulatedHands:
    """A `sim://` port's own line: closed and opened again it has been off, and its URL names the load."""

    def __init__(self, line: Any) -> None:
        self._line = line

    def can(self, hand: Hand) -> bool:  # noqa: ARG002
        """All of it."""
        return True

    def power_cycle(self) -> None:
        """Off and on."""
        self._line.close()
        self._line.open()

    def connect(self, load: str) -> None:
        """Another load, at the next power-on, which is at once."""
        self._line.close()
        self._line.port = with_load(self._line.port, load)
        self._line.open()


def with_load(url: str, load: str) -> str:
    """A `sim://` URL with another load in it."""
    options = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)) | {"load": load}
    return f"sim://?{urlencode(options, safe='/:,=')}"


def hands_for(port: Port, person: Callable[[str], None] | None = None) -> Hands:
    """Who is there: a simulator's own line, a person when `person` asks one, or nobody."""
    line = getattr(port, "line", None)
    if line is not None and str(port.url).startswith("sim:") and _is_native(port.url):
        return SimulatedHands(line)
    return Person(person) if person is not None else NoHands()


def _is_native(url: str) -> bool:
    options: Iterable[tuple[str, str]] = parse_qsl(urlsplit(url).query)
    return dict(options).get("device", "native") == "native"
