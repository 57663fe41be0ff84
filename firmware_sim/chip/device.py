"""The firmware as machine code on an emulated chip, as one more simulated device.

In lockstep, `run_to_output` lets a port advance the chip exactly to the end of the next frame; behind a pty or a TCP
port the chip is brought up to the clock in slices. Frames are handed over whole, when their last byte has left.
What its journal has is read off its Events.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_sim.analog.load import Load, load_named
from firmware_sim.chip.built import CHIP, EMULATOR
from firmware_sim.chip.emulator import CYCLES_A_US, Emulator, Ran
from firmware_sim.chip.load_link import LoadLink
from firmware_sim.chip.pulse_log import PulseLog
from firmware_sim.faults.clock import WarpedClock
from firmware_sim.native.flash import Flash
from stimctl.wire.codec import Event, parse
from stimctl.wire.codes import DeviceState
from stimctl.wire.framing import FrameSplitter

if TYPE_CHECKING:
    from firmware_sim.analog.recorder import Recorder

SLICE_US = 2_000  # in real time the chip is looked at so often
BOOT_US = 30_000  # a port is open when the chip behind it has booted [choice]
PIECE_US = 100_000  # in virtual time it is not let run for longer without being asked anew
WATCHDOG_US = 30_000  # of the hardware; the firmware asks for it
BYTE_NS = 86_806  # of the line: 10 bits at 115 200 baud
_DELIMITER = b"\0"


class Chip:
    """One stimulator from power-on. Takes what `DeviceSpec.make` takes; `flash` keeps its memory.

    The record and the journal's `at_us` are in us since `boot_us`. `clock` is how the chip's own time goes in the
    caller's, as its crystal has it.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        load: Load | str = "nominal",
        flash: Flash | None = None,
        recorder: "Recorder | None" = None,
        journal: Callable[[Mapping[str, int | str]], None] | None = None,
        boot_us: int = 0,
        draw: object = None,  # noqa: ARG002  chance comes from its own converter
        image: Path = CHIP,
        program: Path = EMULATOR,
        clock: WarpedClock | None = None,
    ) -> None:
        self._power_us = boot_us
        self._journal = journal
        self.clock = WarpedClock(boot_us - BOOT_US) if clock is None else clock
        self._flash = flash if flash is not None else Flash()
        self.emulator = Emulator(image, program)
        self._out: list[bytes] = []
        self._begun = b""
        self._loads = LoadLink(load_named(load, seed) if isinstance(load, str) else load, self.emulator.connect)
        self.pulse_log = PulseLog(
            self._loads,
            recorder,
            at_us=lambda chip_us: self.clock.was(chip_us) - boot_us,
            lasts_us=self.clock.stretched,
        )
        if self._flash.memory:
            self.emulator.fram = self._flash.memory
        self._loads.look(0)
        self._booted(0)
        self.advance(boot_us)

    @property
    def _chip_us(self) -> int:
        return self.emulator.cycle // CYCLES_A_US

    @property
    def now_us(self) -> int:
        """How far the chip is, on the caller's clock."""
        return self.clock.was(self._chip_us)

    def receive(self, data: bytes, now_us: int) -> None:
        """Take bytes that begin to arrive at `now_us`. The chip's time goes on until the last of them is there."""
        self.advance(now_us)
        self.emulator.send(data)
        self.advance(self.now_us + len(data) * BYTE_NS // 1_000)

    def advance(self, now_us: int) -> None:
        """Let time pass up to `now_us`."""
        while self.now_us < now_us:
            self._run(now_us, whole=False)

    def run_to_output(self, until_us: int) -> int:
        """Let time pass until a frame has left, at most to `until_us` and for a while; the time it is then."""
        self._run(min(until_us, self.now_us + PIECE_US), whole=True)
        return self.now_us

    def _run(self, until_us: int, *, whole: bool) -> None:
        until_us = min(self.clock.to_device(until_us), self._loads.next_us)
        self._take(self.emulator.run(until_us * CYCLES_A_US, whole=whole))
        if until_us >= self._loads.next_us:
            self._loads.look(until_us)

    def _take(self, ran: Ran) -> None:
        whole, mark, self._begun = (self._begun + ran.sent).rpartition(_DELIMITER)
        if mark:
            self._out.append(whole + mark)
        self.pulse_log.take(ran.changes)

    def next_event_us(self) -> int:
        """When to look at it again."""
        return self.now_us + SLICE_US

    def take_output(self) -> bytes:
        """The whole frames that have left since the last call."""
        out, self._out = b"".join(self._out), []
        for payload in self._splitter.feed(out) if self._journal is not None else ():
            message = parse(payload)[1]
            if isinstance(message, Event):
                self._tell("state", DeviceState(message.state), message.device_time_us)
        return out

    def connect(self, load: Load) -> None:
        """Drive another load from now on."""
        self._loads.replace(load)
        self._loads.look(self._chip_us)

    def break_dac(self, channel: int, gain: float = 1.0, stuck_ua: float | None = None) -> None:
        """Let a channel's output give `gain` times what it is told, or always the same."""
        self.pulse_log.broken[channel] = gain, stuck_ua
        self.emulator.break_dac(channel, gain, float("nan") if stuck_ua is None else stuck_ua)

    def reset(self) -> None:
        """Reset it, on the same memory that lasts."""
        self.emulator.reset()
        self._booted(self._chip_us)

    def hang(self) -> None:
        """Let its firmware stand still, outputs as they are, until its hardware watchdog resets it."""
        self.emulator.hang()
        self._booted(self._chip_us + WATCHDOG_US)

    def _booted(self, chip_us: int) -> None:
        self._splitter = FrameSplitter()
        self._booted_us = chip_us
        self._tell("boot", DeviceState.IDLE, 0)

    def _tell(self, event: str, state: DeviceState, device_us: int) -> None:
        if self._journal is not None:
            at_us = max(0, self.clock.was(self._booted_us + device_us) - self._power_us)
            self._journal({"event": event, "state": state.name, "device_time_us": device_us, "at_us": at_us})

    def close(self) -> None:
        """Take the power away. Its memory stays with the flash."""
        self._flash.memory = self.emulator.fram
        self.emulator.close()
