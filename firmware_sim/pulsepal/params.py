"""A PulsePal's parameters, and the four layouts in which they travel: ops 73, 92, 93, and the settings file.

Times are uint32 counts of 50 us cycles, voltages uint16 codes: 0 is -10 V, 32768 is 0 V, 65535 is +10 V.
"""

import struct
from dataclasses import dataclass, field, fields

CHANNELS = 4
LINES = 2
CYCLE_US = 50
ZERO_CODE = 32_768
FIVE_VOLT = 49_152
U32 = 0xFFFF_FFFF

TIMES = ("phase1", "interphase", "phase2", "interpulse", "burst", "burst_gap", "train", "delay")
VOLTS = ("volt1", "volt2", "rest")
FLAGS = ("biphasic", "custom_id", "custom_target", "custom_loop")


@dataclass(slots=True)
class ChannelParams:
    """One output's parameters, with the defaults it boots with."""

    phase1: int = 2
    interphase: int = 2
    phase2: int = 2
    interpulse: int = 20
    burst: int = 0
    burst_gap: int = 0
    train: int = 20_000
    delay: int = 0
    volt1: int = FIVE_VOLT
    volt2: int = 65_536 - FIVE_VOLT
    rest: int = ZERO_CODE
    biphasic: int = 0
    custom_id: int = 0
    custom_target: int = 0
    custom_loop: int = 0
    loop: int = 0
    link1: int = 1
    link2: int = 0

    @property
    def uses_bursts(self) -> bool:
        return self.custom_target == 1 or bool(self.burst and self.burst_gap and not self.custom_id)

    def like_pulses(self) -> tuple[tuple[int, int], ...]:
        """Codes and cycles of a pulse, where all are alike and the output is at zero between them; else nothing."""
        plain = not self.custom_id and not self.uses_bursts and self.rest == ZERO_CODE
        if not (plain and self.phase1 and self.interpulse and (self.phase2 or not self.biphasic)):
            return ()
        first = (self.volt1, self.phase1)
        return (first, (ZERO_CODE, self.interphase), (self.volt2, self.phase2)) if self.biphasic else (first,)


@dataclass(slots=True)
class DeviceParams:
    """The parameters of all channels, and the modes of the triggers."""

    channels: list[ChannelParams] = field(default_factory=lambda: [ChannelParams() for _ in range(CHANNELS)])
    modes: list[int] = field(default_factory=lambda: [0] * LINES)

    def copy(self) -> "DeviceParams":
        """The same, to be changed apart."""
        names = [part.name for part in fields(ChannelParams)]
        channels = [ChannelParams(*(getattr(each, name) for name in names)) for each in self.channels]
        return DeviceParams(channels, list(self.modes))


# Parameter codes of ops 74 and 91: the field and its size. 128 is a trigger line's mode.
CODES: dict[int, tuple[str, int]] = {
    1: ("biphasic", 1), 2: ("volt1", 2), 3: ("volt2", 2), 4: ("phase1", 4), 5: ("interphase", 4), 6: ("phase2", 4),
    7: ("interpulse", 4), 8: ("burst", 4), 9: ("burst_gap", 4), 10: ("train", 4), 11: ("delay", 4), 12: ("link1", 1),
    13: ("link2", 1), 14: ("custom_id", 1), 15: ("custom_target", 1), 16: ("custom_loop", 1), 17: ("rest", 2),
    128: ("mode", 1),
}  # fmt: skip
LOOP_CODE = 18
# The most that firmware 22 lets a parameter be: more becomes 0. All others may be anything.
MOST = {"biphasic": 1, "custom_id": 2, "custom_target": 1, "custom_loop": 1}
MOST_MODE = 2
_BY_CHANNEL = struct.Struct("<32I12H16B8B2B")
_BY_FIELD = struct.Struct("<32I12H20B8B2B")
_READ_BACK = struct.Struct("<32I12H16B8B2B")
_IN_FILE = struct.Struct("<8IB3H3B")


def by_channel(data: bytes) -> DeviceParams:
    """What op 73 programs: the fields of channel 1, then of channel 2, ..."""
    values = _BY_CHANNEL.unpack(data)
    params = DeviceParams()
    for number, channel in enumerate(params.channels):
        for names, first in ((TIMES, 0), (VOLTS, 32), (FLAGS, 44)):
            for place, name in enumerate(names):
                setattr(channel, name, values[first + number * len(names) + place])
    _lines(params, values[60:])
    return params


def by_field(data: bytes) -> DeviceParams:
    """What op 92 programs: a field of all channels, then the next field, ..."""
    values = _BY_FIELD.unpack(data)
    params = DeviceParams()
    for place, name in enumerate((*TIMES, *VOLTS, *FLAGS, "loop")):
        for number, channel in enumerate(params.channels):
            setattr(channel, name, values[place * CHANNELS + number])
    _lines(params, values[64:])
    return params


def read_back(params: DeviceParams) -> bytes:
    """What op 93 says: as op 92, less continuous loop."""
    values = [getattr(channel, name) for name in (*TIMES, *VOLTS, *FLAGS) for channel in params.channels]
    links = [getattr(channel, name) for name in ("link1", "link2") for channel in params.channels]
    return _READ_BACK.pack(*values, *links, *params.modes)


def to_file(params: DeviceParams) -> bytes:
    """The 178 bytes of a settings file."""
    parts = [
        _IN_FILE.pack(*(getattr(channel, name) for name in (*TIMES, "biphasic", *VOLTS, *FLAGS[1:])))
        for channel in params.channels
    ]
    for line, mode in enumerate(params.modes):
        parts.append(bytes([mode, *(getattr(channel, f"link{line + 1}") for channel in params.channels)]))
    return b"".join(parts)


def from_file(data: bytes) -> DeviceParams:
    """Read the 178 bytes of a settings file."""
    params = DeviceParams()
    for number, channel in enumerate(params.channels):
        values = _IN_FILE.unpack_from(data, number * _IN_FILE.size)
        for name, value in zip((*TIMES, "biphasic", *VOLTS, *FLAGS[1:]), values, strict=True):
            setattr(channel, name, value)
    for line in range(LINES):
        params.modes[line], *links = data[CHANNELS * _IN_FILE.size + 5 * line :][:5]
        for channel, link in zip(params.channels, links, strict=True):
            setattr(channel, f"link{line + 1}", link)
    return params


def as_programmed(params: DeviceParams) -> bytes:
    """The same in op 73's order, as firmware 21 answers when it has loaded a file."""
    values = [
        getattr(channel, name) for names in (TIMES, VOLTS, FLAGS) for channel in params.channels for name in names
    ]
    links = [getattr(channel, name) for name in ("link1", "link2") for channel in params.channels]
    return _BY_CHANNEL.pack(*values, *links, *params.modes)


def made_valid(params: DeviceParams) -> bool:
    """Make 0 of what firmware 22 does not let be; whether all was valid."""
    wrong = [(each, name) for each in params.channels for name, most in MOST.items() if getattr(each, name) > most]
    for channel, name in wrong:
        setattr(channel, name, 0)
    modes = [mode if mode <= MOST_MODE else 0 for mode in params.modes]
    valid = not wrong and modes == params.modes
    params.modes[:] = modes
    return valid


def _lines(params: DeviceParams, values: tuple[int, ...]) -> None:
    for number, channel in enumerate(params.channels):
        channel.link1, channel.link2 = values[number], values[CHANNELS + number]
    params.modes[:] = values[2 * CHANNELS :]
