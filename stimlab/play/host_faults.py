"""Carries out the faults of a host on the real driver: nothing here imitates one.

`host.stall`, `host.clock_jump` and `host.second_driver` happen at the port, `host.disk_full` and `host.read_only_log`
to a real ledger. `host.killed` and `host.stopped` need a process: see `play.realtime`.
"""

from collections.abc import Callable, Mapping, Sequence

from firmware_sim.faults import CATALOGUE, Fault
from stimctl.errors import Misuse
from stimctl.ledger.writer import LedgerWriter
from stimctl.session.log import SessionLog
from stimctl.stimulators.native import STOP_FRAME
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, Purpose
from stimlab.play.port import ScenarioPort, TimedAction
from stimlab.play.session_logs import SettledLog

OF_THE_LOG = ("host.disk_full", "host.read_only_log")
DRAIN_S = 5.0

_HELLO = m.encode(1, m.Hello(PROTOCOL_VERSION))
# As far as a driver gets that does not listen: it cannot know the device's nonce.
_SESSION = (
    m.ReadIdentity(0),
    m.LoadProgram(1, 1, 380, 0),
    m.LoadSegment(0, 10_000, 200, 0, 200, 3_000_000),
    m.ReadDigest(),
    m.SelfTest(),
    m.Arm(int(Purpose.STIMULATE), 1, 2_000, 20_000_000, 5_000, 0),
    m.Start(0, 2_000, 0, 0, 0),
)
_ORDERS = b"".join(m.encode(number, order) for number, order in enumerate(_SESSION, 2))
# What a second driver says, by the option `says`.
SAYINGS: Mapping[str, bytes] = {
    "hello": _HELLO,
    "session": _HELLO + _ORDERS,
    "orders": _ORDERS,
    "stop": STOP_FRAME,
}


class HostFaults:
    """The faults of a scenario that are the host's. `fired` and `fired_us` are by the fault's index, as a device's."""

    def __init__(self, faults: Sequence[Fault], port: ScenarioPort, log: SessionLog) -> None:
        self._port = port
        self._log = log.writer if isinstance(log, SettledLog) else log
        self.fired: dict[int, int] = {}
        self.fired_us: dict[int, int] = {}
        self._handlers: dict[str, Callable[[Fault], None]] = {
            "host.stall": self._stall,
            "host.clock_jump": self._jump,
            "host.second_driver": self._intrude,
            "host.disk_full": self._fill,
            "host.read_only_log": self._forbid,
        }
        self._own = [(index, fault) for index, fault in enumerate(faults) if fault.kind in self._handlers]

    def moments(self, entered: Callable[[str], int | None]) -> list[TimedAction]:
        """When each happens; `entered` says when the device first came into a state, in the world's time."""
        return [self._moment(index, fault, entered) for index, fault in self._own]

    def _moment(self, index: int, fault: Fault, entered: Callable[[str], int | None]) -> TimedAction:
        began_us, state = self._port.world_us(), fault.after

        def since() -> int | None:
            return began_us if state is None else entered(state)

        return TimedAction(fault.at_us, since, lambda now_us: self._happen(index, fault, now_us))

    def _happen(self, index: int, fault: Fault, now_us: int) -> None:
        self.fired[index] = self.fired.get(index, 0) + 1
        self.fired_us.setdefault(index, now_us)
        self._handlers[fault.kind](fault)

    def _stall(self, fault: Fault) -> None:
        self._port.stand_still(fault.for_us or 0)

    def _jump(self, fault: Fault) -> None:
        self._port.jump(CATALOGUE[fault.kind].number(fault, "by_us"))

    def _intrude(self, fault: Fault) -> None:
        self._port.intrude(SAYINGS[CATALOGUE[fault.kind].word(fault, "says")])

    def _fill(self, _fault: Fault) -> None:
        """SQLite may not take one page more, and says what it says when the disk is full."""
        log = self._ledger_writer()
        log.drain(DRAIN_S)
        (pages,) = log.connection.execute("PRAGMA page_count").fetchone()
        log.connection.execute(f"PRAGMA max_page_count={pages}")

    def _forbid(self, _fault: Fault) -> None:
        """SQLite may not write, and says what it says of a read-only file. A file's mode would not hold root."""
        log = self._ledger_writer()
        log.drain(DRAIN_S)
        log.connection.execute("PRAGMA query_only=1")

    def _ledger_writer(self) -> LedgerWriter:
        if not isinstance(self._log, LedgerWriter):
            raise Misuse("this fault is a ledger's: play the scenario with one")
        return self._log
