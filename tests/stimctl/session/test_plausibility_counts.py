"""Pulses, charge, current and contact: each bound of what the host believes, at its last good value and at the next."""

from dataclasses import replace
from typing import Any

import pytest

from stimctl import limits
from stimctl.session.plausibility import Plausibility
from stimctl.session.states import End
from stimctl.stimulators.base import Identity
from stimctl.waveform import Program, Segment
from stimctl.wire.codes import NOT_MEASURED_OHM, Capability, ChannelFlag
from tests.stimctl.session.plausibility_run import (
    DEVICE_US,
    HOST_US,
    NET_PC,
    NO_FLOOR,
    NO_NET,
    STIMULATION_US,
    Run,
    S,
    text_of,
)
from tests.stimctl.session.test_plausibility import IDENTITY

# --- counts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pulses", "wrong"), [((12, 0), False), ((13, 0), True), ((0, 2), False), ((0, 3), True), ((12, 2), False)]
)
def test_each_band_has_its_own_rate_and_two_pulses_more(pulses: tuple[int, int], wrong: bool) -> None:
    assert ("faster than its program" in text_of(Run(NO_NET).tell(pulses))) is wrong


def test_its_own_telemetry_is_late_by_nothing() -> None:
    assert Run(NO_NET).tell((12, 0), 100_000) is None
    assert "faster than its program" in text_of(Run(NO_NET).tell((12, 0), 99_999))


@pytest.mark.parametrize(("pulses", "wrong"), [((112, 0), False), ((113, 0), True), ((0, 4), False), ((0, 5), True)])
def test_by_lease_they_may_be_heard_of_a_second_late(pulses: tuple[int, int], wrong: bool) -> None:
    judge = Run(replace(NO_NET, by_lease=True))
    assert ("faster than its program" in text_of(judge.tell(pulses))) is wrong


def test_by_lease_one_that_was_not_heard_to_begin_is_counted_once_it_is_over() -> None:
    """Ten pulses at 1.1 mA of a lease that was cut for a lower target, which both readings tell: a most holds."""
    judge = Run(replace(NO_NET, by_lease=True))
    judge.judge.no_longer(1, 1_100, judge.device_us)
    judge.judge.changed(1, judge.device_us)
    assert judge.tell((0, 0), 0) is None
    assert judge.tell((10, 0), charge_0_pc=judge.last.charge_0_pc + 10 * 200 * 1_100) is None
    assert "another charge" in text_of(judge.tell((10, 0), charge_0_pc=judge.last.charge_0_pc + 10 * 200 * 1_101))


def test_a_second_reading_counts_from_the_first_one_not_from_the_start() -> None:
    run = Run(NO_NET)
    for _ in range(3):
        assert run.tell((12, 2)) is None
    assert "faster than its program" in text_of(run.tell((13, 0)))


@pytest.mark.parametrize("off_pc", [1, -1])
@pytest.mark.parametrize("band", ["charge_0_pc", "charge_1_pc"])
def test_a_steady_channels_charge_is_that_of_its_pulses_exactly(band: str, off_pc: int) -> None:
    assert Run(NO_NET).tell((10, 1)) is None
    run = Run(NO_NET)
    honest = Run(NO_NET).next((10, 1))
    finding = run.tell((10, 1), **{band: getattr(honest, band) + off_pc})
    assert "another charge" in text_of(finding)


@pytest.mark.parametrize(
    ("before_ua", "now_ua", "told_before_ua", "told_ua", "target_ua", "most_ua"),
    [
        (900, 1_000, 1_000, 1_000, 1_000, 1_000),
        (1_000, 990, 1_000, 1_000, 1_000, 1_000),
        (900, 920, 1_000, 1_000, 1_000, 1_000),
        (1_000, 1_000, 1_000, 1_100, 1_100, 1_100),
        (1_000, 1_000, 1_100, 1_000, 1_000, 1_000),
        (1_000, 800, 1_000, 800, 800, 1_000),
    ],
    ids=["rises", "falls", "on its way", "raised just now", "lowered just now", "fell between two readings"],
)
def test_a_changing_channels_charge_is_at_most_that_of_its_highest_amplitude(
    before_ua: int, now_ua: int, told_before_ua: int, told_ua: int, target_ua: int, most_ua: int
) -> None:
    for charge_pc, wrong in ((0, False), (10 * 200 * most_ua, False), (10 * 200 * most_ua + 1, True)):
        run = Run(NO_NET, amplitude_ua=1_000, applied_ua=before_ua, target_ua=told_before_ua)
        charge_0_pc = run.last.charge_0_pc + charge_pc
        told = run.next(applied_ua=now_ua, measured_ua=now_ua, target_ua=told_ua, charge_0_pc=charge_0_pc)
        run.target(target_ua)
        finding = run.judge.channel(told, run.now_us)
        assert ("another charge" in text_of(finding)) is wrong


def test_charge_after_a_lowering_is_at_most_that_of_what_was_left() -> None:
    """The readings say 0.8 mA; a pulse of 1.0 mA may have been between."""
    for charge_pc, wrong in ((10 * 200 * 1_000, False), (10 * 200 * 1_000 + 1, True)):
        run = Run(NO_NET, applied_ua=800, measured_ua=800)
        run.target(800)
        run.judge.no_longer(1, 1_000, run.device_us)
        charge_0_pc = run.last.charge_0_pc + charge_pc
        told = run.next(applied_ua=800, measured_ua=800, target_ua=800, charge_0_pc=charge_0_pc)
        assert ("another charge" in text_of(run.judge.channel(told, run.now_us))) is wrong


def test_charge_in_a_band_that_the_program_does_not_have() -> None:
    program = Program((Segment(10_000, 200, 0, 200, 0),), (1,), 200, 5 * S, 1_800 * S)
    run = Run()
    run.judge = Plausibility(IDENTITY, program, 1_500, run.targets)
    run.judge.begin(1, DEVICE_US, STIMULATION_US, HOST_US)
    run.show()
    assert run.judge.channel(run.last, run.now_us) is None
    before_pc = run.last.charge_1_pc
    # A little more, a little less, as much as a pulse of the band that it has would carry.
    for charge_pc in (1_000, -1_000, 200 * 1_000):
        run.judge.begin(1, DEVICE_US, STIMULATION_US, HOST_US)
        assert run.judge.channel(run.last, run.now_us) is None
        told = run.next((10, 1), charge_1_pc=before_pc + charge_pc)
        assert "another charge" in text_of(run.judge.channel(told, run.now_us))
        before_pc = told.charge_1_pc


@pytest.mark.parametrize(
    ("identity", "most_pc"),
    [(IDENTITY, 11 * 2_400), (NO_FLOOR, (10 * 200 + 600) * 1_000 // 100)],
    ids=["the device's floor for each pulse", "one percent"],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_net_charge(identity: Identity, most_pc: int, sign: int) -> None:
    """Ten pulses of one band and one of the other."""
    for net_pc, wrong in ((most_pc, False), (most_pc + 1, True)):
        finding = Run(identity).tell((10, 1), net_charge_pc=NET_PC + sign * net_pc)
        assert (finding is not None and finding.end is End.NET_CHARGE) is wrong


def test_direct_current_is_taken_over_a_whole_second() -> None:
    """1 pC a us is 1 uA."""
    for net_pc, wrong in ((S, False), (S + 1, True), (-S, False), (-S - 1, True)):
        run = Run(NO_NET)
        early = run.tell(after_us=S - 1, net_charge_pc=NET_PC + 3 * net_pc)
        assert early is None, "not before a second has passed"
        finding = run.tell((1, 0), after_us=1, net_charge_pc=NET_PC + net_pc)
        assert ("direct current" in text_of(finding)) is wrong
        assert run.tell((1, 0), after_us=S, net_charge_pc=NET_PC + net_pc) is None, "each second anew"


# --- current and contact ------------------------------------------------------------------------------


@pytest.mark.parametrize(("measured_ua", "wrong"), [(1_100, False), (1_101, True)])
def test_over_current(measured_ua: int, wrong: bool) -> None:
    finding = Run().tell(measured_ua=measured_ua)
    assert (finding is not None and finding.end is End.OVER_CURRENT) is wrong


@pytest.mark.parametrize(
    "identity",
    [
        replace(IDENTITY, capabilities=IDENTITY.capabilities & ~Capability.MEASURES_CURRENT),
        replace(IDENTITY, by_lease=True),
        replace(IDENTITY, capabilities=IDENTITY.capabilities & ~Capability.MEASURES_CURRENT, by_lease=True),
    ],
    ids=["does not measure", "by lease", "neither"],
)
def test_a_current_that_is_not_measured_pulse_by_pulse_is_not_judged(identity: Identity) -> None:
    assert Run(identity).tell(measured_ua=9_999) is None


def test_contact_is_not_judged_while_no_pulse_comes() -> None:
    run = Run()
    assert [text_of(run.tell((0, 0), ohm=10)) for _ in range(5)] == [""] * 5


@pytest.mark.parametrize("pulses", [(1, 0), (0, 1)])
def test_a_pulse_of_either_band_is_a_new_measurement(pulses: tuple[int, int]) -> None:
    run = Run(NO_NET)
    found = [run.tell(pulses, ohm=10) for _ in range(3)]
    assert [finding is not None for finding in found] == [False, False, True]


ODD: list[tuple[int, dict[str, Any], dict[str, Any]]] = [
    (1_000, {"measured_ua": 899}, {"measured_ua": 900}),
    (2_000, {"measured_ua": 1_799}, {"measured_ua": 1_800}),
    (1_000, {"ohm": 49}, {"ohm": 50}),
    (1_000, {"ohm": 5_001}, {"ohm": 5_000}),
    (1, {"ohm": 49, "measured_ua": 1}, {"ohm": NOT_MEASURED_OHM, "measured_ua": 1}),
]


@pytest.mark.parametrize(("amplitude_ua", "odd", "good"), ODD)
def test_three_odd_measurements_in_a_row(amplitude_ua: int, odd: dict[str, Any], good: dict[str, Any]) -> None:
    run = Run(NO_NET, ceiling_ua=2_000, amplitude_ua=amplitude_ua)
    told = [run.tell(**changes) is not None for changes in (odd, odd, {"measured_ua": amplitude_ua, "ohm": 800} | good)]
    told += [run.tell(**odd) is not None for _ in range(3)]
    assert told == [False, False, False, False, False, True], "a good one between counts anew"


def test_what_is_not_odd_is_never_found() -> None:
    for amplitude_ua, _, good in ODD:
        run = Run(NO_NET, ceiling_ua=2_000, amplitude_ua=amplitude_ua)
        assert [run.tell(**good) for _ in range(4)] == [None] * 4


def test_no_contact_is_asked_of_a_channel_at_zero() -> None:
    run = Run(NO_NET, amplitude_ua=0)
    for ohm in (10, 9_999):
        assert [run.tell(ohm=ohm) for _ in range(4)] == [None] * 4


@pytest.mark.parametrize("flag", [ChannelFlag.COMPLIANCE, ChannelFlag.LEAD_OFF])
def test_a_pulse_that_the_device_says_was_clipped_may_read_low_and_is_no_contact(flag: ChannelFlag) -> None:
    run = Run(NO_NET)
    first, second, third = (run.tell(measured_ua=500, flags=int(flag)) for _ in range(3))
    assert (first, second) == (None, None)
    assert text_of(third) == "channel 1 has no contact: the device says that its voltage is not enough"
    assert third is not None
    assert third.hold


@pytest.mark.parametrize(
    ("ohm", "found"),
    [
        (limits.LEAD_OFF_OHM, "the device says that its voltage is not enough"),
        (limits.LEAD_OFF_OHM + 1, f"{limits.LEAD_OFF_OHM + 1} ohm"),
    ],
)
def test_no_contact_is_told_by_its_resistance_where_that_says_so(ohm: int, found: str) -> None:
    run = Run(NO_NET)
    *_, third = (run.tell(ohm=ohm, flags=int(ChannelFlag.COMPLIANCE)) for _ in range(3))
    assert text_of(third) == f"channel 1 has no contact: {found}"


def test_a_clipped_pulse_counts_as_no_low_reading() -> None:
    run = Run(NO_NET)
    assert [run.tell(measured_ua=500, flags=flags) for flags in (0, 0, int(ChannelFlag.COMPLIANCE), 0)] == [None] * 4


# --- within every bound at once ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pulses", "changes"),
    [
        ((10, 1), {}),
        ((12, 2), {}),
        ((0, 0), {}),
        ((10, 0), {"measured_ua": 1_100}),
        ((10, 0), {"measured_ua": 900}),
        ((10, 0), {"ohm": 50}),
        ((10, 0), {"ohm": 5_000}),
        ((10, 1), {"net_charge_pc": NET_PC + 26_000}),
        ((10, 1), {"net_charge_pc": NET_PC - 26_000}),
    ],
)
def test_what_is_within_every_bound_is_believed_however_often(pulses: tuple[int, int], changes: dict[str, Any]) -> None:
    run = Run()
    assert [run.tell(pulses, **changes) for _ in range(4)] == [None] * 4


@pytest.mark.parametrize("pulses", [(-1, 2), (12, -1)])
def test_a_count_that_falls_is_found(pulses: tuple[int, int]) -> None:
    assert "fewer pulses than before" in text_of(Run(NO_NET).tell(pulses))


@pytest.mark.parametrize(("measured_ua", "wrong"), [(2_200, False), (2_201, True)])
def test_over_2_2_ma_is_over_current_at_any_amplitude(measured_ua: int, wrong: bool) -> None:
    finding = Run(ceiling_ua=2_300, amplitude_ua=2_150).tell(measured_ua=measured_ua)
    assert (finding is not None and finding.end is End.OVER_CURRENT) is wrong


# --- what may have been between two readings -----------------------------------------------------------------


def less(run: Run, **changes: Any) -> Any:
    """The next reading, with 1 pC less than its pulses carry at its amplitude."""
    charge_0_pc = run.last.charge_0_pc + 10 * 200 * changes.get("applied_ua", run.amplitude_ua) - 1
    return run.tell(charge_0_pc=charge_0_pc, **changes)


@pytest.mark.parametrize(("after_us", "steady"), [(0, True), (1, False), (50_000, False)])
def test_down_and_up_again_between_two_readings_leaves_less_charge(after_us: int, steady: bool) -> None:
    """The readings are alike; the device changed its target so long after the first of them."""
    run = Run(NO_NET)
    run.judge.changed(1, run.device_us + after_us)
    assert ("another charge" in text_of(less(run))) is steady
    assert "another charge" in text_of(less(run)), "that change is over"


def test_a_change_that_is_not_answered_may_have_been_and_gone() -> None:
    run = Run(NO_NET)
    run.targets.sent(1, 900)
    assert less(run) is None
    run.targets.not_applied(1, 900)
    run.targets.want(1, 1_000)
    assert "another charge" in text_of(less(run))


def test_from_the_devices_first_microsecond_on_an_unchanged_channel_is_steady() -> None:
    run = Run(NO_NET)
    run.judge.begin(1, 0, STIMULATION_US, run.now_us)
    first = run.last._replace(device_time_us=0, applied_ua=100, target_ua=100, measured_ua=100)
    run.target(100)
    assert run.judge.channel(first, run.now_us) is None
    told = first._replace(pulses_0=first.pulses_0 + 1, charge_0_pc=first.charge_0_pc + 200 * 100 - 1)
    finding = run.judge.channel(told._replace(device_time_us=100_000), run.now_us)
    assert "another charge" in text_of(finding)


def test_a_channel_that_is_on_its_way_is_not_steady_although_it_reads_the_same() -> None:
    """Where it reads 0.9 mA of 1.0 mA twice, it may have gone down and up again in between."""
    run = Run(NO_NET, applied_ua=900, measured_ua=900)
    assert less(run, applied_ua=900, measured_ua=900) is None


@pytest.mark.parametrize(("measured_ua", "odd"), [(401, False), (400, False), (399, True)])
def test_a_tenth_of_a_small_current_is_no_measure_of_what_is_missing(measured_ua: int, odd: bool) -> None:
    """It is the greater of a tenth and 0.1 mA."""
    run = Run(NO_NET, amplitude_ua=500)
    found = [text_of(run.tell(measured_ua=measured_ua)) for _ in range(3)]
    assert [text != "" for text in found] == [False, False, odd]


@pytest.mark.parametrize(
    ("moves", "end"),
    [
        ("pulses_0", End.IMPLAUSIBLE),
        ("pulses_1", End.IMPLAUSIBLE),
        ("charge_0_pc", End.IMPLAUSIBLE),
        ("charge_1_pc", End.IMPLAUSIBLE),
        ("net_charge_pc", End.NET_CHARGE),
    ],
)
def test_a_count_that_moves_alone_is_found(moves: str, end: End) -> None:
    """Pulses without charge, charge without pulses, and a charge that is left of none."""
    run = Run()
    told = run.next((0, 0))
    assert run.judge.channel(told, run.now_us) is None
    finding = run.tell((0, 0), **{moves: getattr(told, moves) + 1})
    assert finding is not None
    assert finding.end is end


def test_while_a_pulse_of_an_older_target_may_be_in_flight_a_steady_channel_is_held_to_its_own() -> None:
    """Two readings after a lowering, both at the lower amplitude."""
    for off_pc, wrong in ((0, False), (1, True)):
        run = Run(NO_NET)
        run.target(900)
        run.judge.changed(1, run.device_us)
        run.judge.no_longer(1, 1_000, run.device_us)
        lowered: dict[str, Any] = {"target_ua": 900, "applied_ua": 900, "measured_ua": 900}
        assert run.tell(**lowered) is None
        told = run.next(**lowered)
        told = told._replace(charge_0_pc=told.charge_0_pc + off_pc)
        assert ("another charge" in text_of(run.judge.channel(told, run.now_us))) is wrong
