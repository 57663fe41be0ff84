"""The way out of a loop that something unforeseen broke: zero, seen to be zero, then a proper end if there can be one.

Whatever else is broken by then, the next of these steps is still tried.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from stimctl import limits
from stimctl.errors import LineLost
from stimctl.session.commands import HostTrouble
from stimctl.session.engine import Engine
from stimctl.session.port import SessionPort
from stimctl.session.states import ENDED, End
from stimctl.stimulators.base import Stimulator, ZeroConfirmed, ZeroOverdue

Tell = Callable[[Iterable[Any]], None]

CLOSE_US = 10_000_000  # for zero once more, and the counts, and the log [choice]


def end_at_zero(engine: Engine, port: SessionPort, step: Callable[[int], int], tell: Tell) -> None:
    """Bring `engine` to zero and to its end. `step` is a turn of the loop, `tell` takes what happened."""
    began_us, at_zero = port.now_us(), False
    port.facts[:] = [HostTrouble(End.INTERRUPTED, "")]
    try:
        with suppress(Exception):
            try:
                at_zero = _stop_apart(engine.stimulator.apart(), engine, port, tell)
            except LineLost as gone:
                port.lost(gone)
        engine.on_the_way_out(port.now_us(), 0 if at_zero else port.now_us() - began_us)
        with suppress(Exception):
            by_us = port.now_us() + CLOSE_US
            while engine.state is not ENDED and port.now_us() < by_us:
                step(port.now_us())
    finally:  # also where somebody does not wait for that
        tell(engine.abandon(port.now_us(), at_zero=at_zero))


def _stop_apart(stimulator: Stimulator, engine: Engine, port: SessionPort, tell: Tell) -> bool:
    """Stop by an adapter that nothing has happened to yet, until zero is confirmed, nobody is there, or 60 s pass;
    whether it was confirmed."""
    began_us = now_us = port.now_us()
    stimulator.stop(now_us)
    while now_us - began_us < limits.STOP_TRY_US:
        output = stimulator.take_output()
        if (output or port.writer.owed) and port.send(output):
            stimulator.wrote(port.now_us())
        data = port.wait(stimulator.next_deadline_us())
        now_us = port.now_us()
        for event in [*stimulator.receive(data, now_us), *stimulator.advance(now_us)]:
            if isinstance(event, ZeroConfirmed):
                return True
            if isinstance(event, ZeroOverdue):
                tell(engine.tell_doubt(event.text, now_us))
    return False
