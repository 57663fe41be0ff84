"""Reads faults from the tables of a TOML file, and writes them back.

Seconds are decimal in a file and whole microseconds here.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from firmware_sim.analog.load import UnknownLoad, load_named
from firmware_sim.faults.catalogue import CATALOGUE, TOLD
from firmware_sim.faults.model import Fault, FaultKind
from stimctl.errors import InputInvalid, Problem, not_toml
from stimctl.wire.codes import CHANNELS, DeviceState

_OWN = ("kind", "at_s", "for_s", "after", "channel")
_MOST_S = 1_000_000_000
_MAX_SEED = 99_999_999
_LOAD, _SEED = "nominal", 1
# What a scenario's file may hold: the first three are for the simulator.
SCENARIO_FIELDS = ("fault", "load", "seed", "name", "title", "why", "hazards", "prescription", "action", "expect")


@dataclass(frozen=True, slots=True)
class FaultSetup:
    """The settings that a simulator takes from a scenario's file: the faults, what its outputs drive, and the seed of
    it all."""

    faults: tuple[Fault, ...] = ()
    load: str = _LOAD
    seed: int = _SEED


def fault_from(mapping: Mapping[str, Any], source: str, path: str) -> Fault:
    """The fault of one table; its options stand beside `kind`, `at_s`, `for_s`, `after` and `channel`.

    `source` and `path` (`fault[0]`) begin each problem. Raises `InputInvalid` with everything that is wrong.
    """
    problems = list(_problems(mapping, path))
    if problems:
        raise InputInvalid(source, problems)
    kind = CATALOGUE[mapping["kind"]]
    return Fault(
        kind=kind.name,
        at_us=_us(mapping.get("at_s", 0)) or 0,
        for_us=_us(mapping["for_s"]) if "for_s" in mapping else None,
        after=mapping.get("after"),
        channel=mapping.get("channel"),
        options={name: mapping[name] for name in mapping if name in kind.options},
    )


def faults_from(tables: Any, source: str, path: str = "fault") -> tuple[Fault, ...]:
    """The faults of an array of tables. Raises `InputInvalid` with the problems of all of them."""
    if not isinstance(tables, list):
        raise InputInvalid(source, [Problem(path, tables, f"must be tables that begin with [[{path}]]")])
    found: list[Fault] = []
    problems: list[Problem] = []
    for index, table in enumerate(tables):
        try:
            found.append(fault_from(table, source, f"{path}[{index}]"))
        except InputInvalid as wrong:
            problems += wrong.problems
    if problems:
        raise InputInvalid(source, problems)
    return tuple(found)


def as_mapping(fault: Fault) -> dict[str, Any]:
    """The table that `fault_from` makes this fault of. Seconds are ints or floats that are exact to the us."""
    table: dict[str, Any] = {"kind": fault.kind}
    if fault.at_us:
        table["at_s"] = _seconds(fault.at_us)
    if fault.for_us is not None:
        table["for_s"] = _seconds(fault.for_us)
    for name in ("after", "channel"):
        if (value := getattr(fault, name)) is not None:
            table[name] = value
    return {**table, **fault.options}


def read_setting(path: Path) -> FaultSetup:
    """Faults, load and seed of a scenario's file; what else a scenario has is not looked at.

    Raises `InputInvalid` when it cannot be read, is no TOML, one of them is wrong, or something has another name.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else problem
        raise InputInvalid(str(path), [Problem("the file", None, f"cannot be read: {why}")]) from None
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except ValueError as problem:
        raise InputInvalid(str(path), [not_toml(problem, text)]) from None
    problems = list(_setting_problems(table))
    try:
        faults = faults_from(table.get("fault", []), str(path))
    except InputInvalid as wrong:
        problems += wrong.problems
    if problems:
        raise InputInvalid(str(path), problems)
    return FaultSetup(faults, table.get("load", _LOAD), table.get("seed", _SEED))


def _setting_problems(table: Mapping[str, Any]) -> Iterator[Problem]:
    for name in table:
        if name not in SCENARIO_FIELDS:  # a fault under a name that nobody reads would never happen
            yield Problem(name, None, f"is not a field of a scenario: fields are {', '.join(SCENARIO_FIELDS)}")
    seed, load = table.get("seed", _SEED), table.get("load", _LOAD)
    if type(seed) is not int or not 0 <= seed <= _MAX_SEED:
        yield Problem("seed", seed, f"must be a whole number from 0 to {_MAX_SEED}")
    try:
        load_named(load) if isinstance(load, str) else load_named("")
    except UnknownLoad as unknown:
        yield Problem("load", load, str(unknown))


def _problems(mapping: Any, path: str) -> Iterator[Problem]:
    if not isinstance(mapping, Mapping):
        yield Problem(path, mapping, "must be a table")
        return
    name = mapping.get("kind")
    kind = CATALOGUE.get(name) if isinstance(name, str) else None
    if kind is None:
        yield Problem(f"{path}.kind", name, f"must be one of {', '.join(_alike(name))}")
        return
    yield from _times(mapping, kind, path)
    yield from _place(mapping, kind, path)
    yield from _options(mapping, kind, path)


def _times(mapping: Mapping[str, Any], kind: FaultKind, path: str) -> Iterator[Problem]:
    for name, least in (("at_s", 0), ("for_s", 1)):
        us = _us(mapping[name]) if name in mapping else least
        if us is None or us < least:
            allowed = f"must be seconds from 0 to {_MOST_S}, with six decimals at most"
            yield Problem(
                f"{path}.{name}", _plain(mapping[name]), allowed if name == "at_s" else f"{allowed}, and not 0"
            )
    if "for_s" in mapping and not kind.lasts:
        yield Problem(f"{path}.for_s", _plain(mapping["for_s"]), f"{kind.name} happens at one moment: leave it out")
    after = mapping.get("after")
    if "after" in mapping and after not in DeviceState.__members__:
        yield Problem(f"{path}.after", after, f"must be one of {', '.join(DeviceState.__members__)}")


def _place(mapping: Mapping[str, Any], kind: FaultKind, path: str) -> Iterator[Problem]:
    if "channel" not in mapping:
        return
    channel = mapping["channel"]
    if not kind.channels:
        yield Problem(f"{path}.channel", channel, f"{kind.name} is not of a channel: leave it out")
    elif type(channel) is not int or not 1 <= channel <= CHANNELS:
        yield Problem(f"{path}.channel", channel, f"must be a whole number from 1 to {CHANNELS}")


def _options(mapping: Mapping[str, Any], kind: FaultKind, path: str) -> Iterator[Problem]:
    for name, value in mapping.items():
        option = kind.options.get(name)
        if option is None and name not in _OWN:
            have = ", ".join([*_OWN, *kind.options])
            yield Problem(f"{path}.{name}", value, f"{kind.name} has no such option; there are {have}")
        elif option is not None and not option.holds(value):
            yield Problem(f"{path}.{name}", value, option.allowed)
    told, wrong = mapping.get("message", "Started"), mapping.get("field", "first")
    if kind.name == "device.wrong_echo" and told in TOLD and wrong not in ("first", *TOLD[told]):
        yield Problem(f"{path}.field", wrong, f"{told} has no such number; there are {', '.join(TOLD[told])}")


def _alike(name: object) -> list[str]:
    """The kinds of the same group, or all."""
    group = str(name).partition(".")[0] + "."
    return [kind for kind in CATALOGUE if kind.startswith(group)] or list(CATALOGUE)


def _plain(value: Any) -> Any:
    """As it stands in the file."""
    return float(value) if isinstance(value, Decimal) else value


def _us(seconds: Any) -> int | None:
    """Whole us of what stands in a file or a mapping; None when it is no such time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | Decimal):
        return None
    try:
        us = Decimal(repr(seconds) if isinstance(seconds, float) else seconds) * 1_000_000
        return int(us) if us == us.to_integral_value() and 0 <= us <= _MOST_S * 1_000_000 else None
    except InvalidOperation:
        return None


def _seconds(us: int) -> int | float:
    return us // 1_000_000 if us % 1_000_000 == 0 else us / 1_000_000
