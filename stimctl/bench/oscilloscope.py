"""Captures from an oscilloscope over VISA: Rigol's and Siglent's SCPI.

Sources: Rigol, DS1000Z Series Programming Guide (:WAVeform, :TRIGger:STATus?); Siglent, SDS Series Programming Guide
(C1:WF? DAT2, SAST?; volts = code x vdiv / 25 - offset).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from stimctl.errors import LineLost, Misuse, TimedOut, WrongDevice
from stimctl.new_file import new_file

DIVISIONS = 12
CODES_PER_DIVISION = 25
_RIGOL_READ = 250_000  # points of one read
_TIMEOUT_MS = 5_000
_POLL_S = 0.05
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ScopeSettings:
    """How a capture is taken. Volts at the scope's input, time in s; the trigger is an upward edge of `channel`.

    `others` are inputs that are taken with it, at the same scale.
    """

    channel: int = 1
    volts_per_division: float = 0.5
    seconds: float = 0.012
    points: int = 12_000
    trigger_v: float = 0.1
    others: tuple[int, ...] = ()

    @property
    def channels(self) -> tuple[int, ...]:
        """All inputs."""
        return (self.channel, *self.others)


class Waveform(NamedTuple):
    """One channel as it was taken, in volts; `start_s` is the first sample's time from the trigger, `step_v` a code."""

    volts: npt.NDArray[np.float64]
    rate_hz: float
    start_s: float
    step_v: float
    instrument: str


class _VisaResource(Protocol):
    """What is needed of a VISA resource."""

    def write(self, message: str) -> Any: ...
    def query(self, message: str) -> str: ...
    def query_binary_values(self, message: str, **form: Any) -> Any: ...


class _Rigol:
    stopped = "STOP"
    untriggered = ("WAIT", "RUN", "AUTO")

    def set_up(self, line: _VisaResource, settings: ScopeSettings) -> None:
        for channel in settings.channels:
            line.write(f":CHANnel{channel}:SCALe {settings.volts_per_division:g}")
            line.write(f":CHANnel{channel}:OFFSet 0")
        line.write(f":TIMebase:MAIN:SCALe {settings.seconds / DIVISIONS:g}")
        line.write(f":ACQuire:MDEPth {settings.points}")
        line.write(f":TRIGger:EDGe:SOURce CHANnel{settings.channel}")
        line.write(f":TRIGger:EDGe:LEVel {settings.trigger_v:g}")

    def arm(self, line: _VisaResource) -> None:
        line.write(":SINGle")

    def force(self, line: _VisaResource) -> None:
        line.write(":TFORce")

    def state(self, line: _VisaResource) -> str:
        return line.query(":TRIGger:STATus?").strip()

    def read(self, line: _VisaResource, settings: ScopeSettings, name: str) -> Waveform:
        line.write(f":WAVeform:SOURce CHANnel{settings.channel}")
        line.write(":WAVeform:MODE RAW")
        line.write(":WAVeform:FORMat BYTE")
        preamble = [float(part) for part in line.query(":WAVeform:PREamble?").split(",")]
        points, step_s, first_s, y_step, y_origin, y_reference = (preamble[index] for index in (2, 4, 5, 7, 8, 9))
        parts = []
        for first in range(1, int(points) + 1, _RIGOL_READ):
            line.write(f":WAVeform:STARt {first}")
            line.write(f":WAVeform:STOP {min(int(points), first + _RIGOL_READ - 1)}")
            parts.append(_bytes(line, ":WAVeform:DATA?", "B"))
        raw = np.concatenate(parts) if parts else np.empty(0)
        return Waveform((raw - y_origin - y_reference) * y_step, 1 / step_s, first_s, y_step, name)


class _Siglent:
    stopped = "Stop"
    untriggered = ("Arm", "Ready", "Auto")

    def set_up(self, line: _VisaResource, settings: ScopeSettings) -> None:
        line.write("CHDR OFF")
        for channel in settings.channels:
            line.write(f"C{channel}:VDIV {settings.volts_per_division:g}V")
            line.write(f"C{channel}:OFST 0V")
        line.write(f"TDIV {settings.seconds / DIVISIONS:g}S")
        line.write(f"MSIZ {settings.points}")
        line.write(f"TRSE EDGE,SR,C{settings.channel},HT,OFF")
        line.write(f"C{settings.channel}:TRLV {settings.trigger_v:g}V")

    def arm(self, line: _VisaResource) -> None:
        line.write("TRMD SINGLE")

    def force(self, line: _VisaResource) -> None:
        line.write("FRTR")

    def state(self, line: _VisaResource) -> str:
        return line.query("SAST?").strip()

    def read(self, line: _VisaResource, settings: ScopeSettings, name: str) -> Waveform:
        division_v = float(line.query(f"C{settings.channel}:VDIV?"))
        offset_v = float(line.query(f"C{settings.channel}:OFST?"))
        rate_hz = float(line.query("SARA?"))
        line.write("WFSU SP,0,NP,0,FP,0")
        raw = _bytes(line, f"C{settings.channel}:WF? DAT2", "b")
        # The trigger's place is not told with the samples: times count from the first of them.
        step_v = division_v / CODES_PER_DIVISION
        return Waveform(raw * step_v - offset_v, rate_hz, 0.0, step_v, name)


_MAKERS: dict[str, _Rigol | _Siglent] = {"rigol": _Rigol(), "siglent": _Siglent()}


def _bytes(line: _VisaResource, question: str, kind: str) -> npt.NDArray[np.float64]:
    found = line.query_binary_values(question, datatype=kind, container=np.array, chunk_size=1 << 16)
    return np.asarray(found, np.float64)


class Oscilloscope:
    """An oscilloscope at a VISA name, such as `TCPIP::192.168.1.20::INSTR` or `TCPIP::HOST::5025::SOCKET`.

    Use it in a `with`. Entering raises `LineLost` where nobody answers, `WrongDevice` for another maker's, and `Misuse`
    where PyVISA is not installed or the name is none.
    """

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self._manager: Any = None
        self._line: Any = None
        self.name = ""

    def __enter__(self) -> Self:
        try:
            import pyvisa
        except ImportError:
            raise Misuse(
                "an oscilloscope is reached with PyVISA: install it with `pip install 'stimctl[visa]'`"
            ) from None
        self._fault = pyvisa.errors.Error
        self._manager = pyvisa.ResourceManager("@py")
        try:
            self._line = self._manager.open_resource(self._resource)
            self._line.read_termination = self._line.write_termination = "\n"
            self._line.timeout = _TIMEOUT_MS
            self.name = self._line.query("*IDN?").strip()
        except (pyvisa.errors.Error, OSError, ValueError) as fault:
            self._manager.close()
            raise LineLost(f"oscilloscope {self._resource}: it does not answer ({fault}); check its name") from fault
        maker = next((each for word, each in _MAKERS.items() if word in self.name.lower()), None)
        if maker is None:
            self._close()
            raise WrongDevice(
                f"oscilloscope {self._resource} is {self.name!r}: Rigol's and Siglent's commands are known"
            )
        self._maker = maker
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._line.close()
        self._manager.close()

    def arm(self, settings: ScopeSettings) -> None:
        """Set it up and wait for one trigger, from when this returns. Raises `LineLost`."""

        def both() -> str:
            self._maker.set_up(self._line, settings)
            self._maker.arm(self._line)
            return self._maker.state(self._line)  # answered only when what came before is done

        self._exchange(both)

    def force(self) -> None:
        """Take what there is now, with or without a trigger: for a capture of outputs that are disabled."""

        def both() -> str:
            self._maker.force(self._line)
            return self._maker.state(self._line)  # as in `arm`

        self._exchange(both)

    def triggered(self) -> bool:
        """Whether the trigger has come. Raises `LineLost`."""
        return self._exchange(lambda: self._maker.state(self._line)) not in self._maker.untriggered

    def read(self, settings: ScopeSettings, patience_s: float) -> Waveform:
        """What the first input took, once its window is over. Raises as `read_all` does."""
        return self.read_all(replace(settings, others=()), patience_s)[settings.channel]

    def read_all(self, settings: ScopeSettings, patience_s: float) -> dict[int, Waveform]:
        """What each input took, once the window is over. Raises `TimedOut` where no trigger came, `LineLost`."""
        until_s = time.monotonic() + patience_s
        while self._exchange(lambda: self._maker.state(self._line)) != self._maker.stopped:
            if time.monotonic() > until_s:
                raise TimedOut(f"oscilloscope {self._resource}: no trigger of {settings.trigger_v:g} V came")
            time.sleep(_POLL_S)
        return {each: self._read(replace(settings, channel=each)) for each in settings.channels}

    def _read(self, settings: ScopeSettings) -> Waveform:
        found = self._exchange(lambda: self._maker.read(self._line, settings, self.name))
        if not len(found.volts):
            raise TimedOut(f"oscilloscope {self._resource}: it stopped without a capture")
        return found

    def _exchange(self, ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except (self._fault, OSError, ValueError) as fault:
            raise LineLost(f"oscilloscope {self._resource}: it stopped answering ({fault})") from fault


def save(path: Path, taken: Mapping[int, Waveform]) -> None:
    """A capture as `.npz`, which `stimctl bench accept` reads: volts by input, and the rate. Raises `Misuse`."""
    arrays: dict[str, Any] = {f"ch{number}": each.volts.astype(np.float32) for number, each in taken.items()}
    any_of_them = next(iter(taken.values()))
    with new_file(path, force=False) as file:
        np.savez_compressed(
            file, **arrays, rate_hz=any_of_them.rate_hz, unit="V", resolution=any_of_them.step_v
        )  # fmt: skip
