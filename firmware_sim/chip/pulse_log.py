"""From pins and converter words to pulses: what left the bridge, by cycle, and what flowed of it in the load.

The currents are worked out with the Python load, not asked of the circuit in the emulator: a record then says what the
one makes of it, and the chip's own readings what the other does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firmware_sim.analog.electrodes import Electrodes
from firmware_sim.chip.emulator import CYCLES_A_US, DAC_A, DAC_B, ENABLE, FORWARD, REVERSE, SELECT, TEST, Change
from firmware_sim.chip.load_link import LoadLink

if TYPE_CHECKING:
    from firmware_sim.analog.recorder import Recorder

DAC_STEP_NA = 625
RAIL_VOLT = 12.0


@dataclass(slots=True)
class Edges:
    """One pulse as it left: its channel, the converters' words, and the cycles of its edges; 0 where there was none."""

    channel: int
    first_code: int
    second_code: int
    begun: int
    first_end: int = 0
    second_begun: int = 0
    second_end: int = 0
    cut: bool = False


@dataclass(slots=True)
class PulseLog:
    """Fed with changes in order. `pulses` has every pulse whose first edge came, self-tests left out.

    `disabled` is the cycle at which the output stage was last disabled; `broken` has the gain of a channel's converter,
    and what it is stuck at; `at_us` and `lasts_us` make the record's times and spans of the chip's: by a clock that is
    wrong pulses last longer or shorter, too.
    """

    loads: LoadLink
    recorder: "Recorder | None" = None
    pulses: list[Edges] = field(default_factory=list)
    keeps: bool = False
    at_us: Callable[[int], int] = int
    lasts_us: Callable[[int], int] = int
    disabled: int = 0
    broken: dict[int, tuple[float, float | None]] = field(default_factory=dict)
    _now: dict[int, int] = field(default_factory=dict)
    _open: Edges | None = None
    _electrodes: dict[int, Electrodes] = field(default_factory=dict)

    @property
    def in_first_phase(self) -> bool:
        """Whether a pulse's first phase flows just now."""
        return self._open is not None and not self._open.first_end

    def take(self, changes: list[Change]) -> None:
        """Follow what changed."""
        if self.recorder is None and not self.keeps:
            return
        for change in changes:
            self._now[change.kind] = change.value
            if change.kind in (FORWARD, REVERSE) and not self._now.get(TEST):
                self._edge(change)
            elif change.kind == ENABLE and not change.value:
                self.disabled = change.cycle
                if self._open is not None:
                    self._ends(change.cycle, cut=True)

    def _edge(self, change: Change) -> None:
        pulse, forward = self._open, change.kind == FORWARD
        if forward and change.value:
            if pulse is not None:  # joined to the other side of the bridge: cut
                self._ends(change.cycle, cut=True)
            elif not self._now.get(REVERSE):
                self._begin(change.cycle)
        elif pulse is None:
            return
        elif forward:
            pulse.first_end = change.cycle
        elif not change.value:
            self._ends(change.cycle, cut=False)
        elif self._now.get(FORWARD):
            self._ends(change.cycle, cut=True)
        else:
            pulse.second_begun = change.cycle

    def _begin(self, cycle: int) -> None:
        channel = self._now.get(SELECT, 0).bit_length()
        if channel and self._now.get(ENABLE):
            self._open = Edges(channel, self._now.get(DAC_A, 0), self._now.get(DAC_B, 0), cycle)

    def _ends(self, cycle: int, *, cut: bool) -> None:
        pulse, self._open = self._open, None
        assert pulse is not None, "the end of no pulse"
        pulse.cut = cut
        if pulse.second_begun:
            pulse.second_end = cycle
        elif not pulse.first_end:
            pulse.first_end = cycle
        if self.keeps:
            self.pulses.append(pulse)
        if self.recorder is not None:
            self._record(pulse)

    def _given_ua(self, channel: int, code: int) -> float:
        gain, stuck_ua = self.broken.get(channel, (1.0, None))
        return code * DAC_STEP_NA / 1_000 * gain if stuck_ua is None else stuck_ua

    def _lasted_us(self, from_cycle: int, to_cycle: int) -> int:
        return self.lasts_us(_us(to_cycle - from_cycle))

    def _record(self, pulse: Edges) -> None:
        from firmware_sim.analog.recorder import Flow, FlowKind, PulseShape

        assert self.recorder is not None
        pair = self.loads.pairs[pulse.channel]
        electrodes = self._electrodes.setdefault(pulse.channel, Electrodes())
        begun_us, width_us = self.at_us(_us(pulse.begun)), self._lasted_us(pulse.begun, pulse.first_end)
        gap_us = self._lasted_us(pulse.first_end, pulse.second_begun) if pulse.second_begun else 0
        second_us = self._lasted_us(pulse.second_begun, pulse.second_end)
        volt = electrodes.rested(pair, begun_us)
        first = pair.drive(self._given_ua(pulse.channel, pulse.first_code), width_us, volt, RAIL_VOLT)
        volt = pair.rested(first.cap_volt, gap_us)
        second = pair.drive(-self._given_ua(pulse.channel, pulse.second_code), second_us, volt, RAIL_VOLT)
        shape = PulseShape(
            round(first.mean_ua * 1_000),
            width_us,
            gap_us,
            round(-second.mean_ua * 1_000) if second_us else 0,
            second_us,
        )
        electrodes.leave(second.cap_volt if second_us else first.cap_volt, begun_us + shape.span_us)
        curves = first.curve, second.curve if second_us else None
        self.recorder.add(pulse.channel, Flow(begun_us, shape.span_us, 1, shape, FlowKind.TRAIN, curves))
        if pulse.cut and (discharge := electrodes.empty(pair)) is not None:
            self.recorder.add(pulse.channel, discharge)


def _us(cycles: int) -> int:
    return (cycles + CYCLES_A_US // 2) // CYCLES_A_US
