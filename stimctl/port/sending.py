"""Sends on a descriptor or socket that does not block: all bytes within 20 ms, or `NotSent` with how many went."""

import selectors
import time
from collections.abc import Callable

from stimctl.errors import NotSent
from stimctl.port.base import ROOM_S

_TRY_EVERY_S = 0.001


def not_sent(url: str, data: bytes, sent: int, why: object = "") -> NotSent:
    """The error for a write of `data` of which only the first `sent` bytes went."""
    took = f"took only {sent} of {len(data)} bytes" if sent else "takes no bytes"
    because = f" ({why})" if why else ""
    return NotSent(f"{url}: the port {took}{because}; check the cable", sent)


def send_soon(descriptor: int, send: Callable[[bytes], int], data: bytes, url: str) -> None:
    """Give `data` to `send`, which takes some of it or raises `OSError`, for at most 20 ms. Raises `NotSent`."""
    sent, until_s = 0, None
    while True:
        try:
            sent += send(data[sent:] if sent else data)
        except BlockingIOError:
            pass
        except OSError as fault:
            raise not_sent(url, data, sent, fault) from fault
        if sent >= len(data):
            return
        now_s = time.monotonic()
        until_s = until_s or now_s + ROOM_S
        if now_s >= until_s:
            raise not_sent(url, data, sent)
        _wait_for_room(descriptor, until_s - now_s)


def _wait_for_room(descriptor: int, limit_s: float) -> None:
    """Wait a little. A terminal with more than 256 bytes to send has room and does not say so: try again anyway."""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_WRITE)
        selector.select(min(limit_s, _TRY_EVERY_S))
