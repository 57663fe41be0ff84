"""Writes a session's entries to the ledger on a thread, so that the session never waits for a disk.

`put` only queues. The thread commits whatever waits in one transaction and counts it as durable after that
commit, never before. The queue is bounded: with more than `BOUND_ENTRIES` waiting, or the oldest waiting
longer than `BOUND_AGE_S`, the log has fallen behind, and `problem` says so from then on: the session ends.
What ends it is still taken, up to `HARD_BOUND` entries; beyond that nothing is, and `drain` says how many.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from stimctl.errors import LogFault, Misuse
from stimctl.ledger.append import Appender, draft, utc_now, utc_text
from stimctl.ledger.chain import DraftEntry, canonical_body
from stimctl.ledger.files import LedgerBusy, faults
from stimctl.lock_file import ProcessLock

BOUND_ENTRIES = 256  # [choice]
BOUND_AGE_S = 5.0  # [choice]
STOOD_STILL_S = 1.0  # a session that runs looks four times a second [choice]
HARD_BOUND = 8 * BOUND_ENTRIES  # [choice]
CLOSE_TIMEOUT_S = 10.0  # [choice]
BUSY_TIMEOUT_S = 1.0  # for another process that appends, before trying again: the age is what counts [choice]


class _Waiting(NamedTuple):
    since_s: float
    draft: DraftEntry


class LedgerWriter:
    """The `SessionLog` of one session. Close it (or use it in a `with`) when the session is over.

    While it is open the session counts as running, to this process and to others.
    """

    def __init__(
        self,
        path: Path,
        session_id: str,
        alive: ProcessLock,
        *,
        now: Callable[[], datetime] = utc_now,
        bound_age_s: float = BOUND_AGE_S,
    ) -> None:
        self.session_id = session_id
        self._now = now
        self._bound_age_s = bound_age_s
        self._alive = alive
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._put = self._durable = self._refused = 0
        self._problem: str | None = None
        self._failed = self._closing = False
        # When `problem` was looked at last, whether that was late, and since when it has been without a break: who
        # stands still does not write either, and that is no fault of the disk's. Who is late at every look is slow.
        self._looked_s = self._awake_s = time.monotonic()
        self._looked_late = False
        self._appender = Appender(path, BUSY_TIMEOUT_S)
        self._thread = threading.Thread(target=self._run, name=f"ledger {session_id}", daemon=True)
        self._thread.start()

    @property
    def connection(self) -> sqlite3.Connection:
        """What it writes with, for a lab that makes it fail. Drain the log first: its thread uses it."""
        return self._appender.connection

    def put(self, kind: str, at_us: int, body: Mapping[str, Any]) -> None:
        """Queue an entry, in order, without waiting. Raises `Misuse` when `body` is not plain JSON."""
        # Encoded now, so that what the caller does with `body` later changes nothing.
        made = draft(self.session_id, kind, at_us, utc_text(self._now()), canonical_body(body))
        with self._changed:
            if self._closing:
                raise Misuse("the log of this session is closed")
            if self._failed or len(self._queue) >= HARD_BOUND:
                self._refused += 1
                self._note(f"the log took no more: {HARD_BOUND} entries wait to be written")
                return
            self._queue.append(_Waiting(time.monotonic(), made))
            self._put += 1
            if len(self._queue) > BOUND_ENTRIES:
                self._note(f"the log is behind: more than {BOUND_ENTRIES} entries wait to be written")
            self._changed.notify_all()

    def problem(self) -> str | None:
        """Why the log can no longer be trusted, or None. Once there is a reason, it stays."""
        if self._problem is None:
            with self._changed:
                now_s = time.monotonic()
                late = now_s - self._looked_s > STOOD_STILL_S
                if late and not self._looked_late:
                    self._awake_s = now_s
                self._looked_s, self._looked_late = now_s, late
                if self._queue and now_s - max(self._awake_s, self._queue[0].since_s) > self._bound_age_s:
                    self._note(f"the log is behind: an entry has waited over {self._bound_age_s:g} s to be written")
        return self._problem

    def wait_room(self) -> None:
        """Wait until half the queue is free, or the log has a problem. For virtual time only."""
        if len(self._queue) > BOUND_ENTRIES // 2:
            with self._changed:
                self._changed.wait_for(self._has_room, self._bound_age_s)

    def drain(self, timeout_s: float) -> None:
        """Wait until all that was put is durable. Raises `LogFault` when it is not by `timeout_s`."""
        with self._changed:
            wanted = self._put
            self._changed.wait_for(lambda: self._durable >= wanted or self._failed, timeout_s)
            missing = wanted - self._durable + self._refused
            if missing > 0:
                why = self._problem or (f"not written within {timeout_s:g} s" if timeout_s else "not written yet")
                raise LogFault(f"{missing} log {'entry is' if missing == 1 else 'entries are'} not durable: {why}")

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Write what waits, end the thread, and let the session count as no longer running.

        Raises `LogFault` when something could not be written. Harmless when done twice.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        try:
            self.drain(timeout_s)
        finally:
            with self._changed:
                self._failed = True  # whatever still waits is given up
                self._changed.notify_all()
            self._thread.join(timeout_s)
            self._alive.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.close()
        except LogFault as fault:
            if error is None:
                raise
            error.add_note(str(fault))

    def _has_room(self) -> bool:
        return len(self._queue) <= BOUND_ENTRIES // 2 or self._failed

    def _note(self, problem: str) -> None:
        self._problem = self._problem or problem

    def _run(self) -> None:
        try:
            while batch := self._next_batch():
                self._write(batch)
            self._appender.checkpoint()
            self._appender.close()
        except LogFault as fault:
            self._note(str(fault))
        finally:
            with self._changed:
                # Whatever ended the thread, nothing is written from here on, and nobody waits for it.
                self._failed = True
                self._note("the log's own thread has ended")
                self._changed.notify_all()

    def _stay_alive(self) -> None:
        """See that the session's lock is there: without it the next start takes the session for dead, and closes it.

        One that was taken away is made anew, so that the session can write its end, and is the reason of that end.
        """
        with faults(self._appender.path):
            if self._alive.in_place():
                return
            self._alive.make_anew()
        with self._changed:
            self._note(f"the lock of this running session, {self._alive.path}, was removed while it was in use")

    def _next_batch(self) -> list[DraftEntry]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing or self._failed)
            return [] if self._failed else [waiting.draft for waiting in self._queue]

    def _write(self, batch: list[DraftEntry]) -> None:
        problem = None
        try:
            self._stay_alive()
            self._appender.append(batch)
        except LedgerBusy:
            return  # nothing was written; the batch still waits, and its age is watched
        except (LogFault, Misuse) as fault:
            problem = str(fault)
        with self._changed:
            if problem is None:
                for _ in batch:
                    self._queue.popleft()
                self._durable += len(batch)
            else:
                self._failed = True
                self._problem = problem  # worth more than "behind", which it may have caused
            self._changed.notify_all()
