"""The whole of it: the baseline, then every mutant; within a bound of time that is kept."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tests.mutation.baseline import Baseline, run_file
from tests.mutation.fork import Fate, Outcome
from tests.mutation.mutants import MODULE, mutants_of
from tests.mutation.suite import Suite, preload
from tests.mutation.targets import Target
from tests.mutation.work import Answer, Broken, Done, Job, Queue, Worker, end, spawn


class RedBaseline(Exception):
    """The tests fail without any mutant: nothing could be said of one."""


class OutOfTime(Exception):
    """The bound was passed."""


class RunnerBroken(Exception):
    """This machinery itself failed, which says nothing of any mutant."""


@dataclass(slots=True)
class Campaign:
    """One run over some targets. `told` is called as it goes on: what, how many are done, of how many."""

    root: Path
    targets: Sequence[Target]
    processes: int
    bound_s: float
    told: Callable[[str, int, int], None]
    jobs: list[Job] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    baseline: Baseline = field(default_factory=Baseline)
    baseline_s: float = 0.0
    _begun_s: float = field(default_factory=time.monotonic)
    _alive: dict[Connection, int] = field(default_factory=dict)

    def run(self, suite: Suite) -> None:
        """Raises `RedBaseline`, `OutOfTime`, or `RunnerBroken`."""
        self.jobs = [
            Job(mutant, target)
            for target in self.targets
            for mutant in mutants_of(self.root, target.file, target.functions)
        ]
        try:
            self._run_baseline(suite)
            self.baseline_s = self.spent_s
            self._run_mutants(suite)
        finally:
            for pid in self._alive.values():
                end(pid)

    @property
    def spent_s(self) -> float:
        """Real time since the beginning."""
        return time.monotonic() - self._begun_s

    def _run_baseline(self, suite: Suite) -> None:
        functions: dict[str, set[str]] = defaultdict(set)
        for job in self.jobs:
            functions[job.mutant.name.file] |= {job.mutant.name.function} - {MODULE}
        files = sorted(self._tests(), key=lambda file: -(self.root / file).stat().st_size)
        processes = [partial(_baseline_of, suite, self.root, file, functions) for file in files]
        for number, said in enumerate(self._answers("the tests on the unmutated program", processes), 1):
            assert isinstance(said, Baseline)
            self.baseline.add(said)
            self.told("unmutated", number, len(files))
        if self.baseline.failed:
            raise RedBaseline("\n".join(self.baseline.failed))

    def _run_mutants(self, suite: Suite) -> None:
        preload(sorted(self.baseline.modules))
        importing = Queue([index for index, job in enumerate(self.jobs) if not job.mutant.in_function])
        exchanging = Queue([index for index, job in enumerate(self.jobs) if job.mutant.in_function])
        worker = Worker(self.root, suite, self.jobs, self.baseline)
        tests = self._tests()
        work = partial(worker.run, Queue(range(len(tests))), importing, exchanging, tests)
        for said in self._answers("the mutants", [work] * self.processes):
            assert isinstance(said, Done)
            if said.outcome.fate is Fate.BROKEN:
                raise RunnerBroken(f"{self.jobs[said.number].mutant.name}\n{said.outcome.said}")
            self.outcomes[said.number] = said.outcome
            self.told("mutants", len(self.outcomes), len(self.jobs))
        if len(self.outcomes) != len(self.jobs):
            raise RunnerBroken(f"{len(self.jobs) - len(self.outcomes)} mutants were not tried")

    def _tests(self) -> list[str]:
        return list(dict.fromkeys(tests for target in self.targets for tests in target.tests))

    def _answers(self, what: str, processes: Iterable[Callable[[Connection], None]]) -> Iterator[Answer]:
        """Run these, so many at a time as there may be, and give what they say."""
        waiting = iter(processes)
        while True:
            while len(self._alive) < self.processes and (do := next(waiting, None)) is not None:
                pid, answers = spawn(do)
                self._alive[answers] = pid
            if not self._alive:
                return
            ready = wait(list(self._alive), max(0.0, self.bound_s - self.spent_s))
            if not ready:
                raise OutOfTime(f"{what} were not done within {self.bound_s:g} s")
            for answers in [one for one in self._alive if one in ready]:
                yield from self._answer(what, answers)

    def _answer(self, what: str, answers: Connection) -> Iterator[Answer]:
        try:
            said: Answer | Broken = answers.recv()
        except EOFError:
            os.waitpid(self._alive.pop(answers), 0)
            return
        if isinstance(said, Broken):
            raise RunnerBroken(f"a process for {what} failed\n{said.said}")
        yield said


def _baseline_of(
    suite: Suite, root: Path, file: str, functions: dict[str, set[str]], answer: Connection
) -> None:  # fmt: skip
    answer.send(run_file(suite, root, file, functions))
