"""The adapter core for devices with no watchdog, limits, alternation or ramp: output by leases.

The session's state, timers and limits stand here, on the host's side, in the same terms as on a native device,
so a session drives both alike. Output is given in trains that end by themselves within 3 s (see `leases`,
`lease_giver`); the next one is started only while keepalives come. When the host dies, so does the output, at
the end of the lease.

What the device does not tell ten times a second is told from what was ordered: `Status` and `Channel` are
synthesised. What was measured comes from completion reports only, and stands apart (see `lease_tally`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stimctl import limits
from stimctl.errors import Misuse, Unsafe
from stimctl.stimulators import lease_checks
from stimctl.stimulators.base import (
    Checked,
    Declined,
    Failed,
    Identified,
    Identity,
    Loaded,
    Ordered,
    Records,
    SelfTested,
)
from stimctl.stimulators.dialect import Dialect, Done, Found
from stimctl.stimulators.lease_giver import Began, CutDone, Giver, Over, RunOut
from stimctl.stimulators.lease_tally import LeaseTally
from stimctl.stimulators.lease_telemetry import Standing, channel_reading, session_record, status
from stimctl.stimulators.leases import Lease, Level, check_program
from stimctl.stimulators.native import channel_mask, program_digest
from stimctl.waveform import Program, Segment
from stimctl.wire import messages as m
from stimctl.wire.codes import DeviceState, EndReason, Purpose

TICK_US = 100_000
CHECK_PULSES = 10
CHECK_SHAPE = Segment(10_000, 200, 0, 200, 0)  # the native impedance check's pulse
_STIMULATING = (DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN)
_WATCHED = (*_STIMULATING, DeviceState.ARMED, DeviceState.CHECKING, DeviceState.HELD)


class Leased:
    """A `Stimulator` made of a `Dialect`. `session` numbers the one session that it will hold."""

    def __init__(self, dialect: Dialect, session: int = 1) -> None:
        self._dialect = dialect
        self._giver = Giver(dialect)
        self._identity: Identity | None = None
        self._out_of_turn: list[Any] = []
        self._program: Program | None = None
        self._at = Standing(session=session)
        self._alive_us = 0
        self._armed_since_us: int | None = None
        self._held_since_us: int | None = None
        self._armed_from = DeviceState.IDLE
        self._to_check: list[int] = []
        self._checked: list[m.Impedance] = []
        self._started = False
        self._failed = False
        self._tick_us: int | None = None
        self.heard_us = 0
        self._on: dict[type[Any], Callable[[Any, int], list[Any]]] = {
            Found: self._on_found,
            Began: self._on_began,
            Over: self._on_over,
            RunOut: lambda _event, now_us: self._end(EndReason.TIMER, now_us),
            CutDone: self._on_cut,
        }

    # --- orders -------------------------------------------------------------------------------------

    def connect(self, now_us: int) -> None:
        self._dialect.connect(now_us)

    def load(self, program: Program, now_us: int) -> None:  # noqa: ARG002
        try:
            check_program(program)
            self._dialect.check_program(program)
        except Unsafe as unfit:
            self._out_of_turn.append(Failed(unfit))
            return
        self._program = program
        self._giver.tally = LeaseTally(program.channels)
        self._at.digest = program_digest(program)
        self._at.state = DeviceState.LOADED
        self._out_of_turn.append(Loaded(self._at.digest))

    def self_test(self, now_us: int) -> None:
        self._giver.stop("self-test", now_us)

    def arm(self, purpose: Purpose, channels: Iterable[int], ceiling_ua: int, limit_us: int, now_us: int) -> None:
        at = self._at
        try:
            self._dialect.arm(ceiling_ua)
        except Unsafe as refused:
            self._out_of_turn.append(Failed(refused))
            return
        self._armed_from = at.state
        self._armed_since_us = now_us if self._armed_since_us is None else self._armed_since_us
        self._alive_us = now_us
        at.arm(tuple(channels), ceiling_ua)
        self._to_check = list(at.channels) if purpose == Purpose.CHECK_IMPEDANCE else []
        self._checked = []
        self._started = False
        armed = m.Armed(
            int(purpose), channel_mask(at.channels), ceiling_ua, limit_us, 0, at.session, at.nonce, at.device_us(now_us)
        )
        self._out_of_turn.append(armed)

    def start(self, targets: Mapping[int, int], now_us: int) -> None:
        if self._to_check:
            self._at.state = DeviceState.CHECKING
            self._out_of_turn.append(self._started_event({}, now_us))
            if not self._dialect.measures:
                # Pulses whose current nobody measures would show nothing of the contact.
                self._checked = [
                    m.Impedance(channel, 0, 0, 0, 0, 0, self._at.device_us(now_us)) for channel in self._to_check
                ]
                self._to_check = []
            self._out_of_turn += self._check_next(now_us)
            return
        assert self._program is not None
        self._at.run_start_us = self._giver.at_us
        self._at.state, self._at.end_reason = DeviceState.RAMPING, EndReason.NONE
        self._out_of_turn += self._obey(self._giver.begin_run(self._program, targets, now_us), now_us)

    def keep_alive(self, now_us: int) -> None:
        self._alive_us = now_us

    def set_target(self, channel: int, target_ua: int, now_us: int) -> None:
        at = self._at
        if at.state not in _STIMULATING or target_ua > at.ceiling_ua:
            self._out_of_turn.append(Declined("SetTarget", "not in this state, or above the ceiling", target_ua, 0))
            return
        self._giver.targets_ua[channel] = target_ua
        self._giver.lower(channel, target_ua, now_us)
        self._out_of_turn.append(
            m.TargetSet(channel, target_ua, self._giver.stimulation_us(now_us), at.device_us(now_us))
        )

    def hold(self, now_us: int) -> None:
        if self._at.state not in _STIMULATING:
            raise Misuse("hold: there is no output to hold")
        self._giver.begin_cut("hold", now_us)

    def stop(self, now_us: int) -> None:
        self._out_of_turn.clear()
        self._to_check = []
        self._giver.stop("stop", now_us)

    def read_records(self, channels: Iterable[int], now_us: int) -> None:  # noqa: ARG002
        self._out_of_turn.append(self._records(channels))

    def acknowledge(self, session: int, now_us: int) -> None:
        self._at.state = DeviceState.IDLE
        self._out_of_turn.append(m.Acknowledged(session, int(self._at.state), self._at.device_us(now_us)))

    def commanded(self) -> Mapping[int, Ordered] | None:
        """What the leases were ordered to deliver."""
        return self._giver.tally.ordered()

    def kept_records(self, channels: Iterable[int]) -> Records | None:
        """What is known although the device cannot be asked."""
        self._giver.give_up()
        return self._records(channels)

    # --- bytes and time -----------------------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> list[Any]:
        said = self._giver.obey(self._dialect.receive(data, now_us), now_us)
        return self._once([*self._take_out_of_turn(), *self._obey(said, now_us)])

    def advance(self, now_us: int) -> list[Any]:
        events = self._take_out_of_turn()
        events += self._obey(self._giver.obey(self._dialect.advance(now_us), now_us), now_us)
        events += self._obey(self._giver.advance(now_us), now_us)
        if self._at.state in _WATCHED:
            events += self._watch(now_us)
        if self._at.state in _STIMULATING:
            events += self._obey(self._giver.go_on(now_us), now_us)
        if self._tick_us is not None and now_us >= self._tick_us:
            self._tick_us = now_us - (now_us - self._tick_us) % TICK_US + TICK_US
            events += self._telemetry(now_us)
        return self._once(events)

    def next_deadline_us(self) -> int | None:
        if self._out_of_turn:
            return 0
        due = [self._tick_us, self._dialect.next_deadline_us(), *self._giver.deadlines_us()]
        return min((each for each in due if each is not None), default=None)

    def take_output(self) -> bytes:
        return self._dialect.take_output()

    # --- inside -------------------------------------------------------------------------------------

    def _take_out_of_turn(self) -> list[Any]:
        said, self._out_of_turn = self._out_of_turn, []
        return said

    def _once(self, events: list[Any]) -> list[Any]:
        """The first failure ends the session; what fails while it stops must not end the stopping too."""
        kept = []
        for event in events:
            if isinstance(event, Failed):
                if self._failed:
                    continue
                self._failed = True
            kept.append(event)
        return kept

    def _obey(self, happened: list[Any], now_us: int) -> list[Any]:
        events: list[Any] = []
        for event in happened:
            take = self._on.get(type(event))
            events += [event] if take is None else take(event, now_us)
        return events

    def _on_found(self, event: Found, now_us: int) -> list[Any]:
        self._identity = event.identity
        self._at.connected(event.identity, now_us)
        self._tick_us = now_us
        self.heard_us = now_us
        return [Identified(event.identity, 0)]

    def _on_began(self, _event: Began, now_us: int) -> list[Any]:
        if self._started or self._at.state not in _STIMULATING:
            return []
        self._started = True
        return [self._started_event(self._giver.targets_ua, now_us)]

    def _started_event(self, targets_ua: Mapping[int, int], now_us: int) -> m.Started:
        wanted = [targets_ua.get(channel, 0) for channel in range(1, 5)]
        return m.Started(wanted[0], wanted[1], wanted[2], wanted[3], self._giver.at_us, self._at.device_us(now_us))

    def _on_over(self, event: Over, now_us: int) -> list[Any]:
        if event.done is not None:
            assert self._identity is not None
            wrong = lease_checks.wrong_report(event.lease, event.done)
            if wrong is not None:
                return [Failed(wrong)]
            found = lease_checks.trip(self._identity, event.lease, event.done)
            checking = self._at.state == DeviceState.CHECKING
            # In the check an open lead is what is asked for: its result says so.
            if found is not None and not (checking and found.reason == EndReason.LEAD_OFF):
                return self._tripped(found, now_us)
            if checking:
                return self._check_over(event.lease, event.done, now_us)
        if now_us - self._alive_us > limits.WATCHDOG_US or self._at.state not in _STIMULATING:
            return []
        return self._obey(self._giver.go_on(now_us), now_us)

    def _tripped(self, found: lease_checks.Trip, now_us: int) -> list[Any]:
        self._at.flags[found.channel] = int(found.flag)
        said = m.Event(now_us, int(self._at.state), int(found.reason), found.channel, found.value)
        if found.reason == EndReason.LEAD_OFF:
            self._enter_hold(found.reason, now_us)
            return [said, *self._telemetry(now_us)]
        return [said, *self._end(found.reason, now_us)]

    # --- inside: the check before a start -----------------------------------------------------------

    def _check_next(self, now_us: int) -> list[Any]:
        if self._to_check:
            level = Level(self._to_check[0], limits.RAISE_STEP_UA, 0)
            lease = Lease(0, CHECK_SHAPE, (level,), CHECK_PULSES, 0, CHECK_PULSES * CHECK_SHAPE.period_us)
            return self._obey(self._giver.begin_test(lease, now_us), now_us)
        self._at.state = self._armed_from
        self._giver.end_run()
        self._dialect.disarm()
        return [Checked(tuple(self._checked))]

    def _check_over(self, lease: Lease, done: Done, now_us: int) -> list[Any]:
        channel = self._to_check.pop(0)
        mean_ua = next((abs(mean.mean_ua) for mean in done.means if (mean.channel, mean.phase) == (channel, 0)), 0)
        charge_pc = CHECK_PULSES * lease.shape.charge_pc(limits.RAISE_STEP_UA)
        self._checked.append(
            m.Impedance(channel, 0, CHECK_PULSES, limits.RAISE_STEP_UA, mean_ua, charge_pc, self._at.device_us(now_us))
        )
        return self._check_next(now_us)

    # --- inside: hold, stop, end --------------------------------------------------------------------

    def _on_cut(self, event: CutDone, now_us: int) -> list[Any]:
        at, cut, measured_ua = self._at, event.cut, event.measured_ua
        if cut.why == "lower":
            return []
        if cut.why == "hold":
            self._enter_hold(EndReason.HELD_BY_HOST, now_us)
            return [m.Holding(int(at.state), self._giver.at_us, at.device_us(now_us))]
        if cut.why == "end":
            return []
        if measured_ua is not None and measured_ua >= limits.ZERO_UA:
            # Not zero: the stop goes on, and becomes an alarm.
            self._giver.cut = cut
            return []
        if cut.why == "self-test":
            at.state = DeviceState.TESTED
            return [SelfTested(0, measured_ua or 0, self._dialect.self_test_note)]
        if self._armed_since_us is not None:
            if at.state != DeviceState.ENDED:
                at.state, at.end_reason = DeviceState.ENDED, EndReason.STOP
            self._giver.end_run()
            self._dialect.disarm()
        return [cut.confirmed(now_us, measured_ua)]

    def _enter_hold(self, reason: EndReason, now_us: int) -> None:
        self._at.state, self._at.end_reason = DeviceState.HELD, reason
        self._giver.end_run()
        self._held_since_us = now_us
        self._dialect.disarm()

    def _end(self, reason: EndReason, now_us: int) -> list[Any]:
        self._at.state, self._at.end_reason = DeviceState.ENDED, reason
        if self._giver.cut is None:
            self._giver.stop("end", now_us)
        return self._telemetry(now_us)

    # --- inside: time and telemetry -----------------------------------------------------------------

    def _watch(self, now_us: int) -> list[Any]:
        """The timers that the device does not have."""
        at = self._at
        held_us = self._held_since_us if at.state == DeviceState.HELD else None
        if now_us - self._alive_us > limits.WATCHDOG_US and self._armed_since_us is not None:
            return self._end(EndReason.WATCHDOG, now_us)
        if self._armed_since_us is not None and now_us - self._armed_since_us > limits.SESSION_US:
            return self._end(EndReason.SESSION_EXPIRED, now_us)
        if held_us is not None and now_us - held_us > limits.HOLD_US:
            return self._end(EndReason.HOLD_EXPIRED, now_us)
        if at.state in _STIMULATING and self._giver.plan is not None:
            at.state = self._stimulating_state(now_us)
        return []

    def _stimulating_state(self, now_us: int) -> DeviceState:
        plan, state = self._giver.plan, self._at.state
        assert plan is not None
        if state == DeviceState.RAMPING_DOWN or self._giver.stimulation_us(now_us) >= plan.fade_us:
            return DeviceState.RAMPING_DOWN
        if state == DeviceState.RUNNING or plan.reached(self._giver.targets_ua):
            return DeviceState.RUNNING
        return DeviceState.RAMPING

    def _telemetry(self, now_us: int) -> list[Any]:
        self.heard_us = now_us
        at, giver = self._at, self._giver
        at.stimulation_us = giver.stimulation_us(now_us)
        running, begun = giver.running(now_us)
        at.segment = running.segment if running is not None else giver.plan.band if giver.plan is not None else 0
        events: list[Any] = [status(at, self._program, self._held_since_us, self._alive_us, now_us)]
        if at.state in (*_STIMULATING, DeviceState.HELD):
            levels_ua = giver.levels_ua if running is None else {each[0]: each[1] for each in running.levels}
            for channel in at.channels:
                counted = giver.tally.counters(channel, at.session, running, begun)
                reading = (giver.targets_ua.get(channel, 0), levels_ua.get(channel, 0))
                events.append(channel_reading(at, counted, *reading, now_us))
        return events

    def _records(self, channels: Iterable[int]) -> Records:
        wanted = tuple(channels)
        tally, session = self._giver.tally, self._at.session
        self._at.stimulation_us = self._giver.at_us
        measured = tuple(tally.measured(channel, session) for channel in wanted) if tally.is_measured else ()
        return Records(
            session_record(self._at, tally.band_us),
            tuple(tally.counters(channel, session) for channel in wanted),
            measured,
            tally.kept(self._dialect.pulse_source),
        )
