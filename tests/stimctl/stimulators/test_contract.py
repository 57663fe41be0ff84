"""Every stimulator keeps the same promises: see `contract`."""

from firmware_sim.factory import Which
from stimctl.stimulators.discovery import Choice
from tests.stimctl.stimulators.contract import StimulatorContract


class TestNative(StimulatorContract):
    which = Which("native")
    choice = Choice("native")


class TestStimJimA(StimulatorContract):
    which = Which("stimjim", dialect="a")
    choice = Choice("stimjim", dialect="a")
    check_pulses = 10


class TestStimJimB(StimulatorContract):
    which = Which("stimjim", dialect="b")
    choice = Choice("stimjim", dialect="b")


class TestStimJimC(StimulatorContract):
    which = Which("stimjim", dialect="c")
    choice = Choice("stimjim", dialect="c")
    check_pulses = 10


class TestPulsePal21(StimulatorContract):
    told = False
    which = Which("pulsepal", firmware="21")
    choice = Choice("pulsepal", isolator="1")


class TestPulsePal22(StimulatorContract):
    told = False
    which = Which("pulsepal", firmware="22")
    choice = Choice("pulsepal", isolator="1")
