"""Sends commands of the native protocol, one at a time, resends each until it is answered, and checks the answer.

A sequence number is never used for two different commands within a handshake, so that a resent frame can be told from
a new one. Next to be sent is what is most urgent: a hold, a keepalive, a lowering, a raise, then what was asked for in
order. What is urgent waits at most 50 ms for an answer that is under way, then goes under its own number. A raise or
keepalive that was overtaken so is not sent again; its answer still counts when it comes. A hold follows the keepalive
that overtook it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Any

from stimctl import limits
from stimctl.errors import CommandRefused, EchoMismatch, StimctlError, TimedOut, WrongDevice
from stimctl.stimulators.base import OrderDeclined, StimulatorFailed, failed
from stimctl.stimulators.command_writer import NOT_TAKEN
from stimctl.stimulators.targets import Targets
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, Refusal

RESEND_US = 50_000  # and the longest that a lowering, a keepalive or a hold waits for another one's answer
GIVE_UP_US = limits.SILENCE_US  # nothing at all was answered for so long
NO_ANSWER = "no answer"  # in place of a refusal's reason
BOOT_US = 3_000_000  # a board that boots when its port is opened is asked for so long [choice]
_REMEMBERED = 64  # more than are overtaken before they are given up: ten times two urgent ones and four channels

Then = Callable[[Any, int], list[Any]]


class Urgency(IntEnum):
    """The order in which commands go out when several wait.

    Commands that prepare or read are steps, in the order in which they were asked for.
    """

    STEP = auto()
    RAISE = auto()
    LOWER = auto()
    KEEPALIVE = auto()
    HOLD = auto()


_OVERTAKEN = (Urgency.RAISE, Urgency.LOWER, Urgency.KEEPALIVE, Urgency.HOLD)
# What follows from a refusal of these is the session's to judge; a refusal of a step ends it.
_MAY_DECLINE = (m.SetTarget, m.KeepAlive, m.Hold)


@dataclass(frozen=True, slots=True)
class PendingCommand:
    """A command, the answer it wants, how many leading fields must come back alike, and what follows.

    `patience_us`: without any answer for so long the device is given up.
    """

    message: Any
    answer: type[Any]
    echoed: int
    then: Then
    urgency: Urgency = Urgency.STEP
    patience_us: int = GIVE_UP_US

    @property
    def name(self) -> str:
        return type(self.message).__name__


class Exchange:
    """One connection's commands and answers. `set_target(channel, target_ua)` makes a command of a target."""

    # Set by each sending: of what was sent last, how often it was sent, and when it is to be sent again.
    _tries: int
    _due_us: int
    # Since when nothing was answered, while something is under way.
    _unanswered_since_us: int

    def __init__(self, first_number: int, set_target: Callable[[int, int], PendingCommand]) -> None:
        self.targets = Targets({})
        self.unexpected = 0
        self.not_taken = False  # by the port: what was to be sent last
        self._set_target = set_target
        self._number = first_number & 0xFFFF  # of what was sent last
        self._steps: deque[PendingCommand] = deque()
        self._urgent: dict[Urgency, PendingCommand] = {}
        self._flying: PendingCommand | None = None  # what was sent last, while it has no answer yet
        # By number, with the time at which they were overtaken, the oldest first: the answers may still come.
        self._overtaken: dict[int, tuple[PendingCommand, int]] = {}
        self._waits_since_us: int | None = None  # something urgent, for what is under way
        self._out: list[bytes] = []

    def ask(self, command: PendingCommand, now_us: int) -> None:
        """Send a step, after those before it."""
        self._steps.append(command)
        self.send_next(now_us)

    def urge(self, command: PendingCommand, now_us: int) -> None:
        """Send a hold or a keepalive before everything else. One that waits or is under way already suffices."""
        flying = self._flying
        if flying is None:  # then nothing waits
            self._send(command, now_us)
        elif flying.urgency is not command.urgency:
            self._urgent[command.urgency] = command
            self.send_next(now_us)

    def withdraw(self, urgency: Urgency) -> None:
        """What waits of this urgency is of no use any more."""
        self._urgent.pop(urgency, None)

    def send_next(self, now_us: int) -> None:
        """Send what is most urgent, if nothing is under way; or all that is, once it has waited long enough."""
        if self._flying is None and (self._urgent or self._steps or self.targets.unsent):
            self._send(self._next(), now_us)
        waiting = self._waiting_urgently()
        if not waiting:
            self._waits_since_us = None
        elif self._waits_since_us is None:
            self._waits_since_us = now_us
        if waiting and now_us >= self._overtakes_us():
            self._waits_since_us = None
            # Each once: a lowering that is overtaken itself waits anew.
            for _ in range(waiting):
                overtaken = self._flying
                assert overtaken is not None, "it waits for something"
                if overtaken.urgency not in _OVERTAKEN:
                    break
                self._overtake(now_us)
                urgent = self._next()
                self._send(urgent, now_us)
                if overtaken.urgency is Urgency.HOLD:
                    self._overtake(now_us)
                    self._send(overtaken, now_us)
                elif urgent.urgency is Urgency.HOLD:  # it has its 50 ms, too
                    break

    def _waiting_urgently(self) -> int:
        """How many commands wait that may overtake."""
        targets = self.targets
        if not targets.unsent:
            return len(self._urgent)
        lowered = [channel for channel, target_ua in targets.to_send() if target_ua < targets[channel].heading_ua]
        return len(self._urgent) + len(lowered)

    def _overtakes_us(self) -> int:
        """When what is under way is overtaken by what waits, or is sent again."""
        return self._due_us if self._waits_since_us is None else min(self._due_us, self._waits_since_us + RESEND_US)

    def _next(self) -> PendingCommand:
        """The most urgent of what waits; something does."""
        if self._urgent:
            return self._urgent.pop(max(self._urgent))
        if not self.targets.unsent:
            return self._steps.popleft()
        channel, target_ua = next(self.targets.to_send())
        command = self._set_target(channel, target_ua)
        self.targets.sent(channel, target_ua)
        return command

    def _overtake(self, now_us: int) -> None:
        assert self._flying is not None
        flying = self._flying
        while len(self._overtaken) >= _REMEMBERED:
            del self._overtaken[next(iter(self._overtaken))]
        self._overtaken[self._number] = flying, now_us
        if flying.urgency is Urgency.LOWER:
            message = flying.message
            self.targets.lowering_lost(message.channel, message.target_ua)

    def _send(self, command: PendingCommand, now_us: int) -> None:
        self._number = self._number + 1 & 0xFFFF
        self._tries = 0
        self._put(command, now_us)
        if self._flying is None:
            self._unanswered_since_us = now_us
        self._flying = command

    def _put(self, command: PendingCommand, now_us: int) -> None:
        self._out.append(m.encode(self._number, command.message))
        self._tries += 1
        self._due_us = now_us + RESEND_US

    def put_first(self, frame: bytes) -> None:
        """Send `frame` in place of all that was about to be sent."""
        self._out = [frame]

    def take_output(self) -> bytes:
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    def next_deadline_us(self) -> int | None:
        due_us = None if self._flying is None else self._overtakes_us()
        if not self._overtaken:
            return due_us
        _, overtaken_us = next(iter(self._overtaken.values()))
        return overtaken_us + GIVE_UP_US if due_us is None else min(due_us, overtaken_us + GIVE_UP_US)

    def advance(self, now_us: int) -> list[Any]:
        """Send again, or something more urgent in its place; give up on a device that answers nothing."""
        events = self._give_up_overtaken(now_us) if self._overtaken else []
        flying = self._flying
        if flying is None:
            return events
        if now_us - self._unanswered_since_us >= flying.patience_us:
            self._overtake(now_us)  # it may have been taken, for all that
            self._flying = None
            self._steps.clear()
            self._urgent.clear()
            why = f"no answer to {flying.name} after {self._tries} tries; check the cable and the device"
            return [*events, StimulatorFailed(TimedOut(NOT_TAKEN if self.not_taken else why))]
        self.send_next(now_us)
        # What was sent in its place just now is not due yet.
        if now_us >= self._due_us:
            self._put(flying, now_us)
        return events

    def stood_still(self, late_us: int) -> None:
        """This program did not run for so long, and so asked nothing again: that is nobody's silence."""
        if self._flying is not None:
            self._unanswered_since_us += late_us
        self._overtaken = {number: (each, at_us + late_us) for number, (each, at_us) in self._overtaken.items()}

    def _give_up_overtaken(self, now_us: int) -> list[Any]:
        """Targets that were overtaken and never answered: nobody knows whether the device took them."""
        given_up = [number for number, (_, at_us) in self._overtaken.items() if now_us - at_us >= GIVE_UP_US]
        commands = [self._overtaken.pop(number)[0] for number in given_up]
        return [_declined(each, NO_ANSWER) for each in commands if type(each.message) is m.SetTarget]

    def answered(self, number: int, message: Any, now_us: int) -> list[Any]:
        """What an answer means; then the next command goes."""
        flying = self._flying
        if flying is not None and number == self._number:
            self._flying = None
            command = flying
        elif number in self._overtaken:
            command, _ = self._overtaken.pop(number)
        else:
            self.unexpected += 1
            return []
        self._unanswered_since_us = now_us
        events = self._judge(command, message, now_us)
        self.send_next(now_us)
        return events

    def _judge(self, command: PendingCommand, message: Any, now_us: int) -> list[Any]:
        if type(message) is m.Refused:
            return self._refused(command, message)
        if type(message) is not command.answer:
            if type(message) is type(command.message) and message == command.message:
                why = f"the line sends back what was sent ({command.name}): an echo or a loop, no device behind it"
                return failed(EchoMismatch(f"{why}; check the cable, and which port it is"))
            return failed(EchoMismatch(f"{type(message).__name__} came as the answer to {command.name}"))
        if message[: command.echoed] != command.message[: command.echoed]:
            return failed(EchoMismatch(f"{command.name}: sent {command.message}, the device applied {message}"))
        return command.then(message, now_us)

    def _refused(self, command: PendingCommand, refusal: m.Refused) -> list[Any]:
        reason = Refusal(refusal.reason).name.lower().replace("_", " ")
        if isinstance(command.message, _MAY_DECLINE):
            return [_declined(command, reason, refusal.detail, refusal.limit)]
        self._steps.clear()
        return failed(_step_refused(command.name, reason, refusal))

    def abandon(self) -> dict[int, PendingCommand]:
        """Nothing that waits is sent any more. Returns what was sent and not answered, by number: it may have been
        applied, so its answers still count for the dose."""
        sent = {number: command for number, (command, _) in self._overtaken.items()}
        if self._flying is not None:
            sent[self._number] = self._flying
        self._flying = self._waits_since_us = None
        self._steps.clear()
        self._urgent.clear()
        self._overtaken.clear()
        self._out.clear()
        return sent

    @property
    def waits(self) -> bool:
        """Whether something was sent that may still be answered."""
        return self._flying is not None or bool(self._overtaken)


def _step_refused(name: str, reason: str, refusal: m.Refused) -> StimctlError:
    if refusal.reason == Refusal.UNSUPPORTED_VERSION:
        theirs = refusal.limit
        return WrongDevice(
            f"the device speaks protocol version {theirs}, stimctl version {PROTOCOL_VERSION}; "
            f"update {'its firmware' if theirs < PROTOCOL_VERSION else 'stimctl'}"
        )
    return CommandRefused(name, reason, f"value {refusal.detail}, limit {refusal.limit}" if refusal.limit else "")


def _declined(command: PendingCommand, reason: str, detail: int = 0, limit: int = 0) -> OrderDeclined:
    channel, target_ua = getattr(command.message, "channel", 0), getattr(command.message, "target_ua", 0)
    return OrderDeclined(command.name, reason, detail, limit, channel, target_ua)
