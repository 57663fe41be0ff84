"""The fixture around a device: it switches the device's power, and changes the load on its outputs.

Behind `sim://` the port itself can. At real hardware a person has to, and is asked: keepalives go on while the
person is at it, and a prompt can be repeated or skipped. Without one, checks that need it are left out.
"""

from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from stimctl.errors import LineLost
from stimctl.port import Port
from stimlab.conformance.verdict import CheckSkipped, FixtureAction

DUMMY = "r1k"
DUMMY_OHM = 1_000
# Loads by the names that sim:// has for them, and what a person is asked to connect; {0} and {1} are channels.
LOADS = {
    DUMMY: "a resistor of 1 kohm on each channel, and nothing else",
    "open": "nothing: take all leads off",
    "short": "a wire across each channel",
    "r10k": "a resistor of 10 kohm on each channel",
    "bridged": "the leads of channels 1 and 2 to each other, so that a fifth of channel 1's current flows in channel 2",
}
# What one channel has in place of that.
ONE = {"open": "nothing: take its leads off", "short": "a wire", "r10k": "a resistor of 10 kohm"}
# What one channel drives while the others keep their resistor, by the name that sim:// has for it.
ON_CHANNEL = {
    DUMMY: "Put channel {0}'s resistor of 1 kohm back",
    "open": "While it stimulates, take a lead of channel {0} off",
    "r10k": "While it stimulates, put 10 kohm in place of channel {0}'s resistor",
    "short": "While it stimulates, put a wire across channel {0}",
}
Reply = Literal["done", "again", "skip"]
Ask = Callable[[str], Reply]


class Fixture(Protocol):
    """Switches a device's power and its load."""

    def can(self, action: FixtureAction) -> bool:
        """Whether this can be done here."""

    def can_swap(self, load: str) -> bool:
        """Whether one channel can be given this load while the session goes on."""

    def power_cycle(self) -> None:
        """Take the device's power away and give it back."""

    def connect(self, load: str) -> None:
        """Let every channel drive one of `LOADS`. The device may have lost its power in between."""

    def prepare(self) -> None:
        """Connect the dummy load, where nobody has to be asked for it. The device may have lost its power."""

    def leave(self) -> None:
        """Put back what was there at the beginning."""

    def swap(self, channel: int, load: str, meanwhile: Callable[[], None]) -> None:
        """Let `channel` drive another load under power; `meanwhile` is called again and again until it is done."""


class NoFixture:
    """No fixture: the checks that need one are skipped."""

    def can(self, action: FixtureAction) -> bool:  # noqa: ARG002
        return False

    def can_swap(self, load: str) -> bool:  # noqa: ARG002
        return False

    def power_cycle(self) -> None:
        """Never called: `can` says no."""
        raise LineLost("nobody is there to switch the power")

    def connect(self, load: str) -> None:
        """Never called: `can` says no."""
        raise LineLost(f"nobody is there to connect {load}")

    def prepare(self) -> None:
        """The dummy load was confirmed."""

    def leave(self) -> None:
        """Nothing was changed."""

    def swap(self, channel: int, load: str, meanwhile: Callable[[], None]) -> None:  # noqa: ARG002
        """Never called: `can_swap` says no."""
        raise LineLost(f"nobody is there to connect {load}")


class PersonFixture:
    """Somebody is asked, and says when it is done, wants to hear it again, or skips it."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def can(self, action: FixtureAction) -> bool:  # noqa: ARG002
        return True

    def can_swap(self, load: str) -> bool:
        """What a person has at a bench."""
        return load in ON_CHANNEL

    def power_cycle(self) -> None:
        """Ask for it. The port has to outlive it: a device that takes its USB port along loses the line."""
        self._ask_until_answered("Switch the device off, wait for two seconds, and switch it on again")

    def connect(self, load: str) -> None:
        """Ask for another load."""
        self._ask_until_answered(f"Connect {in_words(load)}")

    def prepare(self) -> None:
        """The dummy load was confirmed."""

    def leave(self) -> None:
        """The person knows what was there."""

    def swap(self, channel: int, load: str, meanwhile: Callable[[], None]) -> None:
        """Ask for it while the session goes on."""
        text = ON_CHANNEL[load].format(channel)
        replies: list[Reply] = []
        asking = Thread(target=lambda: replies.append(self._until_answered(text)), daemon=True)
        asking.start()
        while asking.is_alive():
            meanwhile()
        _unless_skipped(replies[0] if replies else "skip")

    def _ask_until_answered(self, text: str) -> None:
        _unless_skipped(self._until_answered(text))

    def _until_answered(self, text: str) -> Reply:
        while (reply := self._ask(text)) == "again":
            pass
        return reply


def in_words(load: str) -> str:
    """What to connect, by the name that sim:// has for it: one load for all channels, or others on some of them."""
    everywhere, *others = load.split(",")
    words = [LOADS[everywhere]]
    for each in others:
        channel, name = each.split("=")
        words.append(f"on channel {channel} instead {ONE[name]}")
    return "; ".join(words)


def _unless_skipped(reply: Reply) -> None:
    if reply == "skip":
        raise CheckSkipped("you skipped what it asked you to do")


class SimulatedFixture:
    """A `sim://` port's own line: closed and opened again it has been off, and its URL names the load."""

    def __init__(self, line: Any) -> None:
        self._line = line
        self._found: str = line.port

    def can(self, action: FixtureAction) -> bool:  # noqa: ARG002
        return True

    def can_swap(self, load: str) -> bool:  # noqa: ARG002
        return True

    def power_cycle(self) -> None:
        """Close the port and open it again."""
        self._line.close()
        self._line.open()

    def prepare(self) -> None:
        """The dummy load, if the port was opened with another."""
        if with_load(self._found, DUMMY) != self._found:
            self.connect(DUMMY)

    def connect(self, load: str) -> None:
        """Another load, at the next power-on, which is at once."""
        self._line.close()
        self._line.port = with_load(self._line.port, load)
        self._line.open()

    def leave(self) -> None:
        """The URL, and with it the load, that the port was opened with."""
        if self._line.port != self._found:
            self._line.close()
            self._line.port = self._found
            self._line.open()

    def swap(self, channel: int, load: str, meanwhile: Callable[[], None]) -> None:  # noqa: ARG002
        """Change the load at once."""
        self._line.connect(f"{DUMMY},{channel}={load}")


def with_load(url: str, load: str) -> str:
    """A `sim://` URL with another load in it."""
    options = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)) | {"load": load}
    return f"sim://?{urlencode(options, safe='/:,=')}"


def fixture_for(port: Port, person: Ask | None = None) -> Fixture:
    """Who is there: a simulator's own line, a person when `person` asks one, or nobody."""
    line = getattr(port, "line", None)
    if line is not None and str(port.url).startswith("sim:") and _is_native(port.url):
        return SimulatedFixture(line)
    return PersonFixture(person) if person is not None else NoFixture()


def _is_native(url: str) -> bool:
    options: Iterable[tuple[str, str]] = parse_qsl(urlsplit(url).query)
    return dict(options).get("device", "native") in {"native", "firmware", "firmware-host"}
