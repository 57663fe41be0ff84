"""One child process for one mutant, with a limit of processor time, of memory and of real time.

A child that finds a failing test ends at once with `KILLED`. One that runs for ever is ended by the kernel: by
processor time for each test, so that a busy machine kills nothing; by real time where it only waits. A child that
fails in this machinery says `BROKEN`, which says nothing of the mutant.
"""

import gc
import os
import resource
import select
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, NoReturn

SURVIVED, KILLED, BROKEN = 0, 10, 11
MEMORY_BYTES = 2 << 30
WAIT_S = 60.0
_TEXT_MAX = 60_000  # less than a pipe holds, so that nobody waits for a reader


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    BROKEN = "the runner itself failed"


class Outcome(NamedTuple):
    """A mutant's fate; `said` is the test that failed, or what broke."""

    fate: Fate
    said: str
    seconds: float


def limit_cpu(seconds: float) -> None:
    """From now on this process may use so much processor time; then it is ended. Called anew for each test."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def fork(do: Callable[[Callable[[str], NoReturn]], None]) -> Outcome:
    """Do this in a child of its own. `do` is given what to call when a test fails; returning means that none did."""
    reading, writing = os.pipe()
    folder = Path(tempfile.mkdtemp(dir=tempfile.gettempdir()))
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        _live(do, writing, folder)
    os.close(writing)
    try:
        fate = _wait(child)
        os.set_blocking(reading, False)
        said = os.read(reading, 1 << 16).decode() if select.select([reading], [], [], 0)[0] else ""
    finally:
        os.close(reading)
        shutil.rmtree(folder, ignore_errors=True)
    return Outcome(fate, said, time.perf_counter() - begun)


def _live(do: Callable[[Callable[[str], NoReturn]], None], writing: int, folder: Path) -> NoReturn:
    def leave(code: int, said: str) -> NoReturn:
        os.write(writing, said.encode()[-_TEXT_MAX:])
        os._exit(code)

    try:
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        gc.freeze()
        tempfile.tempdir = str(folder)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        do(lambda said: leave(KILLED, said))
    except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
        leave(BROKEN, traceback.format_exc())
    leave(SURVIVED, "")


def _wait(child: int) -> Fate:
    handle = os.pidfd_open(child)
    try:
        ended = bool(select.select([handle], [], [], WAIT_S)[0])
    finally:
        os.close(handle)
    if not ended:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return Fate.KILLED if ended and os.WTERMSIG(status) != signal.SIGPROF else Fate.TIMED_OUT
    return {SURVIVED: Fate.SURVIVED, BROKEN: Fate.BROKEN}.get(os.WEXITSTATUS(status), Fate.KILLED)
