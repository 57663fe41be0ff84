"""The codes of the wire: states, reasons, flags.

A number that is not listed here is refused, by name, on both sides: a code that one side does not know
could mean anything, so it means stop.
"""

from enum import IntEnum, IntFlag

PROTOCOL_VERSION = 2
CHANNELS = 4
MAX_SEGMENTS = 2
NOT_MEASURED_OHM = 0
SATURATED_OHM = 0xFFFF


def ohm_text(ohm: int) -> str:
    """A resistance in words. The highest that a device can tell is that of an open circuit too."""
    if ohm == SATURATED_OHM:
        return "over 65 kohm (open)"
    return "not measured" if ohm == NOT_MEASURED_OHM else f"{ohm} ohm"


class DeviceState(IntEnum):
    """Where the device stands. Output is possible only in CHECKING, RAMPING, RUNNING and RAMPING_DOWN."""

    IDLE = 0
    LOADING = 1
    LOADED = 2
    TESTED = 3
    ARMED = 4
    CHECKING = 5
    RAMPING = 6
    RUNNING = 7
    RAMPING_DOWN = 8
    HELD = 9
    ENDED = 10


GIVES_OUTPUT = frozenset((DeviceState.CHECKING, DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN))


class Purpose(IntEnum):
    """What an arm is for."""

    STIMULATE = 0
    CHECK_IMPEDANCE = 1


class EndReason(IntEnum):
    """Why the device ended a session, or holds it."""

    NONE = 0
    STOP = 1
    TIMER = 2
    WATCHDOG = 3
    OVER_CURRENT = 4
    SHORT = 5
    NET_CHARGE = 6
    HOLD_EXPIRED = 7
    SESSION_EXPIRED = 8
    RESET = 9
    HANDSHAKE = 10
    GATE = 11
    HELD_BY_HOST = 12
    LEAD_OFF = 13
    COMPLIANCE = 14


class Refusal(IntEnum):
    """Why a command was refused. `detail` and `limit` of the Refused message carry the two values."""

    UNKNOWN_KIND = 1
    WRONG_LENGTH = 2
    UNKNOWN_VALUE = 3
    UNSUPPORTED_VERSION = 4
    NO_HANDSHAKE = 5
    STALE_SEQUENCE = 6
    WRONG_STATE = 7
    WRONG_NONCE = 8
    WRONG_DIGEST = 9
    UNREAD_COUNTERS = 10
    SELF_TEST_FAILED = 11
    ABOVE_LIMIT = 12
    BELOW_LIMIT = 13
    UNBALANCED = 14
    TOO_MANY_CHANNELS = 15
    RAISE_TOO_LARGE = 16
    RAISE_TOO_SOON = 17
    WRONG_SESSION = 18
    NOT_IN_PROGRAM = 19


class Capability(IntFlag):
    """What the device can do by itself."""

    MEASURES_CURRENT = 1
    MEASURES_IMPEDANCE = 2
    WATCHDOG = 4
    SESSION_TIMER = 8
    HOLDS_LIMITS = 16
    ALTERNATES = 32
    RAMPS = 64
    ISOLATED_OUTPUTS = 128


class ChannelFlag(IntFlag):
    """What a channel reports about its last pulse."""

    COMPLIANCE = 1
    LEAD_OFF = 2
    SHORT = 4
    OVER_CURRENT = 8
    NET_CHARGE = 16


class SelfTestFailure(IntFlag):
    """What a self-test found wrong."""

    DAC = 1
    READBACK = 2
    COMPLIANCE_RAIL = 4
    ZERO = 8
    MEMORY = 16


def simulator_or_hardware(simulator: object, unknown: str = "UNKNOWN DEVICE") -> str:
    """Which it is, as screens, logs and exports say it: what the device said (a bool), or `unknown`; never guessed."""
    return "SIMULATOR" if simulator is True else "HARDWARE" if simulator is False else unknown
