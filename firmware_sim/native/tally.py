"""Counts a channel's pulses, charge and energy in a session: exact inside, in the wire's units outside."""

from typing import NamedTuple

from firmware_sim.native.flash import Totals

_U16 = 0xFFFF


def whole_ua(read_na: int) -> int:
    """A reading in whole uA, inside what the wire can carry."""
    read_ua = (read_na + 500) // 1_000
    return read_ua if 0 <= read_ua <= _U16 else min(max(0, read_ua), _U16)


class ChannelTally:
    """The sums of a channel in a session, delivered and measured, in units that are exact."""

    __slots__ = ("charge_pc", "energy_pj", "highest_na", "hits", "net_fc", "pulses", "read_fc")

    def __init__(self) -> None:
        self.pulses = [0, 0]
        self.charge_pc = [0, 0]
        self.read_fc = [0, 0]
        self.net_fc = 0
        self.highest_na = 0
        self.hits = 0
        self.energy_pj = 0.0

    def totals(self) -> Totals:
        """The same in the units of the wire."""
        return Totals(
            pulses_0=self.pulses[0],
            pulses_1=self.pulses[1],
            charge_0_pc=self.charge_pc[0],
            charge_1_pc=self.charge_pc[1],
            measured_0_pc=max(0, (self.read_fc[0] + 500) // 1_000),
            measured_1_pc=max(0, (self.read_fc[1] + 500) // 1_000),
            net_charge_pc=(self.net_fc + 500) // 1_000,
            max_amplitude_ua=whole_ua(self.highest_na),
            compliance_hits=self.hits,
            energy_nj=max(0, round(self.energy_pj / 1_000)),
        )


class Readout(NamedTuple):
    """A channel now, in the order of the wire's Channel message."""

    flags: int
    target_ua: int
    applied_ua: int
    measured_ua: int
    ohm: int
    pulses_0: int
    pulses_1: int
    charge_0_pc: int
    charge_1_pc: int
    net_charge_pc: int
