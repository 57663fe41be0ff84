"""A serial port by URL: bytes in, bytes out, the time, and one place that waits.

`open_port` takes whatever pyserial takes (`/dev/ttyUSB0`, `COM3`, `socket://host:port`) and the URLs of
installed protocol handlers (`sim://`). A `Port` waits only in `wait`, until a deadline, bytes, or a `wake`
from any thread; and a write waits 20 ms for room. Behind hardware that is a wait on the descriptor and a wake pipe;
behind a simulator in virtual time the wait advances the simulated world and the clock with it; above the port
nobody knows.
"""

from stimctl.port.base import BAUD, ROOM_S, SLICE_S, Port
from stimctl.port.clock import HostClock
from stimctl.port.host import DescriptorPort, SlicedPort, TelnetPort
from stimctl.port.monotonic import MonotonicPort
from stimctl.port.opening import check_url, open_port, register_handlers
from stimctl.port.recorded import RecordedPort, TrafficSink
from stimctl.port.virtual import VirtualPort

__all__ = [
    "BAUD",
    "ROOM_S",
    "SLICE_S",
    "DescriptorPort",
    "HostClock",
    "MonotonicPort",
    "Port",
    "RecordedPort",
    "SlicedPort",
    "TelnetPort",
    "TrafficSink",
    "VirtualPort",
    "check_url",
    "open_port",
    "register_handlers",
]
