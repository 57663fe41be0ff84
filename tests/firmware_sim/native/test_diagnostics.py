"""The impedance check and the self-test, with good parts and with bad ones."""

from dataclasses import replace

import pytest

from firmware_sim.analog.converter import Dac
from firmware_sim.analog.load import load_named
from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.native.diagnostics import ImpedanceResult
from firmware_sim.native.output_stage import OutputStage
from stimctl.wire.codes import SATURATED_OHM, EndReason, SelfTestFailure


def stage_on(load: str, seed: int = 1, recorder: Recorder | None = None) -> OutputStage:
    stage = OutputStage(load_named(load), seed=seed, recorder=recorder)
    stage.gate = lambda *_: True
    return stage


def checked(stage: OutputStage, channel: int, pulses: int, began_us: int) -> ImpedanceResult:
    """A check of so many pulses, one after the other, up to one that trips."""
    result = stage.check_impedance(channel, 0, began_us)
    for number in range(1, pulses):
        if result.trip is not None:
            break
        result = stage.check_impedance(channel, number, began_us + number * 10_000)
    return result


class Stuck(Dac):
    """Gives one current whatever it is told."""

    def __init__(self, current_na: int) -> None:
        self._stuck_na = current_na

    def current_na(self, amplitude_ua: int) -> int:
        return self._stuck_na if amplitude_ua >= 0 else -self._stuck_na


# Nominal: 600 ohm, and 200 us on 1.25 uF add 160 ohm at the phase's end [calc].
@pytest.mark.parametrize(
    ("load", "ohm"),
    [("r100", 100), ("r500", 500), ("r1k", 1_000), ("r2k", 2_000), ("r10k", 10_000), ("dry", 3_160), ("nominal", 760)],
)
def test_check_reads_the_load_and_counts_its_pulses(load: str, ohm: int) -> None:
    for seed in range(30):
        recorder = Recorder()
        stage = stage_on(load, seed, recorder)
        result = checked(stage, 2, 10, 5_000)
        assert result.ohm == pytest.approx(ohm, rel=0.06, abs=12)
        assert (result.pulses, result.amplitude_ua, result.charge_pc) == (10, 100, 200_000)
        assert abs(result.measured_ua - 100) <= 11
        assert result.trip is None
        assert recorder.pulses(2, FlowKind.CHECK) == 10
        assert recorder.pulses(2) == 0
        assert recorder.charge_pc(2, FlowKind.CHECK) == 200_000
        assert set(stage.totals(2)) == {0}


def test_an_open_or_shorted_load_is_a_figure_and_no_trip() -> None:
    for seed in range(30):
        assert checked(stage_on("open", seed), 1, 10, 0)[0] == SATURATED_OHM
        short = checked(stage_on("short", seed), 1, 10, 0)
        assert 0 < short.ohm < 50
        assert short.trip is None


def test_a_check_that_is_stopped_has_sent_only_what_was_due() -> None:
    recorder = Recorder()
    stage = stage_on("r500", 1, recorder)
    assert checked(stage, 1, 4, 0).charge_pc == 80_000
    assert recorder.end_us() == 30_400
    assert checked(stage, 1, 2, 50_000).pulses == 2, "each check counts its own"


def test_the_check_passes_the_gate_and_trips_on_over_current() -> None:
    stage = stage_on("r500")
    asked: list[tuple[int, ...]] = []

    def gate(*pulse: int) -> bool:
        asked.append(pulse)
        return True

    stage.gate = gate
    checked(stage, 3, 2, 0)
    assert asked == [(3, -1, 100, 100, 0), (3, -1, 100, 100, 100)]
    stage.gate = lambda *_: False
    denied = checked(stage, 3, 10, 0)
    assert (denied.trip, denied.value) == (EndReason.GATE, 100)
    stage.gate = lambda *_: True
    stage.refit(3, dac=Stuck(1_000_000))
    tripped = checked(stage, 3, 10, 100_000)
    assert (tripped.trip, tripped.pulses, tripped.channel) == (EndReason.OVER_CURRENT, 1, 0)
    assert tripped.value == pytest.approx(1_000, abs=25), "what was read when it was cut"


def test_a_check_that_trips_on_net_charge_gives_the_pulses_charge() -> None:
    stage = stage_on("earthed")
    tripped = checked(stage, 1, 10, 0)
    assert tripped.trip is EndReason.NET_CHARGE
    assert tripped.value == pytest.approx(4_000, rel=0.5), "a part of 20 000 pC"


def test_a_check_whose_current_flows_on_another_channel_names_that_one() -> None:
    stage = stage_on("joined2")
    stage.refit(1, dac=Stuck(190_000))
    tripped = checked(stage, 1, 10, 0)
    assert (tripped.trip, tripped.channel) == (EndReason.OVER_CURRENT, 2)


def test_every_device_passes_its_self_test_on_any_load() -> None:
    for seed in range(200):
        failures, zero_ua = stage_on("short" if seed % 2 else "open", seed).self_test()
        assert failures == 0
        assert 0 < zero_ua < 20


def test_the_self_test_drives_nothing_into_the_load() -> None:
    recorder = Recorder()
    stage_on("r500", 1, recorder).self_test()
    assert recorder.channels == ()


def test_the_self_test_does_not_see_a_pulse_that_is_on_its_way_in_the_load() -> None:
    stage = stage_on("r500")
    stage.check_impedance(1, 0, 0)
    assert stage.zero_ua(100) == pytest.approx(100, abs=12)
    assert stage.self_test()[0] == 0


def test_the_self_test_names_the_part_that_is_bad() -> None:
    stage = stage_on("nominal")
    good = stage.readback(4)
    stage.refit(4, dac=Stuck(2_500_000))
    assert stage.self_test()[0] == SelfTestFailure.DAC
    stage.refit(4, dac=Dac(), readback=replace(good, gain_ppm=-300_000))
    assert stage.self_test()[0] == SelfTestFailure.READBACK
    stage.refit(4, readback=good, rail_volt=9.0)
    assert stage.self_test()[0] == SelfTestFailure.COMPLIANCE_RAIL
    stage.refit(4, readback=replace(good, offset_na=25_000), rail_volt=12.0)
    assert stage.self_test()[0] == SelfTestFailure.ZERO | SelfTestFailure.READBACK
