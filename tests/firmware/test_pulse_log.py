"""What is recorded of the pins' edges."""

from firmware_sim.analog.load import load_named
from firmware_sim.analog.recorder import Recorder
from firmware_sim.chip.emulator import CYCLES_A_US, DAC_A, DAC_B, ENABLE, FORWARD, REVERSE, SELECT, Change
from firmware_sim.chip.load_link import LoadLink
from firmware_sim.chip.pulse_log import DAC_STEP_NA, PulseLog
from firmware_sim.faults.clock import WarpedClock

CODE = 1_600
PULSE = ((0, CODE, DAC_A), (0, CODE, DAC_B), (0, 1, ENABLE), (0, 1, SELECT), (1_000, 1, FORWARD), (1_200, 0, FORWARD),
         (1_240, 1, REVERSE), (1_440, 0, REVERSE))  # fmt: skip


def test_by_a_clock_that_is_slow_pulses_last_longer() -> None:
    for rate, lasts in ((1_000_000, 1.0), (800_000, 1.25)):
        clock, recorder = WarpedClock(0, rate), Recorder()
        loads = LoadLink(load_named("r1k", 1), lambda *_: None)
        loads.look(0)
        log = PulseLog(loads, recorder, at_us=clock.was, lasts_us=clock.stretched)
        log.take([Change(at_us * CYCLES_A_US, value, kind) for at_us, value, kind in PULSE])
        assert recorder.pulses(1) == 1
        assert recorder.charge_fc(1) == round(CODE * DAC_STEP_NA * 200 * lasts)
        assert recorder.net_fc(1) == 0
        assert recorder.end_us() == 1_440 * lasts
