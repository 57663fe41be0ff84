"""The data of a scenario: a prescription, the operator's actions, the faults, and the expectations.

All of it is data. The same scenario gives the same session, byte for byte, in virtual time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware_sim.faults import Fault
from stimctl.session.states import End
from stimlab.scenario.defaults import completed

DOES = ("proceed", "raise", "lower", "set", "hold", "stop", "note")
OF_A_CHANNEL = ("raise", "lower", "set")
PULSES = ("none", "some")
# Faults of the host (by kind) that need a host in a process of its own, and those that have to say for how long.
OF_PROCESSES = ("host.killed", "host.stopped")
NEED_A_LENGTH = ("host.stall", "host.stopped")
TIMES = {
    "fault_to_zero": "from the first time a fault did something to the end of the last current, in the load",
    "stop_to_zero": "from the moment the host began to stop to the end of the last current, in the load",
    "stop_confirmed": "from the moment the host began to stop until measured zero was confirmed to it",
    "stop_to_alarm": "from the moment the host began to stop until the operator was told to pull the leads",
    "fault_to_stop": "from the first time a fault did something until the host began to stop",
}


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """Something the operator does. `at_us` counts from the start, or from the first entry into the state `after`.

    `after` is the name of a host's session state, such as "RUNNING". `amplitude_ua` belongs to "set".
    """

    at_us: int
    do: str
    channel: int | None = None
    amplitude_ua: int | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """The expectation of a scenario. Fields that are empty or None expect nothing.

    `ends`: one of these; `alarms`: each of these texts occurs in an alarm; `within_us`: limits by the names of
    `TIMES`; `refused`: words of the refusal that comes before anything flows; `pulses`: none or some, in the load.
    """

    ends: frozenset[End] = frozenset()
    zero_confirmed: bool | None = None
    alarms: tuple[str, ...] = ()
    within_us: Mapping[str, int] = field(default_factory=dict)
    refused: str | None = None
    pulses: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One session in a hostile world, and its outcome as it must be.

    `answers` are those of a prescription's file; what is left out is a short one for the simulator (see
    `stimlab.scenario.defaults`), and is filled in here.
    """

    name: str
    title: str = ""
    why: str = ""
    hazards: tuple[str, ...] = ()
    seed: int = 1
    load: str = "nominal"
    answers: Mapping[str, Any] = field(default_factory=dict)
    actions: tuple[OperatorAction, ...] = ()
    faults: tuple[Fault, ...] = ()
    expect: Expectation = Expectation()

    def __post_init__(self) -> None:
        object.__setattr__(self, "answers", completed(self.answers))
