"""Drives a session and tracks it: the amplitudes that the device reports, and the counts that must follow from them.

tracked = TrackedSession(dut, PROGRAM, limit_us=2_000_000)
tracked.start(200)
tracked.to_the_end()
tracked.counted(by="R-54")
"""

from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, EndReason
from stimlab.conformance.dut import CEILING_UA, LIMIT_US, Dut
from stimlab.conformance.programs import WireProgram
from stimlab.conformance.reference_model import CHANNELS, ExpectedCounts, ReportedSession


class TrackedSession:
    """One session of `program` on `channel_mask`, ARMED from here on."""

    def __init__(
        self, dut: Dut, program: WireProgram, *, limit_us: int = LIMIT_US, channel_mask: int | None = None,
        ceiling_ua: int = CEILING_UA,
    ) -> None:  # fmt: skip
        self.dut = dut
        self.ceiling_ua = ceiling_ua
        self.limit_us = limit_us
        self.channel_mask = program.header.channel_mask if channel_mask is None else channel_mask
        self.reported = ReportedSession(program, limit_us)
        self.began_us = 0  # the last run, by the port's clock
        dut.tested(program)
        self.arm()
        self.first = len(dut.received)  # of what is told of it

    @property
    def channels(self) -> list[int]:
        """The armed channels."""
        return [channel for channel in CHANNELS if self.channel_mask >> (channel - 1) & 1]

    def arm(self) -> None:
        """ARMED, from TESTED or HELD."""
        self.dut.arm(channel_mask=self.channel_mask, stimulation_limit_us=self.limit_us, ceiling_ua=self.ceiling_ua)

    def start(self, *targets_ua: int) -> m.Started:
        """Start to these targets of channels 1 up."""
        started = self.dut.start(*targets_ua)
        self.began_us = self.dut.now_us
        self.reported.started({channel: started[channel - 1] for channel in self.channels}, started.stimulation_us)
        return started

    def target(self, channel: int, target_ua: int) -> m.TargetSet:
        """Give a channel another target, which the device must take."""
        assert self.dut.armed is not None, "armed at the beginning"
        applied = self.dut.get(m.SetTarget(self.dut.armed.nonce, channel, target_ua), m.TargetSet, by="R-39")
        self.reported.target_set(channel, applied.target_ua, applied.stimulation_us)
        return applied

    def hold(self) -> m.Holding:
        """HELD."""
        holding = self.dut.hold()
        self.reported.over(holding.stimulation_us)
        return holding

    def to_the_end(self) -> None:
        """ENDED, by the timer."""
        self.dut.expect(EndReason.TIMER)
        self.dut.reach(DeviceState.ENDED, self.limit_us, by="R-42")
        self.dut.nonce = None

    def record(self) -> m.SessionRecord:
        """The device's record; a run that is on ended or is held when it says."""
        record = self.dut.get(m.ReadSession(), m.SessionRecord, by="R-28")
        self.reported.over(record.stimulation_us)
        return record

    def counted(self, *, by: str) -> dict[int, ExpectedCounts]:
        """Compare the device's counters, output being off, with the rules. Raises `Nonconforming` of `by`."""
        self.record()
        wanted = {channel: self.reported.tally(channel) for channel in CHANNELS}
        for channel, tally in wanted.items():
            counters = self.dut.get(m.ReadCounters(channel), m.Counters, by="R-28")
            got = ExpectedCounts(*counters[2:6])
            self.dut.require(
                by, got == tally, f"channel {channel} counted {_in_words(got)}; by the rules it is {_in_words(tally)}"
            )
        charge_pc = sum(tally.charge_0_pc + tally.charge_1_pc for tally in wanted.values())
        self.dut.measure("charge, counted and by the rules", charge_pc, None, "pC")
        return wanted


def _in_words(tally: ExpectedCounts) -> str:
    return (
        f"{tally.pulses_0} pulses and {tally.charge_0_pc} pC in segment 0, "
        f"{tally.pulses_1} pulses and {tally.charge_1_pc} pC in segment 1"
    )
