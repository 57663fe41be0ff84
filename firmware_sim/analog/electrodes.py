"""The charge that a channel's electrode interfaces keep between pulses.

It decays at rest, and is emptied on purpose after a pulse was cut.
"""

from math import e, exp, log

from firmware_sim.analog.needle_pair import NeedlePair
from firmware_sim.analog.recorder import Flow, FlowKind, PulseShape

# Joins the electrodes of a channel whose pulse was cut: 1.2 uC on 1.25 uF drive 0.6 mA at first, for 2 ms [choice].
DISCHARGE_OHM = 1_000
DISCHARGED_NA = 0.5  # below it a discharge is over: a record has whole nA


class Electrodes:
    """One channel's: `volt` is what the last pulse left at device time `at_us`."""

    def __init__(self) -> None:
        self.volt = 0.0
        self.at_us = 0
        self._discharge: Flow | None = None

    def leave(self, volt: float, at_us: int) -> None:
        """Take over the voltage that a pulse left."""
        self.volt, self.at_us, self._discharge = volt, at_us, None

    def empty(self, pair: NeedlePair) -> Flow | None:
        """From now on they are joined through a resistor: the current that flows, if any does."""
        curve = pair.discharge(self.volt, DISCHARGE_OHM)
        if curve is None:
            return None
        for_us = round(curve.tau_us * log(max(e, abs(curve.from_ua) * 1_000 / DISCHARGED_NA)))
        mean_na = round(curve.from_ua * 1_000 * curve.tau_us * (1 - exp(-for_us / curve.tau_us)) / for_us)
        shape = PulseShape(0, 0, 0, -mean_na, for_us)
        self._discharge = Flow(self.at_us, for_us, 1, shape, FlowKind.DISCHARGE, (None, curve))
        return self._discharge

    def rested(self, pair: NeedlePair, now_us: int) -> float:
        """Their voltage at device time `now_us`, when no pulse has flowed since the last one."""
        if self._discharge is not None and (curve := self._discharge.curves[1]) is not None:
            return self.volt * exp((self.at_us - now_us) / curve.tau_us)
        return pair.rested(self.volt, now_us - self.at_us)

    def flowing_na(self, now_us: int) -> int:
        """The current by which they are being emptied, signed; 0 while they only rest."""
        return 0 if self._discharge is None else self._discharge.at(now_us - self.at_us)
