"""The stop of any device, whoever orders it: sent at once and every 20 ms until zero is confirmed.

It is overdue after 100 ms, which is an alarm, and goes on: for 60 s, or until the line's read side says that nobody
is there any more (whoever runs the line then sends nothing). Where this program left out a whole try, it stood still:
that is no silence of the device's, and the longest such time does not count. Who is late time and again tells all the same.
"""

from collections.abc import Callable

from stimctl import limits
from stimctl.stimulators.base import ZeroConfirmed, ZeroOverdue


class StopSequence:
    """A stop under way since `began_us`. `send(now_us)` puts the stop's bytes before everything else to be sent."""

    def __init__(self, send: Callable[[int], None], now_us: int) -> None:
        self.began_us = now_us
        self._send = send
        self._due_us = now_us
        self._slept_us = 0
        self._answered_us: int | None = None
        self._overdue_told = False
        self.advance(now_us)

    def advance(self, now_us: int) -> list[ZeroOverdue]:
        """Send again what is due, and say once that zero is overdue."""
        if now_us >= self._due_us:
            late_us = now_us - self._due_us
            if late_us > limits.STOP_RESEND_US:
                self._slept_us = max(self._slept_us, late_us)
            self._due_us = now_us + limits.STOP_RESEND_US
            self._send(now_us)
        after_us = now_us - self.began_us
        if self._overdue_told or after_us - self._slept_us < limits.STOP_CONFIRM_US:
            return []
        self._overdue_told = True
        return [ZeroOverdue(after_us)]

    def next_deadline_us(self) -> int:
        return self._due_us

    def answered(self, now_us: int) -> None:
        """The device has taken the stop; it need not be at zero yet."""
        if self._answered_us is None:
            self._answered_us = now_us

    def confirmed(
        self, now_us: int, measured_ua: int, *, measured: bool = True, device_time_us: int = 0
    ) -> ZeroConfirmed:
        self.answered(now_us)
        assert self._answered_us is not None
        answered_us = self._answered_us - self.began_us
        return ZeroConfirmed(now_us - self.began_us, answered_us, measured_ua, measured, device_time_us)
