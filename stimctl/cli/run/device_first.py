"""The device before any question: its port is open and it has said who it is while a person is being asked.

So nobody answers thirty questions for a port that cannot be opened, and no other program takes it meanwhile. What
the device tells during the questions is read and dropped: a line that nobody reads fills up.
"""

import secrets
import threading
from types import TracebackType
from typing import Self

from stimctl.errors import StimctlError, Suspended
from stimctl.port import Port, RecordedPort, TrafficSink, open_port
from stimctl.stimulators.discovery import DeviceChoice, handshake, stimulator

_SLICE_US = 200_000


class OpenDevice:
    """An open port with an identified device. Raises, when made, what is wrong with port or device.

    `take` hands the port on to a session; without that it is closed on leaving.
    """

    def __init__(self, url: str, choice: DeviceChoice) -> None:
        self._port = port = open_port(url)
        try:
            # Another number than a session begins with: an answer to this must not fit that.
            first = 1 << 15 if port.virtual else secrets.randbelow(1 << 16)
            self.identity = handshake(port, stimulator(choice, port, first)).identity
        except BaseException:
            port.close()
            raise
        self.now_us = port.now_us
        self._fault: StimctlError | None = None
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._drop, name="stimctl questions", daemon=True)
        if not port.virtual:  # whose time stands still meanwhile
            self._reader.start()
        self._taken = False

    def check(self) -> None:
        """Raise what has happened to the line since."""
        if self._fault is not None:
            raise self._fault

    def take(self, _url: str, *, traffic: TrafficSink | None = None) -> Port:
        """The port, as `open_port` gives it; from now on it is the caller's."""
        self._end_reading()
        self.check()
        self._taken = True
        return RecordedPort(self._port, traffic) if traffic else self._port

    def _drop(self) -> None:
        while not self._over.is_set():
            try:
                self._port.wait(self._port.now_us() + _SLICE_US)
            except Suspended:
                continue  # nothing runs yet that a sleep could harm
            except StimctlError as fault:
                self._fault = fault
                return

    def _end_reading(self) -> None:
        self._over.set()
        if self._reader.is_alive():
            self._port.wake()
            self._reader.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not self._taken:
            self._end_reading()
            self._port.close()
