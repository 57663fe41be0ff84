"""Figures as a report prints them. What is not known is an empty text."""

from typing import Any

from stimctl.label import printable
from stimctl.log_report.words import ReportWords
from stimctl.units import charge_text, clock_text, ma_text
from stimctl.wire.codes import SATURATED_OHM

UM_PER_MM = 1_000
_SMALL_PC = 10_000  # below it a charge in µC would have no figures left


def mapping(value: object) -> dict[str, Any]:
    """A place of an entry where a mapping belongs; an empty one where it holds something else."""
    return value if isinstance(value, dict) else {}


def current(amplitude_ua: object) -> str:
    return ma_text(amplitude_ua) if isinstance(amplitude_ua, int) else ""


def charge(charge_pc: object) -> str:
    if not isinstance(charge_pc, int):
        return ""
    small = 0 < abs(charge_pc) < _SMALL_PC
    return f"{charge_pc / 1_000:g} nC" if small else charge_text(charge_pc).replace("uC", "µC")


def clock(duration_us: object) -> str:
    return clock_text(duration_us) if isinstance(duration_us, int) else ""


def count(number: object) -> str:
    return f"{number:,}" if isinstance(number, int) else ""


def ohm(words: ReportWords, resistance: object) -> str:
    """An open circuit has no figure; 0 is what is written where nothing measures."""
    if not isinstance(resistance, int | float) or not resistance:
        return words("value.not_measured")
    return words("value.open") if resistance == SATURATED_OHM else words("value.ohm", ohm=f"{resistance:g}")


def spread(words: ReportWords, figures: Any, unit: int) -> str:
    """First, least, median and highest of a sampled quantity."""
    names = ("first", "min", "median", "max")
    if not isinstance(figures, dict) or not all(isinstance(figures.get(name), int | float) for name in names):
        return ""
    return words("value.spread", **{name: _of_spread(figures[name], unit) for name in names})


def _of_spread(value: float, unit: int) -> str:
    return "∞" if unit == 1 and value == SATURATED_OHM else f"{value / unit:g}"


def pair(words: ReportWords, plan: dict[str, Any]) -> str:
    """A channel's two needles."""
    ends = plan.get("pair")
    return " – ".join(_end(words, end) for end in ends if isinstance(end, dict)) if isinstance(ends, list) else ""


def _end(words: ReportWords, end: dict[str, Any]) -> str:
    side = "" if end.get("side") in (None, "", "none") else words.of("side", end["side"])
    said = (printable(end.get("point") or ""), side, printable(end.get("spot") or ""))
    return " ".join(word for word in said if word)


def needle(words: ReportWords, found: object) -> str:
    """Diameter and inserted length, and the coating where there is one."""
    if not isinstance(found, dict):
        return ""
    sizes = [found.get(name) for name in ("diameter_um", "inserted_um")]
    told = " × ".join(f"{size / UM_PER_MM:g}" for size in sizes if isinstance(size, int))
    coating = found.get("coating")
    coated = [words("value.coating", coating=coating)] if coating not in (None, "none") else []
    return ", ".join([*([f"{told} mm"] if told else []), *coated])
