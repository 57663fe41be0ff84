"""The device under test: a link that also brings the device into any state, requires things of it and measures them.

The ways to a state (`idle`, `load`, `tested`, `arm`, `start`, `running`, `on_hold`, `ended`) each raise
`Nonconforming` when the device does not follow. Targets are small: `amplitude_ua` on one channel.
"""

from typing import Any

from stimctl.port import Port
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, Capability, DeviceState, EndReason, Purpose
from stimctl.wire.framing import DELIMITER
from stimlab.conformance.fixture import DUMMY, Fixture, NoFixture
from stimlab.conformance.link import ANSWER_MS, STOP_FRAME, Link, ReceivedFrame
from stimlab.conformance.programs import PLAIN, WireProgram
from stimlab.conformance.verdict import CheckSkipped, DutIdentity, Measurement, Nonconforming

CEILING_UA = 500  # the lowest there is
LIMIT_US = 60_000_000
TIME_TO_LIVE_MS = 2_000
STOP_EVERY_US = 20_000
RAISE_EVERY_US = 1_010_000
ZERO_LIMIT_US = 100_000
STATUS_US = 100_000
BOOT_MS = 3_000  # a board may boot when its port is opened
EVERYTHING = Capability(0)
for _each in Capability:
    EVERYTHING |= _each


class Dut(Link):
    """The device under test.

    From check to check it keeps its port, its identity, and the highest amplitude to drive.
    """

    def __init__(self, port: Port, *, fixture: Fixture | None = None, amplitude_ua: int = 200) -> None:
        super().__init__(port)
        self.fixture = fixture or NoFixture()
        self.amplitude_ua = amplitude_ua
        self.capabilities = EVERYTHING
        self.identity: DutIdentity | None = None
        self.loaded = PLAIN
        self.welcome: m.Welcome | None = None
        self.armed: m.Armed | None = None
        self.measurements: list[Measurement] = []
        self.expected: set[EndReason] = set()
        self._load = DUMMY
        self._settled = 0  # from which frame on what is heard belongs to the check
        self._swapped = 0  # the channel that has another load than the others
        self._raised_us = self.now_us - RAISE_EVERY_US

    def send(self, order: Any, sequence: int | None = None) -> int:
        """Send a command and wait for nothing; its sequence number."""
        if isinstance(order, m.SetTarget):
            self._raised_us = self.now_us
        return super().send(order, sequence)

    # --- judging --------------------------------------------------------------------------------

    def require(self, requirement: str, fulfilled: bool, text: str, *, expected: str = "", seen: str = "") -> None:
        """Raise `Nonconforming` of `requirement` with `text`, a sentence on what is done wrong, unless it is kept."""
        if not fulfilled:
            raise Nonconforming(requirement, text, expected=expected, seen=seen)

    def measure(self, name: str, value: int, limit: int | None, unit: str, *, by: str | None = None) -> int:
        """Put a measurement into the report; with `by`, one over its limit is `Nonconforming` of that requirement."""
        taken = Measurement(name, value, limit, unit)
        self.measurements.append(taken)
        if by is not None and not taken.passed:
            text = f"{name}: {value} {unit}, over the limit of {limit} {unit}"
            raise Nonconforming(by, text, expected=f"at most {limit} {unit}", seen=f"{value} {unit}")
        return value

    def expect(self, *reasons: EndReason) -> None:
        """Say which ends and holds this check brings about: any other is a failure of the check."""
        self.expected.update(reasons)

    # --- the ways to each state -----------------------------------------------------------------

    def hello(self, within_ms: int = ANSWER_MS) -> m.Welcome:
        """Open a handshake."""
        self.nonce = None
        self.welcome = self.get(m.Hello(PROTOCOL_VERSION), m.Welcome, by="R-16", within_ms=within_ms)
        return self.welcome

    def identify(self, within_ms: int = ANSWER_MS) -> DutIdentity:
        """Open a handshake and read the three pages."""
        welcome = self.hello(within_ms)
        self.identity = DutIdentity(
            welcome,
            self.get(m.ReadIdentity(0), m.Maker, by="R-28"),
            self.get(m.ReadIdentity(1), m.Firmware, by="R-28"),
            self.get(m.ReadIdentity(2), m.Ranges, by="R-28"),
        )
        self.capabilities = Capability(self.identity.ranges.capabilities)
        return self.identity

    def load(self, program: WireProgram = PLAIN) -> bytes:
        """LOADED with `program`; its digest."""
        self.loaded = program
        self.get(program.header, m.ProgramOpen, by="R-29")
        for segment in program.segments:
            self.get(segment, m.SegmentLoaded, by="R-29")
        return self.get(m.ReadDigest(), m.ProgramDigest, by="R-29").sha256

    def tested(self, program: WireProgram = PLAIN) -> m.SelfTestDone:
        """TESTED with `program`."""
        self.load(program)
        done = self.get(m.SelfTest(), m.SelfTestDone, by="R-32")
        self.require("R-32", done.failures == 0, f"the self-test of a good device found {done.failures:#x}")
        return done

    def arm_order(self, purpose: int = Purpose.STIMULATE, **other: int) -> m.Arm:
        """The Arm that fits what is loaded, with `other` fields replaced."""
        order = m.Arm(
            purpose, self.loaded.header.channel_mask, CEILING_UA, LIMIT_US, TIME_TO_LIVE_MS, self.loaded.digest_head
        )
        return order._replace(**other)

    def arm(self, purpose: int = Purpose.STIMULATE, **other: int) -> m.Armed:
        """ARMED, from TESTED or HELD. Keepalives are sent from here on while somebody listens."""
        self.armed = self.get(self.arm_order(purpose, **other), m.Armed, by="R-33")
        self.nonce, self._alive_us = self.armed.nonce, self.now_us
        return self.armed

    def start_order(self, *targets_ua: int) -> m.Start:
        """The Start of the newest arm: targets of channels 1 up, 0 where none is given."""
        assert self.armed is not None, "armed first"
        return m.Start(self.armed.nonce, *(*targets_ua, 0, 0, 0, 0)[:4])

    def start(self, *targets_ua: int) -> m.Started:
        """RAMPING, or CHECKING when armed for it. Without targets: `amplitude_ua` on each channel that is armed."""
        assert self.armed is not None, "armed first"
        if not targets_ua and self.armed.purpose == Purpose.STIMULATE:
            targets_ua = tuple(self.amplitude_ua * (self.armed.channel_mask >> n & 1) for n in range(4))
        return self.get(self.start_order(*targets_ua), m.Started, by="R-38")

    def ramping(self, program: WireProgram = PLAIN, **arm: int) -> m.Started:
        """RAMPING, all the way."""
        self.tested(program)
        self.arm(**arm)
        return self.start()

    def running(self, program: WireProgram = PLAIN, **arm: int) -> m.Started:
        """RUNNING, all the way: every channel at `amplitude_ua`."""
        started = self.ramping(program, **arm)
        self.reach(DeviceState.RUNNING, 5_000_000, by="R-24")
        return started

    def on_hold(self, program: WireProgram = PLAIN, **arm: int) -> m.Holding:
        """HELD after a moment of RUNNING."""
        self.running(program, **arm)
        return self.hold()

    def hold(self) -> m.Holding:
        """HELD."""
        return self.get(m.Hold(), m.Holding, by="R-40")

    def ended(self, program: WireProgram = PLAIN) -> m.Stopped:
        """ENDED by a stop, from ARMED: nothing has flowed."""
        self.tested(program)
        self.arm()
        return self.stop()

    def idle(self) -> None:
        """IDLE with nothing loaded, whatever was before: by way of a session that is stopped before it starts."""
        if self.status().state != DeviceState.IDLE:
            self.ended()
            self.acknowledge()

    def stop(self) -> m.Stopped:
        """One Stop, and its answer. No keepalive follows it."""
        self.nonce = None
        message = self.ask(m.Stop(), by="R-46").message
        if not isinstance(message, m.Stopped):
            raise Nonconforming("R-48", f"Stop was answered with {message}")
        return message

    def stop_to_zero(self, *, limit_us: int = ZERO_LIMIT_US) -> tuple[m.Stopped, int]:
        """Stop every 20 ms until zero is measured; the last answer and the time it took. Raises for too long."""
        began_us = self.now_us
        while True:
            sent_us = self.now_us
            stopped = self.stop()
            took_us = self.now_us - began_us
            if stopped.zero or took_us > limit_us + 10 * self.slack_us:
                break
            self._pump(sent_us + STOP_EVERY_US, lambda _: False)
        self.require("R-48", bool(stopped.zero), f"zero was not measured within {took_us} us of Stop")
        return stopped, took_us

    def acknowledge(self) -> m.Acknowledged:
        """IDLE, from ENDED: the session that waits is acknowledged by its number."""
        number = self.get(m.ReadSession(), m.SessionRecord, by="R-28").session
        return self.get(m.Acknowledge(number), m.Acknowledged, by="R-70")

    # --- seeing where it stands -----------------------------------------------------------------

    def status(self, within_us: int = 3 * STATUS_US) -> m.Status:
        """Wait for the next Status."""
        found = self.wait_for(lambda each: isinstance(each.message, m.Status) and not each.stale, within_us)
        if found is None:
            raise Nonconforming("R-65", f"no Status came within {within_us} us")
        status: m.Status = found.message
        return status

    def last_state(self) -> str:
        """The state that it told of last, by name; no wait for another."""
        reported = [each.message.state for each in self.received if isinstance(each.message, m.Event | m.Status)]
        return DeviceState(reported[-1]).name if reported else "no Status and no Event"

    def state(self) -> DeviceState:
        """Where the next Status says that it stands."""
        return DeviceState(self.status().state)

    def reach(self, state: DeviceState, within_us: int, *, by: str) -> ReceivedFrame:
        """Listen until an Event or a Status names `state`. Raises `Nonconforming` of `by` when none does in time."""
        found = self.wait_for(lambda each: _names(each, state), within_us + STATUS_US + self.slack_us)
        if found is None:
            text = f"it did not come to {state.name} within {within_us} us"
            raise Nonconforming(by, text, expected=f"{state.name} within {within_us} us", seen=self.last_state())
        return found

    def channels(self, received: list[ReceivedFrame] | None = None) -> list[m.Channel]:
        """The Channel messages among `received`, or among all since the check began."""
        received = self.received if received is None else received
        return [each.message for each in received if isinstance(each.message, m.Channel) and not each.stale]

    def events(self, received: list[ReceivedFrame] | None = None) -> list[m.Event]:
        """The Events among `received`, or among all since the check was settled."""
        received = self.received[self._settled :] if received is None else received
        return [each.message for each in received if isinstance(each.message, m.Event)]

    def statuses(self, received: list[ReceivedFrame] | None = None) -> list[m.Status]:
        """The Status messages among `received`, or among all since the check began."""
        received = self.received if received is None else received
        return [each.message for each in received if isinstance(each.message, m.Status) and not each.stale]

    # --- what needs hands -----------------------------------------------------------------------

    def power_cycle(self) -> None:
        """Off and on. No handshake is open afterwards. Raises `CheckSkipped` where nobody can."""
        if not self.fixture.can("power"):
            raise CheckSkipped("cannot switch its power here; `--ask` asks you to")
        self.nonce = None
        self.fixture.power_cycle()
        self.restart_line()

    def connect(self, load: str) -> None:
        """Drive one of `fixture.LOADS` from here to the end of the check. No handshake is open afterwards."""
        if not self.fixture.can("load"):
            raise CheckSkipped("cannot change what it drives here; `--ask` asks you to")
        self.nonce = None
        self._load = load
        self.fixture.connect(load)
        self.restart_line()

    def swap(self, channel: int, load: str) -> None:
        """Let one channel drive another load, under power, from here to the end of the check. The session goes on."""

        def meanwhile() -> None:
            self.listen(100_000)

        self._swapped = 0 if load == DUMMY else channel
        self.fixture.swap(channel, load, meanwhile)

    def connect_dummy(self) -> None:
        """The ordinary load again, if it was changed."""
        if self._swapped:
            self.swap(self._swapped, DUMMY)
        if self._load != DUMMY:
            self.connect(DUMMY)

    # --- between checks -------------------------------------------------------------------------

    def settle(self) -> None:
        """A known state: stopped, greeted, no session open or waiting. Program and self-test may be there.

        The last raise of a target is a second ago: R-39 counts that over the end of a session.
        """
        self.nonce = None
        self.send_raw(DELIMITER + STOP_FRAME)
        self.listen(self._raised_us + RAISE_EVERY_US - self.now_us)
        welcome = self.hello()
        if welcome.session:
            self.get(m.Acknowledge(welcome.session), m.Acknowledged, by="R-70")
        if self.slack_us:
            self.listen(self.slack_us)  # answers went ahead of Events of what was before
        self._settled = len(self.received)

    def begin(self) -> None:
        """A new check: what was heard, measured and expected is that of the one before."""
        self.forget()
        self.measurements, self.expected = [], set()
        self._settled = 0


def _names(each: ReceivedFrame, state: DeviceState) -> bool:
    return isinstance(each.message, m.Event | m.Status) and each.message.state == state and not each.stale


def tells(each: ReceivedFrame, *states: DeviceState) -> bool:
    """Whether it is an Event of one of `states`, and not of a change before the newest arm."""
    return isinstance(each.message, m.Event) and each.message.state in states and not each.stale
