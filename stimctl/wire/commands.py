"""The messages from host to device: kinds below 0x40, each answered under its own sequence number."""

from typing import Annotated, NamedTuple

from stimctl.wire.schema import FieldSchema, message


@message(0x01)
class Hello(NamedTuple):
    """Open a handshake. While a session is open it is also a stop: a new host does not know what runs."""

    version: Annotated[int, FieldSchema("H", "protocol version the host speaks; another one is refused")]


@message(0x02)
class ReadIdentity(NamedTuple):
    """Ask for one page of the identity: 0 maker, 1 firmware, 2 ranges."""

    page: Annotated[int, FieldSchema("B", "0 to 2")]


@message(0x03)
class LoadProgram(NamedTuple):
    """Begin a new program; whatever was loaded before is gone."""

    segment_count: Annotated[int, FieldSchema("B", "1 or 2")]
    channel_mask: Annotated[int, FieldSchema("B", "bit n-1 for channel n; at most 3 bits")]
    ramp_slope_ua_per_s: Annotated[int, FieldSchema("H", "how fast a channel may rise, 100 to 380 uA/s")]
    ramp_down_us: Annotated[int, FieldSchema("I", "how long the fall to zero at the timer's end takes")]


@message(0x04)
class LoadSegment(NamedTuple):
    """Give one segment (band) of the program, in order of its index."""

    index: Annotated[int, FieldSchema("B", "0 or 1")]  # type: ignore[assignment]  # hides tuple.index
    period_us: Annotated[int, FieldSchema("I", "from one pulse's start to the next, 10 000 to 1 000 000 us")]
    width_us: Annotated[int, FieldSchema("H", "first phase, 100 to 600 us")]
    interphase_gap_us: Annotated[int, FieldSchema("H", "between the phases, 0 to 100 us")]
    second_width_us: Annotated[int, FieldSchema("H", "second phase, from the first's width to 1 200 us")]
    dwell_us: Annotated[
        int, FieldSchema("I", "length of the band, 500 000 to 60 000 000 us; 0 in a program of one segment")
    ]


@message(0x05)
class ReadDigest(NamedTuple):
    """Close the program and ask for its digest."""


@message(0x06)
class SelfTest(NamedTuple):
    """Test DAC, readback and rails with the outputs disconnected."""


@message(0x07)
class Arm(NamedTuple):
    """Ask for permission to start. The device answers with a nonce that only this arm has."""

    purpose: Annotated[int, FieldSchema("B", "0 stimulate, 1 check impedance")]
    channel_mask: Annotated[int, FieldSchema("B", "channels of the program that may be driven")]
    ceiling_ua: Annotated[int, FieldSchema("H", "no pulse of this session goes above it, 500 to 2 000 uA")]
    stimulation_limit_us: Annotated[
        int, FieldSchema("I", "stimulation in all, ramps counted, at most 1 800 000 000 us")
    ]
    time_to_live_ms: Annotated[int, FieldSchema("H", "the arm lapses unless started within, 100 to 10 000 ms")]
    digest_head: Annotated[int, FieldSchema("Q", "first 8 bytes of the digest, as a little-endian number")]


@message(0x08)
class Start(NamedTuple):
    """Start what was armed, from zero, ramping to the targets."""

    nonce: Annotated[int, FieldSchema("Q", "from Armed")]
    target_1_ua: Annotated[int, FieldSchema("H", "channel 1")]
    target_2_ua: Annotated[int, FieldSchema("H", "channel 2")]
    target_3_ua: Annotated[int, FieldSchema("H", "channel 3")]
    target_4_ua: Annotated[int, FieldSchema("H", "channel 4")]


@message(0x09)
class KeepAlive(NamedTuple):
    """Say that the host and its operator are there. Every 250 ms from the arm on."""

    nonce: Annotated[int, FieldSchema("Q", "from the newest Armed")]


@message(0x0A)
class SetTarget(NamedTuple):
    """Give a channel a new target: down at the next pulse, up by at most 100 uA and by the ramp."""

    nonce: Annotated[int, FieldSchema("Q", "from the newest Armed")]
    channel: Annotated[int, FieldSchema("B", "1 to 4")]
    target_ua: Annotated[int, FieldSchema("H", "0 up to the ceiling")]


@message(0x0B)
class Hold(NamedTuple):
    """Take all channels to zero and keep the session open for ten minutes at most."""


@message(0x0C)
class ReadImpedance(NamedTuple):
    """Ask for a channel's last impedance check."""

    channel: Annotated[int, FieldSchema("B", "1 to 4")]


@message(0x0D)
class ReadSession(NamedTuple):
    """Ask for the record of the session that is open or waits."""


@message(0x0E)
class ReadCounters(NamedTuple):
    """Ask what a channel counted in that session."""

    channel: Annotated[int, FieldSchema("B", "1 to 4")]


@message(0x0F)
class ReadMeasured(NamedTuple):
    """Ask what a channel measured in that session."""

    channel: Annotated[int, FieldSchema("B", "1 to 4")]


@message(0x10)
class Acknowledge(NamedTuple):
    """Say that the counters of an ended session are safely logged: the device may forget them."""

    session: Annotated[int, FieldSchema("I", "from SessionRecord")]


@message(0x1F)
class Stop(NamedTuple):
    """Zero output, now. Executed in any state, at any sequence number, before any handshake, in every
    version of this protocol; this frame never changes."""
