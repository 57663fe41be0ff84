"""Captures from an oscilloscope over VISA: Rigol's and Siglent's SCPI.

Sources: Rigol, DS1000Z Series Programming Guide (:WAVeform, :TRIGger:STATus?); Siglent, SDS Series Programming Guide
(C1:WF? DAT2, SAST?; volts = code x vdiv / 25 - offset).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from stimctl.errors import LineLost, Misuse, TimedOut, WrongDevice

DIVISIONS = 12
CODES_PER_DIVISION = 25
_RIGOL_READ = 250_000  # points of one read
_TIMEOUT_MS = 5_000
_POLL_S = 0.05
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ScopeSettings:
    """How a capture is taken. Volts at the scope's input, time in s; the trigger is an upward edge."""

    channel: int = 1
    volts_per_division: float = 0.5
    seconds: float = 0.012
    points: int = 12_000
    trigger_v: float = 0.1


class Waveform(NamedTuple):
    """One channel as it was taken, in volts; `start_s` is the first sample's time from the trigger."""

    volts: npt.NDArray[np.float64]
    rate_hz: float
    start_s: float
    instrument: str


class _Line(Protocol):
    """What is needed of a VISA resource."""

    def write(self, message: str) -> Any: ...
    def query(self, message: str) -> str: ...
    def query_binary_values(self, message: str, **form: Any) -> Any: ...


class _Rigol:
    stopped = "STOP"

    def set_up(self, line: _Line, asked: ScopeSettings) -> None:
        line.write(f":CHANnel{asked.channel}:SCALe {asked.volts_per_division:g}")
        line.write(f":CHANnel{asked.channel}:OFFSet 0")
        line.write(f":TIMebase:MAIN:SCALe {asked.seconds / DIVISIONS:g}")
        line.write(f":ACQuire:MDEPth {asked.points}")
        line.write(f":TRIGger:EDGe:SOURce CHANnel{asked.channel}")
        line.write(f":TRIGger:EDGe:LEVel {asked.trigger_v:g}")

    def arm(self, line: _Line) -> None:
        line.write(":SINGle")

    def force(self, line: _Line) -> None:
        line.write(":TFORce")

    def state(self, line: _Line) -> str:
        return line.query(":TRIGger:STATus?").strip()

    def read(self, line: _Line, asked: ScopeSettings, name: str) -> Waveform:
        line.write(f":WAVeform:SOURce CHANnel{asked.channel}")
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
        return Waveform((raw - y_origin - y_reference) * y_step, 1 / step_s, first_s, name)


class _Siglent:
    stopped = "Stop"

    def set_up(self, line: _Line, asked: ScopeSettings) -> None:
        line.write("CHDR OFF")
        line.write(f"C{asked.channel}:VDIV {asked.volts_per_division:g}V")
        line.write(f"C{asked.channel}:OFST 0V")
        line.write(f"TDIV {asked.seconds / DIVISIONS:g}S")
        line.write(f"MSIZ {asked.points}")
        line.write(f"TRSE EDGE,SR,C{asked.channel},HT,OFF")
        line.write(f"C{asked.channel}:TRLV {asked.trigger_v:g}V")

    def arm(self, line: _Line) -> None:
        line.write("TRMD SINGLE")

    def force(self, line: _Line) -> None:
        line.write("FRTR")

    def state(self, line: _Line) -> str:
        return line.query("SAST?").strip()

    def read(self, line: _Line, asked: ScopeSettings, name: str) -> Waveform:
        division_v = float(line.query(f"C{asked.channel}:VDIV?"))
        offset_v = float(line.query(f"C{asked.channel}:OFST?"))
        rate_hz = float(line.query("SARA?"))
        line.write("WFSU SP,0,NP,0,FP,0")
        raw = _bytes(line, f"C{asked.channel}:WF? DAT2", "b")
        # The trigger's place is not told with the samples: times count from the first of them.
        return Waveform(raw * (division_v / CODES_PER_DIVISION) - offset_v, rate_hz, 0.0, name)


_MAKERS: dict[str, _Rigol | _Siglent] = {"rigol": _Rigol(), "siglent": _Siglent()}


def _bytes(line: _Line, question: str, kind: str) -> npt.NDArray[np.float64]:
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

    def arm(self, asked: ScopeSettings) -> None:
        """Set it up and wait for one trigger, from when this returns. Raises `LineLost`."""

        def both() -> str:
            self._maker.set_up(self._line, asked)
            self._maker.arm(self._line)
            return self._maker.state(self._line)  # answered only when what came before is done

        self._asked(both)

    def force(self) -> None:
        """Take what there is now, with or without a trigger: for a capture of outputs that are disabled."""
        self._asked(lambda: self._maker.force(self._line))

    def read(self, asked: ScopeSettings, patience_s: float) -> Waveform:
        """What it took, once its window is over. Raises `TimedOut` where no trigger came, `LineLost`."""
        until_s = time.monotonic() + patience_s
        while self._asked(lambda: self._maker.state(self._line)) != self._maker.stopped:
            if time.monotonic() > until_s:
                raise TimedOut(f"oscilloscope {self._resource}: no trigger of {asked.trigger_v:g} V came")
            time.sleep(_POLL_S)
        found = self._asked(lambda: self._maker.read(self._line, asked, self.name))
        if not len(found.volts):
            raise TimedOut(f"oscilloscope {self._resource}: it stopped without a capture")
        return found

    def _asked(self, ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except (self._fault, OSError, ValueError) as fault:
            raise LineLost(f"oscilloscope {self._resource}: it stopped answering ({fault})") from fault


def save(path: Path, taken: Waveform, channel: int) -> None:
    """A capture as `.npz`, which `stimctl bench accept` reads: volts of one channel and the rate. Raises `OSError`."""
    with path.open("xb") as file:
        arrays: dict[str, Any] = {f"ch{channel}": taken.volts.astype(np.float32), "rate_hz": taken.rate_hz}
        np.savez_compressed(file, **arrays)
