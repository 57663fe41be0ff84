"""Devices that are well at a small operating point and dangerous at another, listed with what has to be said of them.

@dangerous("R-46", "Stop was not executed", "ignores Stop above 500 uA")
class IgnoresStopAbove(Machine): ...
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from firmware_sim.native.device import Device
from firmware_sim.native.machine import Machine
from firmware_sim.native.output_stage import OutputStage
from tests.stimlab.conformance.bench_world import Make

Part = TypeVar("Part", bound=type[Machine] | type[OutputStage] | type[Device])


class Dangerous(NamedTuple):
    """The requirement that must be named, words of the sentence that must be said, what the device does, its maker."""

    requirement: str
    words: str
    text: str
    make: Make


DANGEROUS: list[Dangerous] = []


def of_parts(*parts: type[Any]) -> type[Device]:
    """A device made of other parts than a genuine one."""
    made: dict[str, Any] = {}
    for part in parts:
        made["machine_class" if issubclass(part, Machine) else "stage_class"] = part
    return type("DangerousDevice", (Device,), made)


def dangerous(requirement: str, words: str, text: str) -> Callable[[Part], Part]:
    """List the device that the machine, output stage or device below makes."""

    def register(part: Part) -> Part:
        make = part if issubclass(part, Device) else of_parts(part)
        DANGEROUS.append(Dangerous(requirement, words, text, make))
        return part

    return register
