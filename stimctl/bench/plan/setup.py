"""What a plan needs of a bench: ports that are opened, loads that are changed, and time that passes.

A person changes loads when asked; a relay's command does it alone; a simulated bench does both by itself.
"""

import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Protocol, Self

from stimctl.errors import Misuse
from stimctl.port import Port, TrafficSink, open_port

SHORT, OPEN = "short", "open"
RELAY_S = 10.0  # longer than any relay takes [choice]


class BenchSetup(Protocol):
    """A stimulator, a load that can be changed, and an oscilloscope across it."""

    @property
    def simulated(self) -> bool:
        """Whether no current flows into anything real."""

    def open(self, url: str, *, traffic: TrafficSink | None = None) -> Port:
        """The stimulator's port, as `open_port` gives it."""

    def connect(self, load: str) -> None:
        """Let the outputs drive a resistor of so many ohms, or `short`, or `open`. Raises `Misuse`."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""


ConnectLoad = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RealBench:
    """A bench on a table."""

    connect_load: ConnectLoad
    simulated: bool = False

    def open(self, url: str, *, traffic: TrafficSink | None = None) -> Port:
        return open_port(url, traffic=traffic)

    def connect(self, load: str) -> None:
        self.connect_load(load)

    def wait(self, seconds: float) -> None:
        Event().wait(seconds)


class RelayCommand:
    """Runs a command for each change of the load, with the load as its last argument: `1000`, `short` or `open`."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = words

    @classmethod
    def of(cls, text: str) -> Self:
        """From one text, in words as a shell has them. Raises `Misuse` where there are none."""
        try:
            words = tuple(shlex.split(text))
        except ValueError as fault:
            raise Misuse(f"--relay: {text!r} has no end: {fault}") from None
        if not words:
            raise Misuse("--relay: it names no command")
        return cls(words)

    def __call__(self, load: str) -> None:
        """Raises `Misuse` where the command is none, fails, or does not come back: then no load is known."""
        shown = " ".join((*self._words, load))
        try:
            done = subprocess.run(
                [*self._words, load], timeout=RELAY_S, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace", check=False,
            )  # fmt: skip
        except OSError as fault:
            raise Misuse(f"--relay: {shown!r} cannot be run: {fault.strerror or fault}") from None
        except subprocess.TimeoutExpired:
            raise Misuse(
                f"--relay: {shown!r} was not done after {RELAY_S:g} s: which load is on, nobody knows"
            ) from None
        if done.returncode:
            words = (done.stderr or done.stdout).strip().splitlines()
            why = words[-1] if words else "it said nothing"
            raise Misuse(f"--relay: {shown!r} failed with code {done.returncode}: {why}")


def load_text(load: str) -> str:
    """What a person is asked to connect."""
    return {SHORT: "a wire across the output", OPEN: "nothing: take a lead off"}.get(load, f"a resistor of {load} ohm")
