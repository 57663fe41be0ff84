"""Reads scenario files: small TOML files with the faults of a session and the expectations of it.

    scenario = load_scenario(Path("mine.toml"))
    shipped()["line-loss-mild"]
    Path("copy.toml").write_text(dump(scenario))

Errors name the file, the field, what stands there and its line.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from firmware_sim.analog.load import UnknownLoad, load_named
from firmware_sim.faults import Fault, fault_from
from firmware_sim.protocol_sim import MAX_SEED
from stimctl.errors import InputInvalid, Misuse, Problem, Unsafe
from stimctl.prescription import Prescription, from_mapping
from stimctl.profile import Profile, load_profiles
from stimctl.profile.sourced import SLUG_MEANING, Slug, Strict, Text
from stimctl.profile.toml_text import TomlText, check, read_file
from stimctl.session.states import End, State
from stimctl.units import UA_PER_MA, US_PER_MS, US_PER_S, whole
from stimlab.scenario.model import DOES, NEED_A_LENGTH, OF_A_CHANNEL, TIMES, Expectation, OperatorAction, Scenario
from stimlab.scenario.writer import dump

__all__ = [
    "Expectation",
    "OperatorAction",
    "Scenario",
    "action_from",
    "dump",
    "load_scenario",
    "prescribed",
    "scenario_from",
    "shipped",
]

FOLDER = Path(__file__).with_name("shipped")


class ActionFile(Strict):
    do: Literal["proceed", "raise", "lower", "set", "hold", "stop", "note"] = Field(
        description=f"one of {', '.join(DOES)}"
    )
    after: str | None = Field(None, description="a state of the session, such as RUNNING: at_s counts from there")
    at_s: float = Field(0, ge=0, description="seconds")
    channel: int | None = Field(None, ge=1, le=4, description="1 to 4")
    amplitude_ma: float | None = Field(None, ge=0, description='of do = "set"')


class ExpectFile(Strict):
    ends: tuple[str, ...] = Field((), description="names of ends, such as TIMER")
    zero_confirmed: bool | None = None
    alarms: tuple[Text, ...] = ()
    refused: Text | None = Field(None, description="words of the refusal before anything flows")
    pulses: Literal["none", "some"] | None = Field(None, description="none or some, in the load")
    within_ms: Mapping[str, float] = Field({}, description=f"limits of {', '.join(TIMES)}")


class ScenarioFile(Strict):
    """The content of a scenario's file."""

    name: Slug = Field(description=SLUG_MEANING)
    title: str = ""
    why: str = ""
    hazards: tuple[Annotated[str, Field(pattern=r"^H\d\d$")], ...] = Field((), description="as in H05")
    seed: int = Field(1, ge=0, le=MAX_SEED, description=f"0 to {MAX_SEED}")
    load: str = "nominal"
    prescription: Mapping[str, Any] = {}
    action: tuple[ActionFile, ...] = ()
    fault: tuple[Mapping[str, Any], ...] = ()
    expect: ExpectFile = ExpectFile.model_construct()


def load_scenario(path: Path) -> Scenario:
    """The scenario in a file. Raises `InputInvalid` with every problem and its line."""
    return _located(read_file(path))


def scenario_from(values: Mapping[str, Any], source: str = "scenario") -> Scenario:
    """The same from values as a file would hold them. Raises `InputInvalid`."""
    problems, file = check(ScenarioFile, values)
    if file is None:
        raise InputInvalid(source, problems)
    return _ScenarioReader(source).scenario(file)


def action_from(values: Mapping[str, Any], source: str = "action") -> OperatorAction:
    """One action from values as a file would hold them. Raises `InputInvalid`."""
    problems, file = check(ActionFile, values)
    if file is None:
        raise InputInvalid(source, problems)
    return _ScenarioReader(source).one_action(file)


def shipped() -> dict[str, Scenario]:
    """The scenarios that come with stimctl, by name."""
    read = [load_scenario(path) for path in sorted(FOLDER.glob("*.toml"))]
    return {scenario.name: scenario for scenario in read}


@cache
def _profiles() -> Mapping[str, Profile]:
    return load_profiles()


def prescribed(scenario: Scenario) -> Prescription:
    """The scenario's prescription. Raises `InputInvalid` or `Unsafe`."""
    return from_mapping(scenario.answers, _profiles(), source=f"the prescription of {scenario.name}")


def _located(text: TomlText) -> Scenario:
    try:
        return scenario_from(text.values, text.source)
    except InputInvalid as invalid:
        raise text.invalid(invalid.problems) from None


class _ScenarioReader:
    """From the file's shape to dataclasses, collecting what does not fit."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._problems: list[Problem] = []

    def scenario(self, file: ScenarioFile) -> Scenario:
        self._check_load(file.load)
        actions = tuple(self._action(f"action[{n}]", each) for n, each in enumerate(file.action))
        faults = tuple(self._faults(file.fault))
        expect = self._expect(file.expect)
        made = Scenario(
            name=file.name,
            title=file.title,
            why=file.why,
            hazards=file.hazards,
            seed=file.seed,
            load=file.load,
            answers=file.prescription,
            actions=actions,
            faults=faults,
            expect=expect,
        )
        self._check_prescription(made)
        if self._problems:
            raise InputInvalid(self._source, self._problems)
        return made

    def one_action(self, file: ActionFile) -> OperatorAction:
        action = self._action("action", file)
        if self._problems:
            raise InputInvalid(self._source, self._problems)
        return action

    def _say(self, field: str, value: object, allowed: str) -> None:
        self._problems.append(Problem(field, value, allowed))

    def _check_load(self, name: str) -> None:
        try:
            load_named(name)
        except UnknownLoad as unknown:
            self._say("load", name, str(unknown))

    def _check_prescription(self, made: Scenario) -> None:
        """A prescription that must not be is an error, unless its refusal is what is expected."""
        if made.expect.refused is not None:
            return
        try:
            prescribed(made)
        except (InputInvalid, Unsafe) as fault:
            self._problems += [replace(each, field=f"prescription.{each.field}") for each in fault.problems]

    def _action(self, field: str, file: ActionFile) -> OperatorAction:
        if (file.channel is None) == (file.do in OF_A_CHANNEL):
            needs = "needs a channel, 1 to 4" if file.channel is None else "has no channel"
            self._say(f"{field}.channel", file.channel, f"{file.do!r} {needs}")
        if (file.amplitude_ma is None) == (file.do == "set"):
            needs = "needs an amplitude" if file.amplitude_ma is None else "has no amplitude"
            self._say(f"{field}.amplitude_ma", file.amplitude_ma, f"{file.do!r} {needs}")
        ua = file.amplitude_ma
        return OperatorAction(
            at_us=self._whole(f"{field}.at_s", file.at_s, US_PER_S, "us"),
            do=file.do,
            channel=file.channel,
            amplitude_ua=None if ua is None else self._whole(f"{field}.amplitude_ma", ua, UA_PER_MA, "uA"),
            after=self._state(f"{field}.after", file.after),
        )

    def _state(self, field: str, name: str | None) -> str | None:
        if name is not None and name not in State.__members__:
            self._say(field, name, f"must be a state of the session: {', '.join(State.__members__)}")
        return name

    def _faults(self, tables: tuple[Mapping[str, Any], ...]) -> Iterator[Fault]:
        for number, table in enumerate(tables):
            try:
                fault = fault_from(table, self._source, f"fault[{number}]")
                if fault.kind in NEED_A_LENGTH and fault.for_us is None:
                    self._say(f"fault[{number}].for_s", None, f"{fault.kind} needs it: how long it lasts")
                yield fault
            except InputInvalid as invalid:
                self._problems += invalid.problems

    def _expect(self, file: ExpectFile) -> Expectation:
        for n, name in enumerate(file.ends):
            if name not in End.__members__:
                self._say(f"expect.ends[{n}]", name, f"must be one of {', '.join(End.__members__)}")
        for name in set(file.within_ms) - set(TIMES):
            self._say(f"expect.within_ms.{name}", file.within_ms[name], f"times are {', '.join(TIMES)}")
        limits = {
            name: self._whole(f"expect.within_ms.{name}", value, US_PER_MS, "us")
            for name, value in file.within_ms.items()
        }
        return Expectation(
            ends=frozenset(End[name] for name in file.ends if name in End.__members__),
            zero_confirmed=file.zero_confirmed,
            alarms=file.alarms,
            within_us=limits,
            refused=file.refused,
            pulses=file.pulses,
        )

    def _whole(self, field: str, value: float, factor: int, unit: str) -> int:
        try:
            return whole(value, factor, name=field, unit=unit)
        except Misuse as inexact:
            self._say(field, value, str(inexact).removeprefix(f"{field}: "))
            return 0
