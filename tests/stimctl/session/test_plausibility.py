"""What the driver does not believe of a device: for each limit both sides hold, the device's check is taken as
gone, and the host's own finds it out from telemetry alone."""

from dataclasses import replace
from typing import Any

import pytest

from stimctl.session.plausibility import Implausible, Plausibility
from stimctl.session.states import End
from stimctl.stimulators.base import Identity
from stimctl.stimulators.targets import Targets
from stimctl.waveform import Mode, Program, Segment, segments_for
from stimctl.wire.codec import Channel, Status
from stimctl.wire.codes import Capability, ChannelFlag, DeviceState

S = 1_000_000
IDENTITY = Identity(
    model="bench", serial="1", firmware="1.0.0", firmware_sha256="00", boot_id=1, simulator=True, calibrated_on=None,
    channels=4, capabilities=Capability(127), max_amplitude_ua=2_000, dac_step_na=1_221, readback_accuracy_ua=10,
    readback_accuracy_permille=10, net_charge_floor_pc=2_400, compliance_mv=12_000, watchdog_ms=1_000,
)  # fmt: skip
PROGRAM = Program(segments_for(Mode.HIGH), (1,), 200, 5 * S, 1_800 * S)
WIDTH_US = 200


def status(at_us: int, **changes: Any) -> Status:
    told = Status(
        device_time_us=at_us, boot_id=1, state=DeviceState.RUNNING, segment=0, end_reason=0, zero=0, active_mask=1,
        session=1, stimulation_us=at_us, time_left_us=1_800 * S - at_us, segment_left_us=0, hold_left_ms=0,
        keepalive_age_ms=100,
    )  # fmt: skip
    return told._replace(**changes)


def reading(at_us: int, **changes: Any) -> Channel:
    """A channel that has run at 1.0 mA and 100 Hz since the start, ramp left out."""
    pulses = at_us // 10_000
    told = Channel(
        channel=1, flags=0, target_ua=1_000, applied_ua=1_000, measured_ua=1_003, ohm=800, pulses_0=pulses, pulses_1=0,
        charge_0_pc=pulses * 1_000 * WIDTH_US, charge_1_pc=0, net_charge_pc=0, device_time_us=at_us,
    )  # fmt: skip
    return told._replace(**changes)


def begun(
    target_ua: int, program: Program = PROGRAM, ceiling_ua: int = 1_500, identity: Identity = IDENTITY
) -> tuple[Plausibility, Targets]:
    """A judge of a run that began towards `target_ua` at zero of all clocks, and the record of its target."""
    targets = Targets({1: target_ua})
    targets.started({1: target_ua}, 0)
    judge = Plausibility(identity, program, ceiling_ua, targets)
    judge.begin(1, 0, 0, 0)
    return judge, targets


class Steady:
    """A judge of a device at 1.0 mA, 20 s into its run, told every 100 ms."""

    def __init__(self) -> None:
        self.judge, self.targets = begun(1_000)
        self.at_us = 20 * S
        assert self.tell() is None

    def lower(self, target_ua: int) -> None:
        """The device applied a lower target."""
        before_ua = self.targets[1].highest_ua
        self.targets.applied(1, target_ua, self.at_us)
        self.judge.no_longer(1, before_ua, self.at_us)

    def tell(self, after_us: int = 100_000, **changes: Any) -> Implausible | None:
        self.at_us += after_us
        about_status = {name: value for name, value in changes.items() if name in Status._fields}
        about_channel = {name: value for name, value in changes.items() if name in Channel._fields}
        told = status(self.at_us, **about_status)
        finding = self.judge.status(told, self.at_us)
        return finding or self.judge.channel(reading(self.at_us, **about_channel), self.at_us)


def test_an_honest_device_is_believed() -> None:
    steady = Steady()
    for _ in range(100):
        assert steady.tell() is None


LIES: list[tuple[str, dict[str, Any], End]] = [
    ("above the ceiling", {"applied_ua": 1_501, "measured_ua": 1_501}, End.IMPLAUSIBLE),
    ("above what was set", {"applied_ua": 1_100, "measured_ua": 1_100}, End.IMPLAUSIBLE),
    ("over current", {"measured_ua": 1_101}, End.OVER_CURRENT),
    ("other channels driven", {"active_mask": 3}, End.IMPLAUSIBLE),
    ("a dead watchdog", {"keepalive_age_ms": 1_101}, End.IMPLAUSIBLE),
    ("stimulation past its end", {"stimulation_us": 1_800 * S + 1}, End.CLOCK),
    ("a timer that ran ahead", {"stimulation_us": 22 * S}, End.CLOCK),
    ("a timer that stands still", {"stimulation_us": 19 * S}, End.CLOCK),
    ("too many pulses", {"pulses_0": 2_030}, End.IMPLAUSIBLE),
    ("too wide a pulse", {"charge_0_pc": 2_020 * 1_000 * WIDTH_US + 200_000}, End.IMPLAUSIBLE),
    ("net charge", {"net_charge_pc": 10 * 2_400 + 1}, End.NET_CHARGE),
    ("net charge the other way", {"net_charge_pc": -10 * 2_400 - 1}, End.NET_CHARGE),
]


@pytest.mark.parametrize(("changes", "end"), [lie[1:] for lie in LIES], ids=[lie[0] for lie in LIES])
def test_a_device_whose_check_has_failed_is_found_out_at_once(changes: dict[str, Any], end: End) -> None:
    finding = Steady().tell(**changes)
    assert finding is not None
    assert finding.end is end
    assert not finding.hold


def test_stimulation_after_its_end_is_found_even_when_the_clocks_agree() -> None:
    judge, _ = begun(1_000)
    finding = judge.status(status(1_800 * S + 1), 1_800 * S + 1)
    assert finding is not None
    assert "after the end" in finding.text


@pytest.mark.parametrize(("step_ua", "believed"), [(120, True), (121, False)])
def test_a_rise_is_held_to_one_step_and_the_ramp(step_ua: int, believed: bool) -> None:
    """0.1 mA between pulses and 200 uA/s for 0.1 s: 120 uA between two readings."""
    judge, _ = begun(1_000)
    assert judge.channel(reading(2 * S, applied_ua=300, measured_ua=300, target_ua=1_000), 2 * S) is None
    at_us = 2 * S + 100_000
    up_ua = 300 + step_ua
    charge_pc = 200 * 1_000 * WIDTH_US + 10 * up_ua * WIDTH_US
    told = reading(at_us, applied_ua=up_ua, measured_ua=up_ua, target_ua=1_000, charge_0_pc=charge_pc)
    finding = judge.channel(told, at_us)
    assert (finding is None) is believed
    assert believed or (finding is not None and "rises faster" in finding.text)


@pytest.mark.parametrize(("rise_ua", "believed"), [(320, True), (321, False)])
def test_by_lease_a_rise_may_be_heard_of_a_second_late(rise_ua: int, believed: bool) -> None:
    """The same step, and 200 uA/s for 1.1 s: what the host stood still for is no fast ramp."""
    judge, _ = begun(1_000, identity=replace(IDENTITY, by_lease=True))
    assert judge.channel(reading(2 * S, applied_ua=300, target_ua=1_000), 2 * S) is None
    finding = judge.channel(reading(2 * S + 100_000, applied_ua=300 + rise_ua, target_ua=1_000), 2 * S + 100_000)
    assert (finding is None) is believed


def test_a_ramp_is_held_to_its_slope_over_the_whole_run() -> None:
    """Ever so small steps that together reach 1.0 mA after 2 s, where 200 uA/s allows 0.5 mA."""
    judge, _ = begun(1_000)
    finding = judge.channel(reading(2 * S), 2 * S)
    assert finding is not None
    assert "rises faster" in finding.text


def test_a_lowered_target_has_one_pulse_to_show() -> None:
    steady = Steady()
    steady.lower(600)
    for _ in range(10):
        assert steady.tell() is None
    finding = steady.tell()
    assert finding is not None
    assert "above what was set" in finding.text


def test_a_target_lowered_twice_has_its_pulse_to_show_after_each() -> None:
    """One step a second at 2 Hz: the last pulse may have gone toward the target between."""
    steady = Steady()
    steady.lower(900)
    for _ in range(9):
        assert steady.tell() is None
    steady.lower(800)
    pulses = steady.at_us // 10_000
    lower = {"applied_ua": 900, "measured_ua": 903, "pulses_0": pulses, "charge_0_pc": pulses * 1_000 * WIDTH_US}
    for _ in range(10):
        assert steady.tell(**lower) is None
    finding = steady.tell(**lower)
    assert finding is not None
    assert "applies 900 uA, above what was set" in finding.text


@pytest.mark.parametrize(
    ("changes", "end", "hold"),
    [
        ({"measured_ua": 899}, End.IMPLAUSIBLE, False),
        ({"ohm": 49}, End.SHORT, False),
        ({"ohm": 5_001}, End.IMPLAUSIBLE, True),
        ({"measured_ua": 500, "flags": int(ChannelFlag.COMPLIANCE)}, End.IMPLAUSIBLE, True),
        ({"measured_ua": 0, "ohm": 0, "flags": int(ChannelFlag.LEAD_OFF)}, End.IMPLAUSIBLE, True),
    ],
    ids=["reads low", "short", "no contact", "at its highest voltage", "off, and not measured"],
)
def test_a_bad_measurement_counts_at_the_third_new_reading(changes: dict[str, Any], end: End, hold: bool) -> None:
    steady = Steady()
    assert steady.tell(**changes) is None
    assert steady.tell(after_us=1, **changes) is None, "the same pulse read twice is one reading"
    assert steady.tell(after_us=99_999, **changes) is None
    finding = steady.tell(**changes)
    assert finding is not None
    assert (finding.end, finding.hold) == (end, hold)


def test_a_clipped_pulse_is_not_a_false_reading() -> None:
    steady = Steady()
    for _ in range(2):
        for _ in range(2):
            assert steady.tell(measured_ua=500, ohm=4_900, flags=int(ChannelFlag.COMPLIANCE)) is None
        assert steady.tell() is None


def test_a_device_that_does_not_stimulate_is_not_judged_as_a_whole() -> None:
    steady = Steady()
    assert steady.tell(state=DeviceState.HELD, active_mask=0, keepalive_age_ms=9_999) is None


def test_a_direct_current_of_over_1_ua_is_found_although_each_pulse_is_within_one_percent() -> None:
    """0.9 % of 1.2 uC a pulse, at 100 Hz, is 1.08 uA: found over a second, and 0.8 % (0.96 uA) is not."""
    program = Program((Segment(10_000, 600, 0, 600, 0),), (1,), 200, 5 * S, 1_800 * S)
    for permille, found in ((8, False), (9, True)):
        judge, _ = begun(2_000, program, 2_000)
        findings = []
        for tick in range(200, 215):
            at_us, pulses = tick * 100_000, tick * 10
            told = reading(at_us)._replace(
                target_ua=2_000, applied_ua=2_000, measured_ua=2_000, charge_0_pc=pulses * 1_200_000,
                net_charge_pc=pulses * 1_200 * permille,
            )  # fmt: skip
            findings.append(judge.channel(told, at_us))
        ends = [finding.end for finding in findings if finding is not None]
        assert (End.NET_CHARGE in ends) is found
