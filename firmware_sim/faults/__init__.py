"""Faults as data, and a simulated device that has them.

    faults = [Fault("line.loss", at_us=5_000_000, options={"permille": 200})]
    device = FaultyDevice(faults, seed=1, load="nominal")

`CATALOGUE` lists the kinds; `fault_from` reads one from a TOML table, `as_mapping` writes one.
"""

from firmware_sim.faults.catalogue import CATALOGUE
from firmware_sim.faults.faulty_device import FaultyDevice
from firmware_sim.faults.model import Fault, FaultKind, NumberOption, WordOption
from firmware_sim.faults.reader import FaultSetup, as_mapping, fault_from, faults_from, read_setting

__all__ = [
    "CATALOGUE",
    "Fault",
    "FaultKind",
    "FaultSetup",
    "FaultyDevice",
    "NumberOption",
    "WordOption",
    "as_mapping",
    "fault_from",
    "faults_from",
    "read_setting",
]
