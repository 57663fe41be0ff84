"""`sim://`: the simulated stimulator as a pyserial port, in a time of its own.

    sim://?pace=max&load=nominal&seed=1&record=FILE&record_rate=HZ&flash=FILE
    sim://?scenario=FILE                        (with the faults, load and seed of a scenario's file)
    sim://?device=stimjim&dialect=a             (a device that exists; `firmware_sim.factory` says which there are)

The port holds a whole little world: a device, its load, and a clock that moves only while somebody waits for
bytes. At `pace=max` waiting takes no time at all; at `pace=real`, or a factor such as `pace=10`, the wait is
slept through at that rate and can be cut short by `wake()` from any thread. Either way the same bytes come at
the same times of that clock.

Its nonces come from the seed too, 1 unless it is given: two ports that must not take each other's recorded traffic
need two seeds.

Opening the port powers the device on, closing it takes the power away; its flash stays with the port object,
or in FILE. pyserial finds this module once `firmware_sim` is in `serial.protocol_handler_packages`.
"""

import math
from collections.abc import Callable
from pathlib import Path
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, Any

from serial.serialutil import PortNotOpenError, SerialBase, SerialException

from firmware_sim.analog.load import load_named
from firmware_sim.factory import SimulatedDevice, unplugged
from firmware_sim.native.flash import FileFlash, Flash
from firmware_sim.sim_url import MAX_SEED, SimOptions, options_of

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

    from firmware_sim.analog.recorder import Recorder

__all__ = ["MAX_SEED", "Serial", "SimOptions", "options_of"]

_NO_DEADLINE_US = 1 << 63
POLL_US = 1_000  # what asking an empty port for `in_waiting` costs in its time, so that polling gets somewhere
LAG_S = 0.1  # a paced clock that fell further behind the wall's goes on from there instead of racing after it


def _recorder(path: Path, rate_hz: int) -> "Recorder":
    # Here, because it brings numpy with it, which most ports never need.
    from firmware_sim.analog.record_file import open_recorder

    if not path.parent.is_dir():
        raise SerialException(f"option 'record': there is no folder {path.parent}; make it, or name another file")
    return open_recorder(path, rate_hz)


class Serial(SerialBase):
    """The port. Everything of pyserial's works; a driver that keeps time by the port uses the four calls at the end."""

    virtual = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._memory = self._flash = Flash()
        self._device: SimulatedDevice | None = None
        self._maker: Callable[..., SimulatedDevice] | None = None
        self._recorder: Recorder | None = None
        self._inbox = b""
        self._world_us = 0
        self._pace = math.inf
        self._paced = False
        self._anchor = (0.0, 0)
        self._bell = Condition()
        self._woken = False
        self._pulled = self._pluggable = self._runs_ahead = False
        super().__init__(*args, **kwargs)

    @classmethod
    def powering(cls, make: Callable[..., SimulatedDevice], url: str = "sim://") -> "Serial":
        """An open port whose device `make` makes, of the keywords of `DeviceSpec.make`, each time power comes on."""
        port = cls()
        port._maker = make
        port.port = url
        port.open()
        return port

    def open(self) -> None:
        """Power the device on. Raises `ValueError` for a wrong URL, `SerialException` for files that do not open."""
        if self.is_open:
            raise SerialException(f"{self.port} is already open")
        if self.port is None:
            raise SerialException("no port is named: set `port` to a sim:// URL first")
        options = options_of(self.port)
        if options.record is not None:
            self._recorder = _recorder(options.record, options.record_rate)
        self._flash = FileFlash(options.flash) if options.flash is not None else self._memory
        make = self._maker or options.make
        try:
            self._device = make(
                seed=options.seed, load=options.load, flash=self._flash, recorder=self._recorder,
                boot_us=self._world_us,
            )  # fmt: skip
        except BaseException:
            self._flash.close()
            raise
        self._inbox = b""
        self._pulled = False
        self._pluggable = getattr(self._device, "pluggable", False)  # so that others need not be asked at every read
        self._runs_ahead = hasattr(self._device, "run_to_output")  # an emulated chip, which nobody can foresee
        self._pace = options.pace
        self._paced = options.pace != math.inf
        self._anchor = (monotonic(), self._world_us)
        self.is_open = True

    def close(self) -> None:
        """Take the power away."""
        if self._device is not None:
            self._device.close()
            self._flash.close()
        if self._recorder is not None:
            self._recorder.close()
        self._device = self._recorder = None
        self.is_open = False

    @property
    def realtime(self) -> bool:
        """Whether the port's clock runs no faster than the wall's, so that a person can follow."""
        return self._pace <= 1.0

    @property
    def device(self) -> Any:
        """The device itself, for tests and the bench: what kind it is says the URL."""
        return self._powered

    def connect(self, load: str) -> None:
        """Let the outputs of a native device drive another of the named loads from now on, under power."""
        device: Any = self._powered
        device.advance(self._world_us)
        device.connect(load_named(load))

    @property
    def _powered(self) -> SimulatedDevice:
        if self._device is None:
            raise PortNotOpenError
        return self._device

    # --- pyserial's own API ---------------------------------------------------------------------

    def read(self, size: int = 1, /) -> bytes:
        """Read `size` bytes, or what came within `timeout` seconds of the port's time."""
        deadline_us = None if self.timeout is None else self._world_us + round(self.timeout * 1_000_000)
        data = self._take()
        while len(data) < size:
            more = self.next_bytes(deadline_us)
            if not more:
                break
            data += more
        self._inbox = data[size:] + self._inbox
        return data[:size]

    def write(self, b: "Buffer", /) -> int:
        """Give bytes to the device; they arrive at once, but for an emulated chip, whose line takes its time."""
        data, device = bytes(b), self._device or self._powered
        if self._pluggable:
            self._look_at_plug()
        device.receive(data, self._world_us)
        if self._runs_ahead:
            self._world_us = max(self._world_us, device.now_us)  # type: ignore[attr-defined]
        return len(data)

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read now. When there are none, asking takes a millisecond of the port's time."""
        if not self._inbox:
            self._inbox = self.next_bytes(self._world_us + POLL_US)
        return len(self._inbox)

    @property
    def out_waiting(self) -> int:
        """Nothing ever waits to be sent."""
        return 0

    def flush(self) -> None:
        """Everything written has arrived already."""

    def reset_input_buffer(self) -> None:
        """Forget what can be read now."""
        self._powered.take_output()
        self._inbox = b""

    def reset_output_buffer(self) -> None:
        """Nothing ever waits to be sent."""

    def cancel_read(self) -> None:
        """End a read in another thread."""
        self.wake()

    def _reconfigure_port(self) -> None:
        """Baud rate and the like change nothing here."""

    _update_break_state = _update_rts_state = _update_dtr_state = _reconfigure_port

    cts = dsr = cd = property(lambda _self: True)
    ri = property(lambda _self: False)

    # --- for a driver that takes its time from the port -----------------------------------------

    def now_us(self) -> int:
        """The port's clock. It stands still except inside reads."""
        return self._world_us

    def read_until(self, expected: bytes | int | None = b"\n", size: int | None = None) -> bytes:
        """With a deadline in us (or None for no deadline): the next bytes, or b"" when it passes or on `wake()`.

        With bytes it is pyserial's own call: read until they are seen.
        """
        if expected is not None and not isinstance(expected, int):
            found: bytes = super().read_until(expected, size)
            return found
        return self.next_bytes(expected)

    def wake(self) -> None:
        """Make a read that waits, or else the next one, return early. From any thread."""
        with self._bell:
            self._woken = True
            self._bell.notify_all()

    # --- the clock ------------------------------------------------------------------------------

    def _take(self) -> bytes:
        if not self.is_open:
            raise PortNotOpenError
        taken, self._inbox = self._inbox, b""
        return taken

    def next_bytes(self, deadline_us: int | None) -> bytes:
        """The next bytes: the world moves on until they come, at most to the deadline or until `wake()`.

        Raises `SerialException` once the device has been unplugged.
        """
        if self._pluggable:
            self._look_at_plug()
        if self._inbox:
            return self._take()
        device = self._device
        if device is None:
            raise PortNotOpenError
        until_us = _NO_DEADLINE_US if deadline_us is None else deadline_us
        out = device.take_output()
        while not out and not self._woken:
            if self._runs_ahead and not self._paced:
                to_us = device.run_to_output(max(until_us, self._world_us))  # type: ignore[attr-defined]
            else:
                to_us = device.next_event_us()
                if to_us > until_us:
                    to_us = max(until_us, self._world_us)
                if self._paced:
                    to_us = self._sleep(to_us)
                device.advance(to_us)
            self._world_us = to_us
            out = device.take_output()
            if self._pluggable and not out:
                self._look_at_plug()
            if to_us >= until_us:
                return out
        if not out:
            self._woken = False
        return out

    def _look_at_plug(self) -> None:
        """A port that was unplugged stays dead until it is opened anew. Each look at a dead one costs a millisecond."""
        if self._pulled or (self._device is not None and unplugged(self._device)):
            self._pulled = True
            self._inbox = b""
            self._world_us += POLL_US
            self._powered.advance(self._world_us)
            raise SerialException(f"{self.port}: the device was unplugged")

    def _sleep(self, to_us: int) -> int:
        """Sleep until the wall clock has come to `to_us` at this pace, or until woken; return how far it came."""
        began_s, began_us = self._anchor
        if monotonic() - began_s - (self._world_us - began_us) / self._pace / 1_000_000 > LAG_S:
            self._anchor = began_s, began_us = monotonic(), self._world_us
        due_s = began_s + (to_us - began_us) / self._pace / 1_000_000
        with self._bell:
            if self._bell.wait_for(lambda: self._woken, max(0.0, due_s - monotonic())):
                reached_us = began_us + round((monotonic() - began_s) * self._pace * 1_000_000)
                return min(max(reached_us, self._world_us), to_us)
        return to_us
