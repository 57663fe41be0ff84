"""Runs the chunks of a campaign in this process, in processes of this machine, or on a Dask cluster.

Each way is an iterator of what came of each chunk, in whatever order it is done. Closing it, which Ctrl-C does
too, takes back what was not begun; here, the session that each chunk plays just then is waited for.
"""

import hashlib
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from itertools import islice
from multiprocessing import get_all_start_methods, get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

from stimctl.errors import Misuse
from stimlab.campaign.campaign import FinishedSession
from stimlab.interrupt import SIGNALS, Interrupt

Work = Callable[[Iterable[int]], FinishedSession]

CONNECT_S = 10
LOOK_S = 0.2  # how long Ctrl-C may wait to be seen
_PACKAGES = ("stimctl", "firmware_sim")


def here(work: Work, chunks: Sequence[Sequence[int]]) -> Generator[FinishedSession]:
    """One after the other, in this process: for a debugger, and where one processor is all there is."""
    with Interrupt() as interrupt:
        for chunk in chunks:
            yield work(_each(chunk, interrupt.look))


def local(work: Work, chunks: Sequence[Sequence[int]], jobs: int) -> Generator[FinishedSession]:
    """In `jobs` processes of this machine. Raises `Misuse` when one of them dies."""
    method = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
    context = get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload([__name__])
    with Interrupt() as interrupt:
        over = context.Event()
        pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_worker, initargs=(over,))
        ahead, pending = iter(chunks), set[Future[FinishedSession]]()
        try:
            # As much as keeps all of them busy and no more, whatever the campaign's length.
            while pending := pending | {
                pool.submit(_in_worker, work, each) for each in islice(ahead, 2 * jobs - len(pending))
            }:
                done, pending = wait(pending, LOOK_S, FIRST_COMPLETED)
                interrupt.look()
                yield from (future.result() for future in done)
        except BrokenProcessPool:
            interrupt.look()  # SIGTERM to a whole group of processes ends the workers at once
            raise Misuse("a worker process died; run the campaign with --jobs 1 to see of what") from None
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)


def _each(chunk: Iterable[int], look: Callable[[], None]) -> Iterator[int]:
    """The numbers of a chunk, looking before each whether the campaign is over."""
    for index in chunk:
        look()
        yield index


_over: list[Callable[[], bool]] = []  # of a worker: whether its campaign is over


def _begin_worker(over: Any) -> None:
    # Ctrl-C reaches every process of a terminal; the first one ends the others, in order. By SIGTERM a pool ends the
    # rest of its workers where one has died.
    for each in SIGNALS:
        signal.signal(each, signal.SIG_DFL if each == signal.SIGTERM else signal.SIG_IGN)
    _over[:] = [over.is_set]
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A campaign that was killed closes no pool: its workers would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _in_worker(work: Work, chunk: Sequence[int]) -> FinishedSession:
    return work(_each(chunk, _look_in_worker))


def _look_in_worker() -> None:
    if _over[0]():
        raise KeyboardInterrupt


def distributed(work: Work, chunks: Sequence[Sequence[int]], address: str) -> Generator[FinishedSession]:
    """On a Dask scheduler's workers. Raises `Misuse` without Dask, without workers, or where their code differs."""
    try:
        # An optional extra, and slow to import.
        dask: Any = import_module("distributed")
    except ImportError:
        raise Misuse("--scheduler needs Dask: pip install 'stimctl[dask]', here and on the workers") from None
    try:
        client = dask.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as problem:
        raise Misuse(f"no Dask scheduler answers at {address!r} ({problem}); start one with `dask scheduler`") from None
    with client:
        _check_workers(client.run(source_sha256), address)
        futures = client.map(work, chunks, pure=False)
        try:
            for _, done in dask.as_completed(futures, loop=client.loop, with_results=True):
                yield done
        finally:
            client.cancel(futures)


def _check_workers(hashes: dict[str, str], address: str) -> None:
    """The same seeds give the same results only with the same code."""
    if not hashes:
        raise Misuse(f"the Dask scheduler at {address!r} has no workers; start some with `dask worker {address}`")
    other = [worker for worker, found in hashes.items() if found != source_sha256()]
    if other:
        raise Misuse(f"another version of stimctl is installed on {', '.join(other)}; install this one there")


def source_sha256() -> str:
    """A hash over the source of driver and simulator, as it is installed."""
    whole = hashlib.sha256()
    root = Path(__file__).parents[2]
    for package in _PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            whole.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()
