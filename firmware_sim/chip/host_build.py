"""The firmware's portable core on this machine, as one more simulated device in virtual time.

The shared library holds one device's state, so each device loads a copy of its own. Its analog load is that of
`firmware/world`, with the constants of the Python load.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_sim.analog.load import Load, load_named
from firmware_sim.chip.built import HERE, HOST, built
from firmware_sim.chip.load_link import LoadLink
from firmware_sim.native.flash import Flash

if TYPE_CHECKING:
    from firmware_sim.analog.recorder import Recorder

MEMORY = 2_048
_TAKE = 65_536
_FLOWS = 4_096
_HEADER = HERE / "firmware" / "host" / "host_board.h"


def declarations() -> str:
    """What the library offers, for cffi: the part of its header between the two marks."""
    _, plain, _ = re.split(r"/\* ---- \*/", _HEADER.read_text("utf-8"))
    return plain


class Library:
    """A copy of the shared library for one device. Raises `NotBuilt`, and `OSError` where it does not load."""

    def __init__(self, path: Path = HOST) -> None:
        from cffi import FFI  # brought by the `dev` extra: nobody else needs it

        self.ffi = FFI()
        self.ffi.cdef(declarations())
        with tempfile.TemporaryDirectory(prefix="stimulator-") as folder:
            self.call: Any = self.ffi.dlopen(shutil.copy(built(path), folder))
        self._out = self.ffi.new("uint8_t[]", _TAKE)
        self._flows = self.ffi.new("struct host_flow[]", _FLOWS)

    def take(self) -> bytes:
        """The bytes to send since the last call."""
        size = self.call.host_take(self._out, _TAKE)
        return bytes(self.ffi.buffer(self._out, size)) if size else b""

    def flows(self) -> list[Any]:
        """The pulses that were given since the last call."""
        return list(self._flows[0 : self.call.host_flows(self._flows, _FLOWS)])

    @property
    def memory(self) -> Any:
        """The memory that lasts without power, as a buffer that can be written."""
        return self.ffi.buffer(self.call.host_memory(), MEMORY)

    def close(self) -> None:
        """Give the copy back."""
        self.ffi.dlclose(self.call)


class HostBuild:
    """One stimulator from power-on, the C core inside. Takes what `Which.make` takes; `flash` keeps its memory."""

    def __init__(
        self,
        *,
        seed: int = 1,
        load: Load | str = "nominal",
        flash: Flash | None = None,
        recorder: "Recorder | None" = None,  # noqa: ARG002  a record is made of pins, which it has none of
        journal: Callable[[Mapping[str, int | str]], None] | None = None,  # noqa: ARG002  it tells on its line only
        boot_us: int = 0,
        draw: object = None,  # noqa: ARG002  chance comes from the seed
        library: Path = HOST,
    ) -> None:
        self._boot_us = boot_us
        self._flash = flash if flash is not None else Flash()
        self._library = Library(library)
        self._call = self._library.call
        self._loads = LoadLink(load_named(load, seed) if isinstance(load, str) else load, self._call.host_connect)
        self._library.memory[:] = self._flash.memory or bytes(MEMORY)
        self._seed = seed
        self._power_on()

    def _power_on(self) -> None:
        self._now_us = 0
        self._call.host_power_on(self._seed)
        self._loads.look(0)

    def reset(self) -> None:
        """Let it start anew now, on the same memory that lasts."""
        self._boot_us += self._now_us
        self._power_on()

    @property
    def library(self) -> Library:
        """Its copy of the library, for what tests do to a board."""
        return self._library

    # --- what a port needs ------------------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> None:
        """Take bytes that arrive at `now_us`."""
        self.advance(now_us)
        self._call.host_receive(data, len(data))

    def advance(self, now_us: int) -> None:
        """Let time pass up to `now_us`."""
        until_us = now_us - self._boot_us
        while (change_us := self._loads.next_us) <= until_us:
            self._call.host_advance(change_us)
            self._loads.look(change_us)
        if until_us >= self._now_us:
            self._call.host_advance(until_us)
            self._now_us = until_us

    def next_event_us(self) -> int:
        """When it next does something by itself."""
        return min(int(self._call.host_next_us()), self._loads.next_us) + self._boot_us

    def take_output(self) -> bytes:
        """The bytes to send since the last call."""
        return self._library.take()

    def close(self) -> None:
        """Take the power away. Its memory stays with the flash."""
        self._flash.memory = bytes(self._library.memory)
        self._library.close()

    def connect(self, load: Load) -> None:
        """Drive another load from now on."""
        self._loads.replace(load)
        self._loads.look(self._now_us)
