"""Devices that break one requirement each, listed by the requirement: the suite has to catch every one.

@mutant("R-17", "welcomes every version")
class WelcomesAll(Device): ...
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from tests.stimlab.conformance.bench_world import Make

M = TypeVar("M", bound=Make)


class Mutant(NamedTuple):
    """A device that breaks `requirement`, how, and what makes it."""

    requirement: str
    text: str
    make: Make


MUTANTS: list[Mutant] = []


def mutant(requirement: str, text: str) -> Callable[[M], M]:
    """List the device class, or the function that makes a device, below. One below another lists it for both."""

    def register(make: M) -> M:
        MUTANTS.append(Mutant(requirement, text, make))
        return make

    return register
