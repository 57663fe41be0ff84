"""The makers' own binary files (.wfm, .bin, .isf, .trc): read by RigolWFM, which knows their layouts."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

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
    if not channels:
        raise InputInvalid(str(path), [Problem("channels", 0, "expected one at least that was on")])
    return _capture(path, channels)


def _channels(path: Path, wfm: Any) -> list[Any]:
    """Those that were on. Raises `InputInvalid` for a file that the library does not take."""
    with warnings.catch_warnings():
        # The library leaves a damaged file open: it is closed here, when what it raised is gone, without a warning.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            found = wfm.Wfm.from_file(str(path)).channels
            return [each for each in found if each.enabled and each.volts is not None]
        except Exception as fault:  # noqa: BLE001  what a damaged file makes the library raise has no common class
            metadata = f"{type(fault).__name__}: {fault}"
        gc.collect()
    allowed = f"no oscilloscope's file that RigolWFM knows, or damaged ({metadata})"
    raise InputInvalid(str(path), [Problem("file", None, allowed)])


def _capture(path: Path, channels: list[Any]) -> Capture:
    times = np.asarray(channels[0].times, np.float64)

    def blocks(numbers: tuple[int, ...]) -> Iterator[Block]:
        yield Block([np.asarray(channels[number].volts, np.float32) for number in numbers], 1.0)

    probes = {float(each.probe_value) for each in channels}
    return Capture(
        source=str(path), form="binary file, by RigolWFM", interval_s=float(times[-1] - times[0]) / (len(times) - 1),
        start_s=float(times[0]), columns=tuple(Column(str(each.name), "V") for each in channels), blocks=blocks,
        probe_said=probes.pop() if len(probes) == 1 else None,
    )  # fmt: skip
