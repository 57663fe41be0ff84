"""A machine's examples in parts, each drawn from a seed of its own, so that several processes can share them.

The same seed draws the same examples, however many processes there are.
"""

import traceback
from dataclasses import dataclass
from random import Random
from time import process_time
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.agree.test_device import Commands
from tests.agree.test_late import Late
from tests.agree.test_leased import Leased
from tests.agree.test_session import Sessions

MACHINES: dict[str, Any] = {"device": Commands, "late": Late, "leased": Leased, "session": Sessions}
PART = 500  # examples: Hypothesis begins each run with some very short ones


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a machine's examples."""

    machine: str
    seed: int
    examples: int
    steps: int
    shrink: bool

    def again(self) -> str:
        """The command that draws the same."""
        options = f"--examples {self.examples} --steps {self.steps} --seed {self.seed}{' --shrink' * self.shrink}"
        return f"python -m tests.agree {options} {self.machine}"


@dataclass(frozen=True, slots=True)
class PlayedPart:
    """How many examples of a part agree: where one does not, none of them is counted, and `failure` tells of it."""

    part: Part
    agree: int
    cpu_s: float
    failure: str | None = None


def play_part(part: Part) -> PlayedPart:
    """Draw the part's examples and play them, up to the first that disagrees."""
    chosen = settings(
        max_examples=part.examples, stateful_step_count=part.steps, deadline=None, database=None,
        report_multiple_bugs=False, phases=[Phase.generate, Phase.shrink] if part.shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    machine, ended = MACHINES[part.machine], 0

    def teardown(self: Any) -> None:
        nonlocal ended
        machine.teardown(self)
        ended += 1

    counted: Any = type(machine.__name__, (machine,), {"teardown": teardown})
    began_s, failure = process_time(), None
    try:
        run_state_machine_as_test(seed(part.seed)(counted), settings=chosen)
    except Exception as problem:  # noqa: BLE001 - whatever it is, it is told, and the others run
        notes = "\n".join(getattr(problem, "__notes__", ()))
        shown = notes or "".join(traceback.format_exception(problem))
        failure = f"{shown}\n{part.machine}: {type(problem).__name__}: {problem}"
    else:
        if ended < part.examples:
            failure = f"{part.machine}: only {ended} of {part.examples} examples could be drawn"
    return PlayedPart(part, 0 if failure else part.examples, process_time() - began_s, failure)


def parts(name: str, examples: int, steps: int, drawn: int, shrink: bool) -> list[Part]:
    """A machine's examples in parts. The first one's seed is `drawn` itself, so that any part can be drawn alone."""
    dice, sizes = Random(drawn), [min(PART, examples - begin) for begin in range(0, examples, PART)]
    return [Part(name, dice.getrandbits(32) if at else drawn, size, steps, shrink) for at, size in enumerate(sizes)]
