"""Reads a train's line as dialect B does: field by field, strictly, and all of it before anything is taken over."""

import re

from firmware_sim.stimjim.slot import CURRENT, FLOATING, GROUNDED, SLOTS, STAGES, VOLTAGE, TrainSlot, i32, u32

MAX_DELAY_US = 2_000_000_000
WARN_UA = 3_000
WARN_MV = 14_988
MODES = (VOLTAGE, CURRENT, FLOATING, GROUNDED)
_SIGNED = re.compile(r"[ \t]*([+-]?\d+)")
_UNSIGNED = re.compile(r"[ \t]*(\+?\d+)")


class ErrReply(Exception):
    """A train's line is refused. The text follows `ERR <word>: `."""


def slot_of(text: str) -> tuple[int, str]:
    """The index that a line begins with, and what follows it."""
    found = _SIGNED.match(text)
    if found is None:
        raise ErrReply("need a slot index 0-99")
    if not 0 <= int(found[1]) < SLOTS:
        raise ErrReply("slot index out of range 0-99")
    return int(found[1]), text[found.end() :].lstrip(" ")


def fields(text: str) -> list[int] | None:
    """Integers with commas between and nothing else; None when there is anything else."""
    if not text.strip(" "):
        return []
    parts = [part.strip(" ") for part in text.split(",")]
    return [int(part) for part in parts] if all(re.fullmatch(r"[+-]?\d+", part) for part in parts) else None


class _Scan:
    """A train's line behind its index, taken field by field."""

    def __init__(self, text: str) -> None:
        self.text = text

    def field(self, mark: str, otherwise: str, *, signed: bool = False) -> int:
        """`mark`, then a number. Raises `ErrReply`."""
        text = self.text.lstrip(" \t")
        found = (_SIGNED if signed else _UNSIGNED).match(text, len(mark)) if text.startswith(mark) else None
        if found is None:
            raise ErrReply(otherwise)
        self.text = text[found.end() :].lstrip(" \t")
        return i32(int(found[1])) if signed else u32(int(found[1]))


def parsed(text: str) -> tuple[list[int], tuple[int, int, int], list[tuple[int, int, int]]]:
    """Modes; period, duration and delay; stages. Raises `ErrReply`."""
    scan = _Scan(text)
    modes = [scan.field(",", f"bad or missing mode{channel}", signed=True) for channel in range(2)]
    modes = [mode - 90 if mode in {90, 91} else mode for mode in modes]
    if any(mode not in MODES for mode in modes):
        raise ErrReply("mode must be 0-3 or 90/91 (V/I without measurement)")
    period_us = scan.field(",", "bad or missing period_us")
    duration_us = scan.field(",", "bad or missing duration_us")
    if period_us == 0:
        raise ErrReply("period_us must be > 0")
    delay_us = scan.field(",", "bad delay_us") if scan.text[:1] == "," else 0
    if delay_us > MAX_DELAY_US:
        raise ErrReply("delay_us exceeds 2000000000 us (2000 s)")
    stages: list[tuple[int, int, int]] = []
    while scan.text:
        if scan.text[0] != ";":
            raise ErrReply("expected ';' before stage triplet")
        if not scan.text[1:].strip(" \t"):
            break
        if len(stages) >= STAGES:
            raise ErrReply("too many stages (max 10)")
        first = scan.field(";", "bad stage amplitude a0", signed=True)
        second = scan.field(",", "bad stage amplitude a1", signed=True)
        stages.append((first, second, scan.field(",", "bad stage dur_us")))
    return modes, (period_us, duration_us, delay_us), stages


def envelope_of(values: list[int] | None, slot: TrainSlot) -> list[int]:
    """What `ENV` sets: both ramps and their shape."""
    if values is None or len(values) < 2 or len(values) > 3:
        raise ErrReply("need <rampIn_us>,<rampOut_us>[,<shape>]")
    if min(values) < 0:
        raise ErrReply("fields must be non-negative")
    envelope = [*values, 0][:3]
    if envelope[2]:
        raise ErrReply("shape 1 (raised-cosine) is reserved, use 0")
    if sum(envelope) > slot.duration_us:
        raise ErrReply("rampIn+rampOut exceeds the slot's duration_us")
    return envelope


def measurement_of(values: list[int] | None, slot: TrainSlot) -> list[int]:
    """What `MEAS` sets: what of each channel, when, at which stage, and the report."""
    if values is None or not 4 <= len(values) <= 5:
        raise ErrReply("need <what0>,<what1>,<when>,<stage>[,<report>]")
    measurement = [*values, 0][:5]
    if min(*measurement[:3], measurement[3] + 1, measurement[4]) < 0:
        raise ErrReply("fields must be non-negative (stage may be -1 = all)")
    if max(*measurement[:3], measurement[4]) > 3 or measurement[3] >= STAGES:
        raise ErrReply("field out of range")
    if measurement[2]:
        raise ErrReply("S/L slots require when=0 (near stage end)")
    if measurement[3] >= slot.count:
        raise ErrReply("stage must be -1 (all) or a valid stage index")
    return measurement


def route_of(values: list[int] | None) -> list[int]:
    """What `TRIG` sets: mode, both slots, edge."""
    if values is None or len(values) != 4:
        raise ErrReply("need <mode>,<slot0>,<slot1>,<edge> (slots -1 for none)")
    mode, first, second, edge = values
    if not (0 <= mode <= 3 and 0 <= edge <= 1):
        raise ErrReply("field out of range")
    if not (-1 <= first < SLOTS and -1 <= second < SLOTS):
        raise ErrReply("slots must be -1 (none) or a valid slot index")
    if mode == 1 and (first < 0 or second != -1):
        raise ErrReply(
            "joint mode drives one slot — slot1 must be -1" if first >= 0 else "joint mode needs a slot in slot0"
        )
    if mode == 2 and max(first, second) < 0:
        raise ErrReply("independent mode needs at least one slot")
    if mode in {0, 3} and (first, second) != (-1, -1):
        name = "marker mode drives no train" if mode else "disabled mode takes no slots"
        raise ErrReply(f"{name} — both {'slots ' if mode else ''}must be -1")
    return values


def caveats(modes: list[int], period_us: int, stages: list[tuple[int, int, int]]) -> str:
    """What follows `WARN S: `; nothing when all is well."""
    warnings: dict[str, None] = {}
    for stage in stages:
        for mode, amplitude in zip(modes, stage[:2], strict=True):
            if mode == CURRENT and abs(amplitude) > WARN_UA:
                warnings["amplitudes above 3000 uA convert incorrectly on the DAC"] = None
            if mode == VOLTAGE and abs(amplitude) > WARN_MV:
                warnings["voltage amplitude exceeds DAC full scale (~14988 mV), will clip"] = None
    if sum(us for _, _, us in stages) > period_us:
        warnings["stage durations exceed period_us"] = None
    return "; ".join(warnings)
