"""Writes a prescription down as a file holds it: from its record in the log, or from answers.

What belongs to one session alone is left out: the screening, and the hash of the profile at that time.
"""

import json
from collections.abc import Mapping
from typing import Any

from stimctl.anatomy import ASHI
from stimctl.errors import Misuse
from stimctl.units import UA_PER_MA, US_PER_MIN, US_PER_S

_UM_PER_MM = 1_000
_OF_SUBJECT = ("declared_ohm", "approval", "pregnant")
_FINE = 100  # parts of a minute; what is finer is written in seconds


def values_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """A prescription's record as `from_mapping` takes it. Raises `Misuse` for a record that is none."""
    try:
        return _values(record)
    except (KeyError, TypeError, AttributeError) as wrong:
        raise Misuse(f"there is no whole prescription in this record ({wrong!r} is missing or odd)") from wrong


def _values(record: Mapping[str, Any]) -> dict[str, Any]:
    profile, titrate = record["profile"], bool(record["titrate"])
    values: dict[str, Any] = {
        "format": 1,
        "profile": profile["id"],
        "variant": profile["variant"],
        "subject": record["subject"],
        "operator": record["operator"],
        "pseudonym": record["pseudonym"],
        **duration(record["stimulation_us"]),
        "ceiling_ma": record["ceiling_ua"] / UA_PER_MA,
    }
    values |= {name: True for name in ("titrate", "ramp_only") if record.get(name)}
    values |= {name: record[name] for name in _OF_SUBJECT if record.get(name) is not None}
    if record.get("segments"):
        values["segments"] = record["segments"]
    values["channels"] = [_channel(plan, titrate=titrate) for plan in record["channels"]]
    if clinician := record.get("clinician"):
        values["clinician"] = {name: value for name, value in clinician.items() if value}
    return values


def duration(stimulation_us: int) -> dict[str, float]:
    """As a file says it: in minutes, or in seconds where those are no round number of minutes."""
    if stimulation_us >= US_PER_MIN and stimulation_us % (US_PER_MIN // _FINE) == 0:
        return {"minutes": _short(stimulation_us / US_PER_MIN)}
    return {"seconds": _short(stimulation_us / US_PER_S)}


def _short(number: float) -> float:
    return int(number) if number == int(number) else number


def _channel(plan: Mapping[str, Any], *, titrate: bool) -> dict[str, Any]:
    first, second = plan["pair"]
    needle = plan["needle"]
    values: dict[str, Any] = {"channel": plan["channel"], "first": _end(first), "second": _end(second)}
    if not titrate:
        values["amplitude_ma"] = plan["amplitude_ua"] / UA_PER_MA
    if needle is not None:
        values["needle"] = {
            "diameter_mm": needle["diameter_um"] / _UM_PER_MM,
            "inserted_mm": needle["inserted_um"] / _UM_PER_MM,
            "coating": needle["coating"],
        }
    return values


def _end(end: Mapping[str, Any]) -> dict[str, Any]:
    if end["side"] == "none":  # a terminal of a load
        return {"point": end["point"]}
    names = ("point", "side", "region", "spot") if end["point"] == ASHI.code else ("point", "side")
    return {name: end[name] for name in names}


def toml_text(values: Mapping[str, Any], heading: str = "") -> str:
    """The text of a prescription's file, its first line a comment."""
    lines = [f"# {heading}", ""] if heading else []
    tables = {"channels", "clinician"}
    lines += [f"{name} = {_toml(value)}" for name, value in values.items() if name not in tables]
    for channel in values["channels"]:
        lines += ["", "[[channels]]", *(f"{name} = {_toml(value)}" for name, value in channel.items())]
    if clinician := values.get("clinician"):
        lines += ["", "[clinician]", *(f"{name} = {_toml(value)}" for name, value in clinician.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # Labels have nothing that TOML writes otherwise than JSON.
    return json.dumps(value, ensure_ascii=False)
