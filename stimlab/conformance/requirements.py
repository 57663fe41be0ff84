"""The requirements of docs/protocol.md as data, so that a report can say them without the document.

It also holds the requirements that nobody can see from the wire, and the points that a scope has to measure.

    python -m stimlab.conformance.requirements --check     fail when the data are stale
    python -m stimlab.conformance.requirements --write     bring them up to date
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Literal

from stimlab.conformance.matrix import AMPLITUDES_UA, CHANNELS, SHAPES

# Requirements without a check, each with the reason why nobody can see it from the device's end of the wire.
NOT_ON_THE_WIRE = {
    "R-01": "a line's rate is not seen in its bytes: the suite opens the port at 115 200 8N1, and a device that "
    "answers at all has it",
    "R-11": "binds the host: how it numbers commands and sends them again; what a device makes of it is R-13 and R-14",
    "R-43": "binds the host: how often it sends KeepAlive; what a device does without is R-44",
    "R-45": "binds the host: when it takes the device for silent; how often a device speaks is R-65",
    "R-49": "binds the host: how it sends Stop, and when it raises an alarm; what a device makes of it is R-46 to R-50",
    "R-76": "binds the host: the empty frames that it sends; that a device minds none is R-06",
    "R-78": "binds the host: what it takes from telemetry that is older than an answer",
    "R-81": "what comes while a command is being executed cannot be timed from the line; repeats as such are R-13",
    "R-83": "a line's rate is not seen in its bytes",
    "R-85": "where its chance comes from is not seen in a nonce; that it is drawn at each Arm is R-34",
    "R-87": "no dummy load unbalances a good device, and how its windows lie is not told",
    "R-88": "a host has no image to hash",
    "R-89": "binds the host: how long it waits for a device that boots when its port is opened",
    "R-90": "nobody can change a device's memory from its end of the line",
}


DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"
DATA = Path(__file__).with_name("requirements.json")
_SECTION = re.compile(r"^## (\d+ .+)$", re.MULTILINE)
_ITEM = re.compile(r"^- \*\*(R-\d\d)\*\* (.+(?:\n  \S.*)*)", re.MULTILINE)


@cache
def texts() -> dict[str, str]:
    """What each requirement says, by its number, in order."""
    return {number: entry["text"] for number, entry in _data().items()}


def section_of(requirement: str) -> str:
    """The section of the document that says it, number and title; empty for what is no requirement."""
    entry = _data().get(requirement)
    return "" if entry is None else entry["section"]


@cache
def _data() -> dict[str, dict[str, str]]:
    data: dict[str, dict[str, str]] = json.loads(DATA.read_text("utf-8"))
    return data


def read(document: str) -> dict[str, dict[str, str]]:
    """The requirements of the document's text: one paragraph each, without Markdown, and the section it stands in."""
    sections = _SECTION.split(document)
    found = {
        number: {"section": title, "text": re.sub(r"\*\*|`", "", " ".join(text.split()))}
        for title, body in zip(sections[1::2], sections[2::2], strict=True)
        for number, text in _ITEM.findall(body)
    }
    return {number: found[number] for number in sorted(found)}


@dataclass(frozen=True, slots=True)
class ScopeMeasurement:
    """A measurement for a scope over the dummy load, at one operating point. Nothing here is judged from the line."""

    name: str
    what: str
    point: str
    expected: str


PointVerdict = Literal["passed", "failed", "open"]


@dataclass(frozen=True, slots=True)
class PointMeasured:
    """What a capture showed at one point, in words."""

    name: str
    file: str
    verdict: PointVerdict
    text: str


def _pulses() -> Iterator[ScopeMeasurement]:
    """A device that misreads itself is true to all that it says: only what flows tells of it."""
    for place, (_, width_us, gap_us, second_us) in SHAPES.items():
        for amplitude_ua, channel in product(AMPLITUDES_UA, CHANNELS):
            volt, second_ua = amplitude_ua / 1_000, amplitude_ua * width_us // second_us
            expected = (
                f"+{volt:.3f} V for {width_us} us, {gap_us} us of none, -{second_ua / 1_000:.3f} V for {second_us} us"
            )
            point = f"{amplitude_ua} uA on channel {channel} in {place.value}, over 1 kohm"
            name = f"pulse-{place.name.lower()}-{amplitude_ua}ua-ch{channel}"
            yield ScopeMeasurement(
                name, "both phases, which a lying readback or integrator would hide", point, expected
            )


def _others() -> Iterator[ScopeMeasurement]:
    for channel in CHANNELS:
        point = f"channel {channel}, 5 to 100 ms after Stop at {max(AMPLITUDES_UA)} uA"
        yield ScopeMeasurement(
            f"zero-ch{channel}", "zero, which a timer could tell as well", point, "under 20 mV over 1 kohm"
        )
    for first, second in combinations(CHANNELS, 2):
        point = f"channels {first} and {second} driven together"
        expected = f"pulses {(second - first) * 2_500} us apart, never at once"
        yield ScopeMeasurement(f"pair-ch{first}-ch{second}", "that no two channels drive at once", point, expected)
    yield ScopeMeasurement(
        "gate", "the gate (R-57)", "a pulse that it has to refuse", "none: nobody can make a good device ask for one"
    )


TO_MEASURE = (*_pulses(), *_others())


def main(arguments: list[str] | None = None) -> int:
    """Check or write the data. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description="The requirements of docs/protocol.md, as the suite's reports say them."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="fail when the data are stale")
    what.add_argument("--write", action="store_true", help="bring the data up to date")
    options = parser.parse_args(arguments)
    wanted = json.dumps(read(DOCUMENT.read_text("utf-8")), indent=1) + "\n"
    if options.write:
        DATA.write_text(wanted, "utf-8")
    elif DATA.read_text("utf-8") != wanted:
        sys.stderr.write(f"{DATA} is stale: run `python -m stimlab.conformance.requirements --write`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
