"""Watches a channel's readings and decides when they must end the output.

Over-current is judged on each phase alone, in mid-pulse. Net charge is judged a pulse and as a mean over a
second or more. An impedance has to be out of range for three pulses in a row: needles move.
"""

from typing import NamedTuple

from firmware_sim.analog.converter import NET_CHARGE_FLOOR_PC
from firmware_sim.native.gate import (
    LEAD_OFF_OHM,
    MEAN_DC_UA,
    OVER_CURRENT_MARGIN_UA,
    OVER_CURRENT_UA,
    SHORT_OHM,
    TRIP_PULSES,
)
from stimctl.wire.codes import SATURATED_OHM, ChannelFlag, EndReason

OVER_CURRENT_CUT_US = 20  # from the start of a phase to the cut: a comparator and a switch [choice]; 1 ms is allowed
DC_WINDOW_US = 1_000_000  # [choice]
# Looking up an enum's member costs 0.2 us, at each pulse.
_COMPLIANCE, _LEAD_OFF, _SHORT = int(ChannelFlag.COMPLIANCE), int(ChannelFlag.LEAD_OFF), int(ChannelFlag.SHORT)


class TripVerdict(NamedTuple):
    """Why to stop, and the figure that says so."""

    reason: EndReason
    value: int
    channel: int = 0  # 0: the one that was judged


class Reading(NamedTuple):
    """The readings of one pulse."""

    first_na: int
    second_na: int
    net_fc: int
    ohm: int
    clipped: bool


def over_current_ua(applied_ua: int) -> int:
    """The reading in uA above which a phase commanded at `applied_ua` is cut."""
    tenth_ua = applied_ua // 10
    above_ua = applied_ua + (tenth_ua if tenth_ua > OVER_CURRENT_MARGIN_UA else OVER_CURRENT_MARGIN_UA)
    return above_ua if above_ua < OVER_CURRENT_UA else OVER_CURRENT_UA


class Monitor:
    """Follows one channel, pulse by pulse where anything is out of the ordinary."""

    __slots__ = ("_astray", "_net_fc", "_shorted", "_since_us", "flags")

    def __init__(self) -> None:
        self.flags = 0
        self.settle()

    def settle(self) -> None:
        """Forget what was counted: quiet pulses went by, or outputs were off."""
        self._astray = 0
        self._shorted = 0
        self._net_fc = 0
        self._since_us = -1

    def judge(self, reading: Reading, charge_pc: int, at_us: int) -> TripVerdict | None:
        """Take in one pulse that ran to its end; `charge_pc` is one phase as commanded."""
        _, _, net_fc, ohm, clipped = reading
        lead_off = ohm > LEAD_OFF_OHM
        short = 0 < ohm < SHORT_OHM
        self._astray = self._astray + 1 if lead_off or clipped else 0
        self._shorted = self._shorted + 1 if short else 0
        self.flags = _COMPLIANCE * clipped | _LEAD_OFF * lead_off | _SHORT * short
        if verdict := self._judge_net(net_fc, clipped, charge_pc, at_us):
            self.flags |= ChannelFlag.NET_CHARGE
            return verdict
        if self._shorted >= TRIP_PULSES:
            return TripVerdict(EndReason.SHORT, ohm)
        if self._astray >= TRIP_PULSES:
            return TripVerdict(EndReason.LEAD_OFF if lead_off else EndReason.COMPLIANCE, min(ohm, SATURATED_OHM))
        return None

    def _judge_net(self, net_fc: int, clipped: bool, charge_pc: int, at_us: int) -> TripVerdict | None:
        net_pc = abs(net_fc) // 1_000
        # On the rail the phases differ because the load does: that pulse is left to the count of three and the mean.
        if net_pc > NET_CHARGE_FLOOR_PC and net_pc > charge_pc // 100 and not clipped:
            return TripVerdict(EndReason.NET_CHARGE, net_pc)
        if self._since_us < 0:
            self._since_us, self._net_fc = at_us, 0
        elif (window_us := at_us - self._since_us) >= DC_WINDOW_US:
            mean_pc = abs(self._net_fc) // 1_000
            self._since_us, self._net_fc = at_us, 0
            if mean_pc > MEAN_DC_UA * window_us:
                return TripVerdict(EndReason.NET_CHARGE, mean_pc)
        self._net_fc += net_fc
        return None
