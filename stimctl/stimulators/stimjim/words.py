"""A StimJim's traffic in words: each line that goes to it, and each that comes back."""

import re
from collections.abc import Iterator
from typing import Any

from stimctl.stimulators.stimjim.gate import HeldSlot
from stimctl.stimulators.stimjim.parser import SLOT_LINE, StimJimParser

_MODES = {0: "voltage", 1: "current", 2: "open", 3: "grounded"}
_Words = tuple[str, dict[str, str]]  # kind and fields
# What a line that goes to the device means; the groups are its fields, by name.
_COMMANDS = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"X", "Cancel"),
        (r"(?P<engine>[TU])-1", "Stop"),
        (r"(?P<engine>[TU])(?P<slot>\d+)", "Start"),
        (r"M(?P<channel>\d),(?P<mode>\d)", "SetMode"),
        (r"A(?P<channel>\d),(?P<code>-?\d+)", "SetLevel"),
        (r"V(?P<channel>\d),(?P<mv>-?\d+)", "SetVoltage"),
        (r"E(?P<channel>\d),0", "ReadVoltage"),
        (r"E(?P<channel>\d),1", "ReadCurrent"),
        (r"R(?P<input>\d),-1", "DetachInput"),
        (r"R(?P<input>\d),(?P<slot>\d+)(?:,.*)?", "AttachInput"),
        (r"TRIG(?P<input>\d),(?P<route>.*)", "SetRoute"),
        (r"TRIG(?P<input>\d)\?", "ReadRoute"),
        (r"ENV(?P<slot>\d+),(?P<ramps_us>.*)", "SetEnvelope"),
        (r"ENV(?P<slot>\d+)\?", "ReadEnvelope"),
        (r"MEAS(?P<slot>\d+),(?P<settings>.*)", "SetMeasurement"),
        (r"MEAS(?P<slot>\d+)\?", "ReadMeasurement"),
        (r"IDN", "Identify"),
    )
)


class StimJimWords:
    """A `Language` of recorded traffic."""

    def __init__(self) -> None:
        self.tails = {"host": b"", "device": b""}
        self._reader = StimJimParser()

    def hear(self, sender: str, data: bytes) -> Iterator[_Words]:
        *lines, self.tails[sender] = (self.tails[sender] + data).split(b"\n")
        for raw in lines:
            text = raw.strip(b"\r\0 ").decode("utf-8", "replace")
            # Dialect B's texts have a long dash.
            if not text.replace("—", "-").isprintable() or "\ufffd" in text:
                yield "damaged", {"why": '"not a line of text"', "bytes": raw.hex(" ")}
            elif sender == "host":
                yield from _command(text)
            else:
                yield from self._answer(raw, text)

    def _answer(self, raw: bytes, text: str) -> Iterator[_Words]:
        told = self._reader.feed(raw + b"\n")
        for said in told:
            yield type(said).__name__, _described(said)
        if not told and text:
            yield "Text", {"said": repr(text)}


def _command(text: str) -> Iterator[_Words]:
    if found := re.fullmatch(SLOT_LINE, text):
        yield "Define", {"slot": str(int(found[1])), **_slot(HeldSlot.of(found))}
        return
    for pattern, kind in _COMMANDS:
        if found := pattern.fullmatch(text):
            fields = {name: _value(name, value) for name, value in found.groupdict().items()}
            yield kind, fields
            return
    if text:
        yield "Unknown", {"said": repr(text)}


def _value(name: str, value: str) -> str:
    return _MODES.get(int(value), value) if name == "mode" else f"{value} mV" if name == "mv" else value


def _slot(slot: HeldSlot) -> dict[str, str]:
    modes = ",".join(_MODES.get(mode, str(mode)) for mode in slot.modes)
    stages = " ".join(f"({first} uA,{second} uA,{us} us)" for first, second, us in slot.stages)
    return {
        "modes": modes, "period": f"{slot.period_us} us", "duration": f"{slot.duration_us} us", "stages": stages,
    }  # fmt: skip


def _described(reply: Any) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in zip(reply._fields, reply, strict=True):
        stem, _, unit = name.rpartition("_")
        if isinstance(value, HeldSlot):
            fields |= _slot(value)
        elif unit == "ua":
            fields[stem] = f"{value} uA"
        elif value not in (None, ""):
            fields[{"index": "slot", "text": "said"}.get(name, name)] = repr(value) if name == "text" else str(value)
    return fields
