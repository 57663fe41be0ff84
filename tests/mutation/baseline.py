"""The tests on the unmutated program, first: they have to pass, and it is recorded which test reaches which line.

The program is loaded as a mutant would be, from a text and with exchanged functions, so that this machinery is seen to
change nothing by itself.
"""

import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import coverage

from tests.mutation.loading import exchange, import_from, module_name, outside
from tests.mutation.mutants import Mutant
from tests.mutation.suite import Suite


@dataclass(slots=True)
class Baseline:
    """What each test takes in processor time, and which tests reach each line of each file."""

    seconds: dict[str, float] = field(default_factory=dict)
    reach: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)

    def tests_of(self, mutant: Mutant) -> set[str]:
        """The tests that reach the changed statement."""
        first, last = mutant.change.lines
        lines = self.reach.get(mutant.name.file, {})
        return set().union(*(lines.get(line, set()) for line in range(first, last + 1)))

    def add(self, other: "Baseline") -> None:
        """Take in what another process ran."""
        self.seconds.update(other.seconds)
        self.modules |= other.modules
        self.failed += other.failed
        for file, lines in other.reach.items():
            mine = self.reach.setdefault(file, {})
            for line, tests in lines.items():
                mine.setdefault(line, set()).update(tests)


def run_file(suite: Suite, root: Path, tests: str, functions: Mapping[str, Collection[str]]) -> Baseline:
    """Run one file's tests in a process that has imported nothing. `functions`: what will be exchanged, by file."""
    result = Baseline()
    suite.fail = result.failed.append
    sources = {file: (root / file).read_text(encoding="utf-8") for file in functions}
    import_from(root, sources)
    items = suite.collect([tests])
    for file, names in functions.items():
        if module_name(file) in sys.modules:
            for name in names:
                exchange(root, file, sources[file], name)
    measured = coverage.Coverage(
        data_file=None, config_file=False, include=[str(root / file) for file in functions], messages=False
    )
    measured.set_option("run:disable_warnings", ["no-data-collected"])
    measured.start()
    for item, following in zip(items, [*items[1:], None], strict=True):
        begun_s = time.process_time()
        measured.switch_context(item.nodeid)
        suite.run_one(item, following, limit_s=None)
        result.seconds[item.nodeid] = time.process_time() - begun_s
    measured.stop()
    result.modules = set(outside())
    data = measured.get_data()
    for file in functions:
        lines = data.contexts_by_lineno(str(root / file))
        result.reach[file] = {line: {test for test in tests if test} for line, tests in lines.items()}
    return result
