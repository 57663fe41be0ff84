"""Makes a simulated device from its options: the native one, a StimJim or a PulsePal.

    device=native
    device=firmware | firmware-host   (the native protocol in C: machine code on a chip, or built for this machine)
    device=stimjim   dialect=a|b|c            faults=lost_stop,-wrap
    device=pulsepal  firmware=21|22  isolator=1.0  faults=...

The last word of a device's making is here, so that the port, the server and the command make the same ones.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from firmware_sim.native.flash import Flash
from firmware_sim.native.nonces import Draw

if TYPE_CHECKING:
    from firmware_sim.analog.recorder import Recorder
    from firmware_sim.faults import Fault, FaultyDevice

Journal = Callable[[Mapping[str, int | str]], None]

NATIVE_DEVICES = ("native", "firmware", "firmware-host")  # those that speak the native protocol
UNSEEN = "firmware-host"  # what it gives is told on its line only: it has neither pins nor a journal
WITH_SCENARIOS = ("native", "firmware")  # those that a scenario's faults can befall
DEVICES = (*NATIVE_DEVICES, "stimjim", "pulsepal")
DIALECTS = ("a", "b", "c")
FIRMWARES = ("21", "22")
MAX_ISOLATOR = 10.0  # mA per volt [choice]: at the full 10 V that is a hundred times the most that is ever wanted
_BELONG = {"dialect": ("stimjim",), "firmware": ("pulsepal",), "isolator": ("pulsepal",),
           "faults": ("stimjim", "pulsepal")}  # fmt: skip


class UnknownDevice(ValueError):
    """No such device, or not with these options. The message says what there is."""


class SimulatedDevice(Protocol):
    """A simulated device, as a port or a server uses it. All times are of the caller's clock."""

    def receive(self, data: bytes, now_us: int) -> None:
        """Take bytes that arrive at `now_us`."""

    def advance(self, now_us: int) -> None:
        """Let time pass."""

    def next_event_us(self) -> int:
        """When it next does something by itself; far off when never."""

    def take_output(self) -> bytes:
        """The bytes to send since the last call."""

    def close(self) -> None:
        """Take the power away."""


def unplugged(device: SimulatedDevice) -> bool:
    """Whether its port is gone just now. Only a device with faults can be unplugged."""
    return bool(getattr(device, "gone", False))


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A device and its options, as they were written. Construction checks them. Raises `UnknownDevice`."""

    device: str = "native"
    dialect: str | None = None
    firmware: str | None = None
    isolator: str | None = None
    faults: str | None = None

    def __post_init__(self) -> None:
        _one_of("device", self.device, DEVICES)
        for name, owners in _BELONG.items():
            if getattr(self, name) is not None and self.device not in owners:
                raise UnknownDevice(f"option {name!r} belongs to device={' or '.join(owners)}, not to {self.device}")
        if self.dialect is not None:
            _one_of("dialect", self.dialect, DIALECTS)
        if self.firmware is not None:
            _one_of("firmware", self.firmware, FIRMWARES)
        _ = self.milliampere_per_volt
        if self.faults is not None:
            self.make(seed=1, load="nominal")  # a wrong name is said now

    @property
    def milliampere_per_volt(self) -> float:
        """The isolator behind a voltage source; 1 mA per volt unless it is given."""
        if self.isolator is None:
            return 1.0
        try:
            value = float(self.isolator)
        except ValueError:
            value = -1.0
        if not 0 < value <= MAX_ISOLATOR:
            raise UnknownDevice(f"option 'isolator' is {self.isolator!r}: it must be mA per volt, up to {MAX_ISOLATOR}")
        return value

    def make(
        self,
        *,
        seed: int,
        load: str,
        flash: Flash | None = None,
        recorder: "Recorder | None" = None,
        journal: Journal | None = None,
        boot_us: int = 0,
        draw: Draw | None = None,
    ) -> SimulatedDevice:
        """The device, just powered on. `flash` and `draw`, the chance in its nonces, are the native one's only."""
        common: dict[str, Any] = {
            "seed": seed, "load": load, "recorder": recorder, "journal": journal, "boot_us": boot_us
        }  # fmt: skip
        # Here, because each brings a lot that the others never need.
        if self.device == "native":
            from firmware_sim.native.device import Device

            return Device(flash=flash, draw=draw, **common)
        if self.device in ("firmware", "firmware-host"):
            return _from_c(self.device, flash=flash, **common)
        faults = self.faults or ""
        if self.device == "stimjim":
            from firmware_sim.stimjim import DIALECTS as JIMS

            return _faulty(JIMS[self.dialect or "a"], faults=faults, **common)
        from firmware_sim.pulsepal import FIRMWARES as PALS

        return _faulty(PALS[self.firmware or "22"], faults=faults, isolator=self.milliampere_per_volt, **common)

    def make_faulty(self, faults: "Iterable[Fault]", **given: Any) -> "FaultyDevice":
        """The same with a scenario's faults, of one of `WITH_SCENARIOS`; chance comes from its seed."""
        from firmware_sim.faults import FaultyDevice

        if self.device == "native":
            return FaultyDevice(faults, **given)
        from firmware_sim.chip.faulty_chip import CannotBefall, FaultyChip

        try:
            with _where_built():
                return FaultyDevice(faults, firmware=FaultyChip, **given)
        except CannotBefall as problem:
            raise UnknownDevice(f"device {self.device} cannot have {problem}") from None


@contextmanager
def _where_built() -> Iterator[None]:
    """A build that is missing is a device that is not there."""
    from firmware_sim.chip.built import NotBuilt

    try:
        yield
    except NotBuilt as missing:
        raise UnknownDevice(str(missing)) from None


def _from_c(device: str, **options: Any) -> SimulatedDevice:
    from firmware_sim.chip.device import Chip
    from firmware_sim.chip.host_build import HostBuild

    with _where_built():
        return Chip(**options) if device == "firmware" else HostBuild(**options)


def _faulty(maker: Callable[..., SimulatedDevice], **options: Any) -> SimulatedDevice:
    from firmware_sim.quirks import UnknownFault

    try:
        return maker(**options)
    except UnknownFault as problem:
        raise UnknownDevice(f"option 'faults': {problem}") from None


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UnknownDevice(f"option {name!r} is {value!r}: it must be one of {', '.join(allowed)}")


NATIVE = DeviceSpec()
