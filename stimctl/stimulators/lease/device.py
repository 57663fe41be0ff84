"""The interface of a device without a watchdog; `LeaseAdapter` does the rest.

It keeps no session: it knows the train that runs and what it has asked. All its bytes go through a gate of its own
that knows what they mean (see `command_gate`). Its events are those below, `DeviceIdentified` and `StimulatorFailed`.
"""

from collections import deque
from functools import partial
from typing import NamedTuple, Protocol

from stimctl import limits
from stimctl.errors import StimctlError, TimedOut
from stimctl.stimulators.base import Identity, SansIO
from stimctl.stimulators.command_writer import NOT_TAKEN
from stimctl.stimulators.lease.gate import Gate
from stimctl.stimulators.lease.plan import Lease
from stimctl.waveform import Program

ANSWER_US = limits.SILENCE_US  # an answer later than this is a line that is lost
TICK_US = 100_000  # whoever holds the session comes back so often at least, once the device is known
_REMEMBERED = 64  # answers, of some twenty leases or more: a line that was slow once is not slow for ever [choice]


class ReplyTimes:
    """When an answer is late: so long after what asks for it was written, and until then after it was ordered.

    Each one's time counts from what was written last.
    """

    def __init__(self) -> None:
        self.due_us: int | None = None
        self._took_us = deque([0], _REMEMBERED)
        self._unwritten_us: int | None = None
        self._written_us = self._turned_us = 0
        self._was_taken = True

    def expect(self, within_us: int, now_us: int, *, written: bool = False) -> None:
        """An answer has to come, to what was ordered just now or was `written` before."""
        self.due_us = now_us + within_us
        self._unwritten_us = None if written else within_us

    def wrote(self, now_us: int) -> None:
        self._written_us = now_us
        if self._unwritten_us is not None:
            self.expect(self._unwritten_us, now_us, written=True)

    def came(self, now_us: int) -> None:
        """It is here."""
        # Whoever comes back later than at the next tick may have read it late.
        if now_us - self._turned_us <= TICK_US:
            self._took_us.append(now_us - self._written_us)
        self.forget()

    def turned(self, now_us: int) -> None:
        """Whoever waits for it has looked."""
        self._turned_us = now_us

    @property
    def slowest_us(self) -> int:
        """How long the slowest of the last answers took: what was written so long ago has surely been heard."""
        return max(self._took_us)

    def stood_still(self, late_us: int) -> None:
        self._written_us += late_us
        if self.due_us is not None:
            self.due_us += late_us

    def forget(self) -> None:
        self.due_us = self._unwritten_us = None

    def is_late(self, now_us: int) -> bool:
        """Whether it should have come by now; told once."""
        late = self.due_us is not None and now_us >= self.due_us
        if late:
            self._was_taken = self._unwritten_us is None
            self.forget()
        return late

    def missed(self, error: StimctlError) -> StimctlError:
        """What to say of the one that was late last: nobody answers what the port did not take."""
        return error if self._was_taken else TimedOut(NOT_TAKEN)


class LeasePrepared(NamedTuple):
    """The lease that was prepared stands in the device, as its echo says."""


class LeaseBegun(NamedTuple):
    """The lease runs. It began after it was asked for and before this was heard."""


class StageMean(NamedTuple):
    """The mean current of one phase of one channel over a lease, as the device measured it."""

    channel: int
    phase: int
    mean_ua: int


class RestMean(NamedTuple):
    """The mean current of a channel over a stretch of each period in which nothing was to flow, and its length."""

    channel: int
    mean_ua: int
    us: int


class LeaseDone(NamedTuple):
    """The lease is over: how many pulses the device reports, None where it reports nothing, and what it measured, in
    the pulses and between them."""

    pulses: int | None
    means: tuple[StageMean, ...] = ()
    rests: tuple[RestMean, ...] = ()

    def rest_pc(self, channel: int) -> int:
        """What flowed in each period besides the pulse; 1 uA for 1 us is 1 pC."""
        return sum(mean_ua * us for at, mean_ua, us in self.rests if at == channel)

    def phases_ua(self, channel: int) -> tuple[int, int] | None:
        """The means of a channel's two phases, if both were measured."""
        found = {mean.phase: mean.mean_ua for mean in self.means if mean.channel == channel}
        return (found[0], found[1]) if len(found) == 2 else None


class Foreign(NamedTuple):
    """The device told of something that nobody here ordered. `starts`: a train began, or began anew."""

    text: str
    starts: bool = False


class AtRest(NamedTuple):
    """Nothing that the device holds could give output."""


class ZeroReported(NamedTuple):
    """A stop was carried out: the largest current measured since, or None where it is only acknowledged."""

    measured_ua: int | None


# What every device has in common that is driven by leases; all else it has to say itself.
identity_by_lease = partial(
    Identity,
    serial="none",
    firmware_sha256="",
    boot_id=1,
    calibrated_on=None,
    max_amplitude_ua=limits.CEILING.high,
    net_charge_floor_pc=0,
    watchdog_ms=0,
    by_lease=True,
)


class LeaseDevice(SansIO, Protocol):
    """One device's language.

    `measures` says that it reports the current that flowed; `pulse_source` in words what its pulse counts rest on;
    `stops_mid_pulse` that a stop may cut a pulse in half, so that a cut which can wait is sent between two pulses;
    `prepares_ahead` that the next lease can be prepared while one runs; `asks_to_prepare` how many answers a
    preparation waits for at most, one after the other.

    `connect` identifies, then makes harmless whatever the device could play, and ends in `DeviceIdentified`; `rest`
    does the latter again and ends in `AtRest`. `prepare` puts a lease into the device without starting it and ends in
    `LeasePrepared`; `begin` starts it and ends in one `LeaseBegun`, and later in `LeaseDone`. Both raise `Unsafe`.
    """

    measures: bool
    tells_ends: bool  # it says itself that a lease is over
    pulse_source: str
    self_test_note: str
    stops_mid_pulse: bool
    prepares_ahead: bool
    asks_to_prepare: int = 1
    may_stay_driven: bool = False  # as a `Stimulator`'s
    command_gate: Gate
    _answer: ReplyTimes
    # Answers to a stop may still come while anything of it has not left, and then until a time; what came by neither
    # was lost.
    _stop_owed: bool
    _late_until_us: int

    def __init__(self, gate: Gate) -> None:
        self.command_gate = gate
        self._answer = ReplyTimes()
        self._stop_owed = False
        self._late_until_us = 0

    def connect(self, now_us: int) -> None: ...
    def prepare(self, lease: Lease, now_us: int) -> None: ...
    def begin(self, now_us: int) -> None: ...
    def rest(self, now_us: int) -> None: ...
    def unsure_pc(self, charge_pc: int, width_us: int, pulses: int) -> int | None:  # noqa: ARG002
        """How far so many first phases of one width may be off their charge, where a part that was declared says so."""
        return None

    def check_program(self, program: Program) -> None:
        """Raise `Unsafe` for what this device cannot give exactly, saying what it would become."""

    def stop(self, now_us: int, *, measure: bool) -> None:
        """Zero and ground, ahead of everything; ends in `ZeroReported`. `measure` it where the device can.

        Called again every 20 ms until then: what was answered to an earlier one counts.
        """

    def apart(self) -> "LeaseDevice":
        """Another one for the same device, which nothing has happened to yet: it can stop it."""

    def take_output(self) -> bytes:
        return self.command_gate.take()

    def wrote(self, now_us: int) -> None:
        self.command_gate.wrote(now_us)
        self._answer.wrote(now_us)
        if self._stop_owed:
            self._stop_owed, self._late_until_us = False, now_us + ANSWER_US

    def _may_answer_stop(self, now_us: int) -> bool:
        """Whether what comes may be an answer to a stop of ours."""
        return self._stop_owed or now_us < self._late_until_us

    def stood_still(self, late_us: int) -> None:
        self._answer.stood_still(late_us)
        self._late_until_us += late_us
