"""The port of a simulator in this process: time passes only while somebody waits on it."""

from typing import Any

import serial

from stimctl.errors import LineLost
from stimctl.port.sending import not_sent


class VirtualPort:
    """A simulator in this process, whose clock moves only while it is waited on."""

    virtual = True

    def __init__(self, url: str, line: Any) -> None:
        self.url = url
        self.realtime = bool(getattr(line, "realtime", False))
        self.line = line  # for a bench, which switches the simulator's power
        self.now_us = line.now_us
        self.wake = line.wake
        self.close = line.close

    def wait(self, deadline_us: int | None) -> bytes:
        try:
            data: bytes = self.line.next_bytes(deadline_us)
        except serial.SerialException as fault:
            raise LineLost(f"{self.url}: the port is gone ({fault}); check the cable") from fault
        return data

    def write(self, data: bytes) -> None:
        try:
            self.line.write(data)
        except OSError as fault:  # as a SerialException is:
            raise not_sent(self.url, data, 0, fault) from fault
