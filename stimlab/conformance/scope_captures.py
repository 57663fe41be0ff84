"""Captures of an oscilloscope for points that no line can show: `--scope NAME=FILE`, judged as `dut accept` does.

pulse-only-200ua-ch1   a steady pulse at that amplitude over the dummy load, channel by channel
zero-ch1               from Stop on, which is the time 0 of the capture (its trigger) unless told otherwise
pair-ch1-ch2           both channels in one file
"""

import re
from collections.abc import Iterable
from pathlib import Path

from stimctl.bench.point import judged_pair, judged_pulse, judged_zero, outcome
from stimctl.bench.verdict import Row, Verdict
from stimctl.capture import Declared
from stimctl.errors import Misuse
from stimlab.conformance.matrix import SHAPES, SegmentPosition
from stimlab.conformance.requirements import TO_MEASURE, PointMeasured, PointVerdict

_VERDICTS: dict[Verdict, PointVerdict] = {Verdict.HOLDS: "passed", Verdict.FAILS: "failed"}
_PULSE = re.compile(r"pulse-(\w+)-(\d+)ua-ch\d")


def files_of(given: Iterable[str]) -> dict[str, Path]:
    """Points and their files, from `NAME=FILE` or a folder whose files are named by points. Raises `Misuse`."""
    files: dict[str, Path] = {}
    for each in given:
        name, equals, file = each.partition("=")
        if equals:
            files[_known(name, each)] = Path(file)
        elif Path(each).is_dir():
            files |= {_known(path.name.partition(".")[0], str(path)): path for path in sorted(Path(each).iterdir())}
        else:
            raise Misuse(f"--scope {each}: has to be POINT=FILE, or a folder of files named by points")
    return files


def _known(name: str, given: str) -> str:
    names = [point.name for point in TO_MEASURE if point.name != "gate"]
    if name not in names:
        raise Misuse(f"--scope {given}: no point is named {name!r}; there are {', '.join(names)}")
    return name


def measured(files: dict[str, Path], declared: Declared, stop_at_s: float = 0.0) -> dict[str, PointMeasured]:
    """Each file judged at its point. Raises `InputInvalid` for a file that is wrong."""
    return {name: _judged(name, path, declared, stop_at_s) for name, path in files.items()}


def _judged(name: str, path: Path, declared: Declared, stop_at_s: float) -> PointMeasured:
    pulse = _PULSE.fullmatch(name)
    if pulse:
        place = SegmentPosition[pulse[1].upper()]
        alone = place is SegmentPosition.ONLY
        shapes = [SHAPES[place]] if alone else [SHAPES[SegmentPosition.FIRST], SHAPES[SegmentPosition.SECOND]]
        rows = judged_pulse(path, declared, shapes, int(place is SegmentPosition.SECOND), int(pulse[2]))
    elif name.startswith("zero"):
        rows = judged_zero(path, declared, stop_at_s)
    else:
        rows = judged_pair(path, declared)
    return PointMeasured(name, str(path), _VERDICTS.get(outcome(rows), "open"), _words(rows))


def _words(rows: Iterable[Row]) -> str:
    """What failed or stayed open, or else the figures that were judged."""
    rows = [row for row in rows if row.judged]
    reported = [row for row in rows if row.verdict is not Verdict.HOLDS] or rows
    parts = []
    for row in reported:
        figure = (
            row.figure.reason or f"{row.figure.value:.4g} \u00b1 {row.figure.uncertainty:.2g} {row.figure.unit}".strip()
        )
        parts.append(f"{row.name} {figure}: {row.verdict}")
    return "; ".join(parts) or "nothing to judge was in it"
