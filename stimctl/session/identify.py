"""Ask who is at a port, with a handshake and nothing else: no program, no arm, no acknowledgement."""

from stimctl.port import Port, open_port
from stimctl.stimulators.base import Failed, Identified
from stimctl.stimulators.native import Native


def identify(url: str) -> Identified:
    """Who answers at `url`. Raises `LineFault` when nobody does, `WrongDevice` for another protocol version.

    A handshake ends a session that the device has open: the device then belongs to who asked last.
    """
    port = open_port(url)
    try:
        return _handshake(port)
    finally:
        port.close()


def _handshake(port: Port) -> Identified:
    # Not the number that the last connection began with: an answer left over from it must not fit.
    native = Native(first_sequence=port.now_us())
    native.connect(port.now_us())
    while True:
        output = native.take_output()
        if output:
            port.write(output)
        data = port.wait(native.next_deadline_us())
        now_us = port.now_us()
        for event in [*native.receive(data, now_us), *native.advance(now_us)]:
            if isinstance(event, Identified):
                return event
            if isinstance(event, Failed):
                raise event.error
