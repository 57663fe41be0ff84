"""The gate before a PulsePal: it reads each frame as the firmware does, in volts, and knows the isolator behind it.

Each refusal names the fault that makes a frame unlawful. One layout of a whole program is understood and no other
command that programs anything, so what the device holds is known to the last byte.
"""

import struct
from collections.abc import Iterable
from math import gcd
from typing import NamedTuple

from stimctl import limits
from stimctl.stimulators.lease.gate import CurrentPhase, Gate, GatedTrain, check_trains, refusal, require

START = 213
CYCLE_US = 50
ZERO_CODE = 32_768
FULL_MV = 10_000
CHANNELS = (1, 2, 3, 4)
HANDSHAKE = bytes((START, 72))
ABORT = bytes((START, 80))
READ_BACK = bytes((START, 93))
_BY_CHANNEL = struct.Struct("<32I12H16B8B2B")  # op 73
_BY_FIELD = struct.Struct("<32I12H20B8B2B")  # op 92
_PROGRAM_OPS = {73: _BY_CHANNEL, 92: _BY_FIELD}
_LENGTHS = {72: 0, 77: 1, 79: 3, 80: 0, 82: 2, 93: 0, 98: 1, **{op: shape.size for op, shape in _PROGRAM_OPS.items()}}
_MODE_LENGTH = 3  # op 74 is understood for a trigger line's mode only


class ChannelOutput(NamedTuple):
    """One channel as the device would hold it: cycles, and codes above (or below) zero volts."""

    phase_1: int
    interphase: int
    phase_2: int
    interpulse: int
    train: int
    delay: int
    code_1: int
    code_2: int

    @property
    def driven(self) -> bool:
        return bool(self.code_1 or self.code_2)

    @property
    def period(self) -> int:
        """From one pulse to the next."""
        return self.phase_1 + self.interphase + self.phase_2 + self.interpulse


REST = ChannelOutput(4, 0, 4, 192, 104, 0, 0, 0)
REST_ALL = (REST, REST, REST, REST)


def cycles(name: str, time_us: int) -> int:
    """A time as whole 50 us cycles. Raises `Unsafe`, saying what it would become, when it is none."""
    whole, rest = divmod(time_us, CYCLE_US)
    said = f"must be whole cycles of {CYCLE_US} us: it would become {whole * CYCLE_US} us"
    require(not rest, name, time_us, said)
    return whole


def program_frame(op: int, outputs: tuple[ChannelOutput, ...]) -> bytes:
    """All four channels in one command: biphasic, no bursts, no custom trains, no loops, no triggers."""
    times: list[tuple[int, ...]] = [(*each[:4], 0, 0, each.train, each.delay) for each in outputs]
    volts: list[tuple[int, ...]] = [(ZERO_CODE + each.code_1, ZERO_CODE + each.code_2, ZERO_CODE) for each in outputs]
    if op == 73:
        flags = [1, 0, 0, 0] * 4
    else:
        times, volts = _turned(times), _turned(volts)
        flags = [1] * 4 + [0] * 16
    values = [number for row in (*times, *volts) for number in row]
    return bytes((START, op)) + _PROGRAM_OPS[op].pack(*values, *flags, *[0] * 10)


def read_back_of(outputs: tuple[ChannelOutput, ...]) -> bytes:
    """What op 93 has to answer."""
    frame = program_frame(92, outputs)[2:]
    return frame[: 128 + 24 + 16] + frame[128 + 24 + 20 :]


def _turned(rows: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    return list(zip(*rows, strict=True))


class PulsePalGate(Gate):
    """The gate before a PulsePal with an isolator of `ua_per_v` behind each channel."""

    def __init__(self, ua_per_v: int) -> None:
        super().__init__()
        self.ua_per_v = ua_per_v
        self.outputs: tuple[ChannelOutput, ...] = ()
        self.proven = False
        self.playing = False
        # A stop overtook what nobody knows to have left: what the device answers since may be to anything.
        self.was_cut = False
        self.stops_written = 0  # whole ones that are answered as the stop is now, since that began
        self._taken = b""  # and not written yet, as far as is known

    @property
    def on_its_way(self) -> bool:
        """Whether something was given out that is not known to be written."""
        return bool(self._taken)

    def confirmed(self) -> None:
        """The device said that it holds the program that was sent last."""
        self.proven = True

    def over(self) -> None:
        """Nothing plays any more: the train ran its time."""
        self.playing = False

    def stopped(self, now_us: int) -> int:
        """A stop was carried out, from its beginning to its end. How often it is answered again."""
        self.over()
        self.at_zero(now_us)
        self.was_cut = False
        return max(0, self.stops_written + sum(map(self.is_stop, (self._taken, *self._out))) - 1)

    def is_stop(self, data: bytes) -> bool:
        return data[:2] == ABORT

    def take(self) -> bytes:
        data = super().take()
        self._taken = data or self._taken
        return data

    def wrote(self, now_us: int) -> None:
        super().wrote(now_us)
        # After a cut only what ends in a handshake counts: what was answered before that is passed over.
        self.stops_written += self.is_stop(self._taken) and (not self.was_cut or self._taken.endswith(HANDSHAKE))
        self._taken = b""

    def forget_unsent(self) -> None:
        super().forget_unsent()
        self.was_cut |= bool(self._taken)

    def ending(self, data: bytes, sent: int) -> bytes:
        """The rest of a program or a stop as it was; that of a trigger starts nothing any more."""
        at = 0
        while at < sent:
            op = data[at + 1]
            ends = at + 2 + (length(op, data[at + 2 :]) or 0)
            if sent < ends:
                return data[sent : ends - 1] + (b"\0" if op == 77 else data[ends - 1 : ends])
            at = ends
        return b""

    def send(self, data: bytes, now_us: int) -> None:
        """Let one or more whole commands pass at `now_us`, in one write. Raises `Unsafe`."""
        for op, payload in _commands(data):
            if op in (72, 93):
                require(self.is_stop(data) or not self.playing, "command", op, "asked only while nothing plays")
            self._command(op, payload, now_us)
        self._out.append(data)

    def current_ua(self, code: int) -> int:
        """The current that a code above zero volts gives, rounded away from zero."""
        magnitude_ua = -(-abs(code) * FULL_MV * self.ua_per_v // (ZERO_CODE * 1_000))
        return magnitude_ua if code >= 0 else -magnitude_ua

    def _command(self, op: int, payload: bytes, now_us: int) -> None:
        if op in _PROGRAM_OPS:
            self._program(op, payload)
        elif op == 77:
            self._trigger(payload[0], now_us)
        elif op == 79:
            channel, code = struct.unpack("<BH", payload)
            _check_channel(channel)
            require(code == ZERO_CODE, "fixed voltage", code, "must be zero volts: it would be direct current")
        elif op == 82:
            _check_channel(payload[0])
            require(not payload[1], "loop", payload[1], "a looping train never ends, and starts at once")

    def _program(self, op: int, payload: bytes) -> None:
        outputs = read_outputs(op, payload)
        said = "must be biphasic, at rest at zero volts, without bursts, custom trains, loops or linked triggers"
        require(program_frame(op, outputs)[2:] == payload, "program", op, said)
        harmless = outputs == REST_ALL or not self.playing
        require(harmless, "program", op, "would change the train that plays in the middle")
        check_trains(self._train(channel, each) for channel, each in enumerate(outputs, 1) if each.driven)
        for channel, each in enumerate(outputs, 1):
            _check_cycles(channel, each)
            balanced = each.code_1 * each.phase_1 == -each.code_2 * each.phase_2
            require(balanced, f"channel {channel} codes", each.code_2, "the two phases' areas must be equal, in codes")
        self.outputs = outputs
        self.proven = False

    def _train(self, channel: int, each: ChannelOutput) -> GatedTrain:
        """In time, with the channel's delay as a silent stretch before its pulse."""
        delay = [CurrentPhase(0, each.delay * CYCLE_US)] if each.delay else []
        gap = [CurrentPhase(0, each.interphase * CYCLE_US)] if each.interphase else []
        # Rounded up to what divides between the phases, so that the areas compare in whole uA.
        share = each.phase_2 // gcd(each.phase_1, each.phase_2) if each.phase_1 and each.phase_2 else 1
        first_ua = -(-self.current_ua(each.code_1) // share) * share
        second_ua = first_ua * each.phase_1 // max(1, each.phase_2)
        sign = -1 if each.code_2 < 0 else 1
        pulse = [
            CurrentPhase(first_ua, each.phase_1 * CYCLE_US),
            *gap,
            CurrentPhase(sign * second_ua, each.phase_2 * CYCLE_US),
        ]
        return GatedTrain(channel, (*delay, *pulse), each.period * CYCLE_US, each.train * CYCLE_US)

    def _steps(self, channel: int, each: ChannelOutput) -> GatedTrain:
        """Its two phases as the steps of the converter give them, for how far it rises."""
        phases = (self.current_ua(each.code_1), each.phase_1), (self.current_ua(each.code_2), each.phase_2)
        return GatedTrain(channel, tuple(CurrentPhase(*phase) for phase in phases), 0, 0)

    def _trigger(self, mask: int, now_us: int) -> None:
        trains = [self._steps(channel, each) for channel, each in enumerate(self.outputs, 1) if each.driven]
        driven = sum(1 << (train.channel - 1) for train in trains)
        exactly = f"must start exactly the channels that were programmed ({driven:#x})"
        require(driven and mask == driven, "trigger", mask, exactly)
        require(self.proven, "trigger", mask, "only after the device confirmed its program")
        require(not self.playing, "trigger", mask, "the lease before it may still play")
        code_ua = -(-FULL_MV * self.ua_per_v // (ZERO_CODE * 1_000))
        self.check_rise(trains, now_us, slack_ua=code_ua * max(train.quantum_ua for train in trains))
        self.playing = True
        self.proven = False


def length(op: int, payload: bytes) -> int | None:
    """How many bytes of data a command has; None for one that is not understood."""
    return _MODE_LENGTH if op == 74 and payload[:1] == b"\x80" else _LENGTHS.get(op)


def _commands(data: bytes) -> list[tuple[int, bytes]]:
    """The commands in one write, each whole: a truncated one leaves the device deaf, with its output held."""
    found, at = [], 0
    require(data, "frame", data, "holds no command")
    while at < len(data):
        begins = data[at] == START and at + 1 < len(data)
        require(begins, "frame", data[at : at + 2].hex(), "must begin with 213 and a command")
        op = data[at + 1]
        size = length(op, data[at + 2 :])
        if size is None:
            raise refusal("command", op, "is not a command that is known to be harmless")
        payload = data[at + 2 : at + 2 + size]
        whole = len(payload) >= size
        require(whole, "command", op, f"is truncated: it has {len(payload)} of {size} bytes")
        normal = op != 74 or (payload[1] in (1, 2) and not payload[2])
        require(normal, "trigger mode", payload.hex(), "must be 0 for trigger line 1 or 2")
        found.append((op, payload))
        at += 2 + size
    return found


def read_outputs(op: int, payload: bytes) -> tuple[ChannelOutput, ...]:
    """What a program makes of each channel; what an `ChannelOutput` does not hold is left out."""
    values = _PROGRAM_OPS[op].unpack(payload)
    if op == 73:
        times = [values[8 * n : 8 * n + 8] for n in range(4)]
        volts = [values[32 + 3 * n : 35 + 3 * n] for n in range(4)]
    else:
        times = _turned(values[4 * n : 4 * n + 4] for n in range(8))
        volts = _turned(values[32 + 4 * n : 36 + 4 * n] for n in range(3))
    return tuple(
        ChannelOutput(time[0], time[1], time[2], time[3], time[6], time[7], volt[0] - ZERO_CODE, volt[1] - ZERO_CODE)
        for time, volt in zip(times, volts, strict=True)
    )


def _check_cycles(channel: int, each: ChannelOutput) -> None:
    """No zero phase, and a train that ends between two pulses."""
    field = f"channel {channel} "
    for name in ("phase_1", "phase_2", "interpulse", "train"):
        require(getattr(each, name) >= 1, f"{field}{name}", 0, "must be at least one cycle: zero gives direct current")
    at_most = f"must be at most {limits.PERIOD.low // CYCLE_US} cycles"
    require(each.delay * CYCLE_US <= limits.PERIOD.low, f"{field}delay", each.delay, at_most)
    between = each.train % each.period > each.period - each.interpulse
    require(between, f"{field}train", each.train, "its end must fall between two pulses, not into one")


def _check_channel(channel: int) -> None:
    require(channel in CHANNELS, "channel", channel, "must be 1 to 4: another one writes outside the device's tables")
