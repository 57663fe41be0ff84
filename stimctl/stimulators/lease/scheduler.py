"""Gives one lease after another through a device: prepare, begin, account, and cut where it has to be.

Whoever holds the session calls `go_on` for each next lease, so that nothing is given unless somebody lets it.
"""

import copy
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from stimctl.errors import TimedOut, Unsafe
from stimctl.stimulators.base import Intruded, OutputPaused, earliest, failed
from stimctl.stimulators.lease import device as d
from stimctl.stimulators.lease.ordered_lease import OrderedLease, note, pulse_bounds
from stimctl.stimulators.lease.plan import Lease, LeasePlan
from stimctl.stimulators.lease.report_checks import contradicts_clock
from stimctl.stimulators.lease.stop import CutReason, LeaseCut
from stimctl.stimulators.lease.tally import LeaseTally, pulses_begun
from stimctl.stimulators.targets import Targets
from stimctl.waveform import Program

LATE = "no answer from the device in time"
PAUSE_US = 200_000  # without a pulse that was due: longer than lowering once takes on a line of 15 ms each way [choice]
PAUSED = "no output while a target is lowered again and again: it comes back as soon as the target stays"


class LeaseObserver(Protocol):
    """The session around the leases: it is told of what happened, and returns the events that follow.

    A silent lease is over without a `done`, a cut without a `measured_ua` where zero is only acknowledged. `tested`
    tells how many pulses a lease without a plan gave at most, before anything else is told of it.
    """

    targets: Targets

    def began(self, now_us: int) -> list[Any]: ...
    def over(self, lease: Lease, done: d.LeaseDone | None, now_us: int) -> list[Any]: ...
    def tested(self, lease: Lease, pulses: int, done: d.LeaseDone | None) -> None: ...
    def run_out(self, now_us: int) -> list[Any]: ...
    def was_cut(self, cut: LeaseCut, measured_ua: int | None, now_us: int) -> list[Any]: ...
    def rested(self, now_us: int) -> list[Any]: ...


class LeaseScheduler:
    """One device's leases. `at_us` is the stimulation time that was given so far, between two leases.

    A lease without a plan is a test outside of any run, and no dose is told of it.
    """

    def __init__(self, dialect: d.LeaseDevice, holder: LeaseObserver) -> None:
        self._dialect = dialect
        self._holder = holder
        self.tally = LeaseTally(())
        self.plan: LeasePlan | None = None
        self.at_us = 0
        self.cut: LeaseCut | None = None
        self._given: OrderedLease | None = None
        self._turned_us = 0
        # Whether it was told that lowering keeps the output at zero. None: nothing was lowered since a lease ended.
        self._told_pause: bool | None = None
        # The lease that is being put into the device, or `_stands` in it.
        self._ahead: Lease | None = None
        self._stands = False
        # Where the pattern's next pulse would have been, and whether the next lease waits for that.
        self._grid_us: int | None = None
        self._waits_until_us: int | None = None
        self._answer = d.ReplyTimes()
        self._on: dict[type[Any], Callable[[Any, int], list[Any]]] = {
            d.LeasePrepared: self._on_prepared,
            d.LeaseBegun: self._on_begun,
            d.LeaseDone: self._on_done,
            d.ZeroReported: self._on_zero,
            d.Foreign: self._on_foreign,
            d.AtRest: lambda _event, now_us: self._holder.rested(now_us),
        }

    def begin_run(self, program: Program, now_us: int) -> list[Any]:
        """A run from zero, from where stimulation stands."""
        self.plan = LeasePlan(program, self.at_us)
        self._grid_us = None
        return self.go_on(now_us)

    def prepare(self, lease: Lease, now_us: int) -> list[Any]:
        """Put a lease into the device. Without a plan it is begun as soon as it stands there."""
        self._ahead, self._stands = lease, False
        if self._given is None:
            self._answer.expect(self._dialect.asks_to_prepare * d.ANSWER_US, now_us)
        return gated(lambda: self._dialect.prepare(lease, now_us))

    def end_run(self) -> None:
        self.plan = self._ahead = None

    def lower(self, channel: int, target_ua: int, now_us: int) -> bool:
        """A lower target is used at the next pulse: what runs above it is cut. Whether anything does."""
        given_ua = 0 if self._given is None else self._given.lease.level_ua(channel)
        if self.plan is not None and target_ua < max(given_ua, self.plan.ramp_ua[channel]):
            self._told_pause = bool(self._told_pause)
        if target_ua >= given_ua:
            return False
        if self.cut is None:
            self.begin_cut(CutReason.LOWER, now_us)
        return True

    def go_on(self, now_us: int) -> list[Any]:
        self._wait_is_over(now_us)
        occupied = self.cut is not None or self._given is not None or self._is_preparing
        if occupied or self._waits_until_us is not None:
            return []
        if self.plan is None:
            return [] if self._ahead is None else self._give(self._ahead, now_us)
        lease = self.plan.next(self.aims_ua())
        return self._holder.run_out(now_us) if lease is None else self._give(lease, now_us)

    def _wait_is_over(self, now_us: int) -> None:
        if self._waits_until_us is not None and now_us >= self._waits_until_us:
            self._waits_until_us = None

    def begin_cut(self, why: CutReason, now_us: int) -> None:
        """Zero: now, or, where the reason can wait and the device would cut a pulse in half, between two pulses."""
        cut = LeaseCut(why, now_us, now_us, None if self.cut is None else self.cut.sent_us)
        self.cut, given = cut, self._given
        if why.value.waits and self._dialect.stops_mid_pulse and given is not None and not given.lease.silent:
            cut.wait_for_gap(given.lease, given.written_us, given.begun_us)
        cut.advance(self._send_stop, now_us)

    def give_up(self) -> None:
        """The device cannot be asked any more: a lease that may still run is taken as whole."""
        if self._given is not None:
            self._settle(self._given, self.cut or LeaseCut(CutReason.STOP, 0, 0), None)

    @property
    def _is_preparing(self) -> bool:
        return self._ahead is not None and not self._stands

    def aims_ua(self) -> dict[int, int]:
        """What each channel's ramp goes towards: what was taken of what is wanted."""
        return self._holder.targets.by_channel("heading_ua")

    def _ran(self, now_us: int) -> tuple[Lease, int] | None:
        """The lease that runs, and for how long: what is cut may give nothing any more once its stop was sent."""
        given = self._given
        if given is None or given.begun_us is None or self.plan is None:
            return None
        until_us = now_us if self.cut is None or self.cut.sent_us is None else min(now_us, self.cut.sent_us)
        return given.lease, until_us - given.begun_us

    def stimulation_us(self, now_us: int) -> int:
        """Stimulation so far, with what of the running lease has passed."""
        ran = self._ran(now_us)
        return self.at_us if ran is None else ran[0].begins_us + min(ran[0].lasts_us, max(0, ran[1]))

    def running(self, now_us: int) -> tuple[Lease | None, int]:
        """The lease that runs, and how many of its pulses have begun."""
        ran = self._ran(now_us)
        return (None, 0) if ran is None else (ran[0], pulses_begun(*ran))

    def level_ua(self, channel: int, now_us: int) -> int:
        """The amplitude of a channel in the lease that runs; between two, of the last, as far as it is still wanted."""
        running, _begun = self.running(now_us)
        if running is not None:
            return running.level_ua(channel)
        if self.plan is None:
            return 0
        last_ua = self.plan.ramp_ua[channel]
        return min(last_ua - last_ua % self.plan.program.quantum_ua, self.aims_ua()[channel])

    def pause(self, now_us: int) -> list[Any]:
        """What there is to tell of an output that stays at zero because targets are lowered: once."""
        waits = self._told_pause is False and self._grid_us is not None and now_us - self._grid_us >= PAUSE_US
        if not waits or self.running(now_us)[0] is not None:
            return []
        self._told_pause = True
        return [OutputPaused(PAUSED)]

    def obey(self, happened: Iterable[Any], now_us: int) -> list[Any]:
        if self._given is not None:
            # Also of what is too short to be called a standstill.
            self._given.slept_us += max(0, now_us - self._turned_us - d.TICK_US)
        self._turned_us = now_us
        events: list[Any] = []
        for event in happened:
            take = self._on.get(type(event))
            events += [event] if take is None else take(event, now_us)
        return events

    def advance(self, now_us: int) -> list[Any]:
        """Let time pass: silent leases end, cuts are sent, answers become late."""
        self._wait_is_over(now_us)
        if self._answer.is_late(now_us):
            return failed(self._answer.missed(TimedOut(LATE)))
        if self.cut is not None:
            return self.cut.advance(self._send_stop, now_us)
        given = self._given
        if given is None or given.ends_us is None or now_us < given.ends_us:
            return []
        self.tally.silent(given.lease, given.lease.lasts_us)
        self._pass_on(given, given.lease.pulses, now_us)
        return self._holder.over(given.lease, None, now_us)

    def next_deadline_us(self) -> int | None:
        cut_us = None if self.cut is None else self.cut.next_deadline_us()
        # A silence that is being cut ends with the cut.
        silent_us = None if self._given is None or self.cut is not None else self._given.ends_us
        return earliest(self._answer.due_us, self._waits_until_us, silent_us, cut_us)

    def wrote(self, now_us: int) -> None:
        self._answer.wrote(now_us)
        if self._given is not None and self._given.written_us is None:
            self._given.written_us = now_us

    def stood_still(self, late_us: int) -> None:
        self._answer.stood_still(late_us)
        self._turned_us += late_us
        if self._given is not None:
            self._given.slept_us += late_us

    def _give(self, lease: Lease, now_us: int) -> list[Any]:
        if not lease.silent and lease != self._ahead:
            return self.prepare(lease, now_us)
        # The earliest that it can begin, and so what its pulses are counted from at most, even if it leaves later.
        self._given = OrderedLease(lease, now_us)
        if lease.silent:
            return self._begun(self._given, now_us)
        self._ahead = None
        self._answer.expect(d.ANSWER_US, now_us)
        return gated(lambda: self._dialect.begin(now_us))

    def _on_prepared(self, _event: d.LeasePrepared, now_us: int) -> list[Any]:
        self._stands = True
        if self.cut is not None or self._given is not None or self._ahead is None:
            return []
        self._answer.forget()
        return self.go_on(now_us)

    def _on_begun(self, _event: d.LeaseBegun, now_us: int) -> list[Any]:
        given = self._given
        if given is None or self.cut is not None:
            return []
        # Its end is due by when its order left, whatever the device says of its beginning. If it tells of none, this is
        # said here, when it has surely begun.
        since_us = given.left_us + given.slept_us if self._dialect.tells_ends else now_us
        self._answer.expect(given.lease.train_us + d.ANSWER_US, since_us, written=True)
        return self._begun(given, now_us)

    def _on_foreign(self, event: d.Foreign, _now_us: int) -> list[Any]:
        if self._given is not None:
            self._given.foreign_starts += event.starts
        return [Intruded(event.text)]

    def _begun(self, given: OrderedLease, now_us: int) -> list[Any]:
        given.begun_us = now_us
        if self._grid_us is not None and self.plan is not None:
            given.gap_us = max(0, now_us - self._grid_us)
            self.tally.gap(given.gap_us)
        return [*self._holder.began(now_us), *self._prepare_ahead(given, now_us)]

    def _prepare_ahead(self, given: OrderedLease, now_us: int) -> list[Any]:
        """Put the lease after the one that runs into the device, so that it only has to be started."""
        if not self._dialect.prepares_ahead or self.plan is None:
            return []
        ahead = copy.copy(self.plan)
        ahead.took(given.lease)
        following = ahead.next(self.aims_ua())
        if following is None or following.silent or self._is_preparing:
            return []
        return self.prepare(following, now_us)

    def _on_done(self, event: d.LeaseDone, now_us: int) -> list[Any]:
        given = self._given
        if given is None:
            return []
        lease, notes = given.lease, []
        if self.cut is not None:
            self.cut.zero_us = now_us
            return self._settle(given, self.cut, event)
        self._answer.forget()
        self._given = self._told_pause = None
        early = None if event.pulses is None else contradicts_clock(lease, now_us - given.asked_us)
        least, most = pulse_bounds(given, event, now_us, exact=early is None)
        least = least if self._dialect.tells_ends else 0  # nobody would tell that it was broken off
        if self.plan is None:
            self._holder.tested(lease, most, event)
        else:
            if least == most:
                self.tally.reported(lease, event)
            else:
                self.tally.cut(lease, least, most)
            notes.append(note(given, least, most, event))
            self._pass_on(given, lease.pulses, now_us)
            if not self.plan.reached(self.aims_ua()):
                # The next one may rise, and this one may have risen only when its order left.
                self._waits_until_us = given.left_us + lease.lasts_us
        after = self._holder.over(lease, event, now_us) if early is None else failed(early)
        return [*notes, *after]

    def _pass_on(self, given: OrderedLease, pulses: int, now_us: int) -> None:
        """The plan moves on behind a lease that is over, or was cut after some pulses."""
        lease, self._given = given.lease, None
        if self._is_preparing:
            # What is put into the device for the time after this one is late only now.
            self._answer.expect(d.ANSWER_US, now_us, written=True)
        if self.plan is None:
            return
        self.plan.took(lease, pulses if pulses < lease.pulses else None)
        self.at_us = min(self.plan.at_us, self.plan.program.stimulation_us)
        if given.begun_us is not None:
            self._grid_us = given.begun_us + (pulses * lease.shape.period_us if lease.pulses else lease.lasts_us)

    def _send_stop(self, now_us: int) -> None:
        assert self.cut is not None
        self._ahead = self._waits_until_us = None
        if self.cut.why.value.measured:
            # Zero that is late is an alarm, and the stop goes on.
            self._answer.forget()
        elif self.cut.stop is None:
            self._answer.expect(d.ANSWER_US, now_us)
        self._dialect.stop(now_us, measure=self.cut.why.value.measured)

    def _on_zero(self, event: d.ZeroReported, now_us: int) -> list[Any]:
        cut, self.cut = self.cut, None
        if cut is None:
            return []
        self._answer.forget()
        cut.zero_us = now_us
        events = [] if self._given is None else self._settle(self._given, cut, None)
        self._waits_until_us = self._dialect.command_gate.startable_us
        if cut.why.value.resumes and self._grid_us is not None:
            # The next pulse no sooner than the pattern would have had it.
            self._waits_until_us = max(self._waits_until_us, self._grid_us)
        return [*events, *self._holder.was_cut(cut, event.measured_ua, now_us)]

    def _settle(self, given: OrderedLease, cut: LeaseCut, done: d.LeaseDone | None) -> list[Any]:
        """Account for a lease that was cut: by the device's report where there is one, else by time."""
        lease = given.lease
        if lease.silent:
            lasted_us = min(lease.lasts_us, max(0, cut.began_us - (given.begun_us or cut.began_us)))
            self.tally.silent(lease, lasted_us)
            self._pass_on(given, pulses_begun(lease, lasted_us), cut.began_us)
            return []
        # A beginning that the device did not tell of is no evidence; nor is a standstill, perhaps a leap of the clock.
        told_us = given.begun_us if self._dialect.tells_ends else None
        begun_us = None if told_us is None else told_us + given.slept_us
        least, most = cut.bounds(lease, given.asked_us, begun_us)
        # Each start that somebody else gave gave a pulse at once.
        most += given.foreign_starts
        if self.plan is None:
            self._given = None
            self._holder.tested(lease, most, done)
            return []
        may_open = self._dialect.stops_mid_pulse and not cut.spared_pulses
        if done is not None and done.pulses is not None and not given.foreign_starts:
            least = min(lease.pulses, done.pulses)
            cut_short = lease._replace(pulses=least, lasts_us=min(lease.lasts_us, least * lease.shape.period_us))
            self.tally.reported(cut_short, done._replace(pulses=least))
            # A pulse that the stop ended in its middle is in no report.
            most = min(max(least, most), least + may_open)
            may_open = most > least
            if may_open:
                self.tally.cut(lease, 0, 1)
        else:
            self.tally.cut(lease, least, most)
        given.begun_us = given.left_us if given.begun_us is None else given.begun_us
        self._pass_on(given, most, cut.began_us)
        return [note(given, least, most, done, opened=may_open)]


def gated(send: Callable[[], None]) -> list[Any]:
    """What the gate refuses ends the session: it is a mistake of ours, and it was not sent."""
    try:
        send()
    except Unsafe as refused:
        return failed(refused)
    return []
