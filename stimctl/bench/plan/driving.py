"""One point driven: the oscilloscope waits, a session runs, something is done to it, and the capture is read.

Whatever breaks off ends the session first: leaving it stops the outputs, and only then is anything else done.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Event
from typing import NamedTuple

from stimctl.api import Session
from stimctl.bench.oscilloscope import DIVISIONS, Oscilloscope, ScopeSettings, Waveform
from stimctl.bench.plan.points import ACT_AFTER_US, Act, PlanPoint
from stimctl.bench.plan.setup import OPEN, SHORT, BenchSetup
from stimctl.bench.plan.silence import SilencedPort
from stimctl.bench.readings import ReadingLog, SteadyFigures
from stimctl.errors import Misuse, TimedOut
from stimctl.ledger import Ledger
from stimctl.port import Port, TrafficSink
from stimctl.prescription import Prescription, Subject
from stimctl.session.states import ON_HOLD, STIMULATING, STOPPING, End
from stimctl.session.view import SessionReport, StateChanged
from stimctl.stimulators.base import Identity
from stimctl.stimulators.discovery import DeviceChoice, handshake, stimulator
from stimctl.units import US_PER_S
from stimctl.wire.codec import Channel

TRIGGER_UA = 150  # above the 100 uA of an impedance check, and passed early in a rise
BEFORE = 0.1  # of a window, before the trigger
PATIENCE_S = 2.0
TAIL_S = 1.5  # after an act, or after the end of a whole stimulation
LOWEST_HZ = 50_000
_OF_WIDTH = 10  # samples in a phase at the least, so that its width is decided
DEPTHS = (120_000, 1_200_000, 12_000_000)  # samples that both makers' oscilloscopes have
SILENT_US = 2_500_000  # then keepalives come again, and a stop: a watchdog that is none ends nothing
# Ends of a session that is driven again: its capture is of no use.
NOT_DONE = frozenset({
    End.SIGNAL, End.INTERRUPTED, End.ELSEWHERE, End.FRONT_END, End.LINE_LOST, End.NO_ANSWER, End.SUSPENDED,
    End.STOOD_STILL, End.HANDSHAKE, End.LOG, End.CLOCK, End.CONTACT,
})  # fmt: skip
_FULL_DIVISIONS = 4.2  # of five to each side
_STEPS = (1.0, 2.0, 5.0)

OnSession = Callable[[Session], AbstractContextManager[object]]


class Driven(NamedTuple):
    """What came of it. Times in us by the port's clock; `trigger_us` is between which two the trigger came.

    `quiet_us` is when output was first not wanted any more after something was done, as the session saw it. A load
    was changed between `acted_us`, when that was asked for, and `switched_us`, when it was said to be done.
    `stopped_elsewhere`: by `stimctl stop`, even where the session had ended otherwise by then.
    """

    report: SessionReport
    identity: Identity | None
    steady: tuple[SteadyFigures, ...]
    settings: ScopeSettings | None
    waves: dict[int, Waveform]
    acted_us: int | None
    quiet_us: int | None
    trigger_us: tuple[int, int] | None
    switched_us: int | None = None
    stopped_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class PointDriver:
    """Drives the points of a plan at one port, into one log. `on_session` is entered around each session."""

    url: str
    choice: DeviceChoice
    subject: Subject
    setup: BenchSetup
    scope: Oscilloscope
    ledger: Ledger
    probe: float
    on_session: OnSession

    def drive(self, point: PlanPoint) -> Driven:
        """One point. Raises what a session and an oscilloscope raise; the outputs are at zero by then."""
        prescription = point.prescription(self.subject)
        drive = _Drive(point, self)
        session = Session(
            self.url, prescription, self.ledger, choice=self.choice, opener=drive.open, on_reading=drive.on_reading
        )
        settings = settings_for(point, prescription, self.probe) if point.captured else None
        with self.on_session(session), session:
            drive.session = session
            if settings is not None:
                self.scope.arm(settings)
            report = drive.run(timed=settings is not None and point.act is not Act.NOTHING)
            identity = session.view().identity
            quiet_us = drive.quiet_us()
        wanted = drive.pulses_came and report.end not in NOT_DONE
        waves = self._read(settings) if settings is not None and wanted else {}
        steady = tuple(drive.readings.steady(each, point.run.amplitude_ua) for each in point.run.channels)
        times = drive.acted_us, quiet_us, drive.trigger_us, drive.switched_us
        return Driven(report, identity, steady, settings, waves, *times, session.stopped_elsewhere)

    def reference(self, settings: ScopeSettings) -> dict[int, Waveform]:
        """A capture at this scale with no session: the outputs are disabled."""
        self.scope.arm(settings)
        self.scope.force()
        return self._read(settings)

    def _read(self, settings: ScopeSettings) -> dict[int, Waveform]:
        if not self.scope.triggered():
            where = f"across the load, on input {settings.channel}"
            raise TimedOut(f"the oscilloscope saw nothing of {settings.trigger_v:g} V or more: is its probe {where}?")
        if self.setup.simulated:
            self.setup.wait(settings.seconds)  # whose time passes only while somebody waits for it
        return self.scope.read_all(settings, settings.seconds + PATIENCE_S)


def who_answers(setup: BenchSetup, url: str, choice: DeviceChoice) -> Identity:
    """The device at the bench's port. Raises what a handshake does."""
    port = setup.open(url)
    try:
        return handshake(port, stimulator(choice, port, 1 << 15)).identity
    finally:
        port.close()


@dataclass
class _Drive:
    """One session while it runs: looked at from the loop's thread by its readings, and from the caller's."""

    point: PlanPoint
    driver: PointDriver
    readings: ReadingLog = field(default_factory=ReadingLog)
    session: Session | None = None
    port: SilencedPort | None = None
    acted_us: int | None = None
    switched_us: int | None = None
    trigger_us: tuple[int, int] | None = None
    pulses_came: bool = False
    fault: Exception | None = None
    _ended: bool = False
    _full_us: int | None = None
    _due: Event = field(default_factory=Event)

    def open(self, url: str, *, traffic: TrafficSink | None = None) -> Port:
        self.port = SilencedPort(self.driver.setup.open(url, traffic=traffic))
        return self.port

    def run(self, *, timed: bool) -> SessionReport:
        """To the end; with `timed`, the trigger is looked for all the time."""
        session, port = self.session, self.port
        assert session is not None
        assert port is not None
        asked_us = port.now_us()
        seeking = timed and not self.driver.scope.triggered()
        session.start()
        while (report := session.wait(0.002 if seeking else 0.02)) is None:
            if seeking:
                now_us = port.now_us()
                if self.driver.scope.triggered():
                    self.trigger_us, seeking = (asked_us, port.now_us()), False
                    self.driver.scope.triggered()  # a simulated bench's time goes on with the next question
                asked_us = now_us
            if self._due.is_set() and self.acted_us is None:
                self._act()
            self._look_at_time(port.now_us())  # no reading comes from a device that holds
            if self.acted_us is None and session.view().state in ON_HOLD:
                session.stop(End.OPERATOR, "the device holds the output, and nobody is asked to go on")
        if self.fault is not None and report.end is not End.SIGNAL:  # which breaks off a relay's command too
            raise self.fault
        return report

    def quiet_us(self) -> int | None:
        """When the device first held or ended the output after the act; None where the plan itself had to."""
        assert self.session is not None
        if self.acted_us is None:
            return None
        changes = [each for each in self.session.take_events() if isinstance(each, StateChanged)]
        first = next((e for e in changes if e.at_us >= self.acted_us and e.state not in STIMULATING), None)
        by_plan = first is not None and first.state is STOPPING and self.session.view().end is End.OPERATOR
        return None if first is None or by_plan else first.at_us

    def on_reading(self, reading: Channel, now_us: int) -> None:
        """Whether it is time to act. A simulator's time stands still in here; elsewhere nothing may wait in here."""
        self.readings.take(reading, now_us)
        self.pulses_came = self.pulses_came or reading.applied_ua > TRIGGER_UA
        assert self.port is not None
        self._look_at_time(now_us)
        if reading.applied_ua >= self.point.run.amplitude_ua and self._full_us is None:
            self._full_us = now_us
        full_for_us = 0 if self._full_us is None else now_us - self._full_us
        if self.point.act is Act.NOTHING or self.acted_us is not None or full_for_us < ACT_AFTER_US:
            return
        if self.port.virtual:
            self._act()
        else:
            self._due.set()

    def _look_at_time(self, now_us: int) -> None:
        """After a while the plan ends what an act has left: a watchdog that is none, a hold that waits for a person."""
        allowed_us = max(SILENT_US, round(self.point.stays_s * US_PER_S))
        if self.acted_us is None or now_us <= self.acted_us + allowed_us or self._ended:
            return
        assert self.port is not None
        assert self.session is not None
        self._ended, self.port.silent = True, False
        self.session.stop(End.OPERATOR, f"the plan ends it: {self.point.act} has lasted long enough")

    def _act(self) -> None:
        port, session, act = self.port, self.session, self.point.act
        assert port is not None
        assert session is not None
        self.acted_us = port.now_us()
        if act is Act.STOP:
            session.stop(End.OPERATOR, "stop latency is measured")
        elif act is Act.SILENCE:
            port.silent = True
            self.acted_us = port.last_kept_alive_us
        else:
            self._switch(SHORT if act is Act.SHORT else OPEN, session)

    def _switch(self, load: str, session: Session) -> None:
        """Change the load under power. Where that fails nobody knows what is connected: that is a stop."""
        assert self.port is not None
        try:
            self.driver.setup.connect(load)
            self.switched_us = self.port.now_us()
        except Misuse as fault:
            session.stop(End.OPERATOR, "the load could not be changed")
            self.fault = fault


def _is_steady(point: PlanPoint) -> bool:
    return point.act is Act.NOTHING and point.whole_s is None


def settings_for(point: PlanPoint, prescription: Prescription, probe: float) -> ScopeSettings:
    """How a capture of a point is taken: all of it fits the screen, and the window what has to be seen."""
    peak_v = point.peak_v / abs(probe)
    risen_us = prescription.stimulation_us - prescription.program.ramp_down_us
    if point.whole_s is not None:
        seconds = point.whole_s + TAIL_S
    elif point.act is not Act.NOTHING:
        seconds = (risen_us - point.run.plateau_us + ACT_AFTER_US) / US_PER_S + TAIL_S
    else:
        seconds = risen_us / US_PER_S
    division_s = _next_step(seconds / (1 - BEFORE) / DIVISIONS)
    window_s = division_s * DIVISIONS
    least_hz = max(LOWEST_HZ, _OF_WIDTH * US_PER_S / (point.run.width_us or 200)) if _is_steady(point) else LOWEST_HZ
    points = next((each for each in DEPTHS if each / window_s >= least_hz), DEPTHS[-1])
    first, *others = point.run.channels
    trigger_v = TRIGGER_UA * point.run.ohm / 1e6 / abs(probe)
    return ScopeSettings(first, _next_step(peak_v / _FULL_DIVISIONS), window_s, points, trigger_v, tuple(others))


def _next_step(least: float) -> float:
    """The next of 1, 2, 5, 10, ... from there up, as oscilloscopes have them."""
    from math import floor, log10

    decade = 10.0 ** floor(log10(least))
    return next(step * decade for step in (*_STEPS, 10.0) if step * decade >= least * (1 - 1e-9))
