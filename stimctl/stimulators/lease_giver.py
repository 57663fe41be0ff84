"""Gives one lease after another through a dialect: prepare, begin, account, and cut where it has to be.

It knows the run's plan and what the device was asked; it knows nothing of the session around it. Whoever holds
the session calls `go_on` for each next lease, so that nothing is given unless somebody lets it.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from stimctl.errors import TimedOut, Unsafe
from stimctl.stimulators import dialect as d
from stimctl.stimulators.base import Failed, Noted, ZeroOverdue
from stimctl.stimulators.lease_cut import Cut
from stimctl.stimulators.lease_tally import LeaseTally, pulses_begun
from stimctl.stimulators.leases import Lease, LeasePlan
from stimctl.waveform import Program

ANSWER_US = 500_000  # an answer later than this is a line that is lost
STOP_AGAIN_US = 50_000
LATE = "no answer from the device in time; what it plays ends with its lease, within 3 s"


class Began(NamedTuple):
    """A lease runs."""


class Over(NamedTuple):
    """A lease came to its end; `done` is None for a silent one."""

    lease: Lease
    done: d.Done | None


class RunOut(NamedTuple):
    """The program has no more leases."""


class CutDone(NamedTuple):
    """A cut was carried out, and what was measured since; None where it is only acknowledged."""

    cut: Cut
    measured_ua: int | None


class Giver:
    """One device's leases. `at_us` is the stimulation time that was given so far, between two leases."""

    def __init__(self, dialect: d.Dialect) -> None:
        self._dialect = dialect
        self.tally = LeaseTally(())
        self.plan: LeasePlan | None = None
        self.targets_ua: dict[int, int] = {}
        self.at_us = 0
        self.lease: Lease | None = None
        self.begun_us: int | None = None
        self.cut: Cut | None = None
        self.levels_ua: dict[int, int] = {}
        self._tested = False
        # What the plan was asked with for the lease that runs; the one that stands ready, or is being prepared.
        self._lease_targets_ua: dict[int, int] = {}
        self._prepared: Lease | None = None
        self._preparing: Lease | None = None
        self._asked_us = 0
        self._grid_us: int | None = None
        self._gap_us: int | None = None
        self._answer_due_us: int | None = None
        self._waits_until_us: int | None = None
        self._on: dict[type[Any], Callable[[Any, int], list[Any]]] = {
            d.Prepared: self._on_prepared,
            d.Begun: self._on_begun,
            d.Done: self._on_done,
            d.AtZero: self._on_zero,
            d.Broken: lambda event, _now: [Failed(event.error)],
        }

    # --- orders -------------------------------------------------------------------------------------

    def begin_run(self, program: Program, targets_ua: Mapping[int, int], now_us: int) -> list[Any]:
        """A run from zero, from where stimulation stands."""
        self.targets_ua = {channel: targets_ua.get(channel, 0) for channel in program.channels}
        self.plan = LeasePlan(program, self.at_us)
        self._grid_us = None
        return self.go_on(now_us)

    def begin_test(self, lease: Lease, now_us: int) -> list[Any]:
        """One lease outside of any run, which no dose is told of."""
        self._tested = True
        return self._give(lease, now_us)

    def end_run(self) -> None:
        """No more leases from this plan."""
        self.plan = None
        self._prepared = None
        self._tested = False

    def lower(self, channel: int, target_ua: int, now_us: int) -> None:
        """A lower target is used at the next pulse: what runs above it is cut."""
        if self.lease is not None and target_ua < self.lease.level_ua(channel) and self.cut is None:
            self.begin_cut("lower", now_us)

    def go_on(self, now_us: int) -> list[Any]:
        """The next lease, if none is under way and the pattern allows it already."""
        occupied = self.cut is not None or self.lease is not None or self._preparing is not None
        if self.plan is None or occupied or (self._waits_until_us is not None and now_us < self._waits_until_us):
            return []
        self._waits_until_us = None
        lease = self.plan.next(self.targets_ua)
        return [RunOut()] if lease is None else self._give(lease, now_us)

    def begin_cut(self, why: str, now_us: int) -> None:
        """End what runs before its time; between two pulses where the device would cut one in half."""
        self.cut = Cut(why, now_us)
        due_us = now_us
        if self._dialect.stops_mid_pulse and self.begun_us is not None and self.lease is not None:
            due_us = self.cut.between_pulses_us(self.lease, self.begun_us)
        if due_us > now_us and not self.lease_is_silent:
            self.cut.due_us = due_us
        else:
            self._send_stop(self.cut, now_us)

    def stop(self, why: str, now_us: int) -> None:
        """Zero, now, whatever is under way."""
        self.cut = Cut(why, now_us)
        self._send_stop(self.cut, now_us)

    def give_up(self) -> None:
        """The device cannot be asked any more: a lease that may still run is taken as whole."""
        if self.lease is not None:
            self._settle(self.lease, self.cut or Cut("stop", 0), None)

    # --- what is known ------------------------------------------------------------------------------

    @property
    def lease_is_silent(self) -> bool:
        """Whether what runs is a stretch without output, timed by the host alone."""
        return self.lease is not None and self.lease.silent

    def stimulation_us(self, now_us: int) -> int:
        """Stimulation so far, with what of the running lease has passed."""
        if self.lease is None or self.begun_us is None or self._tested:
            return self.at_us
        return self.lease.begins_us + min(self.lease.lasts_us, max(0, now_us - self.begun_us))

    def running(self, now_us: int) -> tuple[Lease | None, int]:
        """The lease that runs, and how many of its pulses have begun."""
        if self.lease is None or self.begun_us is None or self._tested:
            return None, 0
        return self.lease, pulses_begun(self.lease, now_us - self.begun_us)

    # --- events and time ----------------------------------------------------------------------------

    def obey(self, happened: Iterable[Any], now_us: int) -> list[Any]:
        """What the dialect said."""
        events: list[Any] = []
        for event in happened:
            take = self._on.get(type(event))
            events += [event] if take is None else take(event, now_us)
        return events

    def advance(self, now_us: int) -> list[Any]:
        """Let time pass: silent leases end, cuts are sent, answers become late."""
        cut, lease = self.cut, self.lease
        if cut is not None:
            if now_us >= cut.due_us:
                self._send_stop(cut, now_us)
            return [ZeroOverdue(now_us - cut.began_us)] if cut.overdue(now_us) else []
        if lease is not None and lease.silent and self.begun_us is not None:
            if now_us < self.begun_us + lease.lasts_us:
                return []
            self.tally.silent(lease, lease.lasts_us)
            self._pass_on(lease, lease.pulses)
            return [Over(lease, None)]
        if self._answer_due_us is not None and now_us >= self._answer_due_us:
            self._answer_due_us = None
            return [Failed(TimedOut(LATE))]
        return []

    def deadlines_us(self) -> list[int | None]:
        """When `advance`, or `go_on`, has something to do."""
        silent_us = None
        if self.lease is not None and self.lease.silent and self.begun_us is not None:
            silent_us = self.begun_us + self.lease.lasts_us
        cut_us = None if self.cut is None else self.cut.next_us()
        return [self._answer_due_us, self._waits_until_us, silent_us, cut_us]

    # --- inside: giving -----------------------------------------------------------------------------

    def _give(self, lease: Lease, now_us: int) -> list[Any]:
        self._lease_targets_ua = dict(self.targets_ua)
        if lease.silent:
            self.lease = lease
            return self._begun(now_us)
        if lease != self._prepared:
            return self._prepare(lease, now_us)
        self.lease, self._prepared = lease, None
        self._asked_us = now_us
        self._answer_due_us = now_us + ANSWER_US
        return _gated(lambda: self._dialect.begin(now_us))

    def _prepare(self, lease: Lease, now_us: int) -> list[Any]:
        self._preparing, self._prepared = lease, None
        if self.lease is None:
            self._answer_due_us = now_us + ANSWER_US
        return _gated(lambda: self._dialect.prepare(lease, now_us))

    def _on_prepared(self, _event: d.Prepared, now_us: int) -> list[Any]:
        self._prepared, self._preparing = self._preparing, None
        if self.cut is not None or self.lease is not None or self._prepared is None:
            return []
        self._answer_due_us = None
        return self._give(self._prepared, now_us) if self._tested else self.go_on(now_us)

    def _on_begun(self, _event: d.Begun, now_us: int) -> list[Any]:
        if self.lease is None or self.cut is not None:
            return []
        self._answer_due_us = now_us + self.lease.pulses * self.lease.shape.period_us + ANSWER_US
        return self._begun(now_us)

    def _begun(self, now_us: int) -> list[Any]:
        self.begun_us = now_us
        self._gap_us = None
        if self._grid_us is not None and not self._tested:
            self._gap_us = max(0, now_us - self._grid_us)
            self.tally.gap(self._gap_us)
        return [Began(), *self._prepare_ahead(now_us)]

    def _prepare_ahead(self, now_us: int) -> list[Any]:
        """Put the lease after the one that runs into the device, so that it only has to be started."""
        if not self._dialect.prepares_ahead or self._tested or self.plan is None or self.lease is None:
            return []
        ahead = copy.copy(self.plan)
        ahead.took(self.lease, self._lease_targets_ua)
        following = ahead.next(self.targets_ua)
        if following is None or following.silent or self._preparing is not None:
            return []
        return self._prepare(following, now_us)

    def _on_done(self, event: d.Done, now_us: int) -> list[Any]:
        lease, self._answer_due_us = self.lease, None
        if lease is None:
            return []
        if self.cut is not None:
            self.cut.zero_us = now_us
            return self._settle(lease, self.cut, event)
        if self._tested:
            self._forget_lease()
            return [Over(lease, event)]
        pulses = lease.pulses if event.pulses is None else event.pulses
        self.tally.reported(lease, pulses, event.means)
        note = self._note(lease, pulses, pulses, event.means)
        self._pass_on(lease, lease.pulses)
        return [note, Over(lease, event)]

    def _pass_on(self, lease: Lease, pulses: int) -> None:
        """The plan moves on behind a lease that is over, or was cut after some pulses."""
        if self.plan is not None:
            self.plan.took(lease, self._lease_targets_ua, pulses if pulses < lease.pulses else None)
            self.at_us = min(self.plan.at_us, self.plan.program.stimulation_us)
            if self.begun_us is not None:
                whole_us = pulses * lease.shape.period_us if lease.pulses else lease.lasts_us
                self._grid_us = self.begun_us + whole_us
        self.levels_ua = {level.channel: level.amplitude_ua for level in lease.levels}
        self._forget_lease()

    def _forget_lease(self) -> None:
        self.lease = None
        self.begun_us = None

    def _note(self, lease: Lease, least: int, most: int, means: Iterable[d.StageMean] = ()) -> Noted:
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

    # --- inside: cutting ----------------------------------------------------------------------------

    def _send_stop(self, cut: Cut, now_us: int) -> None:
        cut.sent(now_us, STOP_AGAIN_US)
        self._preparing = self._prepared = None
        self._answer_due_us = self._waits_until_us = None
        self._dialect.stop(now_us, measure=cut.wants_measure)

    def _on_zero(self, event: d.AtZero, now_us: int) -> list[Any]:
        cut, self.cut = self.cut, None
        if cut is None:
            return []
        cut.zero_us = now_us
        events = [] if self.lease is None else self._settle(self.lease, cut, None)
        if cut.why == "lower":
            # The next pulse no sooner than the pattern would have had it.
            self._waits_until_us = self._grid_us
        return [*events, CutDone(cut, event.measured_ua)]

    def _settle(self, lease: Lease, cut: Cut, done: d.Done | None) -> list[Any]:
        """Account for a lease that was cut: by the device's report where there is one, else by time."""
        if self._tested:
            self._forget_lease()
            return []
        if lease.silent:
            lasted_us = min(lease.lasts_us, max(0, cut.began_us - (self.begun_us or cut.began_us)))
            self.tally.silent(lease, lasted_us)
            begun = pulses_begun(lease, lasted_us)
            self._pass_on(lease, begun)
            return []
        least, most = cut.bounds(lease, self._asked_us, self.begun_us)
        means: tuple[d.StageMean, ...] = ()
        if done is not None and done.pulses is not None:
            least = most = min(lease.pulses, done.pulses)
            means = done.means
            cut_short = lease._replace(pulses=most, lasts_us=min(lease.lasts_us, most * lease.shape.period_us))
            self.tally.reported(cut_short, most, means)
        else:
            self.tally.cut(lease, least, most)
        self.begun_us = self._asked_us if self.begun_us is None else self.begun_us
        note = self._note(lease, least, most, means)
        self._pass_on(lease, most)
        return [note]


def _gated(send: Callable[[], None]) -> list[Any]:
    """What the gate refuses ends the session: it is a mistake of ours, and it was not sent."""
    try:
        send()
    except Unsafe as refused:
        return [Failed(refused)]
    return []
