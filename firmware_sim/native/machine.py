"""The firmware without its bytes: state, session, timers and output stage, moved only along the state table.

Everything that ends or holds a session passes `_quiet` first: outputs go off, then the state changes, then
somebody is told. Output is computed up to the moment something needs it; a trip that is found then is dated
to the instant it happened, and nothing flows after that instant.
"""

from collections.abc import Callable

from firmware_sim.native import gate
from firmware_sim.native.flash import Flash, StoredSession
from firmware_sim.native.loading import ProgramLoader
from firmware_sim.native.nonces import Draw, by_system, nonce
from firmware_sim.native.output_stage import ImpedanceResult, OutputStage, Trip
from firmware_sim.native.program import BandSchedule, OutputProgram
from firmware_sim.native.run_state import Arming, ImpedanceScan, StateChange, StimulationRun
from firmware_sim.native.states import Cause, after
from firmware_sim.native.timers import DeviceTimer, DeviceTimers
from firmware_sim.native.zero_detector import SAMPLE_US, ZeroDetector
from stimctl.wire.codes import CHANNELS, DeviceState, EndReason

SAVE_EVERY_US = 1_000_000  # flash in a file, while a session is open [choice]
# An enum's member costs 0.2 us to look up; these are looked up at every tick and keepalive.
_RAMPING = DeviceState.RAMPING
_TESTED = DeviceState.TESTED
_WATCHDOG = DeviceTimer.WATCHDOG
_HOLDING = frozenset({EndReason.LEAD_OFF, EndReason.COMPLIANCE})


class Machine:
    """The firmware. Times are device time; every call brings it up to its time first, or says that it is there."""

    check_period_us = gate.CHECK_PERIOD_US  # another one, for a device that is wrong on purpose

    def __init__(self, stage: OutputStage, flash: Flash, tell: Callable[[StateChange], None]) -> None:
        self.stage = stage
        self.flash = flash
        self.boot_id = flash.boot()
        self.state = DeviceState.IDLE
        self.timers = DeviceTimers()
        self.zero = ZeroDetector()
        self.loading: ProgramLoader | None = None
        self.program: OutputProgram | None = None
        self.digest = b""
        self.arming: Arming | None = None
        self.run: StimulationRun | None = None
        self.targets_ua: dict[int, int] = {}
        self.raised_us: dict[int, int] = {}
        self.impedances: dict[int, ImpedanceResult] = {}
        self.hold_reason = EndReason.NONE
        self.alive_us = 0
        self.now_us = 0
        self.draw: Draw = by_system
        self._check: ImpedanceScan | None = None
        self._tell = tell
        stage.gate = self._permit
        self._due: dict[DeviceTimer, Callable[[int], None]] = {
            DeviceTimer.WATCHDOG: lambda at_us: self.end(EndReason.WATCHDOG, at_us),
            DeviceTimer.SESSION: lambda at_us: self.end(EndReason.SESSION_EXPIRED, at_us),
            DeviceTimer.HOLD: lambda at_us: self.end(EndReason.HOLD_EXPIRED, at_us),
            DeviceTimer.STIMULATION: lambda at_us: self.end(EndReason.TIMER, at_us),
            DeviceTimer.ARM: self._go_back,
            DeviceTimer.FALL: lambda at_us: self.move(Cause.FALL, at_us),
            DeviceTimer.CHECK: self._check_due,
            DeviceTimer.ZERO: self._sample_zero,
            DeviceTimer.SAVE: self._save,
        }
        stage.disable(0)
        self.timers.set(DeviceTimer.ZERO, SAMPLE_US)

    # --- time -----------------------------------------------------------------------------------

    def advance(self, now_us: int) -> None:
        """Bring the device to `now_us`: what falls due is done in order, each at its own time."""
        timers = self.timers
        while True:
            at_us = timers.next_us if timers.next_us < now_us else now_us
            if (run := self.run) is not None:
                trip = self.stage.run(at_us - run.offset_us)
                if trip is not None or self.state is _RAMPING:
                    self._caught_up(run, at_us, trip)
            self.now_us = at_us
            if timers.next_us > at_us or (due := timers.pop_due(at_us)) is None:
                return
            self._due[due[0]](due[1])

    def stimulation_us(self, now_us: int) -> int:
        """Stimulation time of the session that is open or waits; 0 without one."""
        if self.run is not None:
            return now_us - self.run.offset_us
        return self.flash.session.stimulation_us if self.flash.session is not None else 0

    def _caught_up(self, run: StimulationRun, at_us: int, trip: Trip | None) -> None:
        """What follows from the pulses of `run` up to `at_us`, of which the last tripped."""
        while trip is not None:
            self._tripped(trip, trip.at_us + run.offset_us)
            trip = self.stage.run(at_us - run.offset_us) if self.run is run else None
        if self.state is _RAMPING and not self.stage.rising:
            self.move(Cause.AT_TARGET, self.stage.reached_us + run.offset_us)

    # --- state ----------------------------------------------------------------------------------

    def move(self, cause: Cause, at_us: int, *why: int) -> None:
        """Follow the table, or raise `IllegalCause` and change nothing. `why`: end reason, channel, value."""
        before = self.state
        self.state = after(before, cause)
        if self.state is not before:
            self._tell(StateChange(at_us, before, self.state, *why))
            self.flash.save()

    @property
    def delivers(self) -> bool:
        """Whether pulses are given: a run or an impedance check is on."""
        return self.run is not None or self._check is not None

    @property
    def session(self) -> StoredSession | None:
        stored = self.flash.session
        return stored if stored is not None and stored.open else None

    @property
    def waiting(self) -> StoredSession | None:
        """An ended session whose counters are not yet acknowledged."""
        stored = self.flash.session
        return stored if stored is not None and not stored.open else None

    @property
    def holding(self) -> bool:
        """Whether a hold is on, also while it is re-armed."""
        return self.timers.at_us(DeviceTimer.HOLD) is not None

    def end(self, reason: EndReason, at_us: int, channel: int = 0, value: int = 0) -> None:
        """End the open session: outputs off, everything latched until it is acknowledged."""
        after(self.state, Cause.END)
        session = self.session
        self._quiet(at_us)
        self.timers.cancel(*(timer for timer in DeviceTimer if timer is not DeviceTimer.ZERO))
        if session is not None:
            self.flash.collect = None
            session.end_reason = reason
        self.move(Cause.END, at_us, reason, channel, value)

    def hold(self, reason: EndReason, at_us: int, channel: int = 0, value: int = 0) -> None:
        """Outputs off, the session stays open for ten minutes at most."""
        after(self.state, Cause.HOLD)
        self._quiet(at_us)
        self.timers.set(DeviceTimer.HOLD, at_us + gate.HOLD_US)
        self.hold_reason = reason
        self.move(Cause.HOLD, at_us, reason, channel, value)

    def stop(self, at_us: int) -> None:
        """Zero output, in any state."""
        if self.session is not None:
            self.end(EndReason.STOP, at_us)
        self.stage.disable(at_us)
        self.zero.sample(at_us, self.stage.zero_ua(at_us))

    def _tripped(self, trip: Trip, at_us: int) -> None:
        leave = self.hold if trip.reason in _HOLDING else self.end
        leave(trip.reason, at_us, trip.channel, trip.value)

    # --- session --------------------------------------------------------------------------------

    def next_nonce(self) -> int:
        """A number that no arm ever had, of this device or another: arms are counted in flash, the rest is chance."""
        self.flash.arms += 1
        return nonce(self.draw, self.flash.arms)

    def open_session(self, ceiling_ua: int, channel_mask: int, limit_us: int, now_us: int) -> StoredSession:
        """A new session number and empty counters; 45 minutes from now it has ended, whatever happens."""
        self.flash.sessions += 1
        head = int.from_bytes(self.digest[:8], "little")
        session = StoredSession(self.flash.sessions, self.boot_id, ceiling_ua, channel_mask, limit_us, head, nonce=0)
        self.flash.session = session
        self.flash.collect = lambda: self.collect(self.now_us)
        self.stage.reset_counters()
        self.impedances.clear()
        self.timers.set(DeviceTimer.SESSION, now_us + gate.SESSION_US)
        if self.flash.saves_to_file:
            self.timers.set(DeviceTimer.SAVE, now_us + SAVE_EVERY_US)
        return session

    def arm(self, arming: Arming, session: StoredSession, lapse_us: int, now_us: int) -> None:
        """Wait for a start until `lapse_us`, under the watchdog from now on."""
        after(self.state, Cause.ARM)
        self.arming = arming
        session.nonce = arming.nonce
        self.timers.set(DeviceTimer.ARM, lapse_us)
        self.move(Cause.ARM, now_us)
        self.alive(now_us)

    def alive(self, now_us: int) -> None:
        """The host is there: the watchdog starts anew. It does not run between a lapsed arm and the next one."""
        self.alive_us = now_us
        if self.state is not _TESTED:
            self.timers.set(_WATCHDOG, now_us + gate.WATCHDOG_US)

    def start(self, session: StoredSession, program: OutputProgram, targets_ua: dict[int, int], now_us: int) -> None:
        """Stimulate from zero, the session's stimulation time going on."""
        self.move(Cause.START, now_us)
        self.timers.cancel(DeviceTimer.ARM, DeviceTimer.HOLD)
        self.zero.restart()
        self.timers.cancel(DeviceTimer.ZERO)
        self.targets_ua = targets_ua
        so_far_us = session.stimulation_us
        self.run = StimulationRun(now_us, so_far_us, session.segment_0_us, session.segment_1_us, BandSchedule(program))
        left_us = session.limit_us - so_far_us
        self.timers.set(DeviceTimer.STIMULATION, now_us + left_us)
        if program.ramp_down_us:
            self.timers.set(DeviceTimer.FALL, now_us + max(0, left_us - program.ramp_down_us))
        self.stage.begin(program, targets_ua, so_far_us, session.limit_us, now_us)

    def check(self, channels: tuple[int, ...], now_us: int) -> None:
        """Check impedance, one channel after the other, and come back to where it was armed from."""
        self.move(Cause.CHECK, now_us)
        self.timers.cancel(DeviceTimer.ARM, DeviceTimer.ZERO)
        self.zero.restart()
        self._check = ImpedanceScan(list(channels), now_us)
        self.timers.set(DeviceTimer.CHECK, now_us + 1)

    def acknowledge(self, now_us: int) -> None:
        """Forget the ended session and the program."""
        self.move(Cause.ACKNOWLEDGE, now_us)
        self.flash.session = None
        self.loading = self.program = self.arming = None
        self.flash.save()

    # --- what falls due, and going quiet --------------------------------------------------------

    def _quiet(self, at_us: int) -> None:
        if self.run is not None:
            self.collect(at_us)
            self.run = None
        self._check = None
        self.stage.disable(at_us)
        self.timers.cancel(DeviceTimer.STIMULATION, DeviceTimer.FALL, DeviceTimer.CHECK)
        if self.timers.at_us(DeviceTimer.ZERO) is None:
            self.zero.restart()
            self.timers.set(DeviceTimer.ZERO, at_us + SAMPLE_US)

    def collect(self, at_us: int) -> None:
        """Bring the open session's record up to date."""
        session, run = self.session, self.run
        if session is None:
            return
        session.totals = tuple(self.stage.totals(channel) for channel in range(1, CHANNELS + 1))
        if run is not None:
            in_0_us, in_1_us = run.bands.times(at_us - run.began_us)
            session.stimulation_us = at_us - run.offset_us
            session.segment_0_us = run.segment_0_us + in_0_us
            session.segment_1_us = run.segment_1_us + in_1_us

    def _go_back(self, at_us: int) -> None:
        if self.holding:
            self.move(Cause.BACK_TO_HELD, at_us)
        else:
            self.timers.cancel(DeviceTimer.WATCHDOG)
            self.move(Cause.BACK_TO_TESTED, at_us)

    def _check_due(self, at_us: int) -> None:
        """The next pulse, just after it began; its end, where it tripped; or the end of the channel's turn."""
        check = self._check
        assert check is not None, "a check without one"
        if check.trip is not None:
            reason, channel, value = check.trip
            self.end(reason, at_us, channel, value)
        elif check.sent < gate.CHECK_PULSES:
            self._check_pulse(check, check.began_us + check.sent * self.check_period_us)
        else:
            self._check_next(check, at_us)

    def _check_pulse(self, check: ImpedanceScan, pulse_us: int) -> None:
        channel = check.channels[0]
        result = self.impedances[channel] = self.stage.check_impedance(channel, check.sent, pulse_us)
        check.sent += 1
        next_us = pulse_us + self.check_period_us
        if result.trip is not None:
            check.trip = result.trip, result.channel or channel, result.value
            next_us = pulse_us + result.span_us
        elif check.sent < gate.CHECK_PULSES:
            next_us += 1
        self.timers.set(DeviceTimer.CHECK, max(next_us, self.now_us))

    def _check_next(self, check: ImpedanceScan, at_us: int) -> None:
        check.channels.pop(0)
        if check.channels:
            check.began_us, check.sent = at_us, 0
            self.timers.set(DeviceTimer.CHECK, at_us + 1)
            return
        self._quiet(at_us)
        self._go_back(at_us)

    def _sample_zero(self, at_us: int) -> None:
        self.zero.sample(at_us, self.stage.zero_ua(at_us))
        self.timers.set(DeviceTimer.ZERO, self.zero.next_sample_us(at_us))

    def _save(self, at_us: int) -> None:
        self.flash.save()
        self.timers.set(DeviceTimer.SAVE, at_us + SAVE_EVERY_US)

    def _permit(self, channel: int, segment: int, amplitude_ua: int, second_ua: int, last_ua: int) -> bool:
        arming, program = self.arming, self.program
        if arming is None or program is None or channel not in arming.channels:
            return False
        return gate.permit(
            self.state, arming.ceiling_ua, last_ua, gate.pulse_of(program, segment, amplitude_ua, second_ua)
        )
