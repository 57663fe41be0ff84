"""Samples and integrals of what flowed, against the counters and against each other."""

from pathlib import Path

import numpy as np
import pytest

from firmware_sim.load import load_named
from firmware_sim.output import OutputStage
from firmware_sim.program import OutputProgram, OutputSegment
from firmware_sim.record import Flow, Kind, Recorder, Shape, integrate, open_recorder

S = 1_000_000
DENSE = OutputProgram((OutputSegment(500_000, 600, 50, 600, 3 * S), OutputSegment(10_000, 200, 0, 400, 3 * S)),
                      0b11, 200, 2 * S)  # fmt: skip
SHAPE = Shape(1_000, 200, 100, 500, 400)


def recorded(recorder: Recorder, seconds: int = 20) -> OutputStage:
    stage = OutputStage(load_named("nominal"), seed=5, recorder=recorder)
    stage.gate = lambda *_: True
    stage.begin(DENSE, {1: 700, 2: 501}, 0, seconds * S, 1_234_560)
    assert stage.run(seconds * S) is None
    stage.disable(0)
    return stage


@pytest.mark.parametrize(("rate_hz", "chunk"), [(1_000_000, 1 << 20), (100_000, 777), (100_000, 1 << 20)])
def test_samples_integrate_to_what_was_recorded_and_counted(tmp_path: Path, rate_hz: int, chunk: int) -> None:
    recorder = Recorder()
    stage = recorded(recorder)
    for channel in (1, 2):
        path = tmp_path / f"{channel}.npy"
        recorder.write_samples(path, channel, rate_hz)
        whole = integrate(path, rate_hz, chunk=chunk)
        totals = stage.totals(channel)
        assert whole.pulses == recorder.pulses(channel) == totals.pulses_0 + totals.pulses_1
        assert whole.first_fc == recorder.charge_fc(channel)
        assert whole.first_fc - whole.second_fc == recorder.net_fc(channel)
        # What flowed differs from what was commanded by the converter's rounding alone: half a step a pulse.
        commanded_fc = (totals.charge_0_pc + totals.charge_1_pc) * 1_000
        assert abs(whole.first_fc - commanded_fc) <= totals.pulses_0 * 625 * 600 + totals.pulses_1 * 625 * 200


def test_samples_come_the_same_in_any_chunks() -> None:
    recorder = Recorder()
    recorded(recorder, 8)
    whole = np.concatenate([part.copy() for part in recorder.samples(1, 100_000)])
    pieces = [part.copy() for part in recorder.samples(1, 100_000, chunk=1_009)]
    assert max(len(piece) for piece in pieces) == 1_009
    assert np.array_equal(np.concatenate(pieces), whole)
    assert whole.max() > 0 > whole.min()


def test_a_pulse_lies_where_its_times_say() -> None:
    recorder = Recorder()
    recorder.add(1, Flow(1_000, 10_000, 2, SHAPE, Kind.TRAIN))
    samples = np.concatenate([part.copy() for part in recorder.samples(1, 1_000_000)])
    assert len(samples) == 11_700
    assert (np.flatnonzero(samples == 1_000) == [*range(1_000, 1_200), *range(11_000, 11_200)]).all()
    assert (np.flatnonzero(samples == -500) == [*range(1_300, 1_700), *range(11_300, 11_700)]).all()


def test_like_pulses_are_kept_as_one_flow_and_kinds_apart() -> None:
    recorder = Recorder()
    recorder.add(1, Flow(0, 5, 1, SHAPE, Kind.TRAIN))
    recorder.add(1, Flow(10_000, 10_000, 1, SHAPE, Kind.TRAIN))
    recorder.add(1, Flow(20_000, 10_000, 300, SHAPE, Kind.TRAIN))
    assert recorder.flows(1) == [Flow(0, 10_000, 302, SHAPE, Kind.TRAIN)]
    recorder.add(1, Flow(3_020_000, 10_000, 1, SHAPE, Kind.CHECK))
    recorder.add(1, Flow(3_030_000, 10_000, 1, SHAPE._replace(first_na=9), Kind.TRAIN))
    recorder.add(1, Flow(3_050_000, 10_000, 1, SHAPE._replace(first_na=9), Kind.TRAIN))
    assert (recorder.pulses(1), recorder.pulses(1, Kind.CHECK), len(recorder.flows(1))) == (304, 1, 3)
    assert recorder.charge_pc(1, Kind.CHECK) == 200
    assert recorder.end_us() == 3_050_700


def test_a_ramped_half_hour_is_kept_in_little_memory() -> None:
    recorder = Recorder()
    recorded(recorder, 1_800)
    assert recorder.pulses(1) == 91_800
    assert len(recorder.flows(1)) < 2_000


def test_close_writes_a_file_for_each_channel_that_had_pulses(tmp_path: Path) -> None:
    recorder = open_recorder(tmp_path / "load.npy", rate_hz=100_000)
    recorded(recorder, 2)
    files = recorder.close()
    assert [path.name for path in files] == ["load.ch1.npy", "load.ch2.npy"]
    samples = np.load(files[0])
    assert samples.dtype == np.int32
    assert np.count_nonzero(samples[:123_456]) == 0  # the run began at 1.23456 s of device time
    assert Recorder().close() == ()


def test_reading_in_mid_run_sees_every_pulse_so_far() -> None:
    recorder = Recorder()
    stage = OutputStage(load_named("nominal"), seed=5, recorder=recorder)
    stage.gate = lambda *_: True
    stage.begin(OutputProgram((OutputSegment(10_000, 200, 0, 200, 0),), 1, 200, 0), {1: 500}, 0, 60 * S, 0)
    stage.run(30 * S)
    assert recorder.pulses(1) == 3_000 == stage.readout(1).pulses_0
    stage.run(40 * S)
    assert recorder.end_us() == 39_990_400


def test_shapes_are_cut_and_shared() -> None:
    assert SHAPE.cut(20) == Shape(1_000, 20, 0, 0, 0)
    assert SHAPE.part(200) == Shape(200, 200, 100, 100, 400)
    assert SHAPE.net_fc == 0
    assert [SHAPE.at(us) for us in (-1, 0, 199, 200, 299, 300, 699, 700)] == [0, 1_000, 1_000, 0, 0, -500, -500, 0]
