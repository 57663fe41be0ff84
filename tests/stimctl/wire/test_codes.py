"""Codes: the numbers are pinned, because a number that moves changes what an old log and an old device mean."""

from enum import IntEnum, IntFlag

import pytest

from stimctl.wire import codes

PINNED: dict[type[IntEnum] | type[IntFlag], str] = {
    codes.DeviceState: (
        "IDLE=0 LOADING=1 LOADED=2 TESTED=3 ARMED=4 CHECKING=5 RAMPING=6 RUNNING=7 RAMPING_DOWN=8 HELD=9 ENDED=10"
    ),
    codes.Purpose: "STIMULATE=0 CHECK_IMPEDANCE=1",
    codes.EndReason: (
        "NONE=0 STOP=1 TIMER=2 WATCHDOG=3 OVER_CURRENT=4 SHORT=5 NET_CHARGE=6 HOLD_EXPIRED=7 SESSION_EXPIRED=8"
        " RESET=9 HANDSHAKE=10 GATE=11 HELD_BY_HOST=12 LEAD_OFF=13 COMPLIANCE=14"
    ),
    codes.Refusal: (
        "UNKNOWN_KIND=1 WRONG_LENGTH=2 UNKNOWN_VALUE=3 UNSUPPORTED_VERSION=4 NO_HANDSHAKE=5 STALE_SEQUENCE=6"
        " WRONG_STATE=7 WRONG_NONCE=8 WRONG_DIGEST=9 UNREAD_COUNTERS=10 SELF_TEST_FAILED=11 ABOVE_LIMIT=12"
        " BELOW_LIMIT=13 UNBALANCED=14 TOO_MANY_CHANNELS=15 RAISE_TOO_LARGE=16 RAISE_TOO_SOON=17 WRONG_SESSION=18"
        " NOT_IN_PROGRAM=19"
    ),
    codes.Capability: (
        "MEASURES_CURRENT=1 MEASURES_IMPEDANCE=2 WATCHDOG=4 SESSION_TIMER=8 HOLDS_LIMITS=16 ALTERNATES=32 "
        "RAMPS=64 ISOLATED_OUTPUTS=128"
    ),
    codes.ChannelFlag: "COMPLIANCE=1 LEAD_OFF=2 SHORT=4 OVER_CURRENT=8 NET_CHARGE=16",
    codes.SelfTestFailure: "DAC=1 READBACK=2 COMPLIANCE_RAIL=4 ZERO=8 MEMORY=16",
}


@pytest.mark.parametrize("listing", PINNED, ids=lambda listing: listing.__name__)
def test_numbers_never_move(listing: type[IntEnum] | type[IntFlag]) -> None:
    assert " ".join(f"{code.name}={code.value}" for code in listing) == PINNED[listing]


def test_every_list_of_codes_is_pinned() -> None:
    lists = {value for value in vars(codes).values() if isinstance(value, type) and issubclass(value, int)}
    assert lists - {IntEnum, IntFlag} == set(PINNED)


def test_sizes_of_version_2() -> None:
    assert (codes.PROTOCOL_VERSION, codes.CHANNELS, codes.MAX_SEGMENTS) == (2, 4, 2)
    assert (codes.NOT_MEASURED_OHM, codes.SATURATED_OHM) == (0, 65_535)
