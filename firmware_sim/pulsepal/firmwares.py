"""Executes PulsePal's commands as its firmwares 21 and 22 do.

21 takes what comes and confirms it with 1. 22 looks at channel, code, length and value: 1 when it was done,
0 when not, and can say what it holds (93) and what it is (94).
"""

import struct
from collections.abc import Callable

from firmware_sim.pulsepal.custom import TRAIN_SIZE, unpacked_train
from firmware_sim.pulsepal.device import PulsePalDevice
from firmware_sim.pulsepal.ops import size_of
from firmware_sim.pulsepal.params import (
    CHANNELS,
    CODES,
    CYCLE_US,
    LINES,
    LOOP_CODE,
    MOST,
    DeviceParams,
    by_channel,
    by_field,
    in_range,
    read_back,
    to_file,
)
from firmware_sim.pulsepal.quirks import EXTRA, EXTRA_22, NATURAL, NATURAL_21

HARDWARE = 2
MAX_PULSES = TRAIN_SIZE - 1
PROGRAMS = {73, 74, 75, 76, 91, 92, 95}
ALL = (1 << CHANNELS) - 1


class PulsePalFirmware21(PulsePalDevice):
    """The one that most boards have."""

    firmware = 21
    natural = NATURAL_21
    extra = EXTRA

    def obey(self, op: int, data: bytes) -> None:
        """Do what a whole command says; an op that is not known is passed over."""
        command = _COMMANDS.get(op)
        if command is not None:
            command(self, data)

    def confirm(self, done: bool) -> None:
        """Answer a command that is confirmed. This firmware knows no other answer."""
        del done
        self.say(b"\1")

    def takes(self, params: DeviceParams) -> bool:
        """Whether a set of parameters is taken."""
        del params
        return True

    # --- programs --------------------------------------------------------------------------------

    def program_all(self, params: DeviceParams, *, with_loop: bool = False) -> None:
        """All parameters at once; op 73 leaves continuous loop as it is."""
        taken = self.takes(params)
        if taken:
            if not with_loop:
                for mine, theirs in zip(self.params.channels, params.channels, strict=True):
                    theirs.loop = mine.loop
            self.adopt(params)
        self.confirm(taken)

    def program_one(self, data: bytes) -> None:
        size = size_of(self.firmware, data[0])
        value = int.from_bytes(data[2 : 2 + size], "little")
        self.confirm("unapplied" in self.faults or (size > 0 and self.set_one(data[0], data[1], value)))

    def set_one(self, code: int, channel: int, value: int) -> bool:
        """Set a parameter, if there is such a channel."""
        name = "loop" if code == LOOP_CODE else CODES[code][0]
        if self.firmware >= 22 and value > MOST.get(name, value):
            return False
        if name == "mode":
            if not 1 <= channel <= LINES:
                return False
            self.params.modes[channel - 1] = value
            return True
        if not 1 <= channel <= CHANNELS:
            return False  # 21 writes somewhere else; what that does is not modelled
        setattr(self.params.channels[channel - 1], name, value)
        player = self.players[channel - 1]
        if name == "rest" and (player.idle or self.firmware < 22):
            player.set_code(value, self.now_us)
        return True

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
        """Continuous loop: on starts it at once, off ends it."""
        channel, state = data
        there = 1 <= channel <= CHANNELS and (self.firmware < 22 or state <= 1)
        if there:
            self.params.channels[channel - 1].loop = state
            if state:
                self.trigger(1 << channel - 1)
            else:
                self.kill(1 << channel - 1)
        self.confirm(there)

    def file_op(self, data: bytes) -> None:
        """Save, load or delete a settings file."""
        name = data[2:]
        if data[0] == 1:
            self.files[name] = self.params.copy()
            self.file = name
        elif data[0] == 2:
            self.adopt(self.files.get(name, DeviceParams()))
            self.say(to_file(self.params))
        elif data[0] == 3:
            self.files.pop(name, None)

    def settings(self) -> bytes:
        return to_file(self.files.get(self.file, DeviceParams()))


class PulsePalFirmware22(PulsePalFirmware21):
    """The one to have: it refuses what it cannot do, and ends at rest."""

    firmware = 22
    natural = NATURAL
    extra = EXTRA_22

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

    def takes(self, params: DeviceParams) -> bool:
        """Whether each value is in its range."""
        return in_range(params)

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
        name = data[2:]
        done = data[0] == 1 or (data[0] in {2, 3} and name in self.files)
        if data[0] == 1:
            self.files[name] = self.params.copy()
            self.file = name
        elif done and data[0] == 2:
            self.adopt(self.files[name])
            self.file = name
        elif done:
            del self.files[name]
        self.confirm(done)

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
    96: lambda pal, data: pal.confirm(data[0] < CHANNELS),
    97: lambda pal, _: pal.confirm(False),
    98: lambda pal, data: pal.kill(data[0] & ALL),
}
