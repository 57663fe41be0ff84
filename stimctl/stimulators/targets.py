"""The one record of each channel's target, in uA: wanted by a person, sent, and applied by the device.

The session writes what is wanted, the adapter what it sent, and the device's answers what is applied. Whatever else
anybody needs to know of a target is derived here. A channel has one place for what is not sent yet: the newest wins.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from stimctl import limits


class Target(NamedTuple):
    """One channel's target. `sent_ua` are the values that were sent and not answered, the oldest first."""

    wanted_ua: int
    sent_ua: tuple[int, ...] = ()
    applied_ua: int = 0
    # When the device last applied a raise in this run, and since when it stands between zero and 0.5 mA.
    raised_us: int | None = None
    titrating_since_us: int | None = None

    @property
    def heading_ua(self) -> int:
        """Where the device goes once it has taken what was sent."""
        return self.sent_ua[-1] if self.sent_ua else self.applied_ua

    @property
    def raises(self) -> bool:
        """Whether what is wanted is above where the device goes."""
        return self.wanted_ua > self.heading_ua

    @property
    def highest_ua(self) -> int:
        """The highest target that the device may be following now."""
        return max((self.applied_ua, *self.sent_ua))

    @property
    def resume_ua(self) -> int:
        """What a start goes to after a hold: never above what a person asked for last; zero if under 0.5 mA."""
        return self.wanted_ua if self.wanted_ua >= limits.TARGET.low else 0


class Targets:
    """The targets of a session's channels, by channel."""

    def __init__(self, first_ua: Mapping[int, int]) -> None:
        self._each = {channel: Target(first_ua[channel]) for channel in sorted(first_ua)}
        self.of = self._each.__getitem__  # a channel's, as `self[channel]`: it is asked for at every reading
        self.channels = tuple(self._each)
        self.running = False  # from the start of a run until it is held or stopped
        self.unsent = False  # whether in this run some channel is wanted elsewhere than it is heading
        self.titrating = False
        self._sent_last = 0  # a channel's number

    def __getitem__(self, channel: int) -> Target:
        return self._each[channel]

    def __contains__(self, channel: int) -> bool:
        return channel in self._each

    def by_channel(self, name: str) -> dict[int, int]:
        """One of a target's figures (`wanted_ua`, `applied_ua`, `resume_ua`, ...) of every channel."""
        return {channel: getattr(target, name) for channel, target in self._each.items()}

    def titration_overdue(self, now_us: int) -> int | None:
        """A channel that has stood below 0.5 mA for longer than titration may take, if any."""
        since = [(channel, target.titrating_since_us) for channel, target in self._each.items()]
        overdue = (channel for channel, us in since if us is not None and now_us - us > limits.TITRATION_US)
        return next(overdue, None)

    def want(self, channel: int, wanted_ua: int) -> None:
        self._put(channel, wanted_ua=wanted_ua)

    def to_send(self) -> Iterator[tuple[int, int]]:
        """The channels that are wanted elsewhere than they are heading, and where: lowered ones first.

        In a hold and after a stop there are none. They take turns: one whose answer does not come lets the others go
        before it is sent again.
        """
        if not self.unsent:
            return
        moving = [(each, channel) for channel, each in self._each.items() if each.wanted_ua != each.heading_ua]
        for each, channel in sorted(moving, key=self._turn):
            yield channel, each.wanted_ua

    def _turn(self, moving: tuple[Target, int]) -> tuple[bool, bool, int]:
        target, channel = moving
        return target.raises, channel <= self._sent_last, channel

    def sent(self, channel: int, target_ua: int) -> None:
        self._sent_last = channel
        self._put(channel, sent_ua=(*self._each[channel].sent_ua, target_ua))

    def lowering_lost(self, channel: int, target_ua: int) -> None:
        """A lowering was overtaken before its answer came: it is to be sent again, unless something newer is wanted."""
        sent_ua = list(self._each[channel].sent_ua)
        if sent_ua and sent_ua[-1] == target_ua:
            self._put(channel, sent_ua=tuple(sent_ua[:-1]))

    def applied(self, channel: int, target_ua: int, now_us: int) -> None:
        """The device applied `target_ua`; what was sent before that is settled with it."""
        target = self._each[channel]
        sent_ua = target.sent_ua
        if target_ua in sent_ua:
            sent_ua = sent_ua[sent_ua.index(target_ua) + 1 :]
        below = 0 < target_ua < limits.TARGET.low
        self._put(
            channel,
            applied_ua=target_ua,
            sent_ua=sent_ua,
            raised_us=now_us if target_ua > target.applied_ua else target.raised_us,
            titrating_since_us=(target.titrating_since_us or now_us) if below else None,
        )

    def not_applied(self, channel: int, target_ua: int) -> None:
        """The device refused `target_ua`: a raise is given up, a lowering stays wanted."""
        self.never_answered(channel, target_ua)
        self._put(channel, sent_ua=tuple(ua for ua in self._each[channel].sent_ua if ua != target_ua))

    def never_answered(self, channel: int, target_ua: int) -> None:
        """Nobody knows whether the device applied `target_ua`. A raise is given up: what it was before is wanted and,
        as the device may be heading higher, sent."""
        target = self._each[channel]
        if target.wanted_ua == target_ua and target_ua in target.sent_ua:
            self._put(channel, wanted_ua=min(target_ua, target.applied_ua))

    def started(self, applied_ua: Mapping[int, int], now_us: int) -> None:
        """A run began, from zero, towards `applied_ua`; what was lowered since it was asked for is still wanted."""
        self.running = True
        for channel, target_ua in applied_ua.items():
            wanted_ua = min(self._each[channel].wanted_ua, target_ua)
            self._each[channel] = Target(wanted_ua, applied_ua=target_ua)
            self._put(channel, titrating_since_us=now_us if 0 < target_ua < limits.TARGET.low else None)

    def on_hold(self) -> None:
        """The run was broken off: what it would go on to is the least of what was applied and what is wanted."""
        for channel, target in self._each.items():
            self._each[channel] = Target(min(target.wanted_ua, target.applied_ua))
        self.stopped()

    def stopped(self) -> None:
        """Nothing more is to be sent in this run; answers to what was sent may still come."""
        self.running = False
        self._derive()

    def _put(self, channel: int, **changes: object) -> None:
        self._each[channel] = self._each[channel]._replace(**changes)  # type: ignore[arg-type]
        self._derive()

    def _derive(self) -> None:
        each = self._each.values()
        self.unsent = self.running and any(target.wanted_ua != target.heading_ua for target in each)
        self.titrating = any(target.titrating_since_us is not None for target in each)
