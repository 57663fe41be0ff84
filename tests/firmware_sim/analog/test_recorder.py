"""Samples and integrals of what flowed, against the counters and against each other."""

from collections.abc import Iterator
from math import exp
from pathlib import Path

import numpy as np
import pytest

from firmware_sim.analog.load import load_named
from firmware_sim.analog.needle_pair import Curve
from firmware_sim.analog.record_file import (
    FORMAT,
    LoadRecordFile,
    NotALoadRecord,
    Samples,
    integral,
    integrate,
    open_recorder,
    write_record,
)
from firmware_sim.analog.recorder import Flow, FlowKind, PulseShape, Recorder
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.program import OutputProgram, OutputSegment

S = 1_000_000
DENSE = OutputProgram((OutputSegment(500_000, 600, 50, 600, 3 * S), OutputSegment(10_000, 200, 0, 400, 3 * S)),
                      0b11, 200, 2 * S)  # fmt: skip
SHAPE = PulseShape(1_000, 200, 100, 500, 400)


def recorded(recorder: Recorder, seconds: int = 20) -> OutputStage:
    stage = OutputStage(load_named("nominal"), seed=5, recorder=recorder)
    stage.gate = lambda *_: True
    stage.begin(DENSE, {1: 700, 2: 501}, 0, seconds * S, 1_234_560)
    assert stage.run(seconds * S) is None
    stage.disable(0)
    return stage


def numbered(recorder: Recorder, channel: int, rate_hz: int, chunk: int) -> Iterator[tuple[int, Samples]]:
    for number, part in enumerate(recorder.samples(channel, rate_hz, chunk=chunk)):
        yield number * chunk, part


@pytest.mark.parametrize(("rate_hz", "chunk"), [(1_000_000, 1 << 20), (100_000, 777), (100_000, 1 << 20)])
def test_samples_integrate_to_what_was_recorded_and_counted(rate_hz: int, chunk: int) -> None:
    recorder = Recorder()
    stage = recorded(recorder)
    for channel in (1, 2):
        whole = integral(numbered(recorder, channel, rate_hz, chunk), rate_hz)
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
    recorder.add(1, Flow(1_000, 10_000, 2, SHAPE, FlowKind.TRAIN))
    samples = np.concatenate([part.copy() for part in recorder.samples(1, 1_000_000)])
    assert len(samples) == 11_700
    assert (np.flatnonzero(samples == 1_000) == [*range(1_000, 1_200), *range(11_000, 11_200)]).all()
    assert (np.flatnonzero(samples == -500) == [*range(1_300, 1_700), *range(11_300, 11_700)]).all()


def test_like_pulses_are_kept_as_one_flow_and_kinds_apart() -> None:
    recorder = Recorder()
    recorder.add(1, Flow(0, 5, 1, SHAPE, FlowKind.TRAIN))
    recorder.add(1, Flow(10_000, 10_000, 1, SHAPE, FlowKind.TRAIN))
    recorder.add(1, Flow(20_000, 10_000, 300, SHAPE, FlowKind.TRAIN))
    assert recorder.flows(1) == [Flow(0, 10_000, 302, SHAPE, FlowKind.TRAIN)]
    recorder.add(1, Flow(3_020_000, 10_000, 1, SHAPE, FlowKind.CHECK))
    recorder.add(1, Flow(3_030_000, 10_000, 1, SHAPE._replace(first_na=9), FlowKind.TRAIN))
    recorder.add(1, Flow(3_050_000, 10_000, 1, SHAPE._replace(first_na=9), FlowKind.TRAIN))
    assert (recorder.pulses(1), recorder.pulses(1, FlowKind.CHECK), len(recorder.flows(1))) == (304, 1, 3)
    assert recorder.charge_pc(1, FlowKind.CHECK) == 200
    assert recorder.end_us() == 3_050_700


def test_a_ramped_half_hour_is_kept_in_little_memory() -> None:
    recorder = Recorder()
    recorded(recorder, 1_800)
    assert recorder.pulses(1) == 91_800
    assert len(recorder.flows(1)) < 2_000


def test_close_writes_the_file_that_was_named_and_it_says_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "load"
    recorder = open_recorder(path, rate_hz=50_000)
    recorded(recorder, 22)
    assert recorder.close() == path
    assert [each.name for each in tmp_path.iterdir()] == ["load"]
    with np.load(path) as archive:
        assert (str(archive["format"]), str(archive["unit"]), int(archive["rate_hz"])) == (FORMAT, "nA", 50_000)
        assert archive["ch1_00000"].dtype == np.int32
    with LoadRecordFile(path) as record:
        assert (record.channels, record.complete) == ((1, 2), True)
        kept = np.concatenate([samples for _, samples in record.pieces(1)])
        # In 50 kHz, too, each edge of these pulses falls on a sample.
        assert np.array_equal(kept, np.concatenate([part.copy() for part in recorder.samples(1, 50_000)]))
        assert np.count_nonzero(kept[: 1_234_560 // 20]) == 0  # the run began at 1.23456 s of device time
        assert record.end_us(1) == recorder.end_us(1)
    assert integrate(path, 2).first_fc == recorder.charge_fc(2)
    assert Recorder().close() is None


def test_a_record_costs_little_disk_and_none_while_nothing_flows(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.add(1, Flow(0, 10_000, 6_000, SHAPE, FlowKind.TRAIN))
    write_record(recorder, tmp_path / "minute")
    assert (tmp_path / "minute").stat().st_size < 100_000, "24 MB of samples"
    recorder.add(1, Flow(86_400 * S, 10_000, 100, SHAPE, FlowKind.TRAIN))
    write_record(recorder, tmp_path / "day", rate_hz=1_000)
    with LoadRecordFile(tmp_path / "day") as record:
        assert [first // record.rate_hz for first, _ in record.pieces(1)] == [0, 10, 20, 30, 40, 50, 86_400]


def test_a_record_that_is_full_says_so(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.add(1, Flow(0, 10_000, 60_000, SHAPE, FlowKind.TRAIN))
    write_record(recorder, tmp_path / "full", most_bytes=20_000)
    assert (tmp_path / "full").stat().st_size < 40_000
    with LoadRecordFile(tmp_path / "full") as record:
        assert not record.complete
        assert 0 < integrate(tmp_path / "full").pulses < 60_000


@pytest.mark.parametrize("data", [b"", b"{}", b"PK\x03\x04"])
def test_what_is_no_record_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "other").write_bytes(data)
    with pytest.raises(NotALoadRecord, match="other is no record"):
        LoadRecordFile(tmp_path / "other")


def test_a_current_that_falls_is_sampled_as_it_falls() -> None:
    recorder, shape = Recorder(), PulseShape(1_500_000, 1_000, 0, 0, 0)
    curve = Curve(2_000.0, 200.0, 2_000.0, 1_000.0, 400.0)
    recorder.add(1, Flow(5_000, 10_000, 1, shape, FlowKind.TRAIN, (curve, None)))
    samples = np.concatenate([part.copy() for part in recorder.samples(1, 1_000_000, chunk=333)])
    assert (samples[5_000:5_200] == 2_000_000).all()
    assert samples[5_600] == 1_000_000 + round(1_000_000 * exp(-1))
    assert (np.diff(samples[5_200:6_000]) < 0).all()


def test_reading_in_mid_run_sees_every_pulse_so_far() -> None:
    recorder = Recorder()
    stage = OutputStage(load_named("nominal"), seed=5, recorder=recorder)
    stage.gate = lambda *_: True
    stage.begin(OutputProgram((OutputSegment(10_000, 200, 0, 200, 0),), 1, 200, 0), {1: 500}, 0, 60 * S, 0)
    stage.run(30 * S)
    assert recorder.pulses(1) == 3_000 == stage.readout(1).pulses_0
    stage.run(40 * S)
    assert recorder.end_us() == 39_990_400


def test_shapes_are_shared_and_asked() -> None:
    assert SHAPE.part(200) == PulseShape(200, 200, 100, 100, 400)
    assert SHAPE.net_fc == 0
    flow = Flow(0, 10_000, 1, SHAPE, FlowKind.TRAIN)
    assert [flow.at(us) for us in (-1, 0, 199, 200, 299, 300, 699, 700)] == [0, 1_000, 1_000, 0, 0, -500, -500, 0]
