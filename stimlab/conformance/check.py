"""The checks of the suite: functions that work with a device and name the requirements that they look at.

    @check("R-46", "R-50", title="Stop is executed in every state", needs=Capability.WATCHDOG)
    def stop_in_every_state(dut: Dut) -> None: ...

Modules in `checks` are found by themselves; the order is that of the requirements.
"""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from stimctl.wire.codes import Capability
from stimlab.conformance.matrix import OperatingPoint
from stimlab.conformance.verdict import FixtureAction

if TYPE_CHECKING:
    from stimlab.conformance.dut import Dut

Body = Callable[["Dut"], None]
NOTHING = Capability(0)
_CHECKS: dict[str, "Check"] = {}


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `needs` are capabilities that the device must state; `fixture` what somebody must be able to do.

    `long` ones wait for minutes: on a real line they run only when asked for. `cell` is its operating point, where the
    check is one of the matrix.
    """

    name: str
    requirements: tuple[str, ...]
    title: str
    topic: str
    body: Body
    needs: Capability = NOTHING
    fixture: tuple[FixtureAction, ...] = ()
    long: bool = False
    cell: OperatingPoint | None = None


def check(
    *requirements: str,
    title: str,
    needs: Capability = NOTHING,
    fixture: tuple[FixtureAction, ...] = (),
    long: bool = False,
) -> Callable[[Body], Body]:
    """Add the function below to the suite, under its own name."""

    def register(body: Body) -> Body:
        name, topic = body.__name__, body.__module__.rpartition(".")[2]
        assert name not in _CHECKS, f"there are two checks called {name}"
        assert requirements, f"{name} names no requirement"
        _CHECKS[name] = Check(name, requirements, title, topic, body, needs, fixture, long)
        return body

    return register


def all_checks() -> tuple[Check, ...]:
    """Every check of the package, by the number of its first requirement."""
    from stimlab.conformance import checks

    for module in pkgutil.iter_modules(checks.__path__):
        import_module(f"{checks.__name__}.{module.name}")
    return tuple(sorted(_CHECKS.values(), key=lambda each: (number_of(each.requirements[0]), each.name)))


def number_of(requirement: str) -> int:
    """46 for `R-46`."""
    return int(requirement.removeprefix("R-"))
