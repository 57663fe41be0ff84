"""Two or more processes that take mutants from one queue, and for each fork a child that runs the tests that may fail.

First each file of tests once more without a mutant, in the same kind of child: nothing may die there. Then the
mutants that act while a module is imported: the child imports everything itself. Then, with everything imported and
collected once, those in functions: the child exchanges one function's code.
"""

import os
import signal
import struct
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

from tests.mutation.baseline import Baseline
from tests.mutation.fork import Fate, Outcome, fork
from tests.mutation.loading import exchange, import_from
from tests.mutation.mutants import Mutant
from tests.mutation.suite import Suite
from tests.mutation.targets import Target

_INDEX = struct.Struct("=i")
Fail = Callable[[str], NoReturn]
UNREACHED = "no test reaches it"
QUICK_S = 0.05  # of processor time: a test that takes longer is tried in its turn, even if it killed the mutant before


class Queue:
    """Indices, each taken by one process: a pipe, from which so few bytes are read at once or not at all."""

    def __init__(self, indices: Sequence[int]) -> None:
        self._reading, writing = os.pipe()
        with open(writing, "wb") as all_of_them:  # noqa: PTH123 - a descriptor, not a path
            all_of_them.write(b"".join(map(_INDEX.pack, indices)))

    def __iter__(self) -> Iterator[int]:
        while taken := os.read(self._reading, _INDEX.size):
            yield _INDEX.unpack(taken)[0]


class Job(NamedTuple):
    """A mutant, and the target whose tests have to notice it."""

    mutant: Mutant
    target: Target

    @property
    def place(self) -> tuple[str, str]:
        """File and function."""
        return self.mutant.name.file, self.mutant.name.function


class Done(NamedTuple):
    """What a worker says of one mutant."""

    number: int
    outcome: Outcome


class Broken(NamedTuple):
    """What a process says when it fails itself."""

    said: str


Answer = Done | Baseline


def spawn(do: Callable[[Connection], None]) -> tuple[int, Connection]:
    """A process forked from this one, and the end of the line on which it answers."""
    ours, theirs = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            os.setpgid(0, 0)
            _tell(do, theirs)
        finally:
            os._exit(0)
    theirs.close()
    return pid, ours


def _tell(do: Callable[[Connection], None], answer: Connection) -> None:
    try:
        do(answer)
    except Exception:  # noqa: BLE001 - whatever it is, the parent is told
        answer.send(Broken(traceback.format_exc()))


def end(pid: int) -> None:
    """End a process that was spawned, and what it forked."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@dataclass(slots=True)
class Worker:
    """One of the processes."""

    root: Path
    suite: Suite
    jobs: Sequence[Job]
    baseline: Baseline
    items: dict[str, pytest.Item] = field(default_factory=dict)
    # The tests that failed last, by function: what killed one mutant of a function often kills the next.
    killers: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def run(
        self, controls: Queue, importing: Queue, exchanging: Queue, tests: Sequence[str], answer: Connection
    ) -> None:
        """Work until every queue is empty. `controls` are numbers of `tests`, to be run without a mutant."""
        for number in controls:
            _must_survive(fork(partial(self._run_imported, [tests[number]])), tests[number])
        for number in importing:
            answer.send(Done(number, self._imported(self.jobs[number])))
        self.suite.fail = _refuse
        self.items = {item.nodeid: item for item in self.suite.collect(tests)}
        everything = self.in_order(list(self.items.values()))
        _must_survive(fork(partial(self._run_exchanged, everything)), "all tests together")
        for number in exchanging:
            answer.send(Done(number, self._exchanged(self.jobs[number])))

    def _changed(self, job: Job) -> str:
        file = job.mutant.name.file
        if file not in self.sources:
            self.sources[file] = (self.root / file).read_text(encoding="utf-8")
        return job.mutant.source(self.sources[file])

    # --- what acts at import ----------------------------------------------------------------------------

    def _imported(self, job: Job) -> Outcome:
        seconds, outcome = 0.0, Outcome(Fate.SURVIVED, UNREACHED, 0.0)
        for tests in job.target.tests:
            outcome = fork(partial(self._run_imported, [tests], job=job))
            seconds += outcome.seconds
            self.remember(job, outcome)
            if outcome.fate is not Fate.SURVIVED:
                break
        return outcome._replace(seconds=seconds)

    def _run_imported(self, tests: Sequence[str], fail: Fail, job: Job | None = None) -> None:
        """In a child: import everything, the mutated file from its changed text, and run the tests."""
        import_from(self.root, {} if job is None else {job.mutant.name.file: self._changed(job)})
        self.suite.fail = fail
        try:
            items = self.suite.collect(tests)
        except Exception as broken:  # noqa: BLE001 - a test file that breaks notices the mutant
            fail(f"{tests} cannot be collected: {broken!r}")
        self.suite.run(self.in_order(items, job), self.baseline.seconds)

    # --- what stands in a function ------------------------------------------------------------------------

    def _exchanged(self, job: Job) -> Outcome:
        reaching = self.baseline.tests_of(job.mutant)
        candidates = [test for test in reaching if test.startswith(job.target.tests) and test in self.items]
        if not candidates:
            return Outcome(Fate.SURVIVED, UNREACHED, 0.0)
        order = self.in_order([self.items[test] for test in candidates], job)
        outcome = fork(partial(self._run_exchanged, order, job=job))
        self.remember(job, outcome)
        return outcome

    def _run_exchanged(self, items: Sequence[pytest.Item], fail: Fail, job: Job | None = None) -> None:
        """In a child that has everything: exchange one function's code, and run these tests."""
        self.suite.fail = fail
        if job is not None:
            exchange(self.root, job.mutant.name.file, self._changed(job), job.mutant.name.function)
        self.suite.run(items, self.baseline.seconds)

    # --- in which order ----------------------------------------------------------------------------------

    def remember(self, job: Job, outcome: Outcome) -> None:
        """The test that killed this mutant, if it is a quick one, goes first for the next at this place."""
        killer = outcome.said.partition("\n")[0]
        if outcome.fate is Fate.KILLED and self.baseline.seconds.get(killer, QUICK_S) < QUICK_S:
            before = self.killers.get(job.place, [])
            self.killers[job.place] = [killer, *(test for test in before if test != killer)]

    def in_order(self, items: Sequence[pytest.Item], job: Job | None = None) -> list[pytest.Item]:
        """Those that killed last at this place, then the fastest first."""
        known = {test: rank for rank, test in enumerate(self.killers.get(job.place, []) if job else [])}

        def rank(item: pytest.Item) -> tuple[int, float, str]:
            test = item.nodeid
            return known.get(test, len(known)), self.baseline.seconds.get(test, 0.0), test

        return sorted(items, key=rank)


def _must_survive(outcome: Outcome, what: str) -> None:
    """A child without a mutant in which a test fails: then a mutant's death would mean nothing."""
    if outcome.fate is not Fate.SURVIVED:
        raise RuntimeError(f"{what}, run without a mutant as with one: {outcome.fate}: {outcome.said}")


def _refuse(said: str) -> NoReturn:
    raise RuntimeError(f"cannot be collected: {said}")
