"""libFuzzer by way of atheris: the targets instrumented once, then each fuzzed in a fork of this process.

Whatever is to be instrumented has to be imported after atheris: `targets` does that, before anything else of
stimctl is imported. Where atheris is not installed it imports them plainly.
"""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stderr
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

INSTRUMENTED = ["stimctl", "firmware_sim", "tomllib", "json"]
MISSING = "atheris is not installed here; it has wheels for Linux on x86-64 only"


def installed() -> bool:
    """Whether there is an atheris to run with."""
    return find_spec("atheris") is not None


def targets(*, instrumented: bool = True) -> Mapping[str, Callable[[bytes], None]]:
    """The targets by name, instrumented if that is asked and can be."""
    tracing: AbstractContextManager[None] = nullcontext()
    if instrumented and installed():
        tracing = import_module("atheris").instrument_imports(include=INSTRUMENTED)
    with redirect_stderr(StringIO()), tracing:  # it names every module
        found: Mapping[str, Callable[[bytes], None]] = import_module("tests.fuzz.targets").TARGETS
    return found


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit status, what libFuzzer counted and printed."""

    status: int
    runs: int
    coverage: int
    output: str


class Run:
    """One target under libFuzzer in a fork, with libFuzzer's own options and folders."""

    def __init__(self, target: Callable[[bytes], None], arguments: Sequence[str], log: Path) -> None:
        self._log = log
        self.pid = os.fork()
        if self.pid == 0:
            self._fuzz(target, arguments)

    def _fuzz(self, target: Callable[[bytes], None], arguments: Sequence[str]) -> None:
        """In the fork; never returns."""
        try:
            out = os.open(self._log, os.O_WRONLY | os.O_CREAT)
            os.dup2(out, 1)
            os.dup2(out, 2)
            atheris: Any = import_module("atheris")
            atheris.Setup([sys.argv[0], *arguments], target)
            atheris.Fuzz()
        finally:
            os._exit(os.EX_SOFTWARE)  # libFuzzer has left already, unless it could not begin

    def ended(self, status: int) -> Ended:
        """What came of it, once the fork has been waited for."""
        output = self._log.read_text("utf-8", "replace")
        counted = re.findall(r"^#(\d+)\s.*cov: (\d+)", output, re.MULTILINE)
        runs, coverage = counted[-1] if counted else (0, 0)
        return Ended(status, int(runs), int(coverage), output)


def main() -> None:
    """`python -m tests.fuzz.libfuzzer TARGET [OPTION]...`: one target in this process. A merge starts itself so."""
    name = sys.argv[1]
    atheris: Any = import_module("atheris")
    target = targets()[name]
    atheris.Setup([f"{sys.executable} -m tests.fuzz.libfuzzer {name}", *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
