"""The defaults of a scenario's prescription: 1.0 mA at 100 Hz on channel 1 for 20 s.

Only what differs has to be written, so that a file shows what matters in it.
"""

import json
from collections.abc import Mapping
from typing import Any

PLAN: dict[str, Any] = {
    "channel": 1,
    "first": {"point": "terminal 1"},
    "second": {"point": "terminal 2"},
    "needle": {"diameter_mm": 0.3, "inserted_mm": 30, "coating": "none"},
}
AMPLITUDE_MA = 1.0
PRESCRIPTION: dict[str, Any] = {
    "format": 1,
    "profile": "bench-100hz",
    "subject": "simulator",
    "operator": "lab",
    "pseudonym": "nobody",
    "ceiling_ma": 2.0,
    "ramp_only": True,  # a scenario is about what goes wrong, and as short as that takes
}
SECONDS = 20


def completed(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers with all that they leave out, as plain lists and tables."""
    full = {**_others(answers), **_plain(answers)}
    titrate = bool(full.get("titrate"))
    plans = full.get("channels", [{}])
    if isinstance(plans, list):
        full["channels"] = [{**_plan(titrate), **plan} if isinstance(plan, dict) else plan for plan in plans]
    return full


def shortened(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The fewest answers that `completed` makes these of again."""
    full = completed(answers)
    plan, plans = _plan(bool(full.get("titrate"))), full["channels"]
    short = _differing(full, _others(full))
    if isinstance(plans, list):
        short["channels"] = [_differing(each, plan) if isinstance(each, dict) else each for each in plans]
        if short["channels"] == [{}]:
            del short["channels"]
    return short


def _others(answers: Mapping[str, Any]) -> dict[str, Any]:
    return PRESCRIPTION if "minutes" in answers else {**PRESCRIPTION, "seconds": SECONDS}


def _plan(titrate: bool) -> dict[str, Any]:
    return PLAN if titrate else {**PLAN, "amplitude_ma": AMPLITUDE_MA}


def _differing(given: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    # As text, because true is 1 and 1 is 1.0 to Python, and not to whoever reads a file.
    return {name: value for name, value in given.items() if name not in usual or _text(value) != _text(usual[name])}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
