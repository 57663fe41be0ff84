"""Loading a program, its limits and its digest: section 7, with the limits of section 14."""

from typing import Any, NamedTuple

from stimctl.wire import codec as m
from stimctl.wire.codes import Capability, Refusal
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut
from stimlab.conformance.programs import PLAIN, TWO_BANDS, WireProgram


class OverLimit(NamedTuple):
    """Fields one step over a limit: what they are refused with, and the values that the refusal names."""

    fields: dict[str, int]
    reason: Refusal
    detail: int
    limit: int


def _under(name: str, value: int, limit: int, **others: int) -> OverLimit:
    return OverLimit({name: value, **others}, Refusal.BELOW_LIMIT, value, limit)


def _over(name: str, value: int, limit: int, **others: int) -> OverLimit:
    return OverLimit({name: value, **others}, Refusal.ABOVE_LIMIT, value, limit)


HEADERS_BEYOND = (
    _under("segment_count", 0, 1),
    _over("segment_count", 3, 2),
    _under("channel_mask", 0, 1),
    OverLimit({"channel_mask": 0b1111}, Refusal.TOO_MANY_CHANNELS, 4, 3),
    _under("ramp_slope_ua_per_s", 99, 100),
    _over("ramp_slope_ua_per_s", 381, 380),
    _over("ramp_down_us", 30_000_001, 30_000_000),
)
SEGMENTS_BEYOND = (
    _under("period_us", 9_999, 10_000),
    _over("period_us", 1_000_001, 1_000_000),
    _under("width_us", 99, 100),
    _over("width_us", 601, 600, second_width_us=601),
    _over("interphase_gap_us", 101, 100),
    _under("second_width_us", 199, 200),
    _over("second_width_us", 1_201, 1_200),
    _over("dwell_us", 500_000, 0),
)
BANDS_BEYOND = (
    _under("dwell_us", 499_999, 500_000),
    _over("dwell_us", 60_000_001, 60_000_000),
    # The last pulse would come 5 ms before the next band's first.
    OverLimit({"period_us": 10_000, "dwell_us": 505_000}, Refusal.BELOW_LIMIT, 5_000, 10_000),
)
HEADERS_WITHIN: tuple[dict[str, int], ...] = (
    {"segment_count": 2, "channel_mask": 0b1110},
    {"ramp_slope_ua_per_s": 100},
    {"ramp_slope_ua_per_s": 380, "ramp_down_us": 30_000_000},
    {"channel_mask": 0b1000, "ramp_down_us": 0},
)
SEGMENTS_WITHIN: tuple[dict[str, int], ...] = (
    {"period_us": 10_000},
    {"period_us": 1_000_000, "interphase_gap_us": 100},
    {"width_us": 100, "second_width_us": 100},
    {"width_us": 600, "second_width_us": 600},
    {"width_us": 600, "second_width_us": 1_200},
)
BANDS_WITHIN: tuple[dict[str, int], ...] = ({"dwell_us": 500_000}, {"dwell_us": 60_000_000})
# The worked example of section 7.
EXAMPLE = WireProgram(
    m.LoadProgram(2, 0b111, 200, 5_000_000),
    (m.LoadSegment(0, 500_000, 600, 0, 600, 3_000_000), m.LoadSegment(1, 10_000, 200, 0, 200, 3_000_000)),
)
EXAMPLE_DIGEST = bytes.fromhex("E102A5FDC502E85846254719F2AFE9EDBD2BB936BC6AB88477FCDBD3F39C7482")
ASYMMETRIC = WireProgram(m.LoadProgram(1, 0b1010, 123, 7), (m.LoadSegment(0, 123_457, 150, 33, 450, 0),))


@check("R-29", title="LoadProgram opens, LoadSegment follows in order, ReadDigest closes")
def segments_in_order(dut: Dut) -> None:
    header, (zero, one) = TWO_BANDS.header, TWO_BANDS.segments
    dut.get(header, m.ProgramOpen, by="R-29")
    _require_refused(dut, one, "R-29", "segment 1 before segment 0")
    _require_refused(dut, m.ReadDigest(), "R-29", "a program without its segments")
    dut.get(zero, m.SegmentLoaded, by="R-29")
    _require_refused(dut, zero, "R-29", "segment 0 for a second time")
    _require_refused(dut, m.ReadDigest(), "R-29", "a program that lacks a segment")
    dut.get(one, m.SegmentLoaded, by="R-29")
    _require_refused(dut, one._replace(index=2), "R-29", "a third segment")
    dut.get(m.ReadDigest(), m.ProgramDigest, by="R-29")


@check("R-29", title="LoadProgram forgets whatever was loaded")
def loading_forgets(dut: Dut) -> None:
    dut.load(TWO_BANDS)
    dut.get(PLAIN.header, m.ProgramOpen, by="R-29")
    _require_refused(dut, m.ReadDigest(), "R-29", "a new program without its segments")
    dut.get(PLAIN.segments[0], m.SegmentLoaded, by="R-29")
    dut.get(PLAIN.header, m.ProgramOpen, by="R-29")
    dut.get(PLAIN.segments[0], m.SegmentLoaded, by="R-29")
    digest = dut.get(m.ReadDigest(), m.ProgramDigest, by="R-29").sha256
    dut.require("R-29", digest == PLAIN.digest, "a program begun anew has another digest than what was given")


@check("R-30", title="a program's head is held to its limits; what was loaded is kept", needs=Capability.HOLDS_LIMITS)
def heads_within_limits(dut: Dut) -> None:
    dut.load()
    for beyond in HEADERS_BEYOND:
        _require_named(dut, PLAIN.header._replace(**beyond.fields), beyond)
        kept = dut.get(m.ReadDigest(), m.ProgramDigest, by="R-30").sha256
        dut.require("R-30", kept == PLAIN.digest, f"after {beyond.fields} was refused, another program is loaded")
    for fields in HEADERS_WITHIN:
        dut.get(PLAIN.header._replace(**fields), m.ProgramOpen, by="R-30")


@check("R-30", title="segments are held to their limits, and what was given is kept", needs=Capability.HOLDS_LIMITS)
def segments_within_limits(dut: Dut) -> None:
    for beyond in SEGMENTS_BEYOND:
        dut.get(PLAIN.header, m.ProgramOpen)
        _require_named(dut, PLAIN.segments[0]._replace(**beyond.fields), beyond)
        dut.get(PLAIN.segments[0], m.SegmentLoaded, by="R-30")
        kept = dut.get(m.ReadDigest(), m.ProgramDigest, by="R-30").sha256
        dut.require("R-30", kept == PLAIN.digest, f"after {beyond.fields} was refused, another program is loaded")
    for fields in SEGMENTS_WITHIN:
        dut.get(PLAIN.header, m.ProgramOpen)
        dut.get(PLAIN.segments[0]._replace(**fields), m.SegmentLoaded, by="R-30")


@check(
    "R-30",
    title="bands that alternate are held to their limits, and to 10 ms from one to the next",
    needs=Capability.HOLDS_LIMITS | Capability.ALTERNATES,
)
def bands_within_limits(dut: Dut) -> None:
    for beyond in BANDS_BEYOND:
        dut.get(TWO_BANDS.header, m.ProgramOpen)
        _require_named(dut, TWO_BANDS.segments[0]._replace(**beyond.fields), beyond)
    for fields in BANDS_WITHIN:
        dut.get(TWO_BANDS.header, m.ProgramOpen)
        dut.get(TWO_BANDS.segments[0]._replace(**fields), m.SegmentLoaded, by="R-30")


@check("R-31", title="the digest is that of the document, and of what was sent")
def digests_are_right(dut: Dut) -> None:
    said = dut.load(EXAMPLE)
    dut.require("R-31", said == EXAMPLE_DIGEST, f"the digest of the worked example is {said.hex()}")
    for program in (PLAIN, TWO_BANDS, ASYMMETRIC, PLAIN.on(0b1000)):
        said = dut.load(program)
        dut.require("R-31", said == program.digest, f"{program} has digest {said.hex()}, not {program.digest.hex()}")


def _require_refused(dut: Dut, order: Any, requirement: str, what: str) -> None:
    answer = dut.ask(order, by=requirement).message
    dut.require(requirement, isinstance(answer, m.Refused), f"{what} was answered with {answer}")


def _require_named(dut: Dut, order: Any, beyond: OverLimit) -> None:
    refused = dut.refused(order, beyond.reason, by="R-30")
    named = (refused.detail, refused.limit)
    said = f"{order} was refused with the values {named}, not {(beyond.detail, beyond.limit)}"
    dut.require("R-30", named == (beyond.detail, beyond.limit), said)
