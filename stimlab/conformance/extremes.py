"""Checks of the full range beside the matrix: ceilings and one step over each, two channels together, an open lead."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from stimctl.wire.codec import LoadSegment, SetTarget
from stimctl.wire.codes import Capability, DeviceState, EndReason, Refusal
from stimlab.conformance.check import Check
from stimlab.conformance.dut import Dut
from stimlab.conformance.programs import PLAIN
from stimlab.conformance.report_consistency import error_ua, judge
from stimlab.conformance.tracked_session import TrackedSession
from stimlab.conformance.verdict import CheckSkipped

CEILINGS_UA = (500, 1_000, 2_000)
TOGETHER = ((1, 2), (2, 3), (3, 4), (1, 4))
COLLAPSED_UA = 20
_TOPIC = "full range: extremes"
_SLOW = replace(PLAIN, segments=(LoadSegment(0, 1_000_000, 200, 0, 200, 0),))


def _targets(wanted: dict[int, int]) -> tuple[int, ...]:
    return tuple(wanted.get(channel, 0) for channel in range(1, 5))


def _ceiling(dut: Dut, ceiling_ua: int) -> None:
    _able(dut, channels=1, amplitude_ua=ceiling_ua)
    tracked = TrackedSession(dut, PLAIN, ceiling_ua=ceiling_ua)
    assert dut.armed is not None
    dut.refused(dut.start_order(ceiling_ua + 1), Refusal.ABOVE_LIMIT, by="R-38")
    tracked.start(ceiling_ua)
    dut.reach(DeviceState.RUNNING, 7_000_000, by="R-24")
    for over_ua in (ceiling_ua + 1, ceiling_ua + 100, 0xFFFF):
        dut.refused(SetTarget(dut.armed.nonce, 1, over_ua), Refusal.ABOVE_LIMIT, by="R-39")
    dut.listen(500_000)
    tracked.hold()
    tracked.counted(by="R-54")
    highest_ua = max(channel.applied_ua for channel in dut.channels())
    dut.measure("highest amplitude", highest_ua, ceiling_ua, "uA", by="R-57")
    judge(dut, tracked)


def _together(dut: Dut, first: int, second: int) -> None:
    _able(dut, channels=max(first, second), amplitude_ua=2_000)
    tracked = TrackedSession(dut, PLAIN.on(1 << (first - 1) | 1 << (second - 1)), ceiling_ua=2_000)
    tracked.start(*_targets({first: 2_000, second: 700}))
    dut.reach(DeviceState.RUNNING, 7_000_000, by="R-24")
    dut.listen(1_000_000)
    tracked.target(first, 300)
    dut.listen(500_000)
    tracked.hold()
    tracked.counted(by="R-54")
    judge(dut, tracked)


def _open(dut: Dut, channel: int) -> None:
    """At a pulse a second its telemetry tells of pulses under an open lead, before the third one holds the session."""
    _able(dut, channels=channel, amplitude_ua=500)
    if not dut.fixture.can_swap("open"):
        raise CheckSkipped("nobody here can take a lead off")
    tracked = TrackedSession(dut, _SLOW.on(1 << (channel - 1)))
    dut.expect(EndReason.LEAD_OFF, EndReason.COMPLIANCE)
    tracked.start(*_targets({channel: 500}))
    dut.reach(DeviceState.RUNNING, 9_000_000, by="R-24")
    dut.listen(1_100_000)
    dut.swap(channel, "open")
    dut.listen(1_500_000)
    reported = [each for each in dut.channels() if each.channel == channel][-1]
    most_ua = COLLAPSED_UA + error_ua(dut, 0)
    text = f"with nothing on channel {channel} its measured current does not collapse: it is none of what flows"
    expected = f"at most {most_ua} uA"
    dut.require("R-23", reported.measured_ua <= most_ua, text, expected=expected, seen=f"{reported.measured_ua} uA")
    dut.reach(DeviceState.HELD, 3_000_000, by="R-60")


def _able(dut: Dut, *, channels: int, amplitude_ua: int) -> None:
    assert dut.identity is not None, "identified at the beginning"
    ranges = dut.identity.ranges
    if channels > ranges.channels or amplitude_ua > ranges.max_amplitude_ua:
        raise CheckSkipped(f"it has {ranges.channels} channels and gives {ranges.max_amplitude_ua} uA at most")


def _made(name: str, requirements: tuple[str, ...], title: str, body: Callable[[Dut], None]) -> Check:
    needs = Capability.RAMPS | Capability.MEASURES_CURRENT | Capability.HOLDS_LIMITS
    return Check(name, requirements, title, _TOPIC, body, needs)


EXTREMES = (
    *(
        _made(
            f"ceiling_of_{ua}_ua", ("R-57", "R-38", "R-39"),
            f"a ceiling of {ua} uA is reached, and one step over it is refused", partial(_ceiling, ceiling_ua=ua),
        )
        for ua in CEILINGS_UA
    ),
    *(
        _made(
            f"channels_{first}_and_{second}_together", ("R-52", "R-54"),
            f"channels {first} and {second} are driven together, each by its own rule",
            partial(_together, first=first, second=second),
        )
        for first, second in TOGETHER
    ),
    *(
        _made(
            f"nothing_flows_into_nothing_on_channel_{channel}", ("R-23",),
            f"with nothing on channel {channel} its measured current collapses", partial(_open, channel=channel),
        )
        for channel in range(1, 5)
    ),
)  # fmt: skip
