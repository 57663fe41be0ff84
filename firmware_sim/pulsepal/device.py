"""A simulated PulsePal: four voltage outputs, an isolator behind each, and its two firmwares' serial protocol.

seen (both firmwares on a PC): a command cut short is acknowledged all the same, then the device is deaf and its
converters stay where they were (22 as published at 000c7940; later documents promise rest, which is
`faults=-dac_held`); a click ends what plays, without a word; boot defaults; the pulses of the two acupuncture programs
to the cycle; zero phase, custom train, train end as `player` says; which commands move a converter. read: layouts,
22's confirmations and its 100 ms; that a soft trigger while a train plays waits for its end; that 21 stands still
while a command arrives. [choice]: the isolator has a compliance of 100 V and no error.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

from firmware_sim.analog.analog_output import AnalogOutput, NoNoise
from firmware_sim.analog.converter import Readback
from firmware_sim.analog.load import Load, load_named
from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.analog.recorder import Recorder
from firmware_sim.pulsepal.custom import CustomTrain
from firmware_sim.pulsepal.ops import MARK, UNKNOWN, length
from firmware_sim.pulsepal.params import CHANNELS, CYCLE_US, LINES, DeviceParams
from firmware_sim.pulsepal.player import TrainPlayer
from firmware_sim.pulsepal.tracer import OutputTracer
from firmware_sim.quirks import chosen_faults
from firmware_sim.reply_queue import ReplyQueue

Journal = Callable[[Mapping[str, int | str]], None]

NA_PER_MILLIAMPERE = 1_000_000
VOLT_PER_CODE = 20 / 65_536
ISOLATOR_VOLT = 100.0
GIVE_UP_US = {21: 500_000, 22: 100_000}
REPLIES = {73, 74, 75, 76, 79, 82, 91, 92, 95, 96}  # ops that are confirmed by a byte
QUIET_US = 100_000


class PulsePalDevice:
    """One PulsePal from power-on. It has the same face as the native `Device`; `isolator` is mA per volt."""

    firmware: ClassVar[int]
    natural: ClassVar[Mapping[str, str]]
    extra: ClassVar[Mapping[str, str]]

    def __init__(
        self,
        *,
        seed: int = 1,
        load: Load | str = "nominal",
        faults: str = "",
        isolator: float = 1.0,
        recorder: Recorder | None = None,
        journal: Journal | None = None,
        boot_us: int = 0,
    ) -> None:
        self.faults = chosen_faults(faults, self.natural, self.extra, f"PulsePal firmware {self.firmware}")
        self.now_us = 0
        self.deaf = False
        self.display = b""
        self.params = DeviceParams()
        self.trains = [CustomTrain(), CustomTrain()]
        self.files: dict[bytes, DeviceParams] = {b"default.pps": self.params.copy()}
        self.file = b"default.pps"
        chosen = load_named(load, seed) if isinstance(load, str) else load
        per_code = VOLT_PER_CODE * isolator * NA_PER_MILLIAMPERE
        self._tracers = [
            OutputTracer(AnalogOutput(number + 1, chosen, recorder, Readback(NoNoise()), rail_volt=ISOLATOR_VOLT))
            for number in range(CHANNELS)
        ]
        self.players = [
            TrainPlayer(channel, self.trains, tracer, per_code, self.faults)
            for channel, tracer in zip(self.params.channels, self._tracers, strict=True)
        ]
        self._boot_us = boot_us
        self._journal = journal
        self._replies = ReplyQueue(split="split_writes" in self.faults, seed=seed)
        self._silent = False
        self._command = bytearray()  # what has come of the present one, from its mark on
        self._heard_us = 0
        self._drain_until_us = -1
        self._froze_us: int | None = None
        self._last_us = -1  # the cycle that was last visited
        self._triggers = 0  # channels that a trigger starts at `_trigger_us`
        self._trigger_us = NEVER_US
        self._lose_byte = False
        self._lines = [False] * LINES
        chosen.watch(self.flush)
        if recorder is not None:
            recorder.listen(self.flush)
        self.note(event="boot", device_time_us=0, device="pulsepal", firmware=self.firmware)

    # --- the four ways in and out ----------------------------------------------------------------

    def receive(self, data: bytes, now_us: int) -> None:
        """Take bytes that arrive at `now_us`, in any pieces. Never raises for what they say."""
        self.advance(now_us)
        for byte in data:
            if not self.deaf:
                self._byte(byte)
        if self._command and self.firmware < 22 and self._froze_us is None:
            self._froze_us = self.now_us

    def advance(self, now_us: int) -> None:
        """Let time pass up to `now_us`. An earlier time than the last one changes nothing."""
        until_us = now_us - self._boot_us
        if self._froze_us is None and not self.deaf:
            after_us = max(self.now_us, self._last_us)
            for player in self.players:
                player.leap(after_us, min(until_us, self._trigger_us, self._give_up_us()))
        while True:
            at_us = min(self._play_us(), self._give_up_us())
            if at_us > until_us:
                break
            self.now_us = max(self.now_us, at_us)
            if self._give_up_us() <= self.now_us:
                self._give_up()
            else:
                self._cycle(at_us)
        self.now_us = max(self.now_us, until_us)

    def next_event_us(self) -> int:
        """When, on the caller's clock, it next says something, gives up, or begins or ends a train; else far off."""
        turns = (player.turn_us(self.now_us) for player in self.players)
        trigger_us = self._trigger_us if self._froze_us is None else NEVER_US
        own_us = min(self._replies.next_us(), self._give_up_us(), trigger_us, *turns)
        return own_us + self._boot_us

    def take_output(self) -> bytes:
        """The bytes that have arrived since the last call."""
        return self._replies.take(self.now_us)

    def close(self) -> None:
        """Take the power away: what was delivered until now is on record."""
        self.flush()

    # --- what is not serial ----------------------------------------------------------------------

    def click(self) -> None:
        """Somebody clicks the joystick: what plays ends; after a failure it hears again, with its defaults."""
        if self.deaf:
            self.deaf = False
            self.adopt(DeviceParams(), moves=True)
        else:
            self.kill((1 << CHANNELS) - 1)

    def ttl(self, line: int, high: bool, now_us: int) -> None:
        """A trigger line, 1 or 2, goes high or low."""
        self.advance(now_us)
        before, self._lines[line - 1] = self._lines[line - 1], high
        if before == high or self.deaf:
            return
        mode = self.params.modes[line - 1]
        for number, player in enumerate(self.players):
            if not getattr(self.params.channels[number], f"link{line}"):
                continue
            if high and player.idle:
                self._trigger(1 << number)
            elif not player.idle and ((mode == 1 and high) or (mode == 2 and not high)):
                self.kill(1 << number)

    # --- for the commands ------------------------------------------------------------------------

    def say(self, data: bytes) -> None:
        if not self._silent:
            self._replies.say(data, self.now_us)

    def trigger(self, mask: int) -> None:
        """A soft trigger, for the next cycle."""
        self._trigger(mask)
        self._silent |= "silence" in self.faults
        self._lose_byte = "truncated" in self.faults

    def kill(self, mask: int) -> None:
        """Channels to rest, now."""
        for number, player in enumerate(self.players):
            if mask >> number & 1:
                if not player.idle:
                    self._ended(number, "stopped")
                player.kill(self.now_us)

    def adopt(self, params: DeviceParams, *, moves: bool) -> None:
        """Take over a whole set of parameters. `moves`: outputs go to rest, in mid-pulse too; a pulse goes on."""
        self.params.modes[:] = params.modes
        for player, mine, theirs in zip(self.players, self.params.channels, params.channels, strict=True):
            for name in mine.__slots__:
                setattr(mine, name, getattr(theirs, name))
            if moves:
                player.set_code(mine.rest, self.now_us)

    def drain(self) -> None:
        """Pass over what comes until the line has been quiet."""
        self._drain_until_us = self.now_us + QUIET_US

    def obey(self, op: int, data: bytes) -> None:
        """Do what a whole command says."""
        raise NotImplementedError

    def obey_half(self, op: int, data: bytearray) -> None:  # noqa: ARG002
        """What a command cut short comes to: it is confirmed. What 21 takes for the missing bytes is not modelled."""
        self.say(b"\1")

    def note(self, **entry: int | str) -> None:
        if self._journal is not None:
            self._journal(entry)

    def flush(self) -> None:
        """Bring the record up to now."""
        for tracer in self._tracers:
            tracer.settle(self.now_us)

    # --- bytes -----------------------------------------------------------------------------------

    def _byte(self, byte: int) -> None:
        if self.now_us < self._drain_until_us:
            self.drain()
            return
        if not self._command and byte != MARK:
            return
        self._command.append(byte)
        self._heard_us = self.now_us
        if len(self._command) < 2:
            return
        op, data = self._command[1], bytes(self._command[2:])
        wanted = length(self.firmware, op, data)
        if self._lose_byte and len(data) == wanted and wanted > 0:
            self._command.pop()
            self._lose_byte = False
            return
        if len(data) >= wanted or wanted == UNKNOWN:
            self._thaw()
            self._command.clear()
            if op not in {80, 81, 98} or "lost_stop" not in self.faults:
                self.obey(op, data)

    def _give_up_us(self) -> int:
        return self._heard_us + GIVE_UP_US[self.firmware] if self._command else NEVER_US

    def _give_up(self) -> None:
        """The rest of a command has not come."""
        op, data = self._command[1] if len(self._command) > 1 else 0, self._command[2:]
        self._command.clear()
        if "false_ack" in self.faults and op in REPLIES:
            self.obey_half(op, data)
        if "deaf" not in self.faults:
            self._thaw()
            return
        held = "dac_held" in self.faults
        self.note(event="deaf", device_time_us=self.now_us, outputs="held" if held else "rest")
        for player in self.players:
            if held:
                player.freeze(self.now_us)
            else:
                player.kill(self.now_us)
        self._froze_us = None
        self._triggers, self._trigger_us = 0, NEVER_US
        self.deaf = True

    def _thaw(self) -> None:
        if self._froze_us is None:
            return
        stood_us = -(-(self.now_us - self._froze_us) // CYCLE_US) * CYCLE_US
        self._froze_us = None
        for player in self.players:
            player.shift(stood_us)
        if self._trigger_us != NEVER_US:
            self._trigger_us += stood_us

    # --- cycles ----------------------------------------------------------------------------------

    def _trigger(self, mask: int) -> None:
        self._triggers |= mask
        self._trigger_us = (self.now_us // CYCLE_US + 1) * CYCLE_US

    def _play_us(self) -> int:
        """The next cycle at which a channel does something."""
        if self._froze_us is not None or self.deaf:
            return NEVER_US
        after_us = max(self.now_us, self._last_us)
        return min(self._trigger_us, *(player.due_us(after_us) for player in self.players))

    def _cycle(self, at_us: int) -> None:
        self._last_us = at_us
        starts, self._triggers = (self._triggers, 0) if at_us == self._trigger_us else (0, self._triggers)
        if at_us >= self._trigger_us:
            self._trigger_us = NEVER_US
        for number, player in enumerate(self.players):
            was_playing = not player.idle
            if starts >> number & 1:
                player.pending = player.idle or "latched_trigger" in self.faults
            if player.pending and player.idle:
                player.pending = False
                self.note(event="started", device_time_us=at_us, channel=number + 1)
                player.start(at_us)
                continue
            player.step(at_us)
            if was_playing and player.idle:
                self._ended(number, "complete")

    def _ended(self, number: int, how: str) -> None:
        self.note(event=how, device_time_us=self.now_us, channel=number + 1, pulses=self.players[number].pulses)
        if self.players[number].pending:
            self._trigger(1 << number)
