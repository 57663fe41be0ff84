"""Parts of the host's session, driven by hand: the stimulation phase, the engine, an adapter without a device."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stimctl.prescription import Prescription
from stimctl.session.commands import Command, Fact
from stimctl.session.context import Context, EngineStep
from stimctl.session.engine import Engine
from stimctl.session.states import End, State
from stimctl.session.stimulation import Stimulation
from stimctl.stimulators.base import Identity
from stimctl.stimulators.native import NativeAdapter
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState
from tests.stimctl.session.test_plausibility import IDENTITY
from tests.stimctl.session.world import ListLog, S, Tape, at_1_ma

ARMED_US, STARTED_US = 3 * S, 10 * S
BY_LEASE = replace(IDENTITY, by_lease=True)


class Bad(ListLog):
    """A log that has failed."""

    def problem(self) -> str | None:
        return "the disk is full"


class Due(NativeAdapter):
    """An adapter whose own deadline is set by hand, and which notes its keepalives."""

    def __init__(self) -> None:
        super().__init__(0)
        self.due_us: int | None = None
        self.kept_us: list[int] = []
        self.told: list[Any] = []
        self.started: dict[int, int] | None = None

    def advance(self, now_us: int) -> list[Any]:
        told, self.told = self.told, []
        return told

    def start(self, targets_ua: Mapping[int, int], now_us: int) -> None:
        self.started = dict(targets_ua)

    def next_deadline_us(self) -> int | None:
        return self.due_us

    def keep_alive(self, now_us: int) -> None:
        self.kept_us.append(now_us)


class Run:
    """The stimulation phase of one session of 20 s, armed at 3 s; `stopped` is how it was ended."""

    def __init__(self, identity: Identity = IDENTITY, **changes: Any) -> None:
        self.log = ListLog(Tape())
        self.context = Context(Due(), at_1_ma(seconds=20, **changes), self.log, lambda _now_us: None)
        self.context.device.identity = identity
        self.stopped: list[tuple[int, End]] = []
        self.context.stop = lambda now_us, end, _text: self.stopped.append((now_us, end))
        self.stimulation = Stimulation(self.context)
        self.context.times.armed_us = ARMED_US

    def start(self, now_us: int = STARTED_US, stimulation_us: int = 0) -> "Run":
        self.context.state = State.REARMED if stimulation_us else State.ARMED
        self.stimulation.on_started(m.Started(1_000, 0, 0, 0, stimulation_us, now_us), now_us)
        assert self.stopped == []
        return self

    def hold(self, now_us: int, stimulation_us: int) -> "Run":
        self.stimulation.on_holding(m.Holding(DeviceState.HELD, stimulation_us, now_us), now_us)
        assert self.context.state is State.HELD
        return self

    def at(self, now_us: int) -> list[End]:
        self.stimulation.watch_time(now_us)
        return [end for _, end in self.stopped]


def keep_heard(run: Run, now_us: int) -> None:
    """The device has just told of itself: its silence is not what ends the session."""
    run.context.stimulator.heard_us = run.context.times.status_us = now_us
    judge = run.stimulation.plausibility
    assert judge is not None
    judge._judged_us = {0: now_us, 1: now_us}


def engine(log: ListLog | None = None, rx: Prescription | None = None) -> tuple[Engine, Due]:
    """A session at its gate, whose device told of itself at 10 s."""
    due = Due()
    made = Engine(due, rx or at_1_ma(), log or ListLog(Tape()), session_id="alone")
    made.begin(0)
    made._context.device.identity = IDENTITY
    made._context.state = State.TESTED
    made._context.times.status_us = 10 * S
    return made, due


def look(
    made: Engine, now_us: int, *, command: Sequence[Command | Fact] = (), checked_in_us: int | None = None
) -> EngineStep:
    """One step of a loop that was never late; a status came just now, and the front end checked in, unless told
    otherwise."""
    made._deadline_us = made._context.times.status_us = now_us
    made._context.times.checked_in_us = now_us if checked_in_us is None else checked_in_us
    return made.step(now_us, command=command)
