"""Orders as data: what somebody outside told a session to do, noted as it is done, and done again from the note.

An order is any function of the engine and the time. To know what it does, it is given `Overheard` in the engine's
place, which notes each call that can change what is sent and passes all of them on.
"""

from collections.abc import Callable, Mapping
from typing import Any

from stimctl.errors import InputInvalid, Problem
from stimctl.session.engine import Engine
from stimctl.session.recorded import ORDER
from stimctl.session.states import End

TakeNote = Callable[[int, str, Mapping[str, Any]], None]
Order = Callable[[Engine, int], None]


class Overheard:
    """An engine to whoever gives orders. `take_note` is told of each order before it is carried out."""

    def __init__(self, engine: Engine, take_note: TakeNote) -> None:
        self._engine = engine
        self._take_note = take_note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def _noted(self, now_us: int, **said: Any) -> None:
        self._take_note(now_us, ORDER, said)

    def proceed(self, now_us: int) -> None:
        """As `Engine.proceed`."""
        self._noted(now_us, do="proceed")
        self._engine.proceed(now_us)

    def raise_target(self, channel: int, now_us: int) -> None:
        """As `Engine.raise_target`."""
        self._noted(now_us, do="raise", channel=channel)
        self._engine.raise_target(channel, now_us)

    def lower_target(self, channel: int, now_us: int) -> None:
        """As `Engine.lower_target`."""
        self._noted(now_us, do="lower", channel=channel)
        self._engine.lower_target(channel, now_us)

    def set_target(self, channel: int, target_ua: int, now_us: int) -> None:
        """As `Engine.set_target`."""
        self._noted(now_us, do="set", channel=channel, target_ua=target_ua)
        self._engine.set_target(channel, target_ua, now_us)

    def hold(self, now_us: int, why: str = "operator") -> None:
        """As `Engine.hold`."""
        self._noted(now_us, do="hold", why=why)
        self._engine.hold(now_us, why)

    def stop(self, now_us: int, end: End = End.OPERATOR, text: str = "") -> None:
        """As `Engine.stop`."""
        self._noted(now_us, do="stop", end=end.name)
        self._engine.stop(now_us, end, text)


def order_of(source: str, said: Mapping[str, Any]) -> Order:
    """The order that a note tells of. Raises `InputInvalid`."""
    try:
        return _ORDERS[said["do"]](said)
    except (KeyError, TypeError):
        allowed = f"must be one of {', '.join(_ORDERS)}, with its channel, target_ua or end"
        raise InputInvalid(source, [Problem("order", dict(said), allowed)]) from None


def _whole(said: Mapping[str, Any], name: str) -> int:
    value = said[name]
    if type(value) is not int:
        raise TypeError(name)
    return value


def _raise(said: Mapping[str, Any]) -> Order:
    channel = _whole(said, "channel")
    return lambda engine, now_us: engine.raise_target(channel, now_us)


def _lower(said: Mapping[str, Any]) -> Order:
    channel = _whole(said, "channel")
    return lambda engine, now_us: engine.lower_target(channel, now_us)


def _set(said: Mapping[str, Any]) -> Order:
    channel, target_ua = _whole(said, "channel"), _whole(said, "target_ua")
    return lambda engine, now_us: engine.set_target(channel, target_ua, now_us)


def _hold(said: Mapping[str, Any]) -> Order:
    why = str(said["why"])
    return lambda engine, now_us: engine.hold(now_us, why)


def _stop(said: Mapping[str, Any]) -> Order:
    end = End[said["end"]]
    return lambda engine, now_us: engine.stop(now_us, end)


_ORDERS: dict[str, Callable[[Mapping[str, Any]], Order]] = {
    "proceed": lambda _said: lambda engine, now_us: engine.proceed(now_us),
    "raise": _raise,
    "lower": _lower,
    "set": _set,
    "hold": _hold,
    "stop": _stop,
}
