"""One output: a run of like pulses is what single ones are, and the rail bites as it does for the native device."""

from itertools import repeat
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.analog.analog_output import AnalogOutput, Stage, fire, shapes_of
from firmware_sim.analog.converter import Noise, Readback, made_readback
from firmware_sim.analog.load import NOMINAL, OPEN, ScriptedLoad, load_named, steady
from firmware_sim.analog.recorder import Flow, FlowKind, PulseShape, Recorder

PULSE = (Stage(1_000_000, 600), Stage(-1_000_000, 600))


def made(load: str = "nominal", rail_volt: float = 13.7) -> tuple[AnalogOutput, Recorder]:
    record, rng = Recorder(), Random(7)
    readback = made_readback(rng, Noise(rng))
    return AnalogOutput(1, load_named(load, 3), record, readback, rail_volt=rail_volt), record


@pytest.mark.parametrize("load", ["nominal", "dry", "drift", "intermittent", "open", "short", "r1k", "r10k", "randles"])
@pytest.mark.parametrize("period_us", [10_000, 500_000])
def test_a_run_is_what_its_pulses_are(load: str, period_us: int) -> None:
    one, singles = made(load)
    other, run = made(load)
    sums = [(0, 0)] * 2
    for number in range(200):
        read = one.pulses(5_000_000 + number * period_us, period_us, 1, PULSE)
        sums = [(na + each.na, uv + each.uv) for (na, uv), each in zip(sums, read, strict=True)]
    together = other.pulses(5_000_000, period_us, 200, PULSE)
    for (na, _), each in zip(sums, together, strict=True):
        assert abs(na - each.na) <= 200
    assert run.pulses(1) == singles.pulses(1) == 200
    assert abs(run.charge_fc(1) - singles.charge_fc(1)) <= 200 * 600
    assert run.end_us() == singles.end_us()


@pytest.mark.parametrize(
    ("rail_volt", "stages"), [(0.55, PULSE), (0.7, PULSE), (1.0, PULSE), (0.7, PULSE[:1]), (2.0, PULSE[:1])]
)
def test_on_the_rail_too(rail_volt: float, stages: tuple[Stage, ...]) -> None:
    """Pulses that clip, and pulses of one phase that come to clip only after a while."""
    one, singles = made(rail_volt=rail_volt)
    other, run = made(rail_volt=rail_volt)
    for number in range(300):
        one.pulses(number * 10_000, 10_000, 1, stages)
    other.pulses(0, 10_000, 300, stages)
    assert abs(run.charge_fc(1) - singles.charge_fc(1)) <= 300 * 600 * 5
    assert run.charge_fc(1) < 300 * 600 * 1_000_000


def test_an_open_output_goes_to_its_rail() -> None:
    analog_output, record = made("open")
    na, uv = analog_output.pulses(0, 10_000, 100, PULSE)[0]
    assert abs(uv / 100 - 13_700_000) < 200_000
    assert abs(na / 100) < 8_000
    assert record.charge_pc(1) < 100 * 600 * 2


def test_readings_are_of_the_end_of_a_stage() -> None:
    """On the rail the current falls while the interfaces charge."""
    fired = fire(NOMINAL, (Stage(3_000_000, 20_000),), 0.0, 5.0)
    assert fired.clipped
    assert 0 < fired.end_na[0] < fired.mean_na[0] < 3_000_000


def test_a_load_that_changes_in_a_run() -> None:
    record = Recorder()
    load = ScriptedLoad(steady(NOMINAL), [(505_000, steady(OPEN))])
    analog_output = AnalogOutput(1, load, record, Readback(Noise(Random(1))), rail_volt=13.7)
    analog_output.pulses(0, 10_000, 100, PULSE)
    assert record.flows(1)[0] == Flow(0, 10_000, 51, PulseShape(1_000_000, 600, 0, 1_000_000, 600), FlowKind.TRAIN)
    assert record.pulses(1) == 100


def test_a_bridge_leaks_to_the_neighbour() -> None:
    analog_output, record = made("bridged")
    analog_output.pulses(0, 10_000, 100, PULSE)
    assert record.pulses(2, FlowKind.LEAK) == 100
    assert record.charge_fc(2, FlowKind.LEAK) == record.charge_fc(1) // 5


@pytest.mark.parametrize("volt", [1.0, -1.0])
def test_a_voltage_source_drives_what_the_load_lets_through(volt: float) -> None:
    analog_output, record = made("r1k")
    na, uv = analog_output.pulses(0, 10_000, 1, [Stage(0, 200, volt)])[0]
    assert record.flows(1)[0].shape.first_na == volt * 1_000_000
    assert abs(na - volt * 1e6) < 20_000
    assert abs(uv - volt * 1e6) < 20_000


def test_a_level_flows_while_it_is_held() -> None:
    analog_output, record = made("r1k")
    analog_output.hold(Stage(500_000, 0), 1_000)
    assert abs(analog_output.read_na(2_000) - 500_000) < 10_000
    assert analog_output.read_na(2_000) != analog_output.read_na(2_000), "no two readings have the same noise"
    assert abs(analog_output.read_volt(2_000) - 0.5) < 0.01
    analog_output.settle(3_000)
    analog_output.hold(Stage(-500_000, 0), 6_000)
    analog_output.hold(None, 7_000)
    assert [flow.shape[:2] for flow in record.flows(1, FlowKind.HELD)] == [
        (500_000, 2_000), (500_000, 3_000), (-500_000, 1_000)
    ]  # fmt: skip
    assert analog_output.read_volt(8_000) == 0.0


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 300)), max_size=12))
def test_shapes_hold_all_that_flows(levels: list[tuple[int, int]]) -> None:
    wanted = [na for na, us in levels for na in repeat(na, us)]
    painted = [0] * len(wanted)
    for offset_us, shape, *_ in shapes_of(levels):
        flow = Flow(0, 1, 1, shape, FlowKind.TRAIN)
        for into_us in range(shape.span_us):
            if flowing := flow.at(into_us):
                assert painted[offset_us + into_us] == 0
                painted[offset_us + into_us] = flowing
    assert painted == wanted
