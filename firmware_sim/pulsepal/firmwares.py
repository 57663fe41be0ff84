"""Executes PulsePal's commands as its firmwares 21 and 22 do.

21 takes what comes and confirms it with 1; its ops 73 and 74 leave the converters where they are. 22 looks at channel,
code, length and value: 1 when all was well, else 0, but a bad value becomes 0 and the rest is applied; it can say what
it holds (93) and what it is (94). Seen, as far as scripts went; all else read.
"""

import struct
from collections.abc import Callable

from firmware_sim.pulsepal.custom import TRAIN_SIZE, unpacked_train
from firmware_sim.pulsepal.device import PulsePalDevice
from firmware_sim.pulsepal.ops import UNKNOWN, length, size_of
from firmware_sim.pulsepal.params import (
    CHANNELS,
    CODES,
    CYCLE_US,
    LINES,
    LOOP_CODE,
    MOST,
    MOST_MODE,
    DeviceParams,
    as_programmed,
    by_channel,
    by_field,
    made_valid,
    read_back,
    to_file,
)
from firmware_sim.pulsepal.quirks import EXTRA, EXTRA_22, NATURAL

HARDWARE = 2
MAX_PULSES = TRAIN_SIZE - 1
PROGRAMS = {73, 74, 75, 76, 91, 92, 95}
ALL = (1 << CHANNELS) - 1

# Bytes of a command: a custom train has at most 5,000 pulses of 6. A count of billions would be read for hours.
_LONGEST = 1 << 16


class PulsePalFirmware21(PulsePalDevice):
    """The one that most boards have."""

    firmware = 21
    natural = NATURAL
    extra = EXTRA
    moves = False  # a program puts the outputs at rest

    def obey(self, op: int, data: bytes) -> None:
        """Do what a whole command says; an op that is not known is passed over."""
        command = _COMMANDS.get(op)
        if command is not None:
            command(self, data)

    def confirm(self, done: bool) -> None:
        """Answer a command that is confirmed. This firmware knows no other answer."""
        del done
        self.say(b"\1")

    def valid(self, params: DeviceParams) -> bool:
        """Whether all is well with a set of parameters, which is made fit to be taken."""
        for channel in params.channels:
            channel.biphasic = min(channel.biphasic, 1)
        return True

    # --- programs --------------------------------------------------------------------------------

    def program_all(self, params: DeviceParams, *, with_loop: bool = False) -> None:
        """All parameters at once; op 73 leaves continuous loop as it is."""
        valid = self.valid(params)
        before = [channel.loop for channel in self.params.channels]
        if not with_loop:
            for loop, theirs in zip(before, params.channels, strict=True):
                theirs.loop = loop
        self.adopt(params, moves=self.moves)
        self._end_loops(before)
        self.confirm(valid)

    def _end_loops(self, before: list[int]) -> None:
        """A channel that was looping, and is no more, ends."""
        for number, (was, channel) in enumerate(zip(before, self.params.channels, strict=True)):
            if was and not channel.loop:
                self.kill(1 << number)

    def program_one(self, data: bytes) -> None:
        size = size_of(self.firmware, data[0])
        value = int.from_bytes(data[2 : 2 + size], "little")
        self.confirm("unapplied" in self.faults or (size > 0 and self.set_one(data[0], data[1], value)))

    def set_one(self, code: int, channel: int, value: int) -> bool:
        """Set a parameter, if there is such a channel."""
        name = "loop" if code == LOOP_CODE else CODES[code][0]
        if not 1 <= channel <= (LINES if name == "mode" else CHANNELS):
            return False  # 21 writes somewhere else; what that does is not modelled
        taken = self.fit(name, value)
        if name == "mode":
            self.params.modes[channel - 1] = taken
            return taken == value
        before = [each.loop for each in self.params.channels]
        setattr(self.params.channels[channel - 1], name, taken)
        if name == "rest" and self.moves:
            self.players[channel - 1].set_code(value, self.now_us)
        self._end_loops(before)
        return taken == value

    def fit(self, name: str, value: int) -> int:
        """What a value becomes."""
        return min(value, 1) if name == "biphasic" else value

    def load_train(self, number: int, count: int, data: bytes) -> None:
        fits = number < len(self.trains) and (self.firmware < 22 or count <= MAX_PULSES)
        if fits:
            self.trains[number].load(*unpacked_train(data, count))
        self.confirm(fits)

    def set_level(self, data: bytes) -> None:
        """A fixed voltage."""
        there = 1 <= data[0] <= CHANNELS
        if there:
            self.players[data[0] - 1].set_code(int.from_bytes(data[1:3], "little"), self.now_us)
        self.confirm(there)

    def set_loop(self, data: bytes) -> None:
        """Continuous loop: off ends what plays; with firmware 21 on starts it at once."""
        channel, state = data
        there = 1 <= channel <= CHANNELS and (self.firmware < 22 or state <= 1)
        if there:
            self.params.channels[channel - 1].loop = state
            if not state:
                self.kill(1 << channel - 1)
            elif self.firmware < 22:
                self.trigger(1 << channel - 1)
        self.confirm(there)

    def file_op(self, data: bytes) -> None:
        """Save, load or delete a settings file."""
        name = data[2:]
        if data[0] == 1:
            self.files[name] = self.params.copy()
            self.file = name
        elif data[0] == 2:
            self.adopt(self.files.get(name, DeviceParams()), moves=False)
            self.say(as_programmed(self.params))
        elif data[0] == 3:
            self.files.pop(name, None)

    def settings(self) -> bytes:
        return to_file(self.files.get(self.file, DeviceParams()))


class PulsePalFirmware22(PulsePalFirmware21):
    """It says what it could not do, and what it holds."""

    firmware = 22
    natural = NATURAL
    extra = EXTRA_22
    moves = True

    def obey(self, op: int, data: bytes) -> None:
        """Do what a whole command says, or refuse it."""
        if "rejects" in self.faults and op in PROGRAMS:
            self.say(b"\0")
            return
        command = _COMMANDS_22.get(op)
        if command is not None:
            command(self, data)
        else:
            super().obey(op, data)

    def confirm(self, done: bool) -> None:
        """1 when it was done, 0 when not."""
        self.say(b"\1" if done else b"\0")

    def obey_half(self, op: int, data: bytearray) -> None:
        """What did not come is taken for zeros; nothing is done where a count asks for more than any train has."""
        while UNKNOWN != (wanted := length(self.firmware, op, bytes(data))) > len(data):
            if wanted > _LONGEST:
                return
            data += bytes(wanted - len(data))
        if wanted != UNKNOWN:
            self.obey(op, bytes(data))

    def valid(self, params: DeviceParams) -> bool:
        """Whether each value is in its range; one that is not becomes 0."""
        return made_valid(params)

    def fit(self, name: str, value: int) -> int:
        """The same of one value."""
        most = MOST_MODE if name == "mode" else MOST.get(name, value)
        return value if value <= most else 0

    def program_one(self, data: bytes) -> None:
        """One parameter of one channel; when its code is not known nobody knows how much is to come."""
        if not size_of(self.firmware, data[0]):
            self.drain()
        super().program_one(data)

    def program_row(self, data: bytes) -> None:
        """Set one parameter of all channels."""
        size = size_of(self.firmware, data[0])
        if not size:
            self.drain()
            self.confirm(False)
            return
        done = True
        for number in range((len(data) - 1) // size):
            value = data[1 + number * size :][:size]
            done &= self.set_one(data[0], number + 1, int.from_bytes(value, "little"))
        self.confirm(done)

    def file_op(self, data: bytes) -> None:
        """Save, load or delete a settings file, then confirm."""
        order, name = data[0], data[2:]
        if not name or order not in {1, 2, 3}:
            self.confirm(False)
            return
        if order == 1:
            self.files[name] = self.params.copy()
            self.file = name
        elif order == 2:
            self.adopt(self.files.get(name, DeviceParams()), moves=name in self.files)
            self.file = name
        else:
            self.files.pop(name, None)
        self.confirm(order != 2 or name in self.files)

    def calibrate(self, number: int) -> None:
        """A converter's offset, which is 0 here: the output goes to rest."""
        if number < CHANNELS:
            self.players[number].set_code(self.params.channels[number].rest, self.now_us)
        self.confirm(number < CHANNELS)

    def tell_hardware(self) -> None:
        self.say(struct.pack("<BIBI", HARDWARE, CYCLE_US, len(self.trains), MAX_PULSES))


def _display(pal: PulsePalFirmware21, data: bytes) -> None:
    pal.display = data[1:]


def _count(data: bytes) -> int:
    return int.from_bytes(data[:4], "little")


Command = Callable[[PulsePalFirmware21, bytes], None]
_COMMANDS: dict[int, Command] = {
    72: lambda pal, _: pal.say(b"K" + pal.firmware.to_bytes(4, "little")),
    73: lambda pal, data: pal.program_all(by_channel(data)),
    74: lambda pal, data: pal.program_one(data),
    75: lambda pal, data: pal.load_train(0, _count(data), data[4:]),
    76: lambda pal, data: pal.load_train(1, _count(data), data[4:]),
    77: lambda pal, data: pal.trigger(data[0] & ALL),
    78: _display,
    79: lambda pal, data: pal.set_level(data),
    80: lambda pal, _: pal.kill(ALL),
    81: lambda pal, _: pal.kill(ALL),
    82: lambda pal, data: pal.set_loop(data),
    85: lambda pal, _: pal.say(pal.settings()),
    87: lambda pal, _: pal.say(b"\0"),
    90: lambda pal, data: pal.file_op(data),
}
_COMMANDS_22: dict[int, Callable[[PulsePalFirmware22, bytes], None]] = {
    91: lambda pal, data: pal.program_row(data),
    92: lambda pal, data: pal.program_all(by_field(data), with_loop=True),
    93: lambda pal, _: pal.say(read_back(pal.params)),
    94: lambda pal, _: pal.tell_hardware(),
    95: lambda pal, data: pal.load_train(data[0], _count(data[1:]), data[5:]),
    96: lambda pal, data: pal.calibrate(data[0]),
    98: lambda pal, data: pal.kill(data[0] & ALL),
}
