"""In which order the tests of a mutant are tried: what that decides is time, and never a mutant's fate."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.mutation.baseline import Baseline
from tests.mutation.fork import Fate, Outcome
from tests.mutation.mutants import mutants_of
from tests.mutation.suite import Suite
from tests.mutation.targets import Target
from tests.mutation.work import QUICK_S, Job, Worker

SECONDS = {"quick": QUICK_S / 5, "quicker": QUICK_S / 10, "slow": QUICK_S}


def test_what_killed_last_at_a_place_goes_first_there_unless_it_is_slow(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text("FIGURE = 1\n\n\ndef figure():\n    return FIGURE\n")
    target = Target("small", "small.py", ())
    here, there = (
        {job.place: job for job in (Job(each, target) for each in mutants_of(tmp_path, "small.py"))}
    ).values()
    worker = Worker(tmp_path, Suite(print), [here, there], Baseline(seconds=SECONDS))
    items = cast(Any, [SimpleNamespace(nodeid=name) for name in SECONDS])

    def order(job: Job) -> list[str]:
        return [item.nodeid for item in worker.in_order(items, job)]

    assert order(here) == ["quicker", "quick", "slow"]
    worker.remember(here, Outcome(Fate.KILLED, "quick\nAssertionError", 0.0))
    assert order(here) == ["quick", "quicker", "slow"]
    assert order(there) == ["quicker", "quick", "slow"]
    worker.remember(here, Outcome(Fate.KILLED, "slow\nAssertionError", 0.0))
    worker.remember(here, Outcome(Fate.SURVIVED, "quicker", 0.0))
    assert order(here) == ["quick", "quicker", "slow"]
    worker.remember(here, Outcome(Fate.KILLED, "quicker\nAssertionError", 0.0))
    assert order(here) == ["quicker", "quick", "slow"]
