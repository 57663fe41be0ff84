"""One output channel: its pulse train, the current in its load, its readings and its counts.

A pulse goes one of two ways. Alone: through the converter and the load, then past the monitor. Or in a
stretch of like pulses that are known beforehand to trip nothing: then nothing at all is done until somebody
asks or something changes, and the stretch is booked as a whole. Both ways come to the same figures.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from firmware_sim.analog.converter import COMPLIANCE_MV, Converter, Dac, OutputSwitch, Readback, Switch
from firmware_sim.analog.electrodes import Electrodes
from firmware_sim.analog.load import Load
from firmware_sim.analog.load_changes import NEVER_US
from firmware_sim.analog.needle_pair import NeedlePair, PhaseResponse
from firmware_sim.analog.recorder import EVEN, Flow, FlowKind, PulseShape, Recorder
from firmware_sim.native.monitor import OVER_CURRENT_CUT_US, Monitor, Reading, TripVerdict, over_current_ua
from firmware_sim.native.program import OutputProgram, OutputSegment
from firmware_sim.native.steady import OHM_FLOOR_UA, SilentStretch, SteadyStretch
from firmware_sim.native.tally import ChannelTally, whole_ua
from firmware_sim.native.train import ChannelTrain, second_ua, span_us
from stimctl.wire.codes import SATURATED_OHM, ChannelFlag, EndReason

_NO_PHASE = PhaseResponse(0.0, 0.0, 0.0, 0.0, clipped=False)

# Asked before a pulse leaves: channel, segment, its amplitude, its second phase's, the amplitude delivered before it.
Gate = Callable[[int, int, int, int, int], bool]

_TRAIN = FlowKind.TRAIN  # looking up an enum's member costs 0.2 us, at each pulse of a ramp


class SinglePulse(NamedTuple):
    """One pulse that went out alone."""

    shape: PulseShape
    reading: Reading
    read_uv: float  # at the end of the first phase
    energy_pj: float
    cut: TripVerdict | None  # over current: the pulse ended early


class OutputChannel:
    """Channel `number`. Its times are device times, except for its train's, which are `offset_us` less."""

    def __init__(self, number: int, readback: Readback, load: Load, recorder: Recorder | None) -> None:
        self.number = number
        self.dac: Converter = Dac()
        self.readback = readback
        self.switch: OutputSwitch = Switch()
        self.rail_volt = COMPLIANCE_MV / 1_000
        self.peers: Mapping[int, OutputChannel] = {}
        self.monitor = Monitor()
        self.tally = ChannelTally()
        self.train: ChannelTrain | None = None
        self.due_us = NEVER_US  # stimulation time up to which nothing has to be done
        self.offset_us = 0
        self.segments: tuple[OutputSegment, ...] = ()
        self._load = load
        self._recorder = recorder
        self._stretch: SteadyStretch | None = None
        self._silence: SilentStretch | None = None
        # What `readout` said last, and until when it stays true: up to the next pulse of a stretch.
        self._reported: tuple[int, ...] = ()
        self._told_until_us = -1
        self._index = number * 257  # where on the noise table the next pulse stands
        self._electrodes = Electrodes()
        self._applied_ua = self._measured_ua = self._ohm = self._last_ua = 0
        # The pulses that left last, and when the last of them has ended.
        self._flight = Flow(0, 1, 1, PulseShape(0, 0, 0, 0, 0), _TRAIN)
        self._landed_us = 0

    # --- runs ------------------------------------------------------------------------------------

    def begin(self, program: OutputProgram, train: ChannelTrain, offset_us: int) -> None:
        """Start a run; pulses come as `run` is asked for them."""
        self.train, self.segments, self.offset_us = train, program.segments, offset_us
        self.due_us = train.next_us
        self._applied_ua = self._measured_ua = self._ohm = self._last_ua = 0
        self.monitor = Monitor()

    def end(self, at_us: int) -> None:
        """Deliver no pulse that would start at stimulation time `at_us` or later."""
        self.commit(at_us)
        self.train, self.due_us = None, NEVER_US
        self._applied_ua = self._measured_ua = 0

    def set_target(self, target_ua: int, at_us: int) -> None:
        """Aim elsewhere from stimulation time `at_us` on."""
        self.commit(at_us)
        assert self.train is not None, "a target without a run"
        self.train.set_target(target_ua)
        self.due_us = self.train.next_us

    def connect(self, load: Load) -> None:
        """Drive another load with the pulses that come."""
        self._load = load

    def reset_counters(self) -> None:
        """Totals from zero, and nothing is known of a load."""
        self.tally = ChannelTally()
        self.monitor = Monitor()
        self._ohm = 0
        self._told_until_us = -1

    def step(self, gate: Gate) -> tuple[TripVerdict, int] | None:
        """Do what is due at `due_us`: close a stretch, open one, or deliver one pulse.

        A verdict comes with the stimulation time at which it takes effect.
        """
        if self._stretch is not None or self._silence is not None:
            self.commit(self.due_us)
            return None
        train = self.train
        assert train is not None, "a pulse without a run"
        at_us, index = train.next_us, train.segment
        segment, stretch = self.segments[index], None
        count = amplitude_ua = 0
        if train.level_holds:
            amplitude_ua = train.amplitude_ua
            count = train.alike(self._load.next_change_us(self.number, at_us + self.offset_us) - self.offset_us)
        if count and amplitude_ua:
            stretch = self._quiet(at_us, count, index, amplitude_ua)
        elif count:
            self._silence = SilentStretch(at_us, count, segment.period_us)
        if stretch is None and self._silence is None:
            amplitude_ua = train.take()
            self.due_us = train.next_us
        else:
            self.due_us = at_us + (count - 1) * segment.period_us + 1
        if amplitude_ua == 0:
            self._applied_ua = self._measured_ua = self._last_ua = 0
            return None
        if not gate(self.number, index, amplitude_ua, second_ua(segment, amplitude_ua), self._last_ua):
            return TripVerdict(EndReason.GATE, amplitude_ua), at_us
        self._stretch = stretch
        return self._deliver(at_us, index, amplitude_ua) if stretch is None else None

    def _deliver(self, at_us: int, index: int, amplitude_ua: int) -> tuple[TripVerdict, int] | None:
        segment, tally, now_us = self.segments[index], self.tally, at_us + self.offset_us
        shape, reading, _, energy_pj, cut = self.fire(now_us, segment, amplitude_ua, _TRAIN)
        first_na, second_na, net_fc, self._ohm, clipped = reading
        charge_pc = amplitude_ua * segment.width_us
        tally.pulses[index] += 1
        tally.charge_pc[index] += charge_pc
        tally.read_fc[index] += first_na * shape.width_us
        tally.net_fc += net_fc
        tally.highest_na = max(tally.highest_na, first_na, second_na)
        tally.hits += clipped
        tally.energy_pj += energy_pj * self.readback.energy_gain()
        self._last_ua = self._applied_ua = amplitude_ua
        self._measured_ua = whole_ua(first_na)
        if cut is not None:
            self.monitor.flags = ChannelFlag.OVER_CURRENT
            return cut, at_us + shape.span_us
        verdict = self.monitor.judge(reading, charge_pc, at_us)
        return None if verdict is None else (verdict, at_us + shape.span_us)

    # --- pulses ----------------------------------------------------------------------------------

    def fire(self, now_us: int, segment: OutputSegment, amplitude_ua: int, kind: FlowKind) -> SinglePulse:
        """Send one pulse through converter and load at device time `now_us`, and read it."""
        pair, back_ua = self._load.pair(self.number, now_us), second_ua(segment, amplitude_ua)
        volt, noise_na = self._electrodes.rested(pair, now_us), self.readback.noise.at(self._index)
        width_us, gap_us, second_width_us = segment.width_us, segment.interphase_gap_us, segment.second_width_us
        first = self._drive(pair, amplitude_ua, width_us, volt)
        second = _NO_PHASE
        cut = self._over_current(first, width_us, amplitude_ua, pair, noise_na)
        if cut is None:
            volt = pair.rested(first.cap_volt, gap_us)
            second = self._drive(pair, -back_ua, second_width_us, volt)
            cut = self._over_current(second, second_width_us, back_ua, pair, noise_na)
            if cut is not None:
                second_width_us = OVER_CURRENT_CUT_US
                second = self._drive(pair, -back_ua, second_width_us, volt)
        else:
            width_us, gap_us, second_width_us = OVER_CURRENT_CUT_US, 0, 0
            first = self._drive(pair, amplitude_ua, width_us, volt)
        shape = PulseShape(
            round(first.mean_ua * 1_000), width_us, gap_us, round(-second.mean_ua * 1_000), second_width_us
        )
        clipped = first.clipped or second.clipped
        curves = (first.curve, second.curve) if clipped else EVEN
        self._fly(pair, Flow(now_us, segment.period_us, 1, shape, kind, curves))
        self._electrodes.leave(second.cap_volt if second_width_us else first.cap_volt, self._landed_us)
        if cut is not None and (discharge := self._electrodes.empty(pair)) is not None and self._recorder is not None:
            self._recorder.add(self.number, discharge)
        read_uv = self.readback.voltage_uv(first.end_volt)
        reading = self._read(shape, read_uv, amplitude_ua, clipped, noise_na)
        self._index += 1
        return SinglePulse(shape, reading, read_uv, first.energy_pj + second.energy_pj, cut)

    def _drive(self, pair: NeedlePair, amplitude_ua: int, width_us: int, volt: float) -> PhaseResponse:
        return pair.drive(self.dac.current_na(amplitude_ua) / 1_000, width_us, volt, self.rail_volt)

    def _over_current(
        self, phase: PhaseResponse, width_us: int, applied_ua: int, pair: NeedlePair, noise_na: int
    ) -> TripVerdict | None:
        """What a comparator says of a phase, here or where this channel touches another. It knows no sign."""
        peak_na = abs(round(phase.peak_ua(width_us) * 1_000))
        read_na = self.readback.mean_na(peak_na) + noise_na
        if read_na > over_current_ua(applied_ua) * 1_000:
            return TripVerdict(EndReason.OVER_CURRENT, whole_ua(read_na))
        if pair.leak_permille:
            return self.peers[pair.leaks_to].hear(peak_na * pair.leak_permille // 1_000)
        return None

    def _read(self, shape: PulseShape, read_uv: float, amplitude_ua: int, clipped: bool, noise_na: int) -> Reading:
        readback = self.readback
        first_na = readback.mean_na(shape.first_na) + noise_na
        second_na = readback.mean_na(shape.second_na) + noise_na
        net_fc = readback.mean_net_fc(shape.net_fc) + readback.net_noise_fc(self._index, 1)
        return Reading(first_na, second_na, net_fc, _ohm(read_uv, first_na, amplitude_ua), clipped)

    def hear(self, stray_na: int) -> TripVerdict | None:
        """Take in a current that came from another channel while nothing is applied here."""
        read_na = self.readback.mean_na(stray_na) + self.readback.noise.at(self._index)
        self.tally.highest_na = max(self.tally.highest_na, read_na)
        if read_na <= over_current_ua(0) * 1_000:
            return None
        self.monitor.flags = ChannelFlag.OVER_CURRENT
        return TripVerdict(EndReason.OVER_CURRENT, whole_ua(read_na), self.number)

    def _fly(self, pair: NeedlePair, flow: Flow) -> None:
        """Note what flows in the load, here and in a channel that touches this one."""
        self._flight = flow
        self._landed_us = flow.last_us + flow.shape.span_us
        if self._recorder is None:
            return
        self._recorder.add(self.number, flow)
        if pair.leak_permille:
            self._recorder.add(pair.leaks_to, flow.leaking(pair.leak_permille))

    def _quiet(self, at_us: int, count: int, index: int, amplitude_ua: int) -> SteadyStretch | None:
        """The coming like pulses as a stretch, if it is certain that none of them trips."""
        segment, now_us = self.segments[index], at_us + self.offset_us
        pair = self._load.pair(self.number, now_us)
        back_ua = second_ua(segment, amplitude_ua)
        shape = PulseShape(
            self.dac.current_na(amplitude_ua), segment.width_us, segment.interphase_gap_us,
            -self.dac.current_na(-back_ua), segment.second_width_us,
        )  # fmt: skip
        if pair.leak_permille or pair.earthed_permille or min(shape.first_na, shape.second_na) <= 0:
            return None
        volt = self._electrodes.rested(pair, now_us)
        stretch = SteadyStretch(
            at_us, count, index, segment, amplitude_ua, shape, pair, volt, self._index, self.readback
        )
        limits = over_current_ua(amplitude_ua), over_current_ua(back_ua)
        return stretch if stretch.is_quiet(self.rail_volt, *limits) else None

    def commit(self, at_us: int) -> None:
        """Book those pulses of the stretch that start before stimulation time `at_us`, and close it."""
        stretch, train = self._stretch, self.train
        part = self._silence if stretch is None else stretch
        if part is None or train is None:
            return
        self._stretch = self._silence = None
        self._told_until_us = -1
        if count := part.before(at_us):
            if stretch is not None:
                self._book(stretch, count)
            train.skip(count)
        self.due_us = train.next_us

    def _book(self, stretch: SteadyStretch, count: int) -> None:
        tally, readback, index = self.tally, self.readback, stretch.segment_index
        noise = readback.noise
        tally.pulses[index] += count
        tally.charge_pc[index] += count * stretch.charge_pc
        width_us = stretch.segment.width_us
        tally.read_fc[index] += (count * stretch.first_read_na + noise.total(self._index, count)) * width_us
        tally.net_fc += count * stretch.net_read_fc + readback.net_noise_fc(self._index, count)
        read_na = max(stretch.first_read_na, readback.mean_na(stretch.shape.second_na))
        if read_na + noise.peak_na > tally.highest_na:
            tally.highest_na = max(tally.highest_na, read_na + noise.highest(self._index, count))
        tally.energy_pj += stretch.energy_pj(count) * readback.energy_gain()
        last_read_na = stretch.first_read_na + noise.at(self._index + count - 1)
        self._last_ua = self._applied_ua = stretch.amplitude_ua
        self._measured_ua = whole_ua(last_read_na)
        self._ohm = stretch.ohm_at(count - 1, last_read_na)
        self.monitor.settle()
        self.monitor.flags &= ChannelFlag.OVER_CURRENT  # heard from another channel, while these were all well
        first_us = stretch.first_us + self.offset_us
        last_us = first_us + (count - 1) * stretch.period_us
        self._electrodes.leave(stretch.cap_volt_after(count - 1), last_us + span_us(stretch.segment))
        self._index += count
        self._fly(stretch.pair, Flow(first_us, stretch.period_us, count, stretch.shape, _TRAIN))

    # --- readings --------------------------------------------------------------------------------

    def readout(self, at_us: int) -> tuple[int, ...]:
        """The channel at stimulation time `at_us`: the fields of the wire's Channel message after its number."""
        if at_us <= self._told_until_us:
            return self._reported
        tally, train, stretch = self.tally, self.train, self._stretch
        target_ua = 0 if train is None else train.target_ua
        pulses_0, pulses_1 = tally.pulses
        charge_0, charge_1 = tally.charge_pc
        if stretch is None or not (count := stretch.before(at_us)):
            return (
                self.monitor.flags, target_ua, self._applied_ua, self._measured_ua, self._ohm,
                pulses_0, pulses_1, charge_0, charge_1, (tally.net_fc + 500) // 1_000,
            )  # fmt: skip
        read_na = stretch.first_read_na + self.readback.noise.at(self._index + count - 1)
        net_fc = tally.net_fc + count * stretch.net_read_fc + self.readback.net_noise_fc(self._index, count)
        if stretch.segment_index:
            pulses_1 += count
            charge_1 += count * stretch.charge_pc
        else:
            pulses_0 += count
            charge_0 += count * stretch.charge_pc
        self._told_until_us = stretch.first_us + count * stretch.period_us
        self._reported = told = (
            0, target_ua, stretch.amplitude_ua, whole_ua(read_na), stretch.ohm_at(count - 1, read_na),
            pulses_0, pulses_1, charge_0, charge_1, (net_fc + 500) // 1_000,
        )  # fmt: skip
        return told

    def flowing_na(self, now_us: int) -> int:
        """The current of a pulse that is on its way at device time `now_us`; 0 between pulses."""
        if now_us >= self._landed_us:
            return 0
        return self._flight.at(now_us - self._flight.last_us)

    def idle_ua(self, now_us: int) -> int:
        """What is read with the output disabled: a pulse in flight, a discharge, a leak, or noise. A size, in uA."""
        flowing_na = self._flight.at(now_us - self._flight.last_us) if now_us < self._landed_us else 0
        flowing_na = flowing_na or self._electrodes.flowing_na(now_us) or self.switch.leak_na(now_us)
        return self._size_ua(flowing_na, now_us)

    def leak_ua(self, now_us: int) -> int:
        """The same with the output disconnected, as in the self-test: what its switch lets through, or noise."""
        return self._size_ua(self.switch.leak_na(now_us), now_us)

    def _size_ua(self, flowing_na: int, now_us: int) -> int:
        noise_na = self.readback.noise.at(self._index + now_us // 1_000)
        return whole_ua(abs(self.readback.mean_na(abs(flowing_na)) + noise_na))


def _ohm(read_uv: float, read_na: int, amplitude_ua: int) -> int:
    """Voltage over current as far as it can be known (R-86)."""
    if amplitude_ua < OHM_FLOOR_UA:
        return 0
    ohm = int(read_uv * 1_000 / (read_na if read_na > 1 else 1) + 0.5)
    return ohm if 1 <= ohm <= SATURATED_OHM else max(1, min(ohm, SATURATED_OHM))
