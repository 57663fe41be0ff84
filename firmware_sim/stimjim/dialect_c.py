"""StimJim dialect C: the firmware for the RP2354B board (v0.0.0).

seen (published firmware on a PC): the checked fields and their messages, the echo (its modes are bits: 2 is current,
8 is ground), X that cuts in the middle of a stage, the end's text with the gap between pulses as a last stage, in
which the output stays connected, T-1 that is invalid and stops nothing; a slot without stages plays its gap; of a line
over 1023 bytes the rest is obeyed. One core talks and the other plays: "Started" and the first "Stimulus cancelled."
are said before the other core has looked, a start while a train plays is discarded, and after E while one plays
nothing is said any more. read: an edge starts a copy of the slot without a word, and none counts while one plays.
Another version says that it rejected (`faults=-busy_discard`); an early one stops at any byte (`abort_on_byte`).
Line ends are `\\r\\n`; where `\\r\\r\\n` was seen is not known (`cr_twice`: everywhere).
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from firmware_sim.stimjim.board import CHANNELS, RP2354B
from firmware_sim.stimjim.device import LINE_FAULTS, StimJimDevice
from firmware_sim.stimjim.engine import TrainResult
from firmware_sim.stimjim.fields_c import USAGE, FieldError, Fields
from firmware_sim.stimjim.slot import CURRENT, GROUNDED, SLOTS, STAGES, VOLTAGE

I32_MAX = (1 << 31) - 1
MAX_STAGE_US = 65_535
SHORT_US = 20
DAC_OFFSET_NA = 6_100
LIMITS = {VOLTAGE: 10_000, CURRENT: 3_333}


class TrainCopy(NamedTuple):
    """A copy of a slot, as the playing core gets it."""

    slot: int
    modes: tuple[int, ...]
    period_us: int
    pulses: int
    stages: tuple[tuple[int, int, int], ...]


class StimJimFirmwareC(StimJimDevice):
    """The firmware of dialect C, for the RP2354B board."""

    dialect = "c"
    natural: ClassVar[Mapping[str, str]] = {
        "busy_discard": "a start while a train plays is discarded after it was said to have started",
        "deaf_read": "E while a train plays is never answered, nor anything after it",
    }
    extra: ClassVar[Mapping[str, str]] = {
        **LINE_FAULTS,
        "abort_on_byte": "any byte cancels the train that plays",
        "wrap": "codes beyond 16 bits flip their polarity",
        "dac_offset": "the current source gives 6.1 uA too much, for the whole of a train",
        "cr_twice": "each line ends in two carriage returns",
    }
    scales = RP2354B
    line_size = 1_023
    tail_is_a_line = True
    deaf = False
    modes: tuple[int, ...] = ()  # of the train that plays

    def __init__(self, **options: Any) -> None:
        self._armed: list[TrainCopy | None] = [None] * CHANNELS
        super().__init__(**options)

    def boot_text(self) -> str:
        """As it is printed when somebody connects."""
        return f"StimJim v0.0.0\n\n{self._offsets()}"

    def say(self, text: str) -> None:
        """Print, each newline as two characters."""
        super().say(text.replace("\n", "\r\r\n" if "cr_twice" in self.faults else "\r\n"))

    def on_bytes(self) -> None:
        """The early version stops at any byte."""
        if "abort_on_byte" in self.faults:
            self._cancel()

    def obey(self, line: str) -> None:
        if self.deaf:
            return
        letter = line[:1]
        command = _COMMANDS.get(letter)
        if command is None:
            self.say(f"Unknown command: '{letter or chr(0)}'\n\n")
            return
        try:
            command(self, Fields(line[1:]))
        except FieldError as wrong:
            self.say(str(wrong))

    @property
    def _playing(self) -> bool:
        return self.engines[0].active

    # --- trains ----------------------------------------------------------------------------------

    def _define(self, fields: Fields) -> None:
        try:
            index = fields.take("idx", 0, SLOTS - 1)
            modes = [fields.take(f"mode{channel}", 0, 3) for channel in range(CHANNELS)]
            period_us = fields.take("period_us", 1, I32_MAX)
            duration_us = fields.take("total_dur_us", 1, I32_MAX)
        except FieldError as wrong:
            raise FieldError(f"{wrong}{USAGE['S']}") from None
        if fields.peek() not in {";", ""}:
            raise FieldError(USAGE["S"])
        stages = _stages(fields, [LIMITS.get(mode, 0) for mode in modes])
        spent_us = sum(us for _, _, us in stages)
        if spent_us > period_us:
            raise FieldError("Invalid pulse train: summed stage durations exceed period.\n\n")
        if period_us - spent_us < SHORT_US or any(us < SHORT_US for _, _, us in stages):
            self.say("Warning: <20us stage or inter-pulse gap detected. Desired pulse timings are not guaranteed.\n")
        slot = self.slots[index]
        slot.modes, slot.period_us, slot.duration_us = modes, period_us, duration_us
        slot.put(stages)
        self._armed = [train and (self._train(index) if train.slot == index else train) for train in self._armed]
        bits = [1 << mode for mode in modes]
        lines = [
            f"PulseTrain[{index}]: mode[{bits[0]},{bits[1]}], period={period_us} us, "
            f"pulses={duration_us // period_us}, {len(stages)} stages\n"
        ]
        lines += [f"  Stage {number}: amp[{one},{two}], dur={us} us\n" for number, (one, two, us) in enumerate(stages)]
        self.say("".join(lines) + "\n")

    def _start(self, fields: Fields) -> None:
        try:
            index = fields.take("pulse train index", 0, SLOTS - 1)
        except FieldError as wrong:
            raise FieldError(f"{wrong}{USAGE['T']}") from None
        self.say(f"Started PulseTrain[{index}].\n\n")
        if self._playing:
            if "busy_discard" not in self.faults:
                self.say("Stimulus rejected: channel(s) busy.\n\n")
            return
        self._play(self._train(index))

    def _train(self, index: int) -> TrainCopy:
        slot = self.slots[index]
        return TrainCopy(
            index, tuple(slot.modes), slot.period_us, slot.duration_us // slot.period_us, (*slot.stages(),)
        )

    def _play(self, train: TrainCopy) -> None:
        """Give a train, the gap behind each pulse as its last stage."""
        if not train.pulses:
            return
        gap = (0, 0, train.period_us - sum(us for _, _, us in train.stages))
        plans = self.board.plan([*train.modes], [*train.stages, gap])
        if "dac_offset" in self.faults:
            plans = [
                tuple(stage._replace(na=stage.na + DAC_OFFSET_NA) if mode == CURRENT else stage for stage in plan)
                for mode, plan in zip(train.modes, plans, strict=True)
            ]
        for channel, plan in enumerate(plans):
            if plan:
                self.board.grounded(channel, self.now_us)
        self.modes = train.modes
        self.engines[0].begin(train.slot, plans, self.now_us, train.period_us, train.pulses)
        self.started(0, train.slot)

    def edge(self, line: int, rising: bool) -> None:
        """Ignored while a train plays."""
        train = self._armed[line]
        if rising and train is not None and not self._playing:
            self._play(train)

    def _stop(self, fields: Fields) -> None:
        if fields.text:
            raise FieldError(USAGE["X"])
        self.say("Stimulus cancelled.\n\n")
        self._cancel()

    def _cancel(self) -> None:
        """The playing core finds the bell rung: the output goes to zero now, and it says so itself."""
        if not self._playing:
            return
        slot = self.engines[0].slot
        result = self.engines[0].cut(self.now_us)
        self.stopped(0, slot, result.pulses, "cut")
        self.say("Stimulus cancelled.\n\n")

    def tell_end(self, engine: int, slot: int, result: TrainResult) -> None:  # noqa: ARG002
        """Each channel that was driven: counts and means of its stages, and of the gap between pulses."""
        for channel, mode in enumerate(self.modes):
            if mode not in LIMITS:
                continue
            last = len(result.sums[channel]) - 1
            lines = [f"Channel {channel} pulse train terminated. Delivered:\n"]
            for number in range(last + 1):
                mean = result.mean_mv(channel, number) if mode == VOLTAGE else result.mean_ua(channel, number)
                name = f"Stage {number}" if number < last else "Inter-pulse gap"
                unit = "mV" if mode == VOLTAGE else "uA"
                lines.append(f"  {result.pulses}x {name}: {round(mean):6d} {unit}\n")
            self.say("".join(lines) + "\n")

    # --- by hand ---------------------------------------------------------------------------------

    def _route(self, fields: Fields) -> None:
        try:
            channel = fields.take("channel", 0, 1)
            index = fields.take("pulse train index", -1, SLOTS - 1)
            sync = fields.take("trigger/sync", 0, 1) if fields.peek() == "," else 0
        except FieldError as wrong:
            raise FieldError(f"{wrong}{USAGE['R']}") from None
        self._armed[channel] = None if index < 0 or sync else self._train(index)
        what = "Disabled" if index < 0 else "Sync signal" if sync else f"PulseTrain[{index}] trigger"
        self.say(f"IN{channel} -> {what}\n\n")

    def _pair(self, fields: Fields, letter: str, name: str, low: int, high: int) -> tuple[int, int]:
        try:
            return fields.take("channel", 0, 1), fields.take(name, low, high)
        except FieldError as wrong:
            raise FieldError(f"{wrong}{USAGE[letter]}") from None

    def _volts(self, fields: Fields) -> None:
        channel, amplitude = self._pair(fields, "V", "mV", -10_000, 10_000)
        code = max(-32_768, min(self.board.wide_code(amplitude, VOLTAGE, channel), 32_767))
        if not self._playing:
            self.board.set_code(channel, code, self.now_us)
        self.say(f"Set channel {channel} to {amplitude} mV (DAC code {code}).\n\n")

    def _amplitude(self, fields: Fields) -> None:
        channel, code = self._pair(fields, "A", "dac_code", -32_768, 32_767)
        if not self._playing:
            self.board.set_code(channel, code, self.now_us)
        self.say(f"Set channel {channel} to DAC code {code}.\n\n")

    def _read(self, fields: Fields) -> None:
        channel, line = self._pair(fields, "E", "line", 0, 1)
        if self._playing and "deaf_read" in self.faults:
            self.deaf = True
            return
        raw = self.board.adc(channel, line, self.now_us)
        real = round(self.board.real(raw, channel, line))
        self.say(f"Read value: {raw} ({real} {'uA' if line else 'mV'})\n\n")

    def _mode(self, fields: Fields) -> None:
        channel, mode = self._pair(fields, "M", "output mode", 0, 3)
        if not self._playing:
            self.board.set_mode(channel, mode, self.now_us)
        self.say(f"Ch{channel} output mode set to {mode}\n\n")

    def _calibrate(self, fields: Fields, letter: str, what: str) -> None:
        if fields.text:
            raise FieldError(USAGE[letter])
        if not self._playing:
            for channel in range(CHANNELS):
                self.board.set_mode(channel, GROUNDED, self.now_us)
            self.board.sweep(self.now_us)
        self.say(f"Updating {what} offsets...\nOffsets updated\n\n")

    def _tell_offsets(self, fields: Fields) -> None:
        self.say(USAGE["D"] if fields.text else self._offsets())

    def _offsets(self) -> str:
        board = self.board
        lines = [
            f"Channel {channel} offsets: adc={board.adc_offset[channel]:.4f} "
            f"voltage={board.voltage_offset[channel]} current={board.current_offset[channel]}\n"
            for channel in range(CHANNELS)
        ]
        return "".join(lines) + "\n"


def _stages(fields: Fields, limits: list[int]) -> list[tuple[int, int, int]]:
    stages: list[tuple[int, int, int]] = []
    while fields.peek() in {";", " "}:
        if fields.peek() == ";":
            fields.place += 1
        fields.skip()
        if not fields.peek() or len(stages) >= STAGES:
            break
        number = len(stages)
        first, second = (
            fields.take(f"amp{channel} stage[{number}]", -limits[channel], limits[channel]) for channel in range(2)
        )
        stages.append((first, second, fields.take(f"stage_dur_us stage[{number}]", 1, MAX_STAGE_US)))
    return stages


_COMMANDS: dict[str, Callable[[StimJimFirmwareC, Fields], None]] = {
    "S": StimJimFirmwareC._define,
    "T": StimJimFirmwareC._start,
    "U": StimJimFirmwareC._start,
    "R": StimJimFirmwareC._route,
    "V": StimJimFirmwareC._volts,
    "A": StimJimFirmwareC._amplitude,
    "E": StimJimFirmwareC._read,
    "M": StimJimFirmwareC._mode,
    "B": lambda jim, fields: jim._calibrate(fields, "B", "ADC"),
    "C": lambda jim, fields: jim._calibrate(fields, "C", "current and voltage"),
    "D": StimJimFirmwareC._tell_offsets,
    "X": StimJimFirmwareC._stop,
}
