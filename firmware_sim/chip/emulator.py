"""The chip, behind one small interface: a process that runs machine code with our board around it.

Load an image, run to a cycle or to the end of a frame, bytes in and out, what changed on pins and converters with its
cycle, loads, faults and resets. The program is `firmware/emulator/main.c` (simavr); what is asked of it, and how,
stands at its head.
"""

import struct
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from firmware_sim.chip.built import CHIP, EMULATOR, built, built_image

CYCLES_A_US = 16
END_S = 5  # once its pipe is closed the process ends at once
_CHANGE = struct.Struct("<QHB")
_LATENCY = struct.Struct("<IIQ")


class Crashed(OSError):
    """The emulator has ended, or the chip in it."""


class Change(NamedTuple):
    """A pin or a converter changed: at which cycle, to what, and which (`Kind`)."""

    cycle: int
    value: int
    kind: int


FORWARD, REVERSE, ENABLE, SELECT, TEST, DAC_A, DAC_B = range(1, 8)


class Latency(NamedTuple):
    """From an interrupt's flag to its routine: the longest in cycles, how often, and the cycle of the newest flag."""

    longest: int
    times: int
    flag: int


class Ran(NamedTuple):
    """How far the chip came, the bytes that it sent on the way, and what changed."""

    cycle: int
    sent: bytes
    changes: list[Change]


class Emulator:
    """One chip from power-on. Raises `NotBuilt` where the image or the program is missing or wrong."""

    def __init__(self, image: Path = CHIP, program: Path = EMULATOR) -> None:
        self.cycle = 0
        self._process = subprocess.Popen(
            [built(program), built_image(image)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=-1
        )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def _ask(self, kind: bytes, data: bytes = b"") -> bytes:
        near, far = self._process.stdin, self._process.stdout
        assert near is not None
        assert far is not None
        try:
            near.write(kind + struct.pack("<I", len(data)) + data)
            near.flush()
            size = struct.unpack("<I", far.read(4))[0]
            return far.read(size)
        except (OSError, struct.error):
            code = self._process.wait(END_S)
            how = f"was killed by signal {-code}" if code < 0 else f"has ended with {code}"
            raise Crashed(f"the emulator {how}") from None

    def run(self, cycle: int, *, whole: bool = False) -> Ran:
        """Run to a cycle; with `whole`, at most until a frame has left. Raises `Crashed`."""
        answer = self._ask(b"r", struct.pack("<QB", cycle, whole))
        self.cycle, alive, count = struct.unpack_from("<QBI", answer)
        if not alive:
            raise Crashed(f"the chip has crashed at cycle {self.cycle}")
        sent, at = answer[13 : 13 + count], 13 + count
        (count,) = struct.unpack_from("<I", answer, at)
        changes = [Change(*each) for each in _CHANGE.iter_unpack(answer[at + 4 :])]
        assert len(changes) == count, "the emulator's answer is cut"
        return Ran(self.cycle, sent, changes)

    def send(self, data: bytes) -> None:
        """Let bytes arrive, one after the other at the line's rate."""
        self._ask(b"i", data)

    def connect(
        self, channel: int, ohm: float, cdl_uf: float, rct_ohm: float, leaks_to: int, leak: int, earthed: int
    ) -> None:
        """Connect a load."""
        self._ask(b"l", struct.pack("<B3d3i", channel, ohm, cdl_uf, rct_ohm, leaks_to, leak, earthed))

    def break_dac(self, channel: int, gain: float = 1.0, stuck_ua: float = float("nan")) -> None:
        """Let a channel's output give `gain` times what it is told, or always the same."""
        self._ask(b"d", struct.pack("<B2d", channel, gain, stuck_ua))

    def break_output(self, channel: int, gain: float = 1.0, offset_ua: float = 0.0, leak_ua: float = 0.0) -> None:
        """Let an ammeter read `gain` times what flows and `offset_ua` more, and its switch leak while it is open."""
        self._ask(b"a", struct.pack("<B3d", channel, gain, offset_ua, leak_ua))

    def reset(self, *, power: bool = False) -> None:
        """Reset the chip; with `power` its RAM is lost."""
        self._ask(b"x", bytes([power]))

    def flip(self, address: int, mask: int) -> int:
        """Turn over bits of a byte of its RAM; the byte as it then is."""
        return self._ask(b"f", struct.pack("<HB", address, mask))[0]

    def hang(self) -> None:
        """Let the firmware hang, interrupts off."""
        self._ask(b"h")

    @property
    def fram(self) -> bytes:
        """The memory that lasts."""
        return self._ask(b"m")

    @fram.setter
    def fram(self, data: bytes) -> None:
        self._ask(b"M", data)

    def reset_after_writes(self, count: int, *, power: bool = False) -> None:
        """Reset the chip once its memory has taken so many bytes more, in the middle of a write; see `reset`."""
        self._ask(b"w", struct.pack("<IB", count, power))

    def latencies(self) -> dict[int, "Latency"]:
        """What each interrupt's routine waited since this was asked last, by the number of its vector."""
        rows = enumerate(_LATENCY.iter_unpack(self._ask(b"q")))
        return {number: Latency(*row) for number, row in rows if row[1]}

    def hurried(self) -> int:
        """How often a converter was given less time than its datasheet asks for, since power-on."""
        return int(struct.unpack("<I", self._ask(b"t"))[0])

    def untouched_ram(self, since: int) -> int:
        """How many bytes from that address on were never written since power-on."""
        return int(struct.unpack("<H", self._ask(b"s", struct.pack("<H", since)))[0])

    def close(self) -> None:
        """End the process."""
        for end in (self._process.stdin, self._process.stdout):
            if end is not None:
                with suppress(BrokenPipeError):  # what was still to be written, and nobody reads any more
                    end.close()
        self._process.terminate()
        self._process.wait()
