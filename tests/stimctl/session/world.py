"""A whole session's world for the tests: prescriptions, logs, hostile lines, and a rig that runs an engine on them.

Nothing here is a mock: the device is the simulated stimulator behind the real `sim://` port, the loop is the
runner that drives hardware. A hostile line wraps a port and spoils what passes, in time or in content.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

from firmware_sim.analog.converter import Dac
from firmware_sim.analog.load import Load, ScriptedLoad, load_named
from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.native.device import Device
from firmware_sim.native.flash import Flash
from stimctl import limits
from stimctl.errors import LineLost
from stimctl.port import Port, open_port
from stimctl.prescription import Prescription, from_mapping
from stimctl.profile import Profile, load_file, load_profiles, packaged_folder
from stimctl.session.commands import Command, Proceed
from stimctl.session.engine import UNATTENDED, Engine
from stimctl.session.runner import Runner
from stimctl.session.states import End, State
from stimctl.session.view import Priority, SessionReport
from stimctl.stimulators.base import Identity, SessionCounts
from stimctl.stimulators.native import NativeAdapter
from stimctl.wire import codec as m
from stimctl.wire.framing import FrameSplitter
from tests.stimctl.profile.whole_text import whole_text

S = 1_000_000
T = TypeVar("T")


# --- prescriptions ----------------------------------------------------------------------------------


@cache
def packaged(name: str) -> Profile:
    """A packaged profile, read once."""
    return load_file(packaged_folder() / f"{name}.toml")


def asymmetric_profiles(folder: Path) -> dict[str, Profile]:
    """Profiles with a 2/100 Hz pattern whose second phase is wider and lower: twice at 2 Hz, 4 times at 100 Hz."""
    folder.mkdir(exist_ok=True)
    text = whole_text("bench-2-100hz")
    for old, new in (
        ('"bench-2-100hz"', '"bench-asymmetric"'),
        ("[stimulation.second_phase_ratio_2hz]\nvalue = 1\n", "[stimulation.second_phase_ratio_2hz]\nvalue = 2\n"),
        ("[stimulation.second_phase_ratio_100hz]\nvalue = 1\n", "[stimulation.second_phase_ratio_100hz]\nvalue = 4\n"),
        ("[stimulation.interphase_gap_us]\nvalue = 0\n", "[stimulation.interphase_gap_us]\nvalue = 50\n"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "bench-asymmetric.toml").write_text(text, "utf-8")
    return load_profiles(folder)


def prescription(
    *,
    seconds: float = 20,
    amplitudes_ma: Mapping[int, float] | None = None,
    profile: str = "bench-2-100hz",
    known: Mapping[str, Profile] | None = None,
    **changes: Any,
) -> Prescription:
    """A bench prescription for the simulator; 2.0 mA on channel 1 for 20 s of 2/100 Hz unless told otherwise."""
    titrate = changes.get("titrate", False)
    channels = []
    for channel, amplitude_ma in (amplitudes_ma or {1: 2.0}).items():
        plan: dict[str, Any] = {
            "channel": channel,
            "first": {"point": "terminal 1"},
            "second": {"point": "terminal 2"},
            "needle": {"diameter_mm": 0.30, "inserted_mm": 30, "coating": "none"},
        }
        channels.append(plan if titrate else {**plan, "amplitude_ma": amplitude_ma})
    answers = {
        "format": 1,
        "profile": profile,
        "subject": "simulator",
        "operator": "test",
        "pseudonym": "nobody",
        "seconds": seconds,
        "ramp_only": True,  # sessions here are as short as a test needs
        "ceiling_ma": 2.0,
        "channels": channels,
        **changes,
    }
    return from_mapping(answers, {profile: packaged(profile)} if known is None else known, source="test")


def forged(whole: T, **changes: Any) -> T:
    """A copy of a frozen dataclass with other values and without any of its checks."""
    copy = object.__new__(type(whole))
    for name in (part.name for part in fields(whole)):  # type: ignore[arg-type]
        object.__setattr__(copy, name, changes.get(name, getattr(whole, name)))
    return copy


# --- logs -------------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """One entry of a `ListLog`, and how many pieces of traffic came before it."""

    kind: str
    at_us: int
    body: Mapping[str, Any]
    pieces: int = 0


class ListLog:
    """A log in memory."""

    def __init__(self, tape: "Tape") -> None:
        self.entries: list[Entry] = []
        self._tape = tape

    def put(self, kind: str, at_us: int, body: Mapping[str, Any]) -> None:
        self.entries.append(Entry(kind, at_us, body, len(self._tape.pieces)))

    def problem(self) -> str | None:
        return None

    def wait_room(self) -> None:
        """There is always room."""

    def drain(self, timeout_s: float) -> None:
        """Nothing waits."""

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """The bodies of one kind."""
        return [entry.body for entry in self.entries if entry.kind == kind]


# --- lines ------------------------------------------------------------------------------------------


def open_device(device: Device, url: str = "sim://?seed=1") -> Port:
    """A `sim://` port with this device at its far end, powered on as the port's clock begins."""
    port = cast(Any, open_port(url))
    port.line._device = device
    return cast(Port, port)


class Line:
    """A port whose every call goes on to another one: hostile lines change some of them."""

    def __init__(self, port: Port) -> None:
        self.url = port.url
        self.virtual = port.virtual
        self.realtime = port.realtime
        self.inner = port
        self.now_us = port.now_us
        self.wake = port.wake
        self.close = port.close

    def wait(self, deadline_us: int | None) -> bytes:
        return self.inner.wait(deadline_us)

    def write(self, data: bytes) -> None:
        self.inner.write(data)


class Stutter(Line):
    """Of every 400 ms nothing comes from the device in the first `for_us`; then all of it does."""

    EVERY_US = 400_000

    def __init__(self, port: Port, for_us: int = 150_000) -> None:
        super().__init__(port)
        self._for_us = for_us
        self._held = b""

    def wait(self, deadline_us: int | None) -> bytes:
        into_us = self.now_us() % self.EVERY_US
        if into_us >= self._for_us:
            data, self._held = self._held, b""
            return data or self.inner.wait(deadline_us)
        opens_us = self.now_us() - into_us + self._for_us
        self._held += self.inner.wait(opens_us if deadline_us is None else min(deadline_us, opens_us))
        return b""


class StandsStill(Line):
    """A host in real time that stands still for so long behind every seventh wait in which nothing came.

    What comes meanwhile waits in the line.
    """

    EVERY = 7

    def __init__(self, port: Port, for_us: int = 700_000) -> None:
        super().__init__(port)
        self.virtual = False
        self.stood_still = 0
        self._for_us = for_us
        self._empty = 0
        self._held = b""

    def wait(self, deadline_us: int | None) -> bytes:
        data, self._held = self._held, b""
        if data or (data := self.inner.wait(deadline_us)):
            return data
        self._empty += 1
        if self._empty % self.EVERY == 0:
            self.stood_still += 1
            until_us = self.now_us() + self._for_us
            while self.now_us() < until_us:
                self._held += self.inner.wait(until_us)
        return b""


class ByteAtATime(Line):
    """What comes from the device arrives one byte a read."""

    _rest = b""

    def wait(self, deadline_us: int | None) -> bytes:
        data = self._rest or self.inner.wait(deadline_us)
        self._rest = data[1:]
        return data[:1]


class _Sieve:
    """Lets every second frame of a stream through, whole frames whatever pieces they come in."""

    def __init__(self, lose_first: bool) -> None:
        self._tail = b""
        self._lose = lose_first

    def pass_on(self, data: bytes) -> bytes:
        *frames, self._tail = (self._tail + data).split(b"\x00")
        kept = b""
        for frame in frames:
            if not frame or not self._lose:
                kept += frame + b"\x00"
            self._lose ^= bool(frame)  # an empty one is no frame
        return kept


class Lossy(Line):
    """While it is `bad`, every second frame is lost, in the directions named; `lose_first` begins with a loss."""

    def __init__(
        self, port: Port, *, to_device: bool = False, from_device: bool = False, lose_first: bool, bad: bool = True
    ) -> None:
        super().__init__(port)
        self.bad = bad
        self._to = _Sieve(lose_first) if to_device else None
        self._from = _Sieve(lose_first) if from_device else None

    def wait(self, deadline_us: int | None) -> bytes:
        data = self.inner.wait(deadline_us)
        return self._from.pass_on(data) if self._from and self.bad else data

    def write(self, data: bytes) -> None:
        kept = self._to.pass_on(data) if self._to and self.bad else data
        if kept:
            self.inner.write(kept)


class Delayed(Line):
    """Everything takes `delay_us` longer, each way. For virtual ports."""

    def __init__(self, port: Port, delay_us: int) -> None:
        super().__init__(port)
        self._delay_us = delay_us
        self._to: list[tuple[int, bytes]] = []
        self._from: list[tuple[int, bytes]] = []

    def write(self, data: bytes) -> None:
        self._to.append((self.now_us() + self._delay_us, data))

    def wait(self, deadline_us: int | None) -> bytes:
        while not (self._from and self._from[0][0] <= self.now_us()):
            now_us = self.now_us()
            while self._to and self._to[0][0] <= now_us:
                self.inner.write(self._to.pop(0)[1])
            due_us = [queue[0][0] for queue in (self._to, self._from) if queue]
            ends_us = [*due_us, *([] if deadline_us is None else [deadline_us])]
            data = self.inner.wait(min(ends_us, default=None))
            if data:
                self._from.append((self.now_us() + self._delay_us, data))
                continue
            reached_us = self.now_us()
            if reached_us < min(ends_us, default=0) or (deadline_us is not None and reached_us >= deadline_us):
                return b""  # somebody woke the wait, or the deadline
        return self._from.pop(0)[1]


class Cut(Line):
    """From a time on nothing passes any more, in the directions named; nobody is told."""

    def __init__(self, port: Port, at_us: int, *, to_device: bool = True, from_device: bool = True) -> None:
        super().__init__(port)
        self._at_us = at_us
        self._to_device = to_device
        self._from_device = from_device

    def _is_cut(self) -> bool:
        return self.now_us() >= self._at_us

    def wait(self, deadline_us: int | None) -> bytes:
        data = self.inner.wait(deadline_us)
        return b"" if self._from_device and self._is_cut() else data

    def write(self, data: bytes) -> None:
        if not (self._to_device and self._is_cut()):
            self.inner.write(data)


class Gone(Line):
    """From a time on the port is not there any more."""

    def __init__(self, port: Port, at_us: int) -> None:
        super().__init__(port)
        self._at_us = at_us

    def _look(self) -> None:
        if self.now_us() >= self._at_us:
            raise LineLost(f"{self.url}: the port is gone; check the cable")

    def wait(self, deadline_us: int | None) -> bytes:
        self._look()
        return self.inner.wait(deadline_us)

    def write(self, data: bytes) -> None:
        self._look()
        self.inner.write(data)


class Rewritten(Line):
    """Messages from the device pass through `change`, which may give back another message, or None to lose one."""

    def __init__(self, port: Port, change: Callable[[Any], Any]) -> None:
        super().__init__(port)
        self._change = change
        self._splitter = FrameSplitter()

    def wait(self, deadline_us: int | None) -> bytes:
        frames = b""
        for payload in self._splitter.feed(self.inner.wait(deadline_us)):
            sequence, message = m.parse(payload)
            changed = self._change(message)
            frames += b"" if changed is None else m.encode(sequence, changed)
        return frames


# --- a rig ------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """A message as it stood on the wire at the host's end."""

    at_us: int
    sender: str
    sequence: int
    message: Any


class Tape:
    """The traffic of a session at the host's end: a sink for `RecordedPort`, and its messages."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, str, bytes]] = []

    def record(self, at_us: int, direction: str, data: bytes) -> None:
        self.pieces.append((at_us, direction, data))

    def sent(self, direction: str) -> bytes:
        """All bytes of one direction."""
        return b"".join(data for _, sender, data in self.pieces if sender == direction)

    def messages(self, *kinds: type[Any], from_piece: int = 0) -> list[Told]:
        """What passed, in order; of these kinds where some are named."""
        splitters = {"host": FrameSplitter(), "device": FrameSplitter()}
        told = []
        for at_us, sender, data in self.pieces[from_piece:]:
            for payload in splitters[sender].feed(data):
                sequence, message = m.parse(payload)
                if not kinds or type(message) in kinds:
                    told.append(Told(at_us, sender, sequence, message))
        return told


# What a session is asked, or something that a test does itself with the engine at hand.
Deed = Command | Callable[[Engine, int], None]


class Prompt(NamedTuple):
    """A deed that is done once `ready(engine)` holds; once."""

    ready: Callable[[Engine], bool]
    deed: Deed


class _Prompted(Line):
    """Watches the engine from the port's side, and does each prompt's deed as its moment comes."""

    def __init__(self, port: Port, tape: Tape) -> None:
        super().__init__(port)
        self._tape = tape
        self.prompts: list[Prompt] = []
        self.deeds: list[tuple[int, Callable[[Engine, int], None]]] = []
        self.runner: Runner | None = None
        self.engine: Engine | None = None

    def wait(self, deadline_us: int | None) -> bytes:
        assert self.engine is not None
        assert self.runner is not None
        for prompt in [prompt for prompt in self.prompts if prompt.ready(self.engine)]:
            self.prompts.remove(prompt)
            if callable(prompt.deed):
                prompt.deed(self.engine, self.now_us())
            else:
                self.runner.post(prompt.deed)
        while self.deeds and self.deeds[0][0] <= self.now_us():
            self.deeds.pop(0)[1](self.engine, self.now_us())
        if self.deeds:
            deadline_us = min(self.deeds[0][0], self.deeds[0][0] if deadline_us is None else deadline_us)
        data = self.inner.wait(deadline_us)
        if data:
            self._tape.record(self.now_us(), "device", data)
        return data

    def write(self, data: bytes) -> None:
        self._tape.record(self.now_us(), "host", data)
        self.inner.write(data)


class Rig:
    """One session on one simulated device in virtual time. Device time is the port's time: both begin at zero."""

    def __init__(
        self,
        rx: Prescription | None = None,
        *,
        device: Callable[..., Device] = Device,
        load: Load | str = "nominal",
        seed: int = 1,
        flash: Flash | None = None,
        line: Callable[[Port], Port] = lambda port: port,
        log: Any = None,
        auto: frozenset[State] = UNATTENDED,
        front_end: bool = False,
        attended: bool = False,
        first_sequence: int = 0,
    ) -> None:
        self.rx = rx or prescription()
        self.recorder = Recorder()
        self.journal: list[Mapping[str, Any]] = []
        self.device = device(seed=seed, load=load, flash=flash, recorder=self.recorder, journal=self.journal.append)
        self.tape = Tape()
        self.line = line(open_device(self.device))
        self._port = _Prompted(self.line, self.tape)
        self.log = ListLog(self.tape) if log is None else log
        self.native = NativeAdapter(first_sequence)
        self.engine = Engine(self.native, self.rx, self.log, session_id="rig", auto=auto, front_end=front_end)
        self.recovered: list[tuple[str, SessionCounts]] = []
        note = self._note
        self.runner = Runner(self._port, self.engine, self.log, self._recover, attended=attended, take_note=note)
        self._port.engine, self._port.runner = self.engine, self.runner
        self.events: list[Any] = []
        # How many pieces of traffic there were when a stop was first asked for.
        self.stop_asked_at: int | None = None

    def _note(self, _at_us: int, _kind: str, body: Mapping[str, Any]) -> None:
        if body.get("do") == "stop" and self.stop_asked_at is None:
            self.stop_asked_at = len(self.tape.pieces)

    def _recover(self, identity: Identity, records: SessionCounts) -> str:
        self.recovered.append((identity.serial, records))
        return "the list"

    def when(self, ready: Callable[[Engine], bool] | State, order: Deed) -> "Rig":
        """Do it once the engine is in a state, or once `ready` holds."""
        if isinstance(ready, State):
            state = ready
            self._port.prompts.append(Prompt(lambda engine: engine.state is state, order))
        else:
            self._port.prompts.append(Prompt(ready, order))
        return self

    def run(self, *actions: tuple[int, Deed]) -> SessionReport:
        """Run to the end, with commands and deeds at times; the port is closed afterwards."""
        began_us = self._port.now_us()
        deeds = [(began_us + at_us, deed) for at_us, deed in actions if callable(deed)]
        self._port.deeds = sorted(deeds, key=lambda each: each[0])
        try:
            return self.runner.run((at_us, command) for at_us, command in actions if not callable(command))
        finally:
            self.events += self.runner.take_events()
            self._port.close()

    @property
    def alarms(self) -> list[str]:
        """HIGH and MEDIUM alarms as "text: action"."""
        alarms = self.engine.report.alarms if self.engine.report else ()
        return [f"{alarm.text}: {alarm.action}" for alarm in alarms if alarm.priority >= Priority.MEDIUM]

    def flowed(self) -> int:
        """How many pulses of any kind flowed anywhere."""
        return sum(self.recorder.pulses(channel, kind) for channel in self.recorder.channels for kind in FlowKind)

    def stopping(self) -> Entry:
        """The entry that the session began to stop."""
        return next(entry for entry in self.log.entries if entry.body.get("now") == State.STOPPING)

    def stopped_us(self) -> int:
        """When the session began to stop, in the port's time."""
        return self.stopping().at_us

    def last_pulse_us(self) -> int:
        """When the last current ended, in the port's time."""
        return self.recorder.end_us()

    def zero_by_us(self) -> int | None:
        """When the device was last sure of zero, since when by its own record."""
        zeros = [int(entry["since_us"]) for entry in self.journal if entry["event"] == "zero"]
        return zeros[-1] if zeros else None


def exact(report: SessionReport) -> bool:
    """Whether what was commanded is what the device counted, to the picocoulomb."""
    return report.agreement["exact"] is True and report.commanded == report.delivered


# --- words that several files use ---------------------------------------------------------------------

PULSE_US = 1_300  # the longest pulse there is, in flight as a stop comes


proceed = Proceed()


def at_1_ma(seconds: float = 20, **changes: Any) -> Prescription:
    """1.0 mA at 100 Hz on channel 1: at its target 5 s after the start."""
    return prescription(seconds=seconds, profile="bench-100hz", amplitudes_ma={1: 1.0}, **changes)


def ended_at_zero(rig: Rig, report: SessionReport, end: End) -> None:
    """It ended for this reason, and nothing flowed after the stop but the pulse in flight; zero was measured."""
    assert report.end is end, (report.end, report.end_text)
    assert report.zero_confirmed_us is not None
    assert report.zero_confirmed_us <= limits.STOP_CONFIRM_US
    assert rig.last_pulse_us() <= rig.stopped_us() + PULSE_US


def high(rig: Rig) -> list[str]:
    """The HIGH alarms."""
    assert rig.engine.report is not None
    return [alarm.text for alarm in rig.engine.report.alarms if alarm.priority is Priority.HIGH]


def open_between(begin_us: int, end_us: int) -> ScriptedLoad:
    return ScriptedLoad(load_named("nominal"), [(begin_us, load_named("open")), (end_us, load_named("nominal"))])


class TooMuch(Dac):
    """A converter whose output is half as much again as it is told."""

    def current_na(self, amplitude_ua: int) -> int:
        return super().current_na(amplitude_ua) * 3 // 2
