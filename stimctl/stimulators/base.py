"""The interface of every stimulator adapter: sans-I/O, time as an argument, the same events.

An adapter compares what a device says it applied with what was asked before it gives the event. The native protocol's
messages (`Status`, `Channel`, `Armed`, ...) are the common form of telemetry: adapters for other devices make them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from stimctl.entries import LogEntry
from stimctl.errors import StimctlError
from stimctl.stimulators.targets import Targets
from stimctl.units import counted
from stimctl.waveform import Program
from stimctl.wire.codec import Counters, Impedance, Measured, SessionRecord, Started, TargetSet
from stimctl.wire.codes import Capability, Purpose


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity that a device states in the handshake, and its capabilities."""

    model: str
    serial: str
    firmware: str
    firmware_sha256: str
    boot_id: int
    simulator: bool
    calibrated_on: str | None
    channels: int
    capabilities: Capability
    max_amplitude_ua: int
    dac_step_na: int
    readback_accuracy_ua: int
    readback_accuracy_permille: int
    net_charge_floor_pc: int
    compliance_mv: int
    watchdog_ms: int
    # Output is given in leases that end by themselves, because the device has no watchdog of its own.
    by_lease: bool = False
    # A stop may end a pulse in its middle; what is then open is not balanced.
    stops_mid_pulse: bool = False
    # What can happen at the device that nobody tells the host, a sentence each.
    unnoticed: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """JSON-able, for the log."""
        return {**asdict(self), "capabilities": int(self.capabilities)}


class DeviceIdentified(NamedTuple):
    """The handshake is done. `waiting` is a session whose counters the device still holds, 0 for none.

    `answered_us` is how long after its opening the port was answered at, where that was timed.
    """

    identity: Identity
    waiting: int
    answered_us: int = 0


class ProgramLoaded(NamedTuple):
    """The program stands in the device and its digest is the one computed here."""

    digest: bytes


class SelfTested(NamedTuple):
    """The self-test ran. `failures` is 0 for a pass."""

    failures: int
    zero_ua: int
    note: str = ""  # what was tested instead, where the device has no self-test


class ContactChecked(NamedTuple):
    """The impedance check is over."""

    results: tuple[Impedance, ...]


class CountBasis(NamedTuple):
    """The basis of one channel's pulse counts, by segment, where the host keeps them.

    `counted` pulses are those of leases that were reported, or ran their time; `estimated` those of leases that
    were cut without a count: the most that time allows, of which `least` certainly flowed. `measured` are the
    counted ones whose current was measured.
    """

    channel: int
    counted: tuple[int, int]
    estimated: tuple[int, int]
    least: tuple[int, int]
    measured: tuple[int, int]


class LeaseHandovers(NamedTuple):
    """How much later than the pattern's own grid the next lease began, over a session."""

    leases: int
    max_us: int
    total_us: int

    def record(self) -> dict[str, int]:
        """JSON-able; the mean is rounded up, and 0 where there was none."""
        return {**self._asdict(), "mean_us": -(-self.total_us // self.leases) if self.leases else 0}


class FigureOrigins(NamedTuple):
    """How the figures of `SessionCounts` came about, where the device keeps none of its own.

    `told`: the device tells when a lease is over. Where it does not, one that was broken off at the device counts as
    whole, and every figure is a most.
    """

    source: str
    bases: tuple[CountBasis, ...]
    handovers: LeaseHandovers
    told: bool = True
    # By channel: how far its delivered charge may be off, by what was declared of the parts behind the device.
    unsure_pc: Mapping[int, int] = MappingProxyType({})

    @property
    def estimated(self) -> int:
        """Pulses of all channels that are bounded by time only."""
        return sum(sum(each.estimated) for each in self.bases)

    @property
    def evidence(self) -> str:
        return "at most" if not self.told else "estimated" if self.estimated else "counted"

    @property
    def unsure(self) -> str | None:
        """Why nobody knows whether each of these pulses flowed, if so."""
        if not self.told:
            return "the device does not tell whether a lease was broken off: what is counted is a most"
        estimated = f"estimated by time: {counted(self.estimated, 'pulse')} of leases that were cut"
        return estimated if self.estimated else None

    def record(self) -> dict[str, Any]:
        """JSON-able, for the log and the report."""
        return {
            "source": self.source,
            "evidence": self.evidence,
            "channels": {
                str(each.channel): dict(zip(each._fields[1:], map(list, each[1:]), strict=True)) for each in self.bases
            },
            "handovers": self.handovers.record(),
            "unsure_pc": {str(channel): pc for channel, pc in self.unsure_pc.items()},
        }


class SessionCounts(NamedTuple):
    """The device's counts and measurements in its newest session, per channel.

    `kept` is there where the device holds no counts and the host kept them; `measured` is then empty unless the
    device reported what flowed. `checked` is what an impedance check gave whose results were not told here: it
    was broken off, or an earlier connection's, which may have heard them.
    """

    record: SessionRecord
    counters: tuple[Counters, ...]
    measured: tuple[Measured, ...]
    kept: FigureOrigins | None = None
    checked: tuple[Impedance, ...] = ()


class OrderedDose(NamedTuple):
    """The dose that an adapter ordered on one channel, by segment: pulses and first-phase charge."""

    pulses: tuple[int, int]
    charge_pc: tuple[int, int]


class ZeroConfirmed(NamedTuple):
    """A stop is complete. Times from the first stop frame; `device_time_us` by the device's clock, where it has one.

    `measured` says that the device measured zero; without it the device only acknowledged the stop.
    """

    after_us: int
    answered_us: int
    measured_ua: int
    measured: bool = True
    device_time_us: int = 0

    def record(self) -> dict[str, Any]:
        """JSON-able, for the log."""
        return {name: value for name, value in self._asdict().items() if name != "device_time_us"}


class ZeroOverdue(NamedTuple):
    """No measured zero within 100 ms of the stop: a HIGH alarm. Stop frames go on."""

    after_us: int
    not_taken: bool = False  # the stop, by the port

    @property
    def text(self) -> str:
        because = ", which the port does not take" if self.not_taken else ""
        return f"no zero output confirmed {self.after_us // 1_000} ms after the stop{because}"


class OrderDeclined(NamedTuple):
    """The device refused an order, with its reason; nothing has changed. Channel and target of a refused target."""

    order: str
    reason: str
    detail: int
    limit: int
    channel: int = 0
    target_ua: int = 0


class EntryNoted(NamedTuple):
    """Something for the log."""

    entry: LogEntry


class Intruded(NamedTuple):
    """The device did something that was not ordered here: somebody else gives it orders, or an input does."""

    text: str


class OutputPaused(NamedTuple):
    """What was ordered keeps the output at zero for a while, which the operator should know of."""

    text: str


class Unrested(NamedTuple):
    """After the session the device may still hold a program that something else could start."""

    text: str


class LateReply(NamedTuple):
    """The answer to an order that was in flight when the stop came: it was applied before the stop."""

    answer: TargetSet | Started


class StimulatorFailed(NamedTuple):
    """An error of device or line that ends the session."""

    error: StimctlError


def failed(error: StimctlError) -> list[Any]:
    """The events of a failure: there is one."""
    return [StimulatorFailed(error)]


def earliest(*due_us: int | None) -> int | None:
    """The first of those deadlines that there are."""
    return min((each for each in due_us if each is not None), default=None)


class SansIO(Protocol):
    """Bytes and time in, events and bytes out.

    `receive` gives the events one by one: a stop that one of them causes comes before the next. `wrote` says that what
    `take_output` gave last has been handed to the line, completely, by then; `stood_still` that this program did not
    run for so long: an answer that was waited for is late so much later.
    """

    def receive(self, data: bytes, now_us: int) -> Iterable[Any]: ...
    def advance(self, now_us: int) -> list[Any]: ...
    def next_deadline_us(self) -> int | None: ...
    def take_output(self) -> bytes: ...
    def wrote(self, now_us: int) -> None: ...
    def stood_still(self, late_us: int) -> None: ...


class Stimulator(SansIO, Protocol):
    """A device that can be driven. Every order may raise `Misuse` when another one is under way.

    `heard_us` is when the last valid frame came; who listens sets it when the listening begins. `targets` is the
    session's record of its channels' targets: the adapter sends what is wanted there and notes there that it did.
    `frames` counts what came whole, `damaged_frames` what was no frame. `hears_writes`: its times count from `wrote`.
    `unanswered`: a stop overtook a start or a target which has no answer, so that nobody knows whether it was taken.
    `may_stay_driven`: where the line goes in the middle of a command, nothing but its leads may end its output.

    What each order ends in: `connect` in `DeviceIdentified`, `load` (the digest is read back) in `ProgramLoaded`,
    `self_test` in `SelfTested`, `arm` in `Armed`, `start` in `Started` (and after an impedance check in
    `ContactChecked`), `retarget`, which sends what is wanted, a lowering at once, in `TargetSet` or `OrderDeclined`,
    `hold` in `Holding`, `read_records` in `SessionCounts`, `acknowledge` in `Acknowledged`.
    """

    heard_us: int
    targets: Targets
    frames: int
    hears_writes: bool

    @property
    def may_stay_driven(self) -> bool: ...
    @property
    def damaged_frames(self) -> int: ...
    @property
    def unanswered(self) -> bool: ...
    def follow_cut(self, data: bytes, sent: int, output: bytes) -> bytes:
        """`data`, commands of which only `sent` bytes went, as it goes on with `output`: those bytes stay as they are.
        A stop takes the place of all that was not begun."""

    def connect(self, now_us: int) -> None: ...
    def load(self, program: Program, now_us: int) -> None: ...
    def self_test(self, now_us: int) -> None: ...
    def arm(self, purpose: Purpose, channels: Iterable[int], ceiling_ua: int, limit_us: int, now_us: int) -> None: ...
    def start(self, targets: Mapping[int, int], now_us: int) -> None: ...
    def keep_alive(self, now_us: int) -> None: ...
    def retarget(self, now_us: int) -> None: ...
    def hold(self, now_us: int) -> None: ...
    def stop(self, now_us: int) -> None:
        """Zero, now, ahead of everything, and again until it is (see `stop.Stop`).

        Ends in `ZeroConfirmed`, after `ZeroOverdue` where it comes late.
        """

    def apart(self) -> "Stimulator":
        """Another adapter for the same device, which nothing has happened to yet: it can stop it."""

    def read_records(self, channels: Iterable[int], now_us: int) -> None: ...
    def acknowledge(self, session: int, now_us: int) -> None: ...
    def commanded(self) -> Mapping[int, OrderedDose] | None:
        """What was ordered, by channel, or None where the pulse rules of the device tell it."""

    def kept_records(self, channels: Iterable[int]) -> SessionCounts | None:
        """What the host itself kept of the session, or None where the device keeps it until it is acknowledged."""
