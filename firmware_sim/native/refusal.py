"""The exception by which a command is refused, and the range check behind most refusals."""

from stimctl.wire.codes import Refusal

_MAX_U32 = 0xFFFF_FFFF


class CommandDenied(Exception):
    """A command is refused and nothing has changed. `detail` and `limit` go into the Refused message."""

    def __init__(self, reason: Refusal, detail: int = 0, limit: int = 0) -> None:
        self.reason = reason
        self.detail = min(detail, _MAX_U32)
        self.limit = min(limit, _MAX_U32)
        super().__init__(f"{reason.name}: {detail}, limit {limit}")


def require_between(value: int, low: int, high: int) -> None:
    """Refuse `value` outside the range, both ends allowed, naming the end that it broke."""
    if value < low:
        raise CommandDenied(Refusal.BELOW_LIMIT, value, low)
    if value > high:
        raise CommandDenied(Refusal.ABOVE_LIMIT, value, high)


def require_known(value: int, known: range) -> None:
    """Refuse a number that stands for nothing, naming the highest that does."""
    if value not in known:
        raise CommandDenied(Refusal.UNKNOWN_VALUE, value, known[-1])
