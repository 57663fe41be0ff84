"""The adapter for devices with no watchdog, limits, alternation or ramp: it gives output by leases.

The session's state, timers and limits stand here, on the host's side, in the same terms as on a native device. Output
is given in trains that end by themselves within 3 s (see `plan`, `scheduler`); the next one is started only while
keepalives come. `Status` and `Channel` are made from what was ordered, every 0.1 s. Measurements come from completion
reports only, and stand apart (see `tally`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from stimctl import limits
from stimctl.errors import Misuse, StimctlError, Suspended
from stimctl.limits import SessionTimer
from stimctl.stimulators import base
from stimctl.stimulators.base import DeviceIdentified, StimulatorFailed, Unrested, earliest, failed
from stimctl.stimulators.lease import report_checks
from stimctl.stimulators.lease.device import TICK_US, LeaseDevice, LeaseDone
from stimctl.stimulators.lease.plan import Lease, LeasePlan, check_program
from stimctl.stimulators.lease.report_checks import ContactCheck
from stimctl.stimulators.lease.scheduler import LeaseScheduler, gated
from stimctl.stimulators.lease.stop import CutReason, LeaseCut
from stimctl.stimulators.lease.tally import LeaseTally
from stimctl.stimulators.lease.telemetry import STIMULATING, EmulatedStatus, channel_reading, session_record, status
from stimctl.stimulators.native import channel_mask, program_digest
from stimctl.stimulators.targets import Targets
from stimctl.waveform import Program
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, EndReason, Purpose

_TIMER_ENDS = {SessionTimer.SESSION: EndReason.SESSION_EXPIRED, SessionTimer.HOLD: EndReason.HOLD_EXPIRED}


class LeaseAdapter:
    """A `Stimulator` made of a `LeaseDevice`. `session` numbers the one session that it will hold."""

    # A text line, or an answer of one byte, carries no check: what was damaged shows as an echo that differs.
    frames = 0
    damaged_frames = 0
    unanswered = False  # what was ordered is told by what was sent
    hears_writes = True

    def __init__(self, dialect: LeaseDevice, session: int = 1) -> None:
        self._dialect = dialect
        self.take_output = dialect.take_output
        self.targets = Targets({})
        self._scheduler = LeaseScheduler(dialect, self)
        self._at = EmulatedStatus(session)
        # What an order made happen at once, to be told at the next turn, and since when that is due.
        self._out_of_turn: list[Any] = []
        self._said_us = 0
        self._lowered: list[tuple[int, int]] = []  # targets that are applied once what runs above them is cut
        self._check: ContactCheck | None = None
        self._readings = report_checks.Readings()
        self._resting: tuple[int, ...] | None = None  # channels whose records are told once the device is at rest
        self._started = False
        self._failed = False
        self._tick_us: int | None = None
        self.heard_us = 0

    @property
    def may_stay_driven(self) -> bool:
        return self._dialect.may_stay_driven

    def follow_cut(self, data: bytes, sent: int, output: bytes) -> bytes:
        return self._dialect.command_gate.follow_cut(data, sent, output)

    def connect(self, now_us: int) -> None:
        self._dialect.connect(now_us)

    def load(self, program: Program, now_us: int) -> None:
        unfit = gated(lambda: check_program(program)) or gated(lambda: self._dialect.check_program(program))
        if unfit:
            self._say(now_us, *unfit)
            return
        self._scheduler.tally = LeaseTally(program.channels)
        self._at.program = program
        self._at.state = DeviceState.LOADED
        self._say(now_us, base.ProgramLoaded(program_digest(program)))

    def self_test(self, now_us: int) -> None:
        self._scheduler.begin_cut(CutReason.SELF_TEST, now_us)

    def arm(self, purpose: Purpose, channels: Iterable[int], ceiling_ua: int, limit_us: int, now_us: int) -> None:
        at = self._at
        refused = gated(lambda: self._dialect.command_gate.arm(ceiling_ua))
        if refused:
            self._say(now_us, *refused)
            return
        armed_from = at.state
        at.arm(tuple(channels), ceiling_ua, now_us)
        self._check = ContactCheck(at.channels, armed_from) if purpose == Purpose.CHECK_IMPEDANCE else None
        self._started = False
        mask, made_us = channel_mask(at.channels), at.device_time_us(now_us)
        self._say(now_us, m.Armed(int(purpose), mask, ceiling_ua, limit_us, 0, at.session, at.nonce, made_us))

    def start(self, targets: Mapping[int, int], now_us: int) -> None:
        at = self._at
        if self._check is not None:
            at.state = DeviceState.CHECKING
            self._say(now_us, self._started_event(now_us))
            if not self._dialect.measures:
                self._check.skip()
            self._say(now_us, *self._check_next(self._check, now_us))
            return
        assert at.program is not None
        for channel, target_ua in targets.items():
            self.targets.sent(channel, target_ua)
        at.run_start_us = self._scheduler.at_us
        at.state, at.end_reason = DeviceState.RAMPING, EndReason.NONE
        self._say(now_us, *self._scheduler.begin_run(at.program, now_us))

    def keep_alive(self, now_us: int) -> None:
        self._at.alive_us = now_us

    def retarget(self, now_us: int) -> None:
        for channel, target_ua in self.targets.to_send():
            if self._at.state not in STIMULATING or target_ua > self._at.ceiling_ua:
                reason = "not in this state, or above the ceiling"
                self._say(now_us, base.OrderDeclined("SetTarget", reason, target_ua, 0, channel, target_ua))
                continue
            self.targets.sent(channel, target_ua)
            # What was ordered first is told first.
            if self._scheduler.lower(channel, target_ua, now_us) or self._lowered:
                self._lowered.append((channel, target_ua))
            else:
                stimulation_us, made_us = self._scheduler.stimulation_us(now_us), self._at.device_time_us(now_us)
                self._say(now_us, m.TargetSet(channel, target_ua, stimulation_us, made_us))

    def hold(self, now_us: int) -> None:
        if self._at.state not in STIMULATING:
            raise Misuse("hold: there is no output to hold")
        self._scheduler.begin_cut(CutReason.HOLD, now_us)

    def stop(self, now_us: int) -> None:
        self._out_of_turn.clear()
        self._resting = None
        self._scheduler.begin_cut(CutReason.STOP, now_us)

    def read_records(self, channels: Iterable[int], now_us: int) -> None:
        """Put the device at rest, then tell what is known: it is the last thing that is asked of it."""
        self._resting = tuple(channels)
        self._dialect.rest(now_us)

    def rested(self, _now_us: int) -> list[Any]:
        channels, self._resting = self._resting, None
        return [] if channels is None else [self._records(channels)]

    def acknowledge(self, session: int, now_us: int) -> None:
        self._at.state = DeviceState.IDLE
        self._say(now_us, m.Acknowledged(session, int(self._at.state), self._at.device_time_us(now_us)))

    def commanded(self) -> Mapping[int, base.OrderedDose] | None:
        return self._scheduler.tally.ordered()

    def kept_records(self, channels: Iterable[int]) -> base.SessionCounts | None:
        """What is known although the device cannot be asked."""
        self._scheduler.give_up()
        return self._records(channels)

    def apart(self) -> "LeaseAdapter":
        return LeaseAdapter(self._dialect.apart())

    def receive(self, data: bytes, now_us: int) -> list[Any]:
        events, self._out_of_turn = self._out_of_turn, []
        return self._once([*events, *self._scheduler.obey(self._dialect.receive(data, now_us), now_us)], now_us)

    def advance(self, now_us: int) -> list[Any]:
        events, self._out_of_turn = self._out_of_turn, []
        events += self._scheduler.obey(self._dialect.advance(now_us), now_us)
        events += self._scheduler.advance(now_us)
        events += self._watch(now_us)
        if self._at.state in (*STIMULATING, DeviceState.CHECKING):
            events += self._scheduler.go_on(now_us)
        if self._at.state in STIMULATING:
            events += self._scheduler.pause(now_us)
        if self._tick_us is not None and now_us >= self._tick_us:
            self._tick_us = now_us - (now_us - self._tick_us) % TICK_US + TICK_US
            events += self._telemetry(now_us)
        return self._once(events, now_us)

    def next_deadline_us(self) -> int | None:
        said_us = self._said_us if self._out_of_turn else None
        return earliest(said_us, self._tick_us, self._dialect.next_deadline_us(), self._scheduler.next_deadline_us())

    def wrote(self, now_us: int) -> None:
        self._dialect.wrote(now_us)
        self._scheduler.wrote(now_us)

    def stood_still(self, late_us: int) -> None:
        self.heard_us += late_us
        self._dialect.stood_still(late_us)
        self._scheduler.stood_still(late_us)

    def _say(self, now_us: int, *events: Any) -> None:
        self._out_of_turn += events
        self._said_us = now_us

    def _once(self, events: list[Any], now_us: int) -> list[Any]:
        """The first failure ends the session; what fails while it stops must not end the stopping too."""
        kept: list[Any] = []
        for event in events:
            if isinstance(event, DeviceIdentified):
                self._at.identity, self._at.nonce = event.identity, now_us << 8
                self._at.connected_us = self._tick_us = self.heard_us = now_us
            if isinstance(event, StimulatorFailed) and self._resting is not None:
                kept += [Unrested(str(event.error)), *self.rested(now_us)]
                continue
            if not isinstance(event, StimulatorFailed) or not self._failed:
                kept.append(event)
            self._failed |= isinstance(event, StimulatorFailed)
        return kept

    def began(self, now_us: int) -> list[Any]:
        if self._started or self._at.state not in STIMULATING:
            return []
        self._started = True
        return [self._started_event(now_us)]

    def run_out(self, now_us: int) -> list[Any]:
        return self._end(EndReason.TIMER, now_us)

    def _started_event(self, now_us: int) -> m.Started:
        aims_ua = {} if self._check is not None else self._scheduler.aims_ua()
        first, second, third, fourth = (aims_ua.get(channel, 0) for channel in range(1, 5))
        return m.Started(first, second, third, fourth, self._scheduler.at_us, self._at.device_time_us(now_us))

    def over(self, lease: Lease, done: LeaseDone | None, now_us: int) -> list[Any]:
        if done is not None:
            identity, run = self._at.identity, self._check is None
            assert identity is not None
            wrong: StimctlError | None = report_checks.wrong_report(lease, done)
            if run and self._dialect.measures:
                wrong = wrong or self._readings.missing(lease, done)
            if wrong is not None:
                return failed(wrong)
            direct = self._readings.direct(identity, lease, done) if run else None
            found = report_checks.trip(identity, lease, done) or direct
            # In the check an open lead is what is asked for: its result says so.
            if found is not None and not (self._check is not None and found.reason == EndReason.LEAD_OFF):
                return self._tripped(found, now_us)
            if self._check is not None:
                return self._check_next(self._check, now_us)
        if self._at.expired(now_us) is not None or self._at.state not in STIMULATING:
            return []
        return self._scheduler.go_on(now_us)

    def tested(self, lease: Lease, pulses: int, done: LeaseDone | None) -> None:
        assert self._check is not None, "a lease without a plan is an impedance check's"
        self._check.over(lease, pulses, done)

    def _tripped(self, found: report_checks.ReadingTrip, now_us: int) -> list[Any]:
        at, (channel, reason, flag, value) = self._at, found
        at.flags[channel] = int(flag)
        said = m.Event(at.device_time_us(now_us), int(at.state), int(reason), channel, value)
        if found.reason == EndReason.LEAD_OFF:
            self._enter_hold(found.reason, now_us)
            return [said, *self._telemetry(now_us)]
        return [said, *self._end(found.reason, now_us)]

    def _check_next(self, check: ContactCheck, now_us: int) -> list[Any]:
        lease = check.next()
        if lease is not None:
            return self._scheduler.prepare(lease, now_us)
        self._check = None
        self._at.state = check.armed_from
        self._stand_down()
        return [base.ContactChecked(tuple(check.results))]

    def was_cut(self, cut: LeaseCut, measured_ua: int | None, now_us: int) -> list[Any]:
        if cut.why.value.measured and measured_ua is not None and measured_ua >= limits.ZERO_UA:
            # Not zero: the stop goes on, and becomes an alarm.
            self._scheduler.cut = cut
            return []
        at, (lowered, self._lowered) = self._at, (self._lowered, [])
        made = (self._scheduler.at_us, at.device_time_us(now_us))
        match cut.why:
            case CutReason.LOWER:
                return [m.TargetSet(*each, *made) for each in lowered]
            case CutReason.HOLD:
                self._enter_hold(EndReason.HELD_BY_HOST, now_us)
                return [m.Holding(int(at.state), *made)]
            case CutReason.SELF_TEST:
                at.state = DeviceState.TESTED
                return [base.SelfTested(0, measured_ua or 0, self._dialect.self_test_note)]
            case CutReason.STOP:
                if at.armed_us is not None:
                    at.end(EndReason.STOP)
                    self._stand_down()
                assert cut.stop is not None
                return [cut.stop.confirmed(now_us, measured_ua or 0, measured=measured_ua is not None)]
        return []

    def _enter_hold(self, reason: EndReason, now_us: int) -> None:
        self._at.state, self._at.end_reason, self._at.held_us = DeviceState.HELD, reason, now_us
        self._stand_down()

    def _stand_down(self) -> None:
        """No lease from here on, by this run's plan or through the gate."""
        self._scheduler.end_run()
        self._dialect.command_gate.disarm()

    def _end(self, reason: EndReason, now_us: int) -> list[Any]:
        self._at.end(reason)
        if self._scheduler.cut is None or self._scheduler.cut.why.value.waits:
            self._scheduler.begin_cut(CutReason.END, now_us)
        return self._telemetry(now_us)

    def _watch(self, now_us: int) -> list[Any]:
        """The timers that the device does not have."""
        at = self._at
        timer = at.expired(now_us)
        if timer is SessionTimer.WATCHDOG:
            # The host's own fault, seen by the host: the device has no watchdog that could have noticed.
            silence = f"the host's keepalives stopped for {(now_us - at.alive_us) // 1_000} ms"
            return [*failed(Suspended(f"{silence}: this program stood still")), *self._end(EndReason.STOP, now_us)]
        if timer is not None:
            return self._end(_TIMER_ENDS[timer], now_us)
        if at.state in STIMULATING and self._scheduler.plan is not None:
            at.state = self._stimulating_state(self._scheduler.plan, now_us)
        return []

    def _stimulating_state(self, plan: LeasePlan, now_us: int) -> DeviceState:
        state = self._at.state
        if state == DeviceState.RAMPING_DOWN or self._scheduler.stimulation_us(now_us) >= plan.fade_us:
            return DeviceState.RAMPING_DOWN
        reached = state == DeviceState.RUNNING or plan.reached(self._scheduler.aims_ua())
        return DeviceState.RUNNING if reached else DeviceState.RAMPING

    def _telemetry(self, now_us: int) -> list[Any]:
        self.heard_us = now_us
        at, scheduler = self._at, self._scheduler
        running, begun = scheduler.running(now_us)
        segment = running.segment if running is not None else scheduler.plan.band if scheduler.plan is not None else 0
        events: list[Any] = [status(at, segment, scheduler.stimulation_us(now_us), now_us)]
        if at.state in (*STIMULATING, DeviceState.HELD):
            aims_ua = scheduler.aims_ua()
            for channel in at.channels:
                counted = scheduler.tally.counters(channel, at.session, running, begun)
                reading = (aims_ua.get(channel, 0), scheduler.level_ua(channel, now_us))
                events.append(channel_reading(at, counted, *reading, now_us))
        return events

    def _records(self, channels: Iterable[int]) -> base.SessionCounts:
        wanted = tuple(channels)
        tally, session = self._scheduler.tally, self._at.session
        measured = tuple(tally.measured(channel, session) for channel in wanted) if tally.is_measured else ()
        return base.SessionCounts(
            session_record(self._at, self._scheduler.at_us, tally.band_us),
            tuple(tally.counters(channel, session) for channel in wanted),
            measured,
            tally.figure_origins(self._dialect.pulse_source, self._unsure_pc(), reports_ends=self._dialect.tells_ends),
            () if self._check is None else tuple(each for each in self._check.results if each.pulses),
        )

    def _unsure_pc(self) -> dict[int, int]:
        program, unsure = self._at.program, dict[int, int]()
        if program is None:
            return unsure
        for channel in program.channels:
            counted = self._scheduler.tally.counters(channel, self._at.session)
            bands = ((counted.charge_0_pc, counted.pulses_0), (counted.charge_1_pc, counted.pulses_1))
            for (charge_pc, pulses), segment in zip(bands, program.segments, strict=False):
                part_pc = self._dialect.unsure_pc(charge_pc, segment.width_us, pulses)
                if part_pc is not None:
                    unsure[channel] = unsure.get(channel, 0) + part_pc
        return unsure
