"""The makers' own binary files (.wfm, .bin, .isf, .trc): read by RigolWFM, which knows their layouts."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stimctl.capture.model import Block, Capture, Column
from stimctl.errors import InputInvalid, Misuse, Problem


def open_binary(path: Path) -> Capture:
    """A binary file's capture. Raises `InputInvalid` where the library does not know it."""
    try:
        from RigolWFM import wfm
    except ImportError:
        raise Misuse(
            f"{path} is binary: reading it needs RigolWFM, `pip install 'stimctl[oscilloscopes]'`; or export CSV"
        ) from None
    channels = _channels(path, wfm)
    if not channels or len(channels[0].times_s) < 2:
        raise InputInvalid(str(path), [Problem("channels", 0, "expected one at least that was on and has samples")])
    return _capture(path, channels)


class _Channel(NamedTuple):
    """One that was on, without what the library keeps beside it."""

    name: str
    probe: float
    times_s: npt.NDArray[np.float64]
    volts: npt.NDArray[np.float32]


def _channels(path: Path, wfm: Any) -> list[_Channel]:
    """Those that were on. Raises `InputInvalid` for a file that the library does not take."""
    with warnings.catch_warnings():
        # The library leaves its file open: it is closed here, when what it read or raised is gone, without a warning.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return [
                _Channel(
                    str(each.name), float(each.probe_value), np.array(each.times, "f8"), np.array(each.volts, "f4")
                )
                for each in wfm.Wfm.from_file(str(path)).channels
                if each.enabled and each.volts is not None
            ]
        except Exception as fault:  # noqa: BLE001  what a damaged file makes the library raise has no common class
            metadata = f"{type(fault).__name__}: {fault}"
        finally:
            gc.collect()
    allowed = f"no oscilloscope's file that RigolWFM knows, or damaged ({metadata})"
    raise InputInvalid(str(path), [Problem("file", None, allowed)])


def _capture(path: Path, channels: list[_Channel]) -> Capture:
    times_s = channels[0].times_s

    def blocks(numbers: tuple[int, ...]) -> Iterator[Block]:
        yield Block([channels[number].volts for number in numbers], 1.0)

    probes = {each.probe for each in channels}
    interval_s = float(times_s[-1] - times_s[0]) / (len(times_s) - 1)
    return Capture(
        source=str(path), form="binary file, by RigolWFM", interval_s=interval_s,
        start_s=float(times_s[0]), columns=tuple(Column(each.name, "V") for each in channels), blocks=blocks,
        probe_said=probes.pop() if len(probes) == 1 else None,
    )  # fmt: skip
