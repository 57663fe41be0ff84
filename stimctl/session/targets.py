"""The rules for a channel's target: which change a person may ask for, and when.

Down is always allowed. Up is one step of 0.1 mA a second, never queued. Between zero and 0.5 mA a target
stands only while a person's tolerance is being found (titration, from zero, 60 s at most); on the way
down it becomes zero. Pure rules: nothing here sends anything.
"""

from collections.abc import Mapping

from stimctl import limits
from stimctl.errors import Misuse, Problem, Unsafe
from stimctl.stimulators.targets import Target, Targets


class TargetRules(Targets):
    """A session's targets, and what may be made of each. `ceiling_ua` is the session's."""

    def __init__(self, first_ua: Mapping[int, int], ceiling_ua: int) -> None:
        super().__init__(first_ua)
        self.ceiling_ua = ceiling_ua

    def up(self, channel: int, now_us: int) -> int:
        """The target one step up. Raises `Unsafe` when it is too soon or above the ceiling, `Misuse`."""
        return self.to(channel, self._known(channel).applied_ua + limits.RAISE_STEP_UA, now_us)

    def down(self, channel: int) -> int:
        """The target one step down from what was asked for last; below 0.5 mA that is zero. Raises `Misuse`."""
        target = self._known(channel)
        present_ua = min(target.applied_ua, target.wanted_ua) if self.running else target.wanted_ua
        return _legal(present_ua - limits.RAISE_STEP_UA)

    def to(self, channel: int, target_ua: int, now_us: int) -> int:
        """`target_ua` as it may be wanted now. Raises `Unsafe`, naming the limit, when it may not, and `Misuse`."""
        target = self._known(channel)
        if target_ua <= target.applied_ua:
            target_ua = _legal(target_ua)
        elif problem := self._why_not_up(target, target_ua, now_us):
            raise Unsafe([Problem(f"channel {channel} target_ua", target_ua, problem)])
        if target.wanted_ua != target.applied_ua and target_ua > target.wanted_ua:
            raise Misuse(f"channel {channel}: the device has not answered the last change yet")
        return target_ua

    def lower(self, channel: int, target_ua: int) -> int:
        """`target_ua` as it may be wanted while nothing runs: never above what is wanted. Raises `Misuse`."""
        wanted_ua = self._known(channel).wanted_ua
        if target_ua > wanted_ua:
            raise Misuse(f"channel {channel}: a target is raised while stimulating only; it will go to {wanted_ua} uA")
        return _legal(target_ua)

    def leaves_nothing(self, channel: int, wanted_ua: int) -> bool:
        """Whether `wanted_ua` for `channel` takes the last output away."""
        if wanted_ua or not self[channel].wanted_ua:
            return False
        return not any(self[number].wanted_ua for number in self.channels if number != channel)

    def _known(self, channel: int) -> Target:
        if channel not in self:
            raise Misuse(f"channel {channel} is not in the prescription; it has {list(self.channels)}")
        return self[channel]

    def _why_not_up(self, target: Target, target_ua: int, now_us: int) -> str | None:
        if target_ua > self.ceiling_ua:
            return f"the session's ceiling is {self.ceiling_ua} uA; nothing raises it"
        if target_ua > target.applied_ua + limits.RAISE_STEP_UA:
            return f"one step up is {limits.RAISE_STEP_UA} uA from the present {target.applied_ua} uA"
        if target.raised_us is not None and now_us - target.raised_us < limits.RAISE_INTERVAL_US:
            return "one step a second; a sooner one is refused, not queued"
        return None


def _legal(lowered_ua: int) -> int:
    return lowered_ua if lowered_ua >= limits.TARGET.low else 0
