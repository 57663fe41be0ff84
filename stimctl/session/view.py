"""The immutable view of a session for a screen or a script, and the events that it emits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

from stimctl.session.states import End, State
from stimctl.stimulators.base import Identity
from stimctl.wire.codec import Channel, Impedance, Status

# What the operator is to do about an alarm.
EXAMINE = "do not use this device until it has been examined"
LOOK_AFTER = "look after the subject first, then read the log"
PULL_THE_LEADS = "PULL THE LEADS"
NOT_CONFIRMED = "zero output was not confirmed"
UNRESTED = "switch the board off and take its leads off: it may still hold a program"
EARLIER_DOSE = "dose of an earlier session logged"  # how the event of a recovered dose begins


class Priority(IntEnum):
    """The priority of an alarm."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


class Alarm(NamedTuple):
    """Something the operator must know, and what to do about it."""

    priority: Priority
    text: str
    action: str
    at_us: int


class StateChanged(NamedTuple):
    """The session went from one state to another."""

    state: State
    at_us: int


class OperatorMessage(NamedTuple):
    """A plain message for the operator: a raise that was refused, a step that was done."""

    text: str
    at_us: int


@dataclass(frozen=True, slots=True)
class SessionView:
    """One moment of a session. Amplitudes in uA, times in us by the port's clock. `targets_ua` are those that the
    device confirmed; before a start and on hold, those that it would go to."""

    state: State
    end: End | None
    identity: Identity | None
    now_us: int
    ceiling_ua: int
    targets_ua: Mapping[int, int]
    status: Status | None
    channels: Mapping[int, Channel]
    impedances: Mapping[int, Impedance]
    alarms: tuple[Alarm, ...]
    waits_for_operator: bool
    stop_after_us: int | None
    # A stop that was only acknowledged is not one that was measured.
    stop_measured: bool = True
    # The largest amplitude of each channel if nobody touches it any more; empty before a start.
    will_reach_ua: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionReport:
    """How a session ended. Doses are JSON-able records by channel, as in the log's "closed" entry.

    `delivered` and `measured` are None when the device could not be asked; it still holds them, and they
    are added to the log at the next connection. `kept` says what the figures rest on where the host kept them, for
    a device that keeps none: which are counted, which are estimated. `zero_measured` says that the zero at the end
    was measured, and not only acknowledged. `agreement` says whether what was counted is `exact`ly what was commanded,
    None with the `reason` where that is not known, whether what was `measured` agrees with it, and the `contradiction`
    in what the device said, if there is one. `simulator` is None when no device said what it is. `armed` is False when
    nothing was ever armed, so that nothing can have been delivered.
    """

    session_id: str
    end: End
    end_text: str
    simulator: bool | None
    planned: Mapping[str, Any]
    commanded: Mapping[str, Any]
    delivered: Mapping[str, Any] | None
    measured: Mapping[str, Any] | None
    agreement: Mapping[str, Any]
    zero_confirmed_us: int | None
    band_us: tuple[int, int]
    held_us: int
    alarms: tuple[Alarm, ...]
    kept: Mapping[str, Any] | None = None
    zero_measured: bool | None = None
    armed: bool = True
    # By channel: the last target that was commanded, and the largest amplitude of any pulse on the way to it.
    targets_ua: Mapping[int, int] = field(default_factory=dict)
    reached_ua: Mapping[int, int] = field(default_factory=dict)
    # What came from the device whole, and what was no frame, in a session's whole length.
    frames: int = 0
    damaged_frames: int = 0
