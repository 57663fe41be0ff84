"""StimJim dialect B: stimjimAWG, protocol 1, firmware 0.8.0.

All read: one canonical line as echo, ERR with the slot untouched, WARN, blocks that end in OK; IDN, STAT,
S<i>?, DUMP; the delay of a train; "Train #<n> complete"; a start on a busy engine or channel is dropped with a
WARN; T-1 parks the output at once, in the middle of a stage if need be, and is followed by the summary;
amplitudes over full scale stay at full scale. The summary's figures have two decimals, and the spread is the
noise's, one figure for all [inferred]. Its texts have a long dash in UTF-8. printf lines end in `\\n` and
println lines in `\\r\\n`, as there.

Envelopes (ENV), settings of the measurement (MEAS) and trigger routes (TRIG, R) are kept and told, survive a new
definition, and P keeps those of the first ten slots in an EEPROM that the next boot restores live. An envelope does
not change what flows here. Ramps (L), sines (W), the card and the benchmarks are not modelled: they are answered
`ERR <word>: not in this simulator`.
"""

import re
from collections.abc import Callable, Mapping
from typing import ClassVar

from firmware_sim.stimjim.device import LINE_FAULTS
from firmware_sim.stimjim.dumps_b import dump_text, line_of, slot_text
from firmware_sim.stimjim.engine import TrainResult
from firmware_sim.stimjim.fields_b import (
    MAX_DELAY_US,
    ErrReply,
    caveats,
    fields,
    parsed,
    slot_of,
)
from firmware_sim.stimjim.settings_b import Settings
from firmware_sim.stimjim.slot import CURRENT, GROUNDED, SLOTS, VOLTAGE

NOISE_UA = 1.0
NOISE_MV = 0.7  # half a count's
IDENTITY = (
    "IDN,stimjimAWG,Teensy3.5,fw=0.8.0,proto=1\n"
    "# build: Teensy3.5, F_CPU=120 MHz, fastio=registers, timer=raw-PIT, sd=yes\n"
    "# engine: PIT channels 0/1, K_RELOAD=112 cycles, cal=default\n"
)
_WORD = re.compile(r"[A-Za-z]*")


class StimJimFirmwareB(Settings):
    """The firmware of dialect B, stimjimAWG."""

    dialect = "b"
    encoding = "utf-8"
    extra: ClassVar[Mapping[str, str]] = {
        **LINE_FAULTS,
        "wrap": "codes beyond 16 bits flip their polarity",
        "no_msum": "trains are not measured: a note stands in the summary's place",
    }
    trains = 0  # that came to their end since it booted

    def boot_text(self) -> str:
        """As it is printed at power-on."""
        return (
            "# stimjimAWG 0.8.0 - S/L/W waveform slots, trigger routing and T/U playback with a per-slot start "
            f"delay; HELP lists commands\n{IDENTITY}"
        )

    def obey(self, line: str) -> None:
        line = line.rstrip("\r ")
        if not line or line[0] == "#":
            return
        found = _WORD.match(line)
        word = found[0] if found else ""
        if not word:
            self.say("ERR parse: expected command word\n")
            return
        command = _COMMANDS.get(word)
        try:
            if command is None:
                raise ErrReply("not in this simulator" if word in _NOT_HERE else "unknown command")
            command(self, word, line[len(word) :].strip(" "))
        except ErrReply as refused:
            self.say(f"ERR {word}: {refused}\n")

    def too_long(self) -> None:
        """The rest of the line is passed over, and that is said."""
        self.say("ERR line too long (max 999)\n")

    # --- trains ----------------------------------------------------------------------------------

    def _define(self, word: str, text: str) -> None:
        index, rest = slot_of(text)
        if not rest:
            self.say(slot_text(self.slots[index], index))
            return
        if rest[0] == "?":
            self.say(f"{line_of(self.slots[index], index)}\r\n")
            return
        if rest[0] != ",":
            raise ErrReply("expected ',' , '?' or end of line after the index")
        self.check_free(index)
        modes, times, stages = parsed(rest)
        if warning := caveats(modes, times[0], stages):
            self.say(f"WARN {word}: {warning}\n")
        slot = self.slots[index]
        if sum(slot.envelope) > times[1]:
            raise ErrReply("stored ENV rampIn+rampOut exceeds new duration_us (reset ENV first)")
        if slot.measurement[3] >= len(stages):
            raise ErrReply("stored MEAS stage exceeds the new stage count (reset MEAS first)")
        slot.modes = modes
        slot.period_us, slot.duration_us, slot.delay_us = times
        slot.put(stages)
        for channel, mode in enumerate(modes):
            if mode in {VOLTAGE, CURRENT}:
                slot.measurement[channel] = slot.measurement[channel] or 3
        self.say(f"{line_of(self.slots[index], index)}\r\n")

    def _start(self, word: str, text: str) -> None:
        values = fields(text)
        if values is None or len(values) != 1:
            raise ErrReply("need a slot index (or -1 to stop)")
        number, index = "TU".index(word), values[0]
        if index < 0:
            self._stop(number, word)
            return
        if index >= SLOTS:
            self.say("Invalid PulseTrain index.\r\n")
            return
        if (refused := self._play(number, index)) is not None:
            self.say(f"WARN {word}: {refused}\n")
        else:
            self.say(f"\r\nStarted {word} train with parameters of PulseTrain {index}\r\n")
            self.started(number, index)

    def _play(self, number: int, index: int) -> str | None:
        """Start a slot on an engine, or say why not."""
        slot, engine, other = self.slots[index], self.engines[number], self.engines[1 - number]
        plans = self.board.plan(slot.modes, slot.stages())
        if engine.active:
            return f"engine busy (slot {engine.slot}) — start dropped, stop with {'TU'[number]}-1"
        if other.active and any(mine and theirs for mine, theirs in zip(plans, other.plans, strict=True)):
            return f"channel conflict with the running {'UT'[number]} train — start dropped"
        for channel, plan in enumerate(plans):
            if plan:
                self.board.grounded(channel, self.now_us)
        span_us = max((sum(stage.us for stage in plan) for plan in plans), default=0)
        count = -(-slot.duration_us // max(slot.period_us, span_us))
        engine.begin(index, plans, self.now_us + slot.delay_us, slot.period_us, count)
        return None

    def edge(self, line: int, rising: bool) -> None:
        """A start without a word; what cannot be started is dropped, and that is said."""
        mode, first, second, falling = self.routes[line]
        if mode not in {1, 2} or rising is bool(falling):
            return
        asked = [(0, first), (1, second)] if mode == 2 else [(0, first)]
        dropped = 0
        for number, index in asked:
            if index >= 0 and self._play(number, index) is None:
                self.started(number, index)
            else:
                dropped += index >= 0
        if dropped:
            self.say(f"WARN trigger: {dropped} start(s) dropped, target engine or channel busy\n")

    def _stop(self, number: int, word: str) -> None:
        engine = self.engines[number]
        slot, result = engine.slot, engine.cut(self.now_us) if engine.active else None
        self.say(f"Forcing {word} train to stop\r\n")
        if result is not None:
            self.stopped(number, slot, result.pulses, "cut")
            self._summary(slot, result)

    def tell_end(self, engine: int, slot: int, result: TrainResult) -> None:  # noqa: ARG002
        """Report the count and the summary."""
        self.trains += 1
        self.say(f"Train #{self.trains} complete. Delivered {result.pulses} pulses.\r\n")
        self._summary(slot, result)

    def _summary(self, slot: int, result: TrainResult) -> None:
        if "no_msum" in self.faults:
            self.say("Note: no measurement carried out.\r\n")
            return
        only = self.slots[slot].measurement[3]
        for stage in range(max(map(len, result.sums))):
            if only in {-1, stage}:
                cells = [cell for channel in range(2) for cell in self._cells(slot, channel, stage, result)]
                self.say(f"MSUM,{slot},{result.pulses},{stage},{','.join(cells)}\n")

    def _cells(self, slot: int, channel: int, stage: int, result: TrainResult) -> list[str]:
        """Mean and spread of the voltage, then of the current; empty where they were not measured."""
        what = self.slots[slot].measurement[channel] if stage < len(result.sums[channel]) and result.pulses else 0
        volts = [f"{result.mean_mv(channel, stage):.2f}", f"{NOISE_MV:.2f}" if result.pulses > 1 else ""]
        currents = [f"{result.mean_ua(channel, stage):.2f}", f"{NOISE_UA:.2f}" if result.pulses > 1 else ""]
        return [*(volts if what & 1 else ["", ""]), *(currents if what & 2 else ["", ""])]

    def _status(self, _word: str, _text: str) -> None:
        cells: list[int] = []
        for engine in self.engines:
            if not engine.active:
                cells += [-1, 0, 0, 0]
                continue
            engine.book(self.now_us)
            duration_us = self.slots[engine.slot].duration_us
            elapsed_us = min(max(0, self.now_us - engine.start_us), duration_us)
            cells += [engine.slot, engine.delivered, elapsed_us, duration_us]
        self.say(f"STAT,{','.join(map(str, cells))}\n")

    def _delay(self, _word: str, text: str) -> None:
        index, rest = slot_of(text)
        if rest[:1] == "?":
            self.say(f"DELAY{index},{self.slots[index].delay_us}\r\n")
            return
        values = fields(rest[1:]) if rest[:1] == "," else None
        if values is None or len(values) != 1:
            raise ErrReply("need <delay_us>" if rest[:1] == "," else "need DELAY<idx>,<delay_us> or DELAY<idx>?")
        if values[0] < 0:
            raise ErrReply("delay_us must be >= 0")
        if values[0] > MAX_DELAY_US:
            raise ErrReply("delay_us exceeds 2000000000 us (2000 s)")
        self.check_free(index)
        self.slots[index].delay_us = values[0]
        self.say(f"DELAY{index},{values[0]}\r\n")

    # --- by hand ---------------------------------------------------------------------------------

    def _pair(self, text: str, need: str, low: int, high: int, otherwise: str) -> tuple[int, int]:
        values = fields(text)
        if values is None or len(values) != 2:
            raise ErrReply(need)
        if values[0] not in {0, 1}:
            raise ErrReply("channel must be 0 or 1")
        if not low <= values[1] <= high:
            raise ErrReply(otherwise)
        return values[0], values[1]

    def _warn_running(self, word: str) -> None:
        if any(engine.active for engine in self.engines):
            self.say(f"WARN {word}: train running — executing under bus lock\n")

    def _mode(self, _word: str, text: str) -> None:
        if text in {"0?", "1?"}:
            self.say(f"M{text[0]},{self.board.mode(int(text[0]))}\n")
            return
        otherwise = "mode must be 0-3 (90/91 exist in train definitions only)"
        channel, mode = self._pair(text, "need <ch>,<mode>", 0, 3, otherwise)
        self.board.set_mode(channel, mode, self.now_us)
        self.say(f"Set channel {channel} to mode {mode}\r\n")

    def _volts(self, word: str, text: str) -> None:
        channel, amplitude = self._pair(text, "need <ch>,<mV>", -(1 << 31), (1 << 31) - 1, "")
        self._warn_running(word)
        code = self.board.wide_code(amplitude, VOLTAGE, channel)
        if not -32_768 <= code <= 32_767:
            self.say(f"{code} is out of range.\r\n")
            return
        self.board.set_code(channel, code, self.now_us)
        self.say(f"Set channel {channel} to amplitude {amplitude} mV (dac value {code}).\r\n")

    def _amplitude(self, word: str, text: str) -> None:
        channel, code = self._pair(text, "need <ch>,<dac>", -(1 << 31), (1 << 31) - 1, "")
        self._warn_running(word)
        if not -32_768 <= code <= 32_767:
            self.say(f"{code} is out of range.\r\n")
            return
        self.board.set_code(channel, code, self.now_us)
        self.say(f"Set channel {channel} to amplitude {code}\r\n")

    def _read(self, word: str, text: str) -> None:
        otherwise = "line must be 0 (voltage) or 1 (current)"
        channel, line = self._pair(text, "need <ch>,<line>", 0, 1, otherwise)
        self._warn_running(word)
        raw = self.board.adc(channel, line, self.now_us)
        self.say(f"Read value: {raw} ({int(self.board.real(raw, channel, line))}{'uA' if line else 'mV'})\r\n")

    def _calibrate(self, word: str, _text: str) -> None:
        if any(engine.active for engine in self.engines):
            raise ErrReply("calibration needs an idle engine — stop trains first")
        for channel in range(2):
            self.board.set_mode(channel, GROUNDED, self.now_us)
        if word == "C":
            self.say("WARN C: output will ramp\n")
            self.board.sweep(self.now_us)
        self.say("OK\r\n")


_NOT_HERE = frozenset(
    {"L", "W", "D", "READ", "DT", "CAL", "CALDEF", "SCREEN", "HELP", "LOG", "SDGET",
     "BENCH"}
)  # fmt: skip
_COMMANDS: dict[str, Callable[[StimJimFirmwareB, str, str], None]] = {
    "S": StimJimFirmwareB._define,
    "T": StimJimFirmwareB._start,
    "U": StimJimFirmwareB._start,
    "M": StimJimFirmwareB._mode,
    "V": StimJimFirmwareB._volts,
    "A": StimJimFirmwareB._amplitude,
    "E": StimJimFirmwareB._read,
    "B": StimJimFirmwareB._calibrate,
    "C": StimJimFirmwareB._calibrate,
    "IDN": lambda jim, _word, _text: jim.say(IDENTITY),
    "STAT": StimJimFirmwareB._status,
    "DELAY": StimJimFirmwareB._delay,
    "DUMP": lambda jim, _word, _text: jim.say(dump_text(jim.slots, jim.routes)),
    "ENV": StimJimFirmwareB.envelope,
    "MEAS": StimJimFirmwareB.measurement,
    "TRIG": StimJimFirmwareB.trigger,
    "R": StimJimFirmwareB.route,
    "P": StimJimFirmwareB.store,
}
