"""StimJim dialect A: "Pulser" on a Teensy 3.5, the one that is deployed.

seen (published firmware on a PC): the echo of S, the text of a natural end, T-1's reply and that it gives no
count; N = duration / period pulses; period 0 plays one pulse; 4000 uA comes out as -2665 uA; an eleventh stage
overwrites; a malformed S changes half a slot; an edge on an input that R gave a slot starts it, or starts it anew;
numbers beyond 32 bits stay at the end; a header on the slot that plays leaves its period; two engines on one slot
count and end together; a stage of no length reads full current; voltage offsets are 0 until C; slots keep what they
hold.
read: T and U with rubbish start train 0; a restart is silent; stops act between pulses, as a pulse is played inside
the timer's interrupt; D writes past its buffer, here it does no harm. Lines in: `\\n`, a `\\r` before it is dropped.
Lines out: `\\r\\n`.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from firmware_sim.analog.analog_output import Stage
from firmware_sim.stimjim.device import LINE_FAULTS, StimJimDevice
from firmware_sim.stimjim.engine import TrainResult
from firmware_sim.stimjim.slot import (
    FLOATING,
    GROUNDED,
    SLOTS,
    STAGES,
    VOLTAGE,
    TrainSlot,
    as_signed,
    atoi,
    i32,
    scan,
    seconds,
    u32,
)

SHORTEST_US = 8  # a write and a reading of one channel
MAX_PERIOD_US = 71_582_788  # the timer counts 32 bits at 60 MHz
MODES = ("Voltage output", "Current output", "No output (high-Z)", "No output (grounded)")
RULE = "----------------------------------"
NO_INDEX = "Invalid PulseTrain index.\r\n"


class StimJimFirmwareA(StimJimDevice):
    """The firmware of dialect A, the Teensy "Pulser"."""

    dialect = "a"
    natural: ClassVar[Mapping[str, str]] = {
        "wrap": "amplitudes beyond 16 bits of code flip their polarity",
        "half_update": "a malformed definition changes what it got to",
        "garbage_start": "T or U without a number starts train 0",
    }
    extra = LINE_FAULTS

    def __init__(self, **options: Any) -> None:
        self._routes = [-1, -1]
        self._left: dict[int, TrainResult] = {}  # by slot: what the first of two engines on it delivered
        super().__init__(**options)
        # What booting measures; those of the voltage only C does.
        self._voltage_offset, self.board.voltage_offset = self.board.voltage_offset, [0, 0]

    def edge(self, line: int, rising: bool) -> None:
        """As T, or U: what plays begins anew."""
        if rising and self._routes[line] >= 0:
            self._lines.append(b"%c%d" % (b"TU"[line], self._routes[line]))

    def boot_text(self) -> str:
        """As it is printed at power-on."""
        return (
            f"Booting StimJim on Teensy 3.5!\r\nInitializing triggers inputs...\r\n{self._offsets()}\r\n"
            "Ready to go!\r\n\r\n\r\n"
        )

    def busy_until_us(self) -> int:
        """Until the pulse in flight is over: it is played inside an interrupt."""
        return max(engine.busy_until_us(self.now_us) for engine in self.engines)

    def obey(self, line: str) -> None:
        """Do what a line says; what it does not know it ignores."""
        command = _COMMANDS.get(line[:1])
        if command is not None:
            command(self, line)

    # --- trains ----------------------------------------------------------------------------------

    def _define(self, line: str) -> None:
        index = (scan(line[1:], 1) or [0])[0]
        if not 0 <= index < SLOTS:
            self.say(NO_INDEX)
            return
        playing = [engine for engine in self.engines if engine.slot == index]
        for engine in playing:
            engine.book(self.now_us)
        slot = self.slots[index]
        header = scan(line[1:], 5)[1:]
        if len(header) == 4 or (header and "half_update" in self.faults):
            _take_header(slot, header)
        if len(header) == 4:
            _take_stages(slot, line)
        for engine in playing:
            engine.change(self._plan(slot), _count(slot.duration_us, engine.period_us))
        self.say(self._echo(index))

    def _start(self, line: str) -> None:
        number = 0 if line[0] == "T" else 1
        index = atoi(line[1:])
        rubbish = not scan(line[1:], 1) and "garbage_start" not in self.faults
        if index >= SLOTS or rubbish:
            self.say(NO_INDEX)
            return
        engine, slot_before = self.engines[number], self.engines[number].slot
        if index < 0:
            self.say(f"Forcing {line[0]} train to stop\r\n")
        if engine.active:
            result = engine.end(self.now_us)
            self.stopped(number, slot_before, result.pulses, "stopped")
        if index >= 0:
            self._play(number, index)

    def _play(self, number: int, index: int) -> None:
        slot, other = self.slots[index], self.engines[1 - number]
        self._left.pop(index, None)
        if other.slot == index:
            other.book(self.now_us)
            other.forget(self.now_us + slot.duration_us)
        plans = self._plan(slot)
        for channel, plan in enumerate(plans):
            if plan:
                self.board.grounded(channel, self.now_us)
        ticks = 0 < slot.period_us <= MAX_PERIOD_US
        if not ticks:
            self.say(f"startIT{number}: failure to initiate IntervalTimer IT{number}\r\n")
        self.say(f"\r\nStarted {'TU'[number]} train with parameters of PulseTrain {index}\r\n")
        span_us = max((sum(stage.us for stage in plan) for plan in plans), default=0)
        period_us = max(slot.period_us, span_us)
        count = _count(slot.duration_us, period_us) if ticks else min(1, slot.duration_us)
        self.engines[number].begin(index, plans, self.now_us, slot.period_us, count, ends=ticks or not count)
        self.started(number, index)

    def _plan(self, slot: TrainSlot) -> list[tuple[Stage, ...]]:
        """Each stage lasts as long as its converters take, however short it was wanted."""
        shortest_us = SHORTEST_US * sum(mode < FLOATING for mode in slot.modes)
        stages = [(one, two, max(us, shortest_us)) for one, two, us in slot.stages()]
        return self.board.plan(slot.modes, stages)

    def tell_end(self, engine: int, slot: int, result: TrainResult) -> None:
        """The count, and the mean of what was read in each stage."""
        train, other = self.slots[slot], self.engines[1 - engine]
        if other.slot == slot:
            other.book(self.now_us)
            self._left[slot] = result
            result = result.with_that_of(other.result())
        elif slot in self._left:
            result = result.with_that_of(self._left.pop(slot))
        lines = [
            f"Train complete. Delivered {result.pulses} pulses.",
            "Current/Voltage by stage: ",
            "           Ch0                Ch1 ",
        ]
        for number in range(train.count):
            cells = [
                f"{round(result.mean_mv(channel, number)):6d}mV,          "
                if mode == VOLTAGE
                else f"{round(result.mean_ua(channel, number)):6d}uA,          "
                for channel, mode in enumerate(train.modes)
            ]
            lines.append(f"Stage {number}{''.join(cells)}")
        self.say("".join(f"{line}\r\n" for line in lines))

    def _echo(self, index: int) -> str:
        slot = self.slots[index]
        first, second = slot.modes
        hertz = 1e6 / slot.period_us if slot.period_us else float("inf")
        lines = [
            RULE,
            f"Parameters for PulseTrain[{index}]",
            f"  mode[ch0]: {first} ({MODES[first]})",
            f"  mode[ch1]: {second} ({MODES[second]})",
            f"  period:    {slot.period_us} usec ({seconds(slot.period_us)} sec, {hertz:.3f} Hz)",
            f"  duration:  {slot.duration_us} usec ({seconds(slot.duration_us)} sec)",
            "",
            "  stage    duration     output0   output1",
        ]
        units = ["mV" if mode == VOLTAGE else "uA" for mode in slot.modes]
        for number, (one, two, us) in enumerate(slot.stages()):
            lines.append(
                f"   {number:2d}  {as_signed(us):7d} usec {as_signed(one):8d}{units[0]} {as_signed(two):8d}{units[1]}"
            )
        return "".join(f"{line}\r\n" for line in [*lines, RULE, ""])

    # --- by hand ---------------------------------------------------------------------------------

    def _route(self, line: str) -> None:
        source, index, output = (*scan(line[1:], 3), 0, 0, 0)[:3]
        if index >= SLOTS:
            self.say(NO_INDEX)
            return
        if source in range(len(self._routes)):
            self._routes[source] = -1 if output else max(-1, index)
        if index >= 0 and not output:
            self.say(f"Attaching interrupt to IN{source} to run PulseTrain[{index}]\r\n")
        else:
            self.say(
                f"Detaching interrupt to IN{source}\r\n"
                f"Programming IN{source} as output that indicates activity on output {source}\r\n"
            )

    def _mode(self, line: str) -> None:
        channel, mode = (*scan(line[1:], 2), 0, 0)[:2]
        self.board.set_mode(channel, mode, self.now_us)
        self.say(f"Set channel {channel} to mode {mode}\r\n")

    def _amplitude(self, line: str) -> None:
        channel, code = (*scan(line[1:], 2), 0, 0)[:2]
        if not -32_768 <= code <= 32_767:
            self.say(f"{code} is out of range.\r\n")
            return
        self.board.set_code(channel, code, self.now_us)
        self.say(f"Set channel {channel} to amplitude {code}\r\n")

    def _volts(self, line: str) -> None:
        channel, amplitude = (*scan(line[1:], 2), 0, 0)[:2]
        code = i32(self.board.wide_code(amplitude, VOLTAGE, channel))
        if not -32_768 <= code <= 32_767:
            self.say(f"{code} is out of range.\r\n")
            return
        self.board.set_code(channel, code, self.now_us)
        self.say(f"Set channel {channel} to amplitude {amplitude} mV (dac value {code}).\r\n")

    def _read(self, line: str) -> None:
        channel, source = (*scan(line[1:], 2), 0, 0)[:2]
        raw = self.board.adc(channel, source, self.now_us)
        real = int(self.board.real(raw, channel, source))
        self.say(f"Read value: {raw} ({real}{'uA' if source else 'mV'})\r\n")

    def _ground(self, _line: str) -> None:
        for channel in range(2):
            self.board.set_mode(channel, GROUNDED, self.now_us)

    def _sweep(self, _line: str) -> None:
        self._ground("")
        self.board.voltage_offset = self._voltage_offset
        self.board.sweep(self.now_us)

    def _tell_offsets(self, _line: str) -> None:
        self.say(f"{self._offsets()}\r\n")

    def _offsets(self) -> str:
        board = self.board
        adc = f"{board.adc_offset[0]:.6f}, {board.adc_offset[1]:.6f}"
        return (
            f"ADC offsets (+-2.5V): {adc}\r\nADC offsets (+-10V): {adc}\r\n"
            f"current offsets: {board.current_offset[0]}, {board.current_offset[1]}\r\n"
            f"voltage offsets: {board.voltage_offset[0]}, {board.voltage_offset[1]}\r\n"
        )


def _take_header(slot: TrainSlot, header: list[int]) -> None:
    """As far as it goes: modes, period, duration."""
    for place, value in enumerate(header[:2]):
        slot.modes[place] = value if value in range(4) else GROUNDED
    if len(header) > 2:
        slot.period_us = u32(header[2])
    if len(header) > 3:
        slot.duration_us = u32(header[3])


def _take_stages(slot: TrainSlot, line: str) -> None:
    slot.count = 0
    for token in [part for part in line.split(";") if part][1:]:
        values = scan(token, 3)
        for place, value in enumerate(values):
            slot.write(place * STAGES + slot.count, (i32, i32, u32)[place](value))
        if len(values) < 3:
            return
        slot.count += 1


def _count(duration_us: int, period_us: int) -> int:
    """Ticks that come before the duration is over."""
    return -(-duration_us // max(1, period_us))


_COMMANDS: dict[str, Callable[[StimJimFirmwareA, str], None]] = {
    "S": StimJimFirmwareA._define,
    "T": StimJimFirmwareA._start,
    "U": StimJimFirmwareA._start,
    "R": StimJimFirmwareA._route,
    "M": StimJimFirmwareA._mode,
    "A": StimJimFirmwareA._amplitude,
    "V": StimJimFirmwareA._volts,
    "E": StimJimFirmwareA._read,
    "B": StimJimFirmwareA._ground,
    "C": StimJimFirmwareA._sweep,
    "D": StimJimFirmwareA._tell_offsets,
}
