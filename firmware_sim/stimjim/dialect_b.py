"""StimJim dialect B: stimjimAWG, protocol 1, firmware 0.8.0.

All read: one canonical line as echo, ERR with the slot untouched, WARN, blocks that end in OK; IDN, STAT,
S<i>?, DUMP; the delay of a train; "Train #<n> complete"; a start on a busy engine or channel is dropped with a
WARN; T-1 parks the output at once, in the middle of a stage if need be, and is followed by the summary;
amplitudes over full scale stay at full scale. The summary's figures have two decimals, and the spread is the
noise's, one figure for all [inferred]. Its texts have a long dash in UTF-8. printf lines end in `\\n` and
println lines in `\\r\\n`, as there.

Of what it has beyond the older dialects, ramps (L), sines (W), envelopes, settings of the measurement, trigger
routes, the card and the benchmarks are not modelled: they are answered `ERR <word>: not in this simulator`.
"""

import re
from collections.abc import Callable, Mapping
from typing import ClassVar

from firmware_sim.stimjim.device import LINE_FAULTS, StimJimDevice
from firmware_sim.stimjim.engine import TrainResult
from firmware_sim.stimjim.fields_b import MAX_DELAY_US, ErrReply, caveats, fields, parsed, slot_of
from firmware_sim.stimjim.slot import CURRENT, GROUNDED, SLOTS, VOLTAGE

NOISE_UA = 1.0
NOISE_MV = 0.7  # half a count's
IDENTITY = (
    "IDN,stimjimAWG,Teensy3.5,fw=0.8.0,proto=1\n"
    "# build: Teensy3.5, F_CPU=120 MHz, fastio=registers, timer=raw-PIT, sd=yes\n"
    "# engine: PIT channels 0/1, K_RELOAD=112 cycles, cal=default\n"
)
MODES = ("Voltage output", "Current output", "Not driven (hi-Z)", "Not driven (grounded)")
RULE = "----------------------------------\r\n"
BUSY_SLOT = "slot is attached to a running train — stop first (T-1 / U-1)"
_WORD = re.compile(r"[A-Za-z]*")


class StimJimFirmwareB(StimJimDevice):
    """The firmware of dialect B, stimjimAWG."""

    dialect = "b"
    encoding = "utf-8"
    extra: ClassVar[Mapping[str, str]] = {**LINE_FAULTS, "wrap": "codes beyond 16 bits flip their polarity"}
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
            self._dump_slot(index)
            return
        if rest[0] == "?":
            self.say(f"{self._line(index)}\r\n")
            return
        if rest[0] != ",":
            raise ErrReply("expected ',' , '?' or end of line after the index")
        self._check_free(index)
        modes, times, stages = parsed(rest)
        if warning := caveats(modes, times[0], stages):
            self.say(f"WARN {word}: {warning}\n")
        slot = self.slots[index]
        slot.modes = modes
        slot.period_us, slot.duration_us, slot.delay_us = times
        slot.put(stages)
        self.say(f"{self._line(index)}\r\n")

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
        slot, engine = self.slots[index], self.engines[number]
        plans = self.board.plan(slot.modes, slot.stages())
        other = self.engines[1 - number]
        if engine.active:
            self.say(f"WARN {word}: engine busy (slot {engine.slot}) — start dropped, stop with {word}-1\n")
            return
        if other.active and any(mine and theirs for mine, theirs in zip(plans, other.plans, strict=True)):
            self.say(f"WARN {word}: channel conflict with the running {'UT'[number]} train — start dropped\n")
            return
        for channel, plan in enumerate(plans):
            if plan:
                self.board.grounded(channel, self.now_us)
        self.say(f"\r\nStarted {word} train with parameters of PulseTrain {index}\r\n")
        span_us = max((sum(stage.us for stage in plan) for plan in plans), default=0)
        count = -(-slot.duration_us // max(slot.period_us, span_us))
        engine.begin(index, plans, self.now_us + slot.delay_us, slot.period_us, count)
        self.started(number, index)

    def _stop(self, number: int, word: str) -> None:
        engine = self.engines[number]
        self.say(f"Forcing {word} train to stop\r\n")
        if engine.active:
            slot = engine.slot
            result = engine.cut(self.now_us)
            self.stopped(number, slot, result.pulses, "cut")
            self._summary(slot, result)

    def tell_end(self, engine: int, slot: int, result: TrainResult) -> None:  # noqa: ARG002
        """Report the count and the summary."""
        self.trains += 1
        self.say(f"Train #{self.trains} complete. Delivered {result.pulses} pulses.\r\n")
        self._summary(slot, result)

    def _summary(self, slot: int, result: TrainResult) -> None:
        for stage in range(max(map(len, result.sums))):
            cells = []
            for channel, sums in enumerate(result.sums):
                if stage >= len(sums) or not result.pulses:
                    cells += [""] * 4
                    continue
                spread = (f"{NOISE_MV:.2f}", f"{NOISE_UA:.2f}") if result.pulses > 1 else ("", "")
                cells += [f"{result.mean_mv(channel, stage):.2f}", spread[0]]
                cells += [f"{result.mean_ua(channel, stage):.2f}", spread[1]]
            self.say(f"MSUM,{slot},{result.pulses},{stage},{','.join(cells)}\n")

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
        self._check_free(index)
        self.slots[index].delay_us = values[0]
        self.say(f"DELAY{index},{values[0]}\r\n")

    def _check_free(self, index: int) -> None:
        if index in {engine.slot for engine in self.engines}:
            raise ErrReply(BUSY_SLOT)

    def _line(self, index: int) -> str:
        slot = self.slots[index]
        header = [index, *slot.modes, slot.period_us, slot.duration_us, *([slot.delay_us] if slot.delay_us else [])]
        return f"S{','.join(map(str, header))}" + "".join(f";{one},{two},{us}" for one, two, us in slot.stages())

    def _dump_slot(self, index: int) -> None:
        slot = self.slots[index]
        first, second = slot.modes
        units = ["uA" if mode == CURRENT else "mV" for mode in slot.modes]
        text = (
            f"{RULE}Parameters for PulseTrain[{index}] — piecewise-constant (S)\r\n"
            f"  mode[ch0]: {first} ({MODES[first]})\r\n  mode[ch1]: {second} ({MODES[second]})\r\n"
            f"  period:    {slot.period_us} usec ({slot.period_us / 1e6:.3f} sec, {1e6 / slot.period_us:.3f} Hz)\r\n"
            f"  duration:  {slot.duration_us} usec ({slot.duration_us / 1e6:.3f} sec)\r\n"
            f"  delay:     {slot.delay_us} usec after the start request ({slot.delay_us / 1e6:.3f} sec)\r\n"
            "\r\n  stage    duration     output0   output1\r\n"
        )
        for number, (one, two, us) in enumerate(slot.stages()):
            text += f"   {number:2d}  {us:7d} usec {one:8d}{units[0]} {two:8d}{units[1]}\r\n"
        text += "   (no stages)\r\n" if not slot.count else ""
        text += "  env:  rampIn 0 usec, rampOut 0 usec, shape 0\r\n"
        text += "  meas: what0 3, what1 3, when 0, stage -1, report 0\r\n"
        self.say(f"{text}{RULE}OK\r\n")

    def _dump(self, _word: str, _text: str) -> None:
        lines = ["# stimjimAWG fw=0.8.0 proto=1 session dump — paste back to restore\n"]
        plain = type(self.slots[0])()
        for index, slot in enumerate(self.slots):
            if (slot.modes, slot.period_us, slot.duration_us, slot.delay_us, slot.count) != (
                plain.modes, plain.period_us, plain.duration_us, 0, 0
            ):  # fmt: skip
                lines.append(f"{self._line(index)}\r\n")
        self.say("".join([*lines, "TRIG0,3,-1,-1,0\r\nTRIG1,3,-1,-1,0\r\nOK\r\n"]))

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
    {"L", "W", "D", "P", "R", "ENV", "MEAS", "READ", "TRIG", "DT", "CAL", "CALDEF", "SCREEN", "HELP", "LOG", "SDGET",
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
    "DUMP": StimJimFirmwareB._dump,
}
