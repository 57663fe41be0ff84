"""The impedance check and the self-test: the two uses of the converters outside a run.

The impedance check sends a few small balanced pulses, each past the gate like any other. The self-test drives
a resistor inside the device, with the outputs disconnected: the voltage over it says what really flows, so
that a converter that gives something else can be told from an ammeter that reads something else.
"""

from typing import NamedTuple

from firmware_sim.analog.converter import COMPLIANCE_MV, READBACK_ACCURACY_PERMILLE, READBACK_ACCURACY_UA
from firmware_sim.analog.needle_pair import NeedlePair
from firmware_sim.analog.recorder import FlowKind
from firmware_sim.native.channel import Gate, OutputChannel
from firmware_sim.native.gate import CHECK_AMPLITUDE_UA, CHECK_PERIOD_US, CHECK_WIDTH_US, ZERO_UA
from firmware_sim.native.monitor import Monitor
from firmware_sim.native.program import OutputSegment
from stimctl.wire.codes import NOT_MEASURED_OHM, SATURATED_OHM, EndReason, SelfTestFailure

CHECK_SEGMENT = OutputSegment(CHECK_PERIOD_US, CHECK_WIDTH_US, 0, CHECK_WIDTH_US, 0)
CHECK_INDEX = -1  # what the gate is told in place of a segment's index
DUMMY_OHM = 1_000
RAIL_TOLERANCE = 0.05  # [choice]
_TEST_UA = (100, 500, 1_000, 2_000, -100, -500, -1_000, -2_000)
_ZERO_SAMPLES = 20


class ImpedanceResult(NamedTuple):
    """The result of a check. `trip` is set when it ended itself; an open or shorted load is only a figure.

    `span_us` is how long its last pulse took: a trip takes effect with that pulse's end. `value` is the trip's figure,
    `channel` where it was found, 0 for the channel that is checked.
    """

    ohm: int
    pulses: int
    amplitude_ua: int
    measured_ua: int
    charge_pc: int
    trip: EndReason | None
    span_us: int = 0
    value: int = 0
    channel: int = 0


class ImpedanceCheck:
    """One channel's check, pulse by pulse: each small, balanced, and past the gate."""

    def __init__(self, channel: OutputChannel, gate: Gate) -> None:
        self._channel = channel
        self._gate = gate
        self._monitor = Monitor()
        self._sent = self._read_na = 0
        self._read_uv = 0.0

    def pulse(self, at_us: int) -> ImpedanceResult:
        """Send the next pulse at device time `at_us`. What the check has found up to then."""
        last_ua = CHECK_AMPLITUDE_UA if self._sent else 0
        if not self._gate(self._channel.number, CHECK_INDEX, CHECK_AMPLITUDE_UA, CHECK_AMPLITUDE_UA, last_ua):
            return self._found(EndReason.GATE, value=CHECK_AMPLITUDE_UA)
        fired = self._channel.fire(at_us, CHECK_SEGMENT, CHECK_AMPLITUDE_UA, FlowKind.CHECK)
        self._sent += 1
        self._read_uv += fired.read_uv
        self._read_na += fired.reading.first_na
        verdict = fired.cut or self._monitor.judge(fired.reading, CHECK_AMPLITUDE_UA * CHECK_WIDTH_US, at_us)
        if verdict is None or verdict.reason not in {EndReason.OVER_CURRENT, EndReason.NET_CHARGE}:
            return self._found(None, fired.shape.span_us)
        return self._found(verdict.reason, fired.shape.span_us, verdict.value, verdict.channel)

    def _found(self, trip: EndReason | None, span_us: int = 0, value: int = 0, channel: int = 0) -> ImpedanceResult:
        sent = self._sent
        if not sent:
            return ImpedanceResult(NOT_MEASURED_OHM, 0, 0, 0, 0, trip, value=value)
        ohm = min(round(max(0.0, self._read_uv) * 1_000 / max(1, self._read_na)), SATURATED_OHM)
        measured_ua = max(0, round(self._read_na / sent / 1_000))
        charge_pc = sent * CHECK_AMPLITUDE_UA * CHECK_WIDTH_US
        return ImpedanceResult(
            max(1, ohm), sent, CHECK_AMPLITUDE_UA, measured_ua, charge_pc, trip, span_us, value, channel
        )


def self_test(channel: OutputChannel) -> tuple[SelfTestFailure, int]:
    """What failed, and the largest current read with nothing driven."""
    failures = SelfTestFailure(0)
    readback = channel.readback
    for number, amplitude_ua in enumerate(_TEST_UA):
        flowing_na = channel.dac.current_na(amplitude_ua)
        flowing_ua = readback.voltage_uv(abs(flowing_na) * 1e-9 * DUMMY_OHM) / DUMMY_OHM
        read_ua = (readback.mean_na(abs(flowing_na)) + readback.noise.at(number)) / 1_000
        allowed_ua = READBACK_ACCURACY_UA + abs(amplitude_ua) * READBACK_ACCURACY_PERMILLE / 1_000
        wrong_way = flowing_na * amplitude_ua <= 0
        if wrong_way or abs(flowing_ua - abs(amplitude_ua)) > allowed_ua:
            failures |= SelfTestFailure.DAC
        if abs(read_ua - flowing_ua) > allowed_ua:
            failures |= SelfTestFailure.READBACK
    rail = NeedlePair(10_000_000.0).drive(1_000.0, CHECK_WIDTH_US, 0.0, channel.rail_volt)
    if abs(readback.voltage_uv(rail.end_volt) / 1_000 - COMPLIANCE_MV) > COMPLIANCE_MV * RAIL_TOLERANCE:
        failures |= SelfTestFailure.COMPLIANCE_RAIL
    zero_ua = max(channel.leak_ua(number * 1_000) for number in range(_ZERO_SAMPLES))
    if zero_ua >= ZERO_UA:
        failures |= SelfTestFailure.ZERO
    return failures, zero_ua
