"""Plan, device count and the integral over the load say the same of one session: three tellers, one dose.

The plan is the driver's arithmetic, the count is the device's own, and the integral is of the current that
the simulator put into its load. Pulses and commanded charge agree exactly; what was measured, and what
flowed, agree within what the device states of itself.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from firmware_sim.analog.converter import DAC_STEP_NA
from firmware_sim.analog.record_file import SampleIntegral, integral, integrate
from firmware_sim.analog.record_rate import RATE_HZ
from firmware_sim.analog.recorder import Recorder
from stimctl.api import Session
from stimctl.ledger import Ledger
from stimctl.prescription import Prescription
from stimctl.session.commands import AskHold, AskTarget, Command, Lower, Raise
from stimctl.session.states import End, State
from stimctl.session.view import SessionReport
from tests.stimctl.session.world import Rig, S, asymmetric_profiles, exact, prescription, proceed

# 30 minutes of 2/100 Hz at 2.0 mA on channel 1, 200 uA/s up and 5 s down, by hand; amplitudes in uA.
# Flat it is 300 cycles of 6 pulses of 600 us and 300 of 200 us. What the ramps take off:
#   2 Hz, a step of 100 uA a pulse: 100 to 600 in the first band (9 900 in all below 2 000), 1 300 to 1 800 in the
#     second (2 700); in the fall, at 4.5, 4.0 and 3.5 s before the end, 1 800, 1 600 and 1 400 (1 200): 13 800.
#   100 Hz, 2 uA a pulse behind a first step of 100: 700 + 2k in the first band (300 x 1 300 - 2 x 44 850 = 300 300),
#     1 900 + 2k for 50 pulses in the second (2 550); in the fall 1 200 - 4k (300 x 800 + 4 x 44 850 = 419 400):
#     722 250.
PULSES = [1_800, 90_000]
CHARGE_PC = [(1_800 * 2_000 - 13_800) * 600, (90_000 * 2_000 - 722_250) * 200]


@pytest.fixture(scope="module")
def half_hour() -> tuple[Rig, SessionReport]:
    """The session, run once for this file."""
    rig = Rig(prescription(seconds=1_800))
    return rig, rig.run()


def test_plan_and_device_count_are_equal_and_are_those_by_hand(half_hour: tuple[Rig, SessionReport]) -> None:
    _, report = half_hour
    assert report.end is End.TIMER
    by_hand = {"1": {"pulses": PULSES, "charge_pc": CHARGE_PC}}
    assert report.planned == by_hand
    assert report.commanded == by_hand
    assert report.delivered == by_hand
    assert exact(report)
    assert report.band_us == (900 * S, 900 * S)
    assert report.alarms == ()


def test_what_was_measured_agrees_within_the_stated_accuracy(half_hour: tuple[Rig, SessionReport]) -> None:
    rig, report = half_hour
    assert report.measured is not None
    assert rig.engine._context.device.identity is not None
    identity, width_time_us = rig.engine._context.device.identity, PULSES[0] * 600 + PULSES[1] * 200
    allowed_pc = sum(CHARGE_PC) * identity.readback_accuracy_permille // 1_000
    allowed_pc += width_time_us * identity.readback_accuracy_ua
    measured_pc = sum(report.measured["1"]["charge_pc"])
    assert abs(measured_pc - rig.recorder.charge_pc(1)) <= allowed_pc
    assert measured_pc != sum(CHARGE_PC), "a measurement has an error, or it is none"
    assert report.agreement == {"exact": True, "reason": None, "measured": True, "contradiction": None}


def test_the_integral_over_the_load_is_the_dose(half_hour: tuple[Rig, SessionReport]) -> None:
    """Exactly in pulses; in charge the converter rounds each amplitude, by half a step at most."""
    rig, _ = half_hour
    assert rig.recorder.channels == (1,)
    assert rig.recorder.pulses(1) == sum(PULSES)
    rounding_fc = DAC_STEP_NA // 2 * (PULSES[0] * 600 + PULSES[1] * 200)
    assert abs(rig.recorder.charge_fc(1) - sum(CHARGE_PC) * 1_000) <= rounding_fc
    assert rig.recorder.net_fc(1) == 0


def test_the_samples_over_the_load_are_the_dose(half_hour: tuple[Rig, SessionReport]) -> None:
    """100 kS/s for half an hour in one buffer: the pulses are counted from the current alone."""
    rig, _ = half_hour
    # The impedance check's ten pulses come before the train.
    (train, *_) = rig.recorder.flows(1)
    pulses, first_na, second_na = 0, 0, 0
    for part in rig.recorder.samples(1, start_us=train.first_us - 10_000):
        forward = part > 0
        pulses += int(np.count_nonzero(forward[1:] & ~forward[:-1]))
        first_na += int(part.sum(where=forward, dtype=np.int64))
        second_na -= int(part.sum(where=part < 0, dtype=np.int64))
    # A chunk is 10.48576 s: none begins with the first sample of a pulse, whose rise would not be seen.
    assert pulses == sum(PULSES)
    assert first_na == second_na
    assert first_na * 10 == rig.recorder.charge_fc(1)


def test_the_file_of_samples_holds_what_the_log_says(tmp_path: Path) -> None:
    """The user's way: `record=` in the URL, and a session with its ledger."""
    url = f"sim://?seed=1&record={tmp_path / 'load'}"
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        with Session(url, prescription(seconds=12), ledger) as session:
            report = session.run()
        closed = [entry.body for entry in ledger.entries(session.session_id) if entry.kind == "closed"]
    assert [body["delivered"] for body in closed] == [report.delivered]
    assert report.delivered is not None
    counted = report.delivered["1"]
    found = integrate(tmp_path / "load")
    assert found.pulses == sum(counted["pulses"]) + 10, "and the impedance check's ten"
    assert found.first_fc == found.second_fc
    checked_fc = 10 * 100_000 * 200
    rounding_fc = DAC_STEP_NA // 2 * (counted["pulses"][0] * 600 + counted["pulses"][1] * 200)
    assert abs(found.first_fc - checked_fc - sum(counted["charge_pc"]) * 1_000) <= rounding_fc


# --- an operator at work ----------------------------------------------------------------------------


@pytest.fixture
def three_channels(tmp_path: Path) -> Prescription:
    """Asymmetric pulses with a gap, on three channels at different amplitudes."""
    known = asymmetric_profiles(tmp_path / "profiles")
    amplitudes_ma = {1: 1.0, 2: 1.5, 3: 0.8}
    return prescription(seconds=60, amplitudes_ma=amplitudes_ma, profile="bench-asymmetric", known=known)


WORK: list[tuple[int, Command]] = [
    (5 * S, Lower(2)),
    (7 * S, AskTarget(1, 500)),
    (8_123_457, Raise(3)),
    (9_200_001, Raise(3)),
    (10 * S, AskTarget(2, 0)),
    (16 * S, Raise(1)),
    (21_700_003, AskHold()),
    (30 * S, proceed),
    (31 * S, proceed),
    (45 * S, Lower(3)),
    (50 * S, AskHold()),
    (51 * S, proceed),
    (52 * S, proceed),
    (58 * S, Raise(1)),
]


def test_whatever_the_operator_does_commanded_is_delivered(three_channels: Prescription) -> None:
    rig = Rig(three_channels)
    report = rig.run(*WORK)
    assert report.end is End.TIMER
    assert exact(report)
    assert report.delivered is not None
    assert report.delivered != report.planned, "the work was done"
    assert len(rig.log.of("target")) == 8
    assert len(rig.log.of("started")) == 3
    assert report.held_us > 8 * S
    for channel in (1, 2, 3):
        assert rig.recorder.pulses(channel) == sum(report.delivered[str(channel)]["pulses"])
        assert rig.recorder.net_fc(channel) <= 2 * DAC_STEP_NA * 1_200 * rig.recorder.pulses(channel)


def test_no_two_channels_ever_drive_at_once(three_channels: Prescription) -> None:
    rig = Rig(three_channels)
    rig.run(*WORK)
    spans = sorted(span for channel in (1, 2, 3) for span in drives(rig.recorder, channel))
    assert len(spans) > 3_000
    assert all(end_us <= begin_us for (_, end_us), (begin_us, _) in pairwise(spans))


def drives(recorder: Recorder, channel: int) -> Iterator[tuple[int, int]]:
    """When each pulse begins and ends."""
    for flow in recorder.flows(channel):
        for number in range(flow.count):
            begin_us = flow.first_us + number * flow.period_us
            yield begin_us, begin_us + flow.shape.span_us


# --- the same again ---------------------------------------------------------------------------------


def traffic(seed: int, rx: Prescription, work: list[tuple[int, Command]]) -> list[tuple[int, str, bytes]]:
    """Every piece of one session's traffic, with its time and direction."""
    rig = Rig(rx, seed=seed)
    rig.run(*work)
    return rig.tape.pieces


def test_the_same_seed_gives_the_same_bytes_at_the_same_times(three_channels: Prescription) -> None:
    first, second = traffic(7, three_channels, WORK), traffic(7, three_channels, WORK)
    assert len(first) > 1_000
    assert first == second


def test_another_seed_gives_other_bytes(three_channels: Prescription) -> None:
    first, second = Rig(three_channels, seed=7), Rig(three_channels, seed=8)
    reports = [first.run(*WORK), second.run(*WORK)]
    assert first.tape.sent("device") != second.tape.sent("device")
    assert reports[0].delivered == reports[1].delivered, "noise changes what is measured, never what is given"
    assert reports[0].measured != reports[1].measured


def test_half_an_hour_twice_is_the_same_to_the_byte(half_hour: tuple[Rig, SessionReport]) -> None:
    rig, report = half_hour
    again = Rig(prescription(seconds=1_800))
    assert again.run() == report
    assert again.tape.pieces == rig.tape.pieces


def test_a_session_that_was_left_alone_never_held(half_hour: tuple[Rig, SessionReport]) -> None:
    rig, _ = half_hour
    assert [body["now"] for body in rig.log.of("state") if "now" in body] == [
        State.IDENTIFIED,
        State.LOADED,
        State.TESTED,
        State.CHECKING,
        State.CHECKED,
        State.ARMED,
        State.RAMPING,
        State.RUNNING,
        State.RAMPING_DOWN,
        State.STOPPING,
    ]


def test_the_integral_itself_can_tell() -> None:
    """Two pulses laid down by hand, so that the reader of samples is not its own witness."""
    samples = np.zeros(1_000, np.int32)
    samples[10:30], samples[30:50], samples[100:110], samples[110:120] = 2_000, -2_000, 500, -500
    assert integral([(0, samples)], RATE_HZ) == SampleIntegral(2, (20 * 2_000 + 10 * 500) * 10, 450_000)
