"""The tolerances: a file that ships with the package, or one that a person names."""

import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stimctl.errors import InputInvalid, Problem

SHIPPED = Path(__file__).with_name("tolerances.toml")
Part = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AmplitudeTolerance(_Strict):
    """Of an amplitude, and on which loads it is judged."""

    part: Part
    least_ua: Positive
    from_ohm: Positive
    to_ohm: Positive

    def around_ua(self, amplitude_ua: float) -> float:
        """How far off an amplitude may be."""
        return max(self.part * amplitude_ua, self.least_ua)


class PartTolerance(_Strict):
    """A part of what was asked for."""

    part: Part


class TimeTolerance(_Strict):
    """Seconds to each side."""

    s: Positive


class ChargeLimits(_Strict):
    """Of a phase, of a pulse, and on average."""

    most_nc: Positive
    net_part: Part
    direct_ua: Positive


class ZeroLimit(_Strict):
    """After a stop; the current between pulses too."""

    ua: Positive
    within_s: Positive


class InstrumentDefaults(_Strict):
    """Bounds where nobody declares any, as parts."""

    gain_part: Annotated[float, Field(ge=0, lt=1)]
    load_part: Annotated[float, Field(ge=0, lt=1)]
    timebase_part: Annotated[float, Field(ge=0, lt=1)]


class Tolerances(_Strict):
    """The whole file."""

    format: Literal[1]
    name: str
    source: str
    amplitude: AmplitudeTolerance
    width: PartTolerance
    rate: PartTolerance
    dwell: TimeTolerance
    timer: TimeTolerance
    charge: ChargeLimits
    zero: ZeroLimit
    log: PartTolerance
    instrument: InstrumentDefaults


def load_tolerances(path: Path = SHIPPED) -> tuple[Tolerances, str]:
    """The tolerances and the SHA-256 of their file. Raises `InputInvalid` naming each field that is wrong."""
    try:
        raw = path.read_bytes()
        return Tolerances.model_validate(tomllib.loads(raw.decode("utf-8"))), sha256(raw).hexdigest()
    except OSError as fault:
        raise InputInvalid(str(path), [Problem("file", None, f"cannot be read: {fault.strerror or fault}")]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InputInvalid(str(path), [Problem("file", None, f"is no TOML: {fault}")]) from None
    except ValidationError as fault:
        problems = [Problem(".".join(map(str, each["loc"])), each.get("input"), each["msg"]) for each in fault.errors()]
        raise InputInvalid(str(path), problems) from None
