"""Ask who is at a port, with a handshake and nothing else: no program, no arm, no acknowledgement."""

from stimctl.errors import WrongDevice
from stimctl.port import Port, open_port
from stimctl.stimulators.base import Failed, Identified, Intruded, Stimulator
from stimctl.stimulators.discovery import NATIVE, Choice, stimulator


def identify(url: str, choice: Choice = NATIVE) -> Identified:
    """Who answers at `url`. Raises `LineFault` when nobody does, `WrongDevice` for another protocol version.

    A handshake ends a session that the device has open: the device then belongs to who asked last. A device that
    has no such thing is stopped, and what it could play by itself is made harmless.
    """
    port = open_port(url)
    try:
        # Not the number that the last connection began with: an answer left over from it must not fit.
        return handshake(port, stimulator(choice, port, port.now_us()))
    finally:
        port.close()


def handshake(port: Port, device: Stimulator) -> Identified:
    """Who answers at an open port. Raises what the device's adapter found wrong."""
    device.connect(port.now_us())
    while True:
        output = device.take_output()
        if output:
            port.write(output)
        data = port.wait(device.next_deadline_us())
        now_us = port.now_us()
        for event in [*device.receive(data, now_us), *device.advance(now_us)]:
            if isinstance(event, Identified):
                return event
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Intruded):
                raise WrongDevice(event.text)
