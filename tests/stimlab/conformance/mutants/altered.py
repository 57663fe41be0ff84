"""A genuine device whose frames can be changed on their way in or out."""

from collections.abc import Iterable
from typing import Any

from firmware_sim.native.device import Device
from stimctl.wire.codec import encode, parse
from stimctl.wire.framing import DELIMITER, unframe

Said = tuple[int, Any]


class Altered(Device):
    """Override `hears` to change payloads that come in, `says` to change messages that go out."""

    def hears(self, payload: bytes) -> bytes | None:
        """The payload as the device is to take it, or None for not at all."""
        return payload

    def says(self, sequence: int, message: Any) -> Iterable[Said]:
        """What goes out in place of a message: nothing, it, or more."""
        return ((sequence, message),)

    def _take(self, payload: bytes) -> None:
        received = self.hears(payload)
        if received is not None:
            super()._take(received)

    def take_output(self) -> bytes:
        """The frames as `says` has them."""
        frames = filter(None, super().take_output().split(DELIMITER))
        return b"".join(encode(*said) for frame in frames for said in self.says(*parse(unframe(frame))))
