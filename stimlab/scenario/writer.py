"""Writes a scenario as the text of its file: the shortest that loads to an equal one."""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from firmware_sim.faults import as_mapping
from stimlab.scenario.defaults import shortened
from stimlab.scenario.model import Expectation, OperatorAction, Scenario

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WIDE = 100  # a list longer than this has a line for each entry


def dump(scenario: Scenario) -> str:
    """The TOML text of a scenario; `scenario_from` of its values gives an equal one."""
    head: dict[str, Any] = {"name": scenario.name, "title": scenario.title, "why": scenario.why}
    head |= {"hazards": list(scenario.hazards), "seed": scenario.seed, "load": scenario.load}
    blocks = [_lines(head)]
    answers = shortened(scenario.answers)
    if answers:
        blocks.append(["[prescription]", *_lines(answers)])
    blocks += [["[[action]]", *_lines(_action(action))] for action in scenario.actions]
    blocks += [["[[fault]]", *_lines(as_mapping(fault))] for fault in scenario.faults]
    blocks.append(["[expect]", *_lines(_expect(scenario.expect))])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _action(action: OperatorAction) -> dict[str, Any]:
    written = {
        "do": action.do,
        "after": action.after,
        "at_s": in_large(action.at_us, 6),
        "channel": action.channel,
        "amplitude_ma": None if action.amplitude_ua is None else in_large(action.amplitude_ua, 3),
    }
    return {name: value for name, value in written.items() if value is not None}


def _expect(expect: Expectation) -> dict[str, Any]:
    written: dict[str, Any] = {
        "ends": sorted(end.name for end in expect.ends),
        "zero_confirmed": expect.zero_confirmed,
        "alarms": list(expect.alarms),
        "refused": expect.refused,
        "pulses": expect.pulses,
        "within_ms": {name: in_large(limit_us, 3) for name, limit_us in expect.within_us.items()},
    }
    return {name: value for name, value in written.items() if value not in (None, [], {})}


def in_large(value: int, digits: int) -> int | Decimal:
    """A whole number of a small unit in one 10^`digits` as large, exactly."""
    large = Decimal(value).scaleb(-digits)
    return int(large) if large == large.to_integral_value() else large.normalize()


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(name)} = {_value(value)}" for name, value in table.items()]


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_lines(value)) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return _list([_value(each) for each in value])
    return repr(value)


def _list(values: Iterable[str]) -> str:
    written = list(values)
    in_one = f"[{', '.join(written)}]"
    return in_one if len(in_one) <= _WIDE else "\n".join(["[", *(f"    {each}," for each in written), "]"])


def _string(text: str) -> str:
    # JSON's escapes are TOML's; JSON leaves this one control character as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
