"""What an operator may ask of a channel's target, and when.

Down is always allowed. Up is one step of 0.1 mA a second, never queued. Between zero and 0.5 mA a target
stands only while a person's tolerance is being found (titration, from zero, 60 s at most); on the way
down it becomes zero. Pure rules: nothing here sends anything.
"""

from collections.abc import Callable

from stimctl import limits
from stimctl.errors import Misuse, Problem, Unsafe


class Target:
    """One channel's target, in uA, as the device last confirmed it."""

    def __init__(self, channel: int, ceiling_ua: int) -> None:
        self.channel = channel
        self.ceiling_ua = ceiling_ua
        self.confirmed_ua = 0
        self.asked_ua: int | None = None  # on its way to the device, or not answered yet
        self._raised_us: int | None = None
        self._titrating_since_us: int | None = None

    @property
    def heading_ua(self) -> int:
        """What was asked for last: confirmed, or still to be."""
        return self.confirmed_ua if self.asked_ua is None else self.asked_ua

    def begin(self, target_ua: int, now_us: int) -> None:
        """The device started towards `target_ua`."""
        self.confirmed_ua, self.asked_ua = target_ua, None
        self._raised_us = None
        self._titrating_since_us = now_us if 0 < target_ua < limits.TARGET.low else None

    def up(self, now_us: int) -> int:
        """The target one step up. Raises `Unsafe` when it is too soon or above the ceiling."""
        return self.to(self.confirmed_ua + limits.RAISE_STEP_UA, now_us)

    def down(self) -> int:
        """The target one step down from what was asked for last; below 0.5 mA that is zero."""
        lower_ua = min(self.confirmed_ua, self.heading_ua) - limits.RAISE_STEP_UA
        return lower_ua if lower_ua >= limits.TARGET.low else 0

    def to(self, target_ua: int, now_us: int) -> int:
        """`target_ua` as it may be sent now. Raises `Unsafe`, naming the limit, when it may not."""
        if target_ua <= self.confirmed_ua:
            return target_ua if target_ua >= limits.TARGET.low else 0
        problem = self._why_not_up(target_ua, now_us)
        if problem is not None:
            raise Unsafe([Problem(f"channel {self.channel} target_ua", target_ua, problem)])
        return target_ua

    def _why_not_up(self, target_ua: int, now_us: int) -> str | None:
        if target_ua > self.ceiling_ua:
            return f"the session's ceiling is {self.ceiling_ua} uA; nothing raises it"
        if target_ua > self.confirmed_ua + limits.RAISE_STEP_UA:
            return f"one step up is {limits.RAISE_STEP_UA} uA from the present {self.confirmed_ua} uA"
        if self._raised_us is not None and now_us - self._raised_us < limits.RAISE_INTERVAL_US:
            return "one step a second; a sooner one is refused, not queued"
        return None

    def confirm(self, target_ua: int, now_us: int) -> None:
        """The device applied `target_ua`."""
        if target_ua > self.confirmed_ua:
            self._raised_us = now_us
        self.confirmed_ua = target_ua
        if self.asked_ua == target_ua:
            self.asked_ua = None
        if not 0 < target_ua < limits.TARGET.low:
            self._titrating_since_us = None
        elif self._titrating_since_us is None:
            self._titrating_since_us = now_us

    def titration_overdue(self, now_us: int) -> bool:
        """Whether the channel has stood below 0.5 mA for longer than titration may take."""
        since_us = self._titrating_since_us
        return since_us is not None and now_us - since_us > limits.TITRATION_US


class Targets:
    """All channels' targets: confirmed, asked for and not yet answered, and to resume after a hold."""

    def __init__(self, first_ua: dict[int, int], ceiling_ua: int) -> None:
        self._each = {channel: Target(channel, ceiling_ua) for channel in sorted(first_ua)}
        self.resume_ua = dict(first_ua)
        # The highest target a device may be following, by channel: confirmed, or asked for and perhaps applied.
        self.highest_ua = dict.fromkeys(self._each, 0)
        self.titrating = False

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels of the prescription, in order."""
        return tuple(self._each)

    @property
    def waits(self) -> bool:
        """Whether something was asked for and has not been answered."""
        return any(target.asked_ua is not None for target in self._each.values())

    def confirmed_ua(self) -> dict[int, int]:
        """What the device last confirmed, by channel."""
        return {channel: target.confirmed_ua for channel, target in self._each.items()}

    def wish(self, channel: int, rule: Callable[[Target], int]) -> int:
        """What `rule` makes of the channel's target. Raises `Misuse` or `Unsafe` when it may not be asked for."""
        target = self._each.get(channel)
        if target is None:
            raise Misuse(f"channel {channel} is not in the prescription; it has {list(self._each)}")
        wanted_ua = rule(target)
        if target.asked_ua is not None and wanted_ua > target.asked_ua:
            raise Misuse(f"channel {channel}: the device has not answered the last change yet")
        return wanted_ua

    def leaves_nothing(self, channel: int, wanted_ua: int) -> bool:
        """Whether lowering `channel` to `wanted_ua` takes the last output away."""
        if wanted_ua or not self._each[channel].heading_ua:
            return False
        return not any(each.heading_ua for number, each in self._each.items() if number != channel)

    def ask(self, channel: int, wanted_ua: int) -> None:
        """`wanted_ua` is on its way to the device."""
        self._each[channel].asked_ua = wanted_ua
        self._follow()

    def forget_asked(self) -> None:
        """Whatever was asked for was refused, or is no longer of use."""
        for target in self._each.values():
            target.asked_ua = None
        self._follow()

    def begin(self, applied_ua: dict[int, int], now_us: int) -> None:
        """A run began towards `applied_ua`."""
        for channel, target_ua in applied_ua.items():
            self._each[channel].begin(target_ua, now_us)
        self._follow()

    def confirm(self, channel: int, target_ua: int, now_us: int) -> None:
        """The device applied a target."""
        self._each[channel].confirm(target_ua, now_us)
        self._follow()

    def _follow(self) -> None:
        for channel, target in self._each.items():
            self.highest_ua[channel] = max(target.confirmed_ua, target.heading_ua)
        self.titrating = any(0 < target.confirmed_ua < limits.TARGET.low for target in self._each.values())

    def keep_for_resume(self) -> None:
        """Remember what to ramp to after a hold: what each channel had, if that was a legal target."""
        self.resume_ua = {c: ua if ua >= limits.TARGET.low else 0 for c, ua in self.confirmed_ua().items()}

    def overdue(self, now_us: int) -> int | None:
        """A channel whose titration takes too long, if any."""
        return next((channel for channel, target in self._each.items() if target.titration_overdue(now_us)), None)
