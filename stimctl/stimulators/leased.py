"""The adapter core for devices with no watchdog, limits, alternation or ramp: output by leases.

The session's state, timers and limits stand here, on the host's side, in the same terms as on a native device,
so a session drives both alike. Output is given in trains that end by themselves within 3 s (see `leases`); the
next one is started only while keepalives come. When the host dies, so does the output, at the end of the lease.

What the device does not tell ten times a second is told from what was ordered: `Status` and `Channel` are
synthesised. What was measured comes from completion reports only, and stands apart (see `lease_tally`).
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stimctl import limits
from stimctl.errors import EchoMismatch, Misuse, TimedOut, Unsafe
from stimctl.stimulators import dialect as d
from stimctl.stimulators import lease_checks
from stimctl.stimulators.base import (
    Checked,
    Declined,
    Failed,
    Identified,
    Identity,
    Loaded,
    Noted,
    Ordered,
    Records,
    SelfTested,
    ZeroOverdue,
)
from stimctl.stimulators.lease_cut import Cut
from stimctl.stimulators.lease_tally import LeaseTally, pulses_begun
from stimctl.stimulators.lease_telemetry import Standing, channel_reading, session_record, status
from stimctl.stimulators.leases import Lease, LeasePlan, Level, check_program
from stimctl.stimulators.native import channel_mask, program_digest
from stimctl.waveform import Program, Segment
from stimctl.wire import messages as m
from stimctl.wire.codes import DeviceState, EndReason, Purpose

TICK_US = 100_000
ANSWER_US = 500_000  # an answer later than this is a line that is lost
STOP_AGAIN_US = 50_000
CHECK_PULSES = 10
CHECK_SHAPE = Segment(10_000, 200, 0, 200, 0)  # the native impedance check's pulse
_STIMULATING = (DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN)
_WATCHED = (*_STIMULATING, DeviceState.ARMED, DeviceState.CHECKING, DeviceState.HELD)


class Leased:
    """A `Stimulator` made of a `Dialect`. `session` numbers the one session that it will hold."""

    def __init__(self, dialect: d.Dialect, session: int = 1) -> None:
        self._dialect = dialect
        self._identity: Identity | None = None
        self._out_of_turn: list[Any] = []
        self._program: Program | None = None
        self._tally = LeaseTally(())
        self._plan: LeasePlan | None = None
        self._at = Standing(session=session)
        self._targets_ua: dict[int, int] = {}
        self._alive_us = 0
        self._armed_since_us: int | None = None
        self._held_since_us: int | None = None
        self._armed_from = DeviceState.IDLE
        # The lease that runs, the one that stands prepared, and what the plan was asked with for each.
        self._lease: Lease | None = None
        self._lease_targets_ua: dict[int, int] = {}
        self._prepared: Lease | None = None
        self._preparing: Lease | None = None
        self._asked_us = 0
        self._begun_us: int | None = None
        self._grid_us: int | None = None
        self._gap_us: int | None = None
        self._silence: Lease | None = None
        self._answer_due_us: int | None = None
        self._waits_until_us: int | None = None
        self._cut: Cut | None = None
        self._to_check: list[int] = []
        self._checked: list[m.Impedance] = []
        self._started = False
        self._tick_us: int | None = None
        self.heard_us = 0
        self._on: dict[type[Any], Callable[[Any, int], list[Any]]] = {
            d.Found: self._on_found,
            d.Prepared: self._on_prepared,
            d.Begun: self._on_begun,
            d.Done: self._on_done,
            d.AtZero: self._on_zero,
            d.Broken: lambda event, _now: [Failed(event.error)],
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
        self._tally = LeaseTally(program.channels)
        self._at.digest = program_digest(program)
        self._at.state = DeviceState.LOADED
        self._out_of_turn.append(Loaded(self._at.digest))

    def self_test(self, now_us: int) -> None:
        self._cut = Cut("self-test", now_us)
        self._send_stop(now_us)

    def arm(self, purpose: Purpose, channels: Iterable[int], ceiling_ua: int, limit_us: int, now_us: int) -> None:
        at = self._at
        self._armed_from = at.state
        self._armed_since_us = now_us if self._armed_since_us is None else self._armed_since_us
        self._alive_us = now_us
        at.arm(DeviceState.ARMED, tuple(channels), ceiling_ua)
        self._to_check = list(at.channels) if purpose == Purpose.CHECK_IMPEDANCE else []
        self._started = False
        self._dialect.arm(ceiling_ua)
        armed = m.Armed(int(purpose), channel_mask(at.channels), ceiling_ua, limit_us, 0, at.session, at.nonce)
        self._out_of_turn.append(armed)

    def start(self, targets: Mapping[int, int], now_us: int) -> None:
        assert self._program is not None
        if self._to_check:
            self._at.state = DeviceState.CHECKING
            self._checked = []
            self._out_of_turn.append(self._started_event({}, now_us))
            if not self._dialect.measures:
                self._checked = [m.Impedance(channel, 0, 0, 0, 0, 0) for channel in self._to_check]
                self._to_check = []
            return
        self._targets_ua = {channel: targets.get(channel, 0) for channel in self._program.channels}
        self._at.run_start_us = self._at.stimulation_us
        self._plan = LeasePlan(self._program, self._at.stimulation_us)
        self._grid_us = None
        self._at.state = DeviceState.RAMPING
        self._at.end_reason = EndReason.NONE
        self._out_of_turn += self._go_on(now_us)

    def keep_alive(self, now_us: int) -> None:
        self._alive_us = now_us

    def set_target(self, channel: int, target_ua: int, now_us: int) -> None:
        at = self._at
        if at.state not in _STIMULATING or target_ua > at.ceiling_ua:
            self._out_of_turn.append(Declined("SetTarget", "not in this state or above the ceiling", target_ua, 0))
            return
        self._targets_ua[channel] = target_ua
        if self._lease is not None and target_ua < self._lease.level_ua(channel) and self._cut is None:
            self._begin_cut("lower", now_us)
        self._out_of_turn.append(m.TargetSet(channel, target_ua, self._stimulation_us(now_us)))

    def hold(self, now_us: int) -> None:
        if self._at.state not in _STIMULATING:
            raise Misuse("hold: there is no output to hold")
        self._begin_cut("hold", now_us)

    def stop(self, now_us: int) -> None:
        self._out_of_turn.clear()
        self._to_check = []
        self._cut = Cut("stop", now_us)
        self._send_stop(now_us)

    def read_records(self, channels: Iterable[int], now_us: int) -> None:  # noqa: ARG002
        self._out_of_turn.append(self._records(channels))

    def acknowledge(self, session: int, now_us: int) -> None:  # noqa: ARG002
        self._at.state = DeviceState.IDLE
        self._out_of_turn.append(m.Acknowledged(session, int(self._at.state)))

    def commanded(self) -> Mapping[int, Ordered] | None:
        """What the leases were ordered to deliver."""
        return self._tally.ordered()

    def kept_records(self, channels: Iterable[int]) -> Records | None:
        """What is known although the device cannot be asked: a lease that may still run is taken as whole."""
        if self._lease is not None and self._cut is not None:
            self._settle_cut(self._lease, self._cut, None)
        return self._records(channels)

    # --- bytes and time -----------------------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> list[Any]:
        return [*self._said(), *self._obey(self._dialect.receive(data, now_us), now_us)]

    def advance(self, now_us: int) -> list[Any]:
        events = self._said()
        events += self._obey(self._dialect.advance(now_us), now_us)
        if self._cut is not None:
            events += self._advance_cut(self._cut, now_us)
        else:
            events += self._advance_lease(now_us)
        if self._at.state in _WATCHED:
            events += self._watch(now_us)
        if self._tick_us is not None and now_us >= self._tick_us:
            self._tick_us = now_us - (now_us - self._tick_us) % TICK_US + TICK_US
            events += self._telemetry(now_us)
        return events

    def next_deadline_us(self) -> int | None:
        if self._out_of_turn:
            return 0
        due = [self._tick_us, self._dialect.next_deadline_us(), self._answer_due_us, self._waits_until_us]
        if self._cut is not None:
            due.append(self._cut.due_us)
        elif self._lease is not None and self._lease is self._silence and self._begun_us is not None:
            due.append(self._begun_us + self._lease.lasts_us)
        return min((each for each in due if each is not None), default=None)

    def take_output(self) -> bytes:
        return self._dialect.take_output()

    # --- inside: events -----------------------------------------------------------------------------

    def _said(self) -> list[Any]:
        said, self._out_of_turn = self._out_of_turn, []
        return said

    def _obey(self, happened: list[Any], now_us: int) -> list[Any]:
        events: list[Any] = []
        for event in happened:
            events += self._on[type(event)](event, now_us)
        return events

    def _on_found(self, event: d.Found, now_us: int) -> list[Any]:
        self._identity = event.identity
        self._at.connected(event.identity, now_us)
        self._tick_us = now_us
        self.heard_us = now_us
        return [Identified(event.identity, 0)]

    def _on_prepared(self, _event: d.Prepared, now_us: int) -> list[Any]:
        self._answer_due_us = None
        self._prepared, self._preparing = self._preparing, None
        return [] if self._cut is not None or self._lease is not None else self._go_on(now_us)

    def _on_begun(self, _event: d.Begun, now_us: int) -> list[Any]:
        if self._lease is None or self._cut is not None:
            return []
        self._begun_us = now_us
        lasts_us = self._lease.pulses * self._lease.shape.period_us
        self._answer_due_us = now_us + lasts_us + ANSWER_US
        return self._lease_begun(now_us)

    def _lease_begun(self, now_us: int) -> list[Any]:
        self._gap_us = None
        if self._grid_us is not None:
            self._gap_us = max(0, now_us - self._grid_us)
            self._tally.gap(self._gap_us)
        if self._at.state == DeviceState.CHECKING:
            return []
        events: list[Any] = []
        if not self._started:
            self._started = True
            events.append(self._started_event(self._targets_ua, now_us))
        if self._dialect.prepares_ahead:
            events += self._prepare_ahead(now_us)
        return events

    def _started_event(self, targets_ua: Mapping[int, int], now_us: int) -> m.Started:
        wanted = [targets_ua.get(channel, 0) for channel in range(1, 5)]
        return m.Started(*wanted[:4], now_us, self._at.stimulation_us)

    def _on_done(self, event: d.Done, now_us: int) -> list[Any]:
        lease, self._lease, self._answer_due_us = self._lease, None, None
        if lease is None or self._identity is None:
            return []
        pulses = lease.pulses if event.pulses is None else event.pulses
        if self._at.state == DeviceState.CHECKING:
            return self._check_done(lease, event, pulses)
        self._tally.reported(lease, pulses, event.means)
        events = [self._lease_note(lease, pulses, pulses, event.means)]
        self._pass_on(lease)
        wrong = lease_checks.wrong_report(lease, event)
        found = None if wrong else lease_checks.trip(self._identity, lease, event)
        if self._cut is not None:
            return events
        if wrong is not None:
            return [*events, Failed(wrong)]
        if found is not None:
            return [*events, *self._tripped(found, now_us)]
        return [*events, *self._go_on(now_us)]

    def _pass_on(self, lease: Lease, pulses: int | None = None) -> None:
        """The plan moves on behind a lease that is over."""
        if self._plan is not None:
            self._plan.took(lease, self._lease_targets_ua, pulses)
            if self._begun_us is not None:
                given = lease.pulses if pulses is None else pulses
                whole_us = given * lease.shape.period_us if given else lease.lasts_us
                self._grid_us = self._begun_us + whole_us
            self._at.stimulation_us = min(self._plan.at_us, self._plan.program.stimulation_us)
        self._at.applied(lease)
        self._lease = self._silence = None
        self._begun_us = None

    def _lease_note(self, lease: Lease, least: int, most: int, means: Iterable[d.StageMean] = ()) -> Noted:
        body = {
            "segment": lease.segment,
            "stimulation_us": lease.begins_us,
            "levels_ua": {str(level.channel): level.amplitude_ua for level in lease.levels},
            "ordered": lease.pulses,
            "pulses": most,
            "least": least,
            "evidence": "counted" if least == most else "estimated",
            "measured_ua": [[mean.channel, mean.phase, mean.mean_ua] for mean in means],
            "gap_us": self._gap_us,
        }
        return Noted("lease", body)

    def _tripped(self, found: lease_checks.Trip, now_us: int) -> list[Any]:
        self._at.flags[found.channel] = int(found.flag)
        said = m.Event(now_us, int(self._at.state), int(found.reason), found.channel, found.value)
        if found.reason == EndReason.LEAD_OFF:
            self._enter_hold(found.reason, now_us)
            return [said, *self._telemetry(now_us)]
        return [said, *self._end(found.reason, now_us)]

    # --- inside: leases -----------------------------------------------------------------------------

    def _go_on(self, now_us: int) -> list[Any]:
        """Give the next lease, or end."""
        if self._cut is not None or self._lease is not None or self._preparing is not None:
            return []
        if self._waits_until_us is not None and now_us < self._waits_until_us:
            return []
        self._waits_until_us = None
        if self._at.state == DeviceState.CHECKING:
            return self._check_next(now_us)
        if self._at.state not in _STIMULATING or self._plan is None:
            return []
        if now_us - self._alive_us > limits.WATCHDOG_US:
            return self._end(EndReason.WATCHDOG, now_us)
        lease = self._plan.next(self._targets_ua)
        if lease is None:
            return self._end(EndReason.TIMER, now_us)
        return self._give(lease, now_us)

    def _give(self, lease: Lease, now_us: int) -> list[Any]:
        self._lease_targets_ua = dict(self._targets_ua)
        if lease.silent:
            self._lease = self._silence = lease
            self._begun_us = now_us
            return self._lease_begun(now_us)
        if lease != self._prepared:
            return self._prepare(lease, now_us)
        self._lease, self._prepared = lease, None
        self._asked_us = now_us
        self._answer_due_us = now_us + ANSWER_US
        return self._gated(lambda: self._dialect.begin(now_us))

    def _prepare(self, lease: Lease, now_us: int) -> list[Any]:
        self._preparing, self._prepared = lease, None
        self._answer_due_us = max(now_us + ANSWER_US, self._answer_due_us or 0)
        return self._gated(lambda: self._dialect.prepare(lease, now_us))

    def _prepare_ahead(self, now_us: int) -> list[Any]:
        assert self._lease is not None
        assert self._plan is not None
        ahead = copy.copy(self._plan)
        ahead.took(self._lease, self._lease_targets_ua)
        following = ahead.next(self._targets_ua)
        if following is None or following.silent or self._preparing is not None:
            return []
        due_us = self._answer_due_us
        events = self._prepare(following, now_us)
        self._answer_due_us = due_us
        return events

    def _gated(self, send: Callable[[], None]) -> list[Any]:
        """What the gate refuses ends the session: it is a mistake of ours, and it was not sent."""
        try:
            send()
        except Unsafe as refused:
            return [Failed(refused)]
        return []

    def _advance_lease(self, now_us: int) -> list[Any]:
        lease = self._lease
        if lease is not None and lease is self._silence and self._begun_us is not None:
            if now_us < self._begun_us + lease.lasts_us:
                return []
            self._tally.silent(lease, lease.lasts_us)
            self._pass_on(lease)
            return self._go_on(now_us)
        if self._answer_due_us is not None and now_us >= self._answer_due_us:
            self._answer_due_us = None
            return [Failed(TimedOut("no answer from the device in time; its output ends with its lease, within 3 s"))]
        if self._checked and not self._to_check and self._at.state == DeviceState.CHECKING and lease is None:
            return self._check_next(now_us)
        return self._go_on(now_us) if lease is None else []

    # --- inside: the impedance check ----------------------------------------------------------------

    def _check_next(self, now_us: int) -> list[Any]:
        if self._to_check:
            level = Level(self._to_check[0], limits.RAISE_STEP_UA, 0)
            lasts_us = CHECK_PULSES * CHECK_SHAPE.period_us
            return self._give(Lease(0, CHECK_SHAPE, (level,), CHECK_PULSES, 0, lasts_us), now_us)
        self._at.state = self._armed_from
        self._dialect.disarm()
        return [Checked(tuple(self._checked))]

    def _check_done(self, lease: Lease, event: d.Done, pulses: int) -> list[Any]:
        channel = self._to_check.pop(0)
        mean_ua = next((abs(mean.mean_ua) for mean in event.means if (mean.channel, mean.phase) == (channel, 0)), 0)
        charge_pc = pulses * lease.shape.charge_pc(limits.RAISE_STEP_UA)
        self._checked.append(m.Impedance(channel, 0, pulses, limits.RAISE_STEP_UA, mean_ua, charge_pc))
        self._lease = self._begun_us = None
        wrong = lease_checks.wrong_report(lease, event)
        return [Failed(wrong)] if isinstance(wrong, EchoMismatch) else []

    # --- inside: cutting, holding, stopping ---------------------------------------------------------

    def _begin_cut(self, why: str, now_us: int) -> None:
        """End the running lease before its time; between two pulses where the device would cut one in half."""
        self._cut = Cut(why, now_us)
        due_us = now_us
        if self._dialect.stops_mid_pulse and self._begun_us is not None and self._lease is not None:
            due_us = self._cut.between_pulses_us(self._lease, self._begun_us)
        if due_us > now_us:
            self._cut.due_us = due_us
        else:
            self._send_stop(now_us)

    def _send_stop(self, now_us: int) -> None:
        cut = self._cut
        assert cut is not None
        cut.sent(now_us, STOP_AGAIN_US)
        self._preparing = self._prepared = None
        self._answer_due_us = self._waits_until_us = None
        self._dialect.stop(now_us, measure=cut.why in ("stop", "self-test"))

    def _advance_cut(self, cut: Cut, now_us: int) -> list[Any]:
        if now_us >= cut.due_us:
            self._send_stop(now_us)
        if cut.overdue(now_us):
            return [ZeroOverdue(now_us - cut.began_us)]
        return []

    def _on_zero(self, event: d.AtZero, now_us: int) -> list[Any]:
        cut, self._cut = self._cut, None
        if cut is None:
            return []
        events: list[Any] = []
        cut.zero_us = now_us
        if self._lease is not None:
            events += self._settle_cut(self._lease, cut, event.done)
        return [*events, *self._after_cut(cut, event.measured_ua, now_us)]

    def _settle_cut(self, lease: Lease, cut: Cut, done: d.Done | None) -> list[Any]:
        """Account for a lease that was cut: by its report where there is one, else by time."""
        if self._at.state == DeviceState.CHECKING:
            self._lease = self._begun_us = None
            return []
        if lease is self._silence and self._begun_us is not None:
            whole = min(lease.lasts_us, max(0, cut.began_us - self._begun_us))
            self._tally.silent(lease, whole)
            self._pass_on(lease)
            return []
        if done is not None and done.pulses is not None:
            least = most = min(lease.pulses, done.pulses)
        else:
            least, most = cut.bounds(lease, self._asked_us, self._begun_us)
        if self._begun_us is None:
            self._begun_us = self._asked_us
        if least == most and done is not None:
            self._tally.reported(lease._replace(pulses=most, lasts_us=most * lease.shape.period_us), most, done.means)
        else:
            self._tally.cut(lease, least, most)
        note = self._lease_note(lease, least, most)
        self._pass_on(lease, most)
        return [note]

    def _after_cut(self, cut: Cut, measured_ua: int | None, now_us: int) -> list[Any]:
        at = self._at
        if cut.why == "lower":
            # The next pulse no sooner than the pattern would have had it.
            self._waits_until_us = self._grid_us
            return self._go_on(now_us)
        if cut.why == "hold":
            self._enter_hold(EndReason.HELD_BY_HOST, now_us)
            return [m.Holding(int(at.state), at.stimulation_us)]
        if cut.why == "self-test":
            at.state = DeviceState.TESTED
            return [SelfTested(0, measured_ua or 0, self._dialect.self_test_note)]
        if self._armed_since_us is not None:
            if at.state != DeviceState.ENDED:
                at.state, at.end_reason = DeviceState.ENDED, EndReason.STOP
            self._dialect.disarm()
        if measured_ua is not None and measured_ua >= limits.ZERO_UA:
            self._cut = cut
            return []
        return [cut.confirmed(now_us, measured_ua)]

    def _enter_hold(self, reason: EndReason, now_us: int) -> None:
        self._at.state, self._at.end_reason = DeviceState.HELD, reason
        self._plan = self._lease = self._prepared = self._grid_us = None
        self._held_since_us = now_us
        self._dialect.disarm()

    def _end(self, reason: EndReason, now_us: int) -> list[Any]:
        self._at.state, self._at.end_reason = DeviceState.ENDED, reason
        self._plan = None if self._lease is None else self._plan
        if self._lease is not None and self._cut is None:
            self._begin_cut("end", now_us)
        return self._telemetry(now_us)

    # --- inside: time and telemetry -----------------------------------------------------------------

    def _watch(self, now_us: int) -> list[Any]:
        """The timers that the device does not have."""
        at = self._at
        if now_us - self._alive_us > limits.WATCHDOG_US:
            return self._end(EndReason.WATCHDOG, now_us)
        if self._armed_since_us is not None and now_us - self._armed_since_us > limits.SESSION_US:
            return self._end(EndReason.SESSION_EXPIRED, now_us)
        if at.state == DeviceState.HELD and self._held_since_us is not None:
            if now_us - self._held_since_us > limits.HOLD_US:
                return self._end(EndReason.HOLD_EXPIRED, now_us)
        elif at.state in _STIMULATING and self._plan is not None:
            at.state = self._stimulating_state(self._plan, now_us)
        return []

    def _stimulating_state(self, plan: LeasePlan, now_us: int) -> DeviceState:
        if self._at.state == DeviceState.RAMPING_DOWN or self._stimulation_us(now_us) >= plan.fade_us:
            return DeviceState.RAMPING_DOWN
        if self._at.state == DeviceState.RUNNING or plan.reached(self._targets_ua):
            return DeviceState.RUNNING
        return DeviceState.RAMPING

    def _stimulation_us(self, now_us: int) -> int:
        lease = self._lease
        if lease is None or self._begun_us is None or self._at.state == DeviceState.CHECKING:
            return self._at.stimulation_us
        return lease.begins_us + min(lease.lasts_us, max(0, now_us - self._begun_us))

    def _telemetry(self, now_us: int) -> list[Any]:
        self.heard_us = now_us
        at, plan = self._at, self._plan
        at.stimulation_us = self._stimulation_us(now_us)
        at.segment = (
            plan.band if plan is not None and self._lease is None else self._lease.segment if self._lease else 0
        )
        events: list[Any] = [status(at, self._program, self._held_since_us, self._alive_us, now_us)]
        if at.channels and at.state in (*_STIMULATING, DeviceState.HELD):
            running = self._lease if self._begun_us is not None else None
            begun = pulses_begun(running, now_us - self._begun_us) if running and self._begun_us is not None else 0
            for channel in at.channels:
                counted = self._tally.counters(channel, at.session, running, begun)
                events.append(channel_reading(at, counted, self._targets_ua.get(channel, 0), running))
        return events

    def _records(self, channels: Iterable[int]) -> Records:
        wanted = tuple(channels)
        session = self._at.session
        return Records(
            session_record(self._at, self._tally.band_us),
            tuple(self._tally.counters(channel, session) for channel in wanted),
            tuple(self._tally.measured(channel, session) for channel in wanted) if self._dialect.measures else (),
            self._tally.kept(self._dialect.pulse_source),
        )
