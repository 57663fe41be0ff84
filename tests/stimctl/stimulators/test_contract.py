"""Every stimulator keeps the same promises: see `contract`."""

from firmware_sim.factory import DeviceSpec
from stimctl.stimulators.discovery import DeviceChoice
from tests.stimctl.stimulators.contract import StimulatorContract


class TestNative(StimulatorContract):
    which = DeviceSpec("native")
    choice = DeviceChoice("native")


class TestStimJimA(StimulatorContract):
    which = DeviceSpec("stimjim", dialect="a")
    choice = DeviceChoice("stimjim", dialect="a")
    check_pulses = 10


class TestStimJimB(StimulatorContract):
    which = DeviceSpec("stimjim", dialect="b")
    choice = DeviceChoice("stimjim", dialect="b")


class TestStimJimC(StimulatorContract):
    which = DeviceSpec("stimjim", dialect="c")
    choice = DeviceChoice("stimjim", dialect="c")
    check_pulses = 10


class TestPulsePal21(StimulatorContract):
    told = False
    which = DeviceSpec("pulsepal", firmware="21")
    choice = DeviceChoice("pulsepal", isolator="1")


class TestPulsePal22(StimulatorContract):
    told = False
    which = DeviceSpec("pulsepal", firmware="22")
    choice = DeviceChoice("pulsepal", isolator="1")
