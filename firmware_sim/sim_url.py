"""Reads the options of a `sim://` URL.

Errors are `ValueError` and name the option, its value and what is allowed.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from firmware_sim.analog.load import UnknownLoad, load_named
from firmware_sim.analog.record_rate import RATE_HZ, RECORD_RATES_HZ
from firmware_sim.factory import NATIVE, UNSEEN, WITH_SCENARIOS, DeviceSpec, SimulatedDevice, UnknownDevice
from stimctl.errors import InputInvalid

if TYPE_CHECKING:
    from firmware_sim.faults import Fault, FaultSetup

SHAPE = "sim://?pace=max&load=nominal&seed=1&record=FILE&record_rate=HZ&flash=FILE&scenario=FILE"
MAX_SEED = 99_999_999  # eight digits, as in the serial number
_OF_WHICH = ("device", "dialect", "firmware", "isolator", "faults")


@dataclass(frozen=True, slots=True)
class SimOptions:
    """The options of a `sim://` URL. `pace` is simulated seconds a second, infinite for `max`."""

    pace: float = math.inf
    load: str = "nominal"
    seed: int = 1
    record: Path | None = None
    flash: Path | None = None
    record_rate: int = RATE_HZ  # samples a second
    spec: DeviceSpec = NATIVE
    faults: "tuple[Fault, ...] | None" = None

    def make(self, **given: Any) -> SimulatedDevice:
        """The device, just powered on, with its faults. Takes what `DeviceSpec.make` takes."""
        if self.faults is None:
            return self.spec.make(**given)
        return self.spec.make_faulty(self.faults, **given)


def options_of(url: str) -> SimOptions:
    """Read a `sim://` URL. Raises `ValueError` with the option, its value and what is allowed."""
    parts = urlsplit(url)
    if parts.scheme != "sim" or parts.netloc or parts.path.strip("/") or parts.fragment:
        raise ValueError(f"{url!r} is not a simulator's URL: write {SHAPE}, each option being optional")
    chosen: dict[str, Any] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _READERS:
            raise ValueError(f"{url}: there is no option {name!r}; the options are {', '.join(_READERS)}")
        if name in chosen:
            raise ValueError(f"{url}: option {name!r} is given twice; give it once")
        chosen[name] = _READERS[name](value)
    try:
        spec = DeviceSpec(**{name: chosen.pop(name) for name in _OF_WHICH if name in chosen})
    except UnknownDevice as problem:
        raise ValueError(f"{url}: {problem}") from None
    if spec.device != "native" and "flash" in chosen:
        raise ValueError(f"{url}: option 'flash' belongs to device=native: what {spec.device} keeps, no file does")
    if spec.device == UNSEEN and "record" in chosen:
        raise ValueError(f"{url}: option 'record': {UNSEEN} has no pins to make one of; use device=firmware")
    if (scenario := chosen.pop("scenario", None)) is not None:
        if spec.device not in WITH_SCENARIOS:
            raise ValueError(
                f"{url}: option 'scenario' belongs to device={' or '.join(WITH_SCENARIOS)}, not to {spec.device}"
            )
        # What the URL says itself counts more than what the file says.
        chosen = {"load": scenario.load, "seed": scenario.seed, "faults": scenario.faults, **chosen}
    return SimOptions(**chosen, spec=spec)


def _pace(value: str) -> float:
    if value == "max":
        return math.inf
    if value == "real":
        return 1.0
    with suppress(ValueError):
        if value.isascii() and math.isfinite(factor := float(value)) and factor > 0:
            return factor
    raise ValueError(f"option 'pace' is {value!r}: it must be max, real, or a factor above zero such as 10")


def _load(value: str) -> str:
    try:
        load_named(value)
    except UnknownLoad as problem:
        raise ValueError(f"option 'load' is {value!r}: {problem}") from None
    return value


def _seed(value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value) <= MAX_SEED):
        raise ValueError(f"option 'seed' is {value!r}: it must be a whole number from 0 to {MAX_SEED}")
    return int(value)


def _record_rate(value: str) -> int:
    low, high = RECORD_RATES_HZ
    if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
        raise ValueError(f"option 'record_rate' is {value!r}: it must be whole samples a second from {low} to {high}")
    return int(value)


def _scenario(value: str) -> "FaultSetup":
    # Here, because most ports have no faults.
    from firmware_sim.faults import read_setting

    try:
        return read_setting(_file("scenario")(value))
    except InputInvalid as problem:
        raise ValueError(f"option 'scenario': {problem}") from None


def _file(name: str) -> Callable[[str], Path]:
    def read(value: str) -> Path:
        if not value:
            raise ValueError(f"option {name!r} is empty: it must name a file")
        return Path(value)

    return read


_READERS: dict[str, Callable[[str], Any]] = {
    "pace": _pace,
    "load": _load,
    "seed": _seed,
    "record": _file("record"),
    "record_rate": _record_rate,
    "flash": _file("flash"),
    "scenario": _scenario,
    **dict.fromkeys(_OF_WHICH, str),
}
