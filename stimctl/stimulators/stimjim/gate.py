"""The gate before a StimJim: it reads each line as the firmware does, and knows where the firmware goes wrong.

Each refusal names the fault that makes a line unlawful. `T` with anything but a number starts slot 0, so slot 0 holds
nothing. One form of each command is understood: what the device might read in another way is not sent.
"""

import re
from typing import NamedTuple

from stimctl import limits
from stimctl.stimulators.lease.gate import CurrentPhase, Gate, GatedTrain, check_trains, refusal, require

MAX_LINE = 998
MAX_STAGES = 9
SLOTS = 100
SHORTEST_STAGE_US = 20
WRAP_UA = 3_322  # (32767 - 100) * 0.1017: above it the firmware's 16 bits wrap round
CURRENT, GROUND = 1, 3
IDENTIFY = b"IDN\n"
_GROUNDS = (b"M0,3\n", b"M1,3\n")
STOP = b"X\nT-1\nU-1\n" + b"".join(_GROUNDS)
READ_CURRENTS = b"E0,1\nE1,1\n"
# What takes away from a device all that it could play by itself, and asks whether it is gone. A and C have no way to
# ask for an input; B keeps an envelope and a measurement for each slot, which a new definition leaves as they are.
OUR_SLOTS = (0, 1, 2, 3)
DETACH = (b"R0,-1\n", b"R1,-1\n")
NO_TRIGGERS = tuple(b"TRIG%d,0,-1,-1,0\n" % line for line in (0, 1))
NO_ENVELOPES = tuple(b"ENV%d,0,0\n" % index for index in OUR_SLOTS)
NOTHING_MEASURED = tuple(b"MEAS%d,0,0,0,-1,0\n" % index for index in OUR_SLOTS)
ALL_MEASURED = tuple(b"MEAS%d,3,3,0,-1,0\n" % index for index in OUR_SLOTS)
_ASKED = tuple(b"%s%d?\n" % (word, index) for word in (b"ENV", b"MEAS", b"TRIG") for index in OUR_SLOTS)
AT_REST = frozenset((*DETACH, *NO_TRIGGERS, *NO_ENVELOPES, *NOTHING_MEASURED, *ALL_MEASURED, *_ASKED))

_NUMBER = r"(0|-?[1-9]\d{0,9})"
_SLOT_LINE = re.compile(rf"S{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}((?:;{_NUMBER},{_NUMBER},{_NUMBER})+)")
_START_LINE = re.compile(r"T([1-9]\d?)")
_NO_SUCH_SLOT = b"%d\n" % SLOTS  # whatever digits of another stand before it
_DANGEROUS = {
    "D": "overruns the stack of the firmware",
    "C": "sweeps a real voltage over the outputs",
    "B": "blocks the device while it measures its offsets",
    "A": "drives direct current",
    "V": "drives direct current",
    "R": "hands the start to an input, unless it takes it away",
    "U": "a second engine on the same outputs would fight the first",
    "L": "is not a train of rectangular pulses",
    "W": "is not a train of rectangular pulses",
}


class HeldSlot(NamedTuple):
    """A slot as the device would hold it."""

    modes: tuple[int, int]
    period_us: int
    duration_us: int
    stages: tuple[tuple[int, int, int], ...]

    @classmethod
    def of(cls, line: re.Match[str]) -> "HeldSlot":
        """The slot of a line whose groups are its number, two modes, period, duration, and the stages as one."""
        stages = (map(int, stage.split(",")) for stage in line[6][1:].split(";"))
        return cls((int(line[2]), int(line[3])), int(line[4]), int(line[5]), tuple((a, b, us) for a, b, us in stages))

    def line(self, index: int) -> bytes:
        head = f"S{index},{self.modes[0]},{self.modes[1]},{self.period_us},{self.duration_us}"
        return (head + "".join(f";{a},{b},{us}" for a, b, us in self.stages) + "\n").encode("ascii")

    def trains(self) -> list[GatedTrain]:
        """What each driven channel would do; channels are numbered from 1."""
        stages, times = self.stages, (self.period_us, self.duration_us)
        driven = [index for index in (0, 1) if self.modes[index] == CURRENT]
        return [
            GatedTrain(index + 1, tuple(CurrentPhase(each[index], each[2]) for each in stages), *times)
            for index in driven
        ]


HARMLESS_SLOT = HeldSlot((GROUND, GROUND), 10_000, 10_000, ((0, 0, 1_000),))


class StimJimGate(Gate):
    """The gate before a StimJim. `playing` is the slot that may be running, None when none can be."""

    def __init__(self) -> None:
        super().__init__()
        self.slots: dict[int, HeldSlot] = {}
        self.proven: set[int] = set()
        self.playing: int | None = None
        self._at_rest = False
        self.took_back = False  # a start was, by a number that no slot has: the device rejects it
        # How many groundings, as far as is known, the device has yet to tell; and how many of them belong to a stop
        # before the one that is under way.
        self.groundings = self.stale = 0

    def echoed(self, index: int) -> None:
        """The device's echo of a slot is what was sent."""
        self.proven.add(index)

    def over(self) -> None:
        """The device said that its train is over, or grounded both outputs."""
        self.playing = None
        self._at_rest = True
        self.took_back = False

    def is_stop(self, data: bytes) -> bool:
        return data.startswith(STOP)

    def take(self) -> bytes:
        data = super().take()
        self.groundings += _grounds(data)
        return data

    def grounded(self) -> None:
        """The device told of a grounding."""
        self.groundings, self.stale = max(0, self.groundings - 1), max(0, self.stale - 1)

    def is_unsent(self, data: bytes) -> bool:
        """Whether this passed and was not taken yet."""
        return data in self._out

    def follow_cut(self, data: bytes, sent: int, output: bytes) -> bytes:
        whole = super().follow_cut(data, sent, output)
        # A stop took the place of what had not left: none of that will be answered.
        ours, not_sent = _grounds(output), _grounds(data + output) - _grounds(whole)
        before = max(0, self.groundings - ours - not_sent)
        self.groundings, self.stale = before + ours, min(self.stale, before)
        return whole

    def ending(self, data: bytes, sent: int) -> bytes:
        """The rest of a line as it was: half of `M0,3` drives, half of a slot is another one. A start starts nothing:
        its number goes on until there is no such slot."""
        begins = data.rfind(b"\n", 0, sent) + 1
        if begins == sent:
            return b""
        line = data[begins : data.index(b"\n", sent) + 1]
        if line.startswith(b"T") and line not in STOP:
            self.took_back = True
            return _NO_SUCH_SLOT
        return line[sent - begins :]

    def send(self, data: bytes, now_us: int) -> None:
        """Let one line, or one of the fixed blocks, pass at `now_us`. Raises `Unsafe`."""
        if data == STOP:
            self.forget_unsent()
        elif data == READ_CURRENTS:
            self._check_rest("E")
        elif data == IDENTIFY:
            self._check_rest("IDN", never_played=True)
        elif data in AT_REST:
            self._check_rest(data.decode("ascii").strip(), never_played=True)
        else:
            self._line(data, now_us)
        self._out.append(data)

    def _check_rest(self, command: str, *, never_played: bool = False) -> None:
        """Reading is for grounded outputs: a read in a train fights the train for the converter."""
        at_rest = self.playing is None and (self._at_rest or never_played)
        require(at_rest, command, command, "asked only while nothing plays and both outputs are grounded")

    def _line(self, data: bytes, now_us: int) -> None:
        text = _one_line(data)
        start = _START_LINE.fullmatch(text)
        if start is not None:
            self._start(int(start[1]), now_us)
            return
        if text.startswith("S"):
            self._slot(text, data)
            return
        why = _DANGEROUS.get(text[:1], "is not a command that is known to be harmless")
        raise refusal("command", text, why)

    def _slot(self, text: str, data: bytes) -> None:
        index, slot = _parsed(text)
        require(slot.line(index) == data, "command", text, "has another form than the one that is understood")
        plays = index == self.playing
        require(not plays, "slot", index, "is the one that plays: the device would play half of each")
        if slot != HARMLESS_SLOT:
            require(index, "slot", 0, "stays grounded: a garbled stop starts slot 0")
            _check_slot(slot)
        self.proven.discard(index)
        self.slots[index] = slot

    def _start(self, index: int, now_us: int) -> None:
        slot = self.slots.get(index)
        if slot is None or index not in self.proven:
            raise refusal("slot", index, "may be started only when its echo was what was sent")
        may_play = f"slot {self.playing} may still play: a second start is not clean"
        require(self.playing is None, "slot", index, may_play)
        require(0 in self.proven, "slot", 0, "has to be grounded before anything is started")
        require(slot != HARMLESS_SLOT, "slot", index, "is grounded: there is nothing to start")
        self.check_rise(slot.trains(), now_us)
        self.playing = index
        self._at_rest = False
        # Each start needs a proof of its own.
        self.proven.discard(index)


def _grounds(data: bytes) -> int:
    return sum(map(data.count, _GROUNDS))


def _one_line(data: bytes) -> str:
    overrun = f"must be at most {MAX_LINE} bytes: the device's buffer has no guard"
    require(len(data) <= MAX_LINE + 1, "line", len(data), overrun)
    require(data.endswith(b"\n") and data.count(b"\n") == 1, "line", data[:40], "must be one line with its end")
    text = data[:-1].decode("latin-1")
    require(text.isascii() and text.isprintable() and text, "line", text[:40], "must be printable ASCII")
    return text


def _parsed(text: str) -> tuple[int, HeldSlot]:
    found = _SLOT_LINE.fullmatch(text)
    if found is None:
        raise refusal("command", text, "is not whole: the device would take over half of it")
    index, slot = int(found[1]), HeldSlot.of(found)
    require(0 <= index < SLOTS, "slot", index, f"must be 0 to {SLOTS - 1}")
    overwrites = f"must be at most {MAX_STAGES}: more overwrite the device's memory"
    require(len(slot.stages) <= MAX_STAGES, "stages", len(slot.stages), overwrites)
    return index, slot


def _check_slot(slot: HeldSlot) -> None:
    for channel, mode in enumerate(slot.modes):
        name, driven = f"channel {channel + 1}", any(stage[channel] for stage in slot.stages)
        require(mode in (CURRENT, GROUND), f"mode of {name}", mode, "must be 1 (current) or 3 (grounded)")
        require(mode == CURRENT or not driven, name, slot.stages, "is grounded and has an amplitude")
    wraps = f"wraps round above {WRAP_UA} uA and changes its polarity; {limits.CEILING.allowed()}"
    lasts = f"must last {SHORTEST_STAGE_US} to {limits.PERIOD.high} us, never zero"
    for *levels_ua, width_us in slot.stages:
        for amplitude_ua in levels_ua:
            require(abs(amplitude_ua) <= WRAP_UA, "amplitude_ua", amplitude_ua, wraps)
        require(SHORTEST_STAGE_US <= width_us <= limits.PERIOD.high, "stage", width_us, lasts)
    whole = slot.period_us > 0 and not slot.duration_us % slot.period_us
    require(whole, "duration_us", slot.duration_us, f"must be whole periods of {slot.period_us} us")
    trains = slot.trains()
    require(trains, "mode", slot.modes, "drives nothing")
    check_trains(trains)
