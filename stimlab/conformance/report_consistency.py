"""Checks that a device's reports of a session agree with each other, and so finds plausible figures that are not true.

Everything is held against the rules of section 13 or against something else that the device said: the time left
against the stimulation so far, ohm against the load that is connected, energy against amplitude and that load, the
record against Armed and Welcome. `tracked.reported` is over, and what is loaded is the dummy load, unless it is said.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from stimctl.wire.codec import Alive, Armed, Channel, Measured, ReadMeasured, ReadSession, SessionRecord, Status
from stimctl.wire.codes import Capability, DeviceState
from stimlab.conformance.dut import Dut
from stimlab.conformance.fixture import DUMMY_OHM
from stimlab.conformance.reference_model import DuePulse, bands_of
from stimlab.conformance.timing import EXACT_US
from stimlab.conformance.tracked_session import TrackedSession

SURE_UA = 100  # a load is judged at pulses of this and more
OFF_PERCENT = 20  # what a load may read away from its resistor, and energy from both
CLOCK_PPM = 500
HOST_PPM = 100
PULSE_US = 2_900  # the longest pulse, and what a device takes behind it
_TICKS = 20  # of Status: with fewer a clock is not judged
DRIVEN = frozenset({DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN})


class ExpectedPulses(NamedTuple):
    """The pulses that a channel must have delivered: when, and the counts before each and after the last."""

    at_us: list[int]
    amplitudes_ua: list[int]
    counts: list[tuple[int, ...]]


class StatusSnapshot(NamedTuple):
    """A Status and the Channels that follow it."""

    status: Status
    channels: list[Channel]


def judge(dut: Dut, tracked: TrackedSession, *, until_us: int | None = None) -> None:
    """Raise `Nonconforming` for the first thing told of `tracked` that does not fit, in telemetry or record.

    `until_us` is the device time from which on something else than the dummy load may have been connected.
    """
    due = {channel: _pulses(tracked, channel) for channel in tracked.channels}
    for picture in _pictures(dut, tracked):
        _one(dut, tracked, picture.status)
        undisturbed = until_us is None or picture.status.device_time_us < until_us
        for channel in picture.channels:
            if channel.channel in due and picture.status.state in DRIVEN:
                _counted(dut, tracked, picture.status, channel, due[channel.channel])
                if undisturbed:
                    _read(dut, channel)
    _ages(dut)
    _clock(dut, tracked)
    _record(dut, tracked)
    if until_us is None:
        for number, pulses in due.items():
            _measured(dut, tracked, number, pulses)


def _pictures(dut: Dut, tracked: TrackedSession) -> Iterator[StatusSnapshot]:
    """The fresh telemetry since the course began."""
    picture: StatusSnapshot | None = None
    for each in dut.received[tracked.first :]:
        if isinstance(each.message, Status):
            if picture is not None:
                yield picture
            picture = None if each.stale else StatusSnapshot(each.message, [])
        elif isinstance(each.message, Channel) and picture is not None and not each.stale:
            picture.channels.append(each.message)
    if picture is not None:
        yield picture


def _pulses(tracked: TrackedSession, channel: int) -> ExpectedPulses:
    due = tracked.reported.pulses(channel)
    segments = tracked.reported.program.segments

    def more(before: tuple[int, ...], pulse: DuePulse) -> tuple[int, ...]:
        counts = list(before)
        counts[pulse.segment] += 1
        counts[2 + pulse.segment] += pulse.amplitude_ua * segments[pulse.segment].width_us
        return tuple(counts)

    none: tuple[int, ...] = (0, 0, 0, 0)
    counts = list(accumulate(due, more, initial=none))
    return ExpectedPulses([pulse.at_us for pulse in due], [pulse.amplitude_ua for pulse in due], counts)


def _one(dut: Dut, tracked: TrackedSession, status: Status) -> None:
    """What a Status tells of the session as a whole."""
    at = f"in {DeviceState(status.state).name} at {status.stimulation_us} us of stimulation"
    assert dut.armed is not None
    assert dut.welcome is not None
    reported = status.session, status.boot_id, status.active_mask
    wanted = dut.armed.session, dut.welcome.boot_id, tracked.channel_mask
    text = f"{at} its Status tells another session, boot or channels than it was armed with"
    dut.require("R-65", reported == wanted, text, expected=str(wanted), seen=str(reported))
    if status.state not in DRIVEN:
        return
    left_us = tracked.limit_us - status.stimulation_us
    text = f"{at} its time left and its stimulation do not make up the limit of {tracked.limit_us} us"
    kept = abs(status.time_left_us - left_us) <= EXACT_US
    dut.require("R-65", kept, text, expected=f"{left_us} us left", seen=f"{status.time_left_us} us left")
    text = f"{at} its Status tells zero, or a reason to be at an end"
    dut.require("R-65", not status.zero and not status.end_reason, text)
    _band(dut, tracked, status, at)


def _band(dut: Dut, tracked: TrackedSession, status: Status, at: str) -> None:
    into_us = status.stimulation_us - tracked.reported.runs[-1].begin_us
    if into_us <= 0:
        return  # of a run before the last one
    *_, (begin_us, index, segment) = bands_of(tracked.reported.program, into_us + 1)
    text = f"{at} it is in another segment than the pattern"
    dut.require("R-51", status.segment == index, text, expected=f"segment {index}", seen=f"segment {status.segment}")
    left_us = begin_us + segment.dwell_us - into_us if segment.dwell_us else 0
    text = f"{at} the time to its next switch of segment is wrong"
    kept = abs(status.segment_left_us - left_us) <= EXACT_US
    dut.require("R-65", kept, text, expected=f"{left_us} us", seen=f"{status.segment_left_us} us")


def _counted(dut: Dut, tracked: TrackedSession, status: Status, channel: Channel, due: ExpectedPulses) -> None:
    """Counters and commanded amplitude of a picture; the pulse in flight may be in it or not."""
    place = bisect_left(due.at_us, status.stimulation_us)
    near = range(max(0, place - 1), min(len(due.at_us), place + 1) + 1)
    got = tuple(channel[6:10])
    at = f"channel {channel.channel} at {status.stimulation_us} us of stimulation"
    text = f"{at} has counted other pulses or charge than the rules give"
    wanted = f"{due.counts[place]} pulses and pC by segment"
    dut.require("R-54", got in {due.counts[each] for each in near}, text, expected=wanted, seen=str(got))
    begun_us = tracked.reported.runs[-1].begin_us
    last = [due.amplitudes_ua[each] for each in near if each < len(due.at_us) and due.at_us[each] >= begun_us]
    if status.stimulation_us > begun_us and last and channel.target_ua:
        # A firmware may count a pulse when it begins or when it is over. Before the first of a run it applies nothing.
        allowed = {*last, 0} if place < 2 or due.at_us[place - 2] < begun_us else set(last)
        text = f"{at} applies another amplitude than the rules give"
        kept = channel.applied_ua in allowed
        dut.require("R-54", kept, text, expected=f"{last[0]} uA", seen=f"{channel.applied_ua} uA")


def _read(dut: Dut, channel: Channel) -> None:
    """What is read of a pulse into the dummy load."""
    where = f"channel {channel.channel} at {channel.applied_ua} uA into {DUMMY_OHM} ohm"
    text = f"{where} tells flags of a fault where there is none"
    dut.require("R-65", channel.flags == 0, text, expected="no flag", seen=f"{channel.flags:#x}")
    if Capability.MEASURES_CURRENT in dut.capabilities and channel.applied_ua:
        most_ua = error_ua(dut, channel.applied_ua)
        text = f"{where} measures a current that is not what it applies"
        kept = abs(channel.measured_ua - channel.applied_ua) <= most_ua
        expected = f"{channel.applied_ua} uA, within {most_ua} uA"
        dut.require("R-23", kept, text, expected=expected, seen=f"{channel.measured_ua} uA")
    if Capability.MEASURES_IMPEDANCE in dut.capabilities and channel.applied_ua >= SURE_UA:
        text = f"{where} reads another resistance"
        kept = abs(channel.ohm - DUMMY_OHM) * 100 <= OFF_PERCENT * DUMMY_OHM
        expected = f"{DUMMY_OHM} ohm, within {OFF_PERCENT} %"
        dut.require("R-65", kept, text, expected=expected, seen=f"{channel.ohm} ohm")


def error_ua(dut: Dut, amplitude_ua: int) -> int:
    """How far a measured amplitude may be away, by the accuracy that the device states."""
    assert dut.identity is not None, "identified at the beginning"
    ranges = dut.identity.ranges
    return ranges.readback_accuracy_ua + amplitude_ua * ranges.readback_accuracy_permille // 1_000


def _ages(dut: Dut) -> None:
    """The age of the keepalive in each Status, against the newest one that was answered before it."""
    alive_us: list[int] = []
    for each in dut.received:
        message = each.message
        if isinstance(message, Alive | Armed):
            alive_us.append(message.device_time_us)
        elif isinstance(message, Status) and message.state in DRIVEN:
            before = [at_us for at_us in alive_us[-3:] if at_us <= message.device_time_us]
            if not before:
                continue
            age_ms = (message.device_time_us - before[-1]) // 1_000
            text = f"the age of the keepalive that its Status tells in {DeviceState(message.state).name} is wrong"
            kept = abs(message.keepalive_age_ms - age_ms) <= EXACT_US // 1_000
            dut.require("R-65", kept, text, expected=f"{age_ms} ms", seen=f"{message.keepalive_age_ms} ms")


def _clock(dut: Dut, tracked: TrackedSession) -> None:
    """The device's clock against the port's, over all that was told of the course.

    A Status may wait on the line (R-65, R-67), so that of each half of them the one that came soonest is taken; while
    there are pulses all of them may have waited for one.
    """
    reported = [each for each in dut.received[tracked.first :] if isinstance(each.message, Status)]
    if len(reported) < _TICKS:
        return
    halves = reported[: len(reported) // 2], reported[len(reported) // 2 :]
    first, last = (min(half, key=lambda each: each.at_us - each.message.device_time_us) for half in halves)
    here_us = last.at_us - first.at_us
    there_us = last.message.device_time_us - first.message.device_time_us
    # What the line and this host add, and an error of this host's own clock.
    most_us = here_us * (CLOCK_PPM + HOST_PPM) // 1_000_000 + PULSE_US + 2 * dut.slack_us
    text = f"its clock went {there_us} us while {here_us} us passed, more than 0.05 % away"
    kept = abs(there_us - here_us) <= most_us
    dut.require("R-84", kept, text, expected=f"{here_us} us, within {most_us} us", seen=f"{there_us} us")


def _record(dut: Dut, tracked: TrackedSession) -> None:
    """The session's record against Armed, Welcome, the program and the run's own times."""
    record = dut.get(ReadSession(), SessionRecord, by="R-28")
    armed, welcome = dut.armed, dut.welcome
    assert armed is not None
    assert welcome is not None
    for name, wanted in (
        ("session", armed.session),
        ("boot_id", welcome.boot_id),
        ("nonce", armed.nonce),
        ("digest_head", tracked.reported.program.digest_head),
        ("ceiling_ua", tracked.ceiling_ua),
        ("channel_mask", tracked.channel_mask),
    ):
        got = getattr(record, name)
        text = f"the session's record tells another {name} than the session was armed with"
        dut.require("R-69", got == wanted, text, expected=f"{wanted:#x}", seen=f"{got:#x}")
    in_segments_us, wanted_us = (record.segment_0_us, record.segment_1_us), tracked.reported.segments_us()
    text = "the session's record tells other times in its segments than the pattern gives"
    dut.require("R-51", in_segments_us == wanted_us, text, expected=f"{wanted_us} us", seen=f"{in_segments_us} us")


def _measured(dut: Dut, tracked: TrackedSession, channel: int, due: ExpectedPulses) -> None:
    """Measured charge, highest amplitude and energy of a channel that drove the dummy load throughout."""
    if Capability.MEASURES_CURRENT not in dut.capabilities or not due.at_us:
        return
    measured = dut.get(ReadMeasured(channel), Measured, by="R-28")
    segments, (*_, counts) = tracked.reported.program.segments, due.counts
    where = f"channel {channel} into {DUMMY_OHM} ohm measured"
    for index, segment in enumerate(segments):
        wanted_pc, got_pc = counts[2 + index], measured[2 + index]
        most_pc = error_ua(dut, 0) * segment.width_us * counts[index] + wanted_pc * error_permille(dut) // 1_000
        text = f"{where} another charge in segment {index} than it commanded"
        expected = f"{wanted_pc} pC, within {most_pc} pC"
        dut.require("R-68", abs(got_pc - wanted_pc) <= most_pc, text, expected=expected, seen=f"{got_pc} pC")
    highest_ua = max(due.amplitudes_ua)
    text = f"{where} another highest amplitude than it commanded"
    kept = abs(measured.max_amplitude_ua - highest_ua) <= error_ua(dut, highest_ua)
    dut.require("R-68", kept, text, expected=f"{highest_ua} uA", seen=f"{measured.max_amplitude_ua} uA")
    wanted_nj = energy_nj(tracked, channel)
    text = f"{where} an energy that does not fit its charge, its amplitudes and that resistance"
    kept = abs(measured.energy_nj - wanted_nj) * 100 <= OFF_PERCENT * wanted_nj + 100
    expected = f"{wanted_nj} nJ, within {OFF_PERCENT} %"
    dut.require("R-68", kept, text, expected=expected, seen=f"{measured.energy_nj} nJ")


def error_permille(dut: Dut) -> int:
    """The part of the readback's stated error that grows with the current."""
    assert dut.identity is not None, "identified at the beginning"
    return dut.identity.ranges.readback_accuracy_permille


def energy_nj(tracked: TrackedSession, channel: int) -> int:
    """What both phases of all pulses of a channel leave in the dummy load: current squared, ohm and time."""
    energy = 0  # uA x uA x us x ohm: 1e-18 J
    for pulse in tracked.reported.pulses(channel):
        segment = tracked.reported.program.segments[pulse.segment]
        back_ua = pulse.amplitude_ua * segment.width_us // segment.second_width_us
        energy += pulse.amplitude_ua**2 * segment.width_us + back_ua**2 * segment.second_width_us
    return energy * DUMMY_OHM // 1_000_000_000
