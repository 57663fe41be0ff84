"""How dialect B writes down what it holds: a slot as one line, a slot for people, everything to be pasted back."""

from collections.abc import Iterable, Sequence

from firmware_sim.stimjim.slot import CURRENT, TrainSlot, seconds

MODES = ("Voltage output", "Current output", "Not driven (hi-Z)", "Not driven (grounded)")
RULE = "----------------------------------\r\n"
SETTINGS = (("ENV", "envelope"), ("MEAS", "measurement"))


def line_of(slot: TrainSlot, index: int) -> str:
    """The line that defines it."""
    header = [index, *slot.modes, slot.period_us, slot.duration_us, *([slot.delay_us] if slot.delay_us else [])]
    return f"S{_row(header)}" + "".join(f";{_row(stage)}" for stage in slot.stages())


def slot_text(slot: TrainSlot, index: int) -> str:
    """The same for people."""
    first, second = slot.modes
    units = ["uA" if mode == CURRENT else "mV" for mode in slot.modes]
    text = (
        f"{RULE}Parameters for PulseTrain[{index}] — piecewise-constant (S)\r\n"
        f"  mode[ch0]: {first} ({MODES[first]})\r\n  mode[ch1]: {second} ({MODES[second]})\r\n"
        f"  period:    {slot.period_us} usec ({seconds(slot.period_us)} sec, {1e6 / slot.period_us:.3f} Hz)\r\n"
        f"  duration:  {slot.duration_us} usec ({seconds(slot.duration_us)} sec)\r\n"
        f"  delay:     {slot.delay_us} usec after the start request ({seconds(slot.delay_us)} sec)\r\n"
        "\r\n  stage    duration     output0   output1\r\n"
    )
    for number, (one, two, us) in enumerate(slot.stages()):
        text += f"   {number:2d}  {us:7d} usec {one:8d}{units[0]} {two:8d}{units[1]}\r\n"
    text += "   (no stages)\r\n" if not slot.count else ""
    ramp_in, ramp_out, shape = slot.envelope
    text += f"  env:  rampIn {ramp_in} usec, rampOut {ramp_out} usec, shape {shape}\r\n"
    what_0, what_1, when, stage, report = slot.measurement
    text += f"  meas: what0 {what_0}, what1 {what_1}, when {when}, stage {stage}, report {report}\r\n"
    return f"{text}{RULE}OK\r\n"


def dump_text(slots: Iterable[TrainSlot], routes: Iterable[Sequence[int]]) -> str:
    """All that is not as it boots, in lines that restore it."""
    lines = ["# stimjimAWG fw=0.8.0 proto=1 session dump — paste back to restore\n"]
    plain = TrainSlot()
    for index, slot in enumerate(slots):
        if line_of(slot, index) != line_of(plain, index):
            lines.append(f"{line_of(slot, index)}\r\n")
        for word, name in SETTINGS:
            if getattr(slot, name) != getattr(plain, name):
                lines.append(f"{word}{index},{_row(getattr(slot, name))}\r\n")
    lines += [f"TRIG{line},{_row(route)}\r\n" for line, route in enumerate(routes)]
    return "".join([*lines, "OK\r\n"])


def _row(values: Iterable[int]) -> str:
    return ",".join(map(str, values))
