"""What the C gate has to say to each pulse, written down from sections 13 and 14: each limit met, and passed by one."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

CDEF = """
struct pulse { uint64_t at_us; uint16_t first_ua, second_ua;
               uint16_t width_us, gap_us, second_width_us;
               uint16_t most_first_ua, most_second_ua, most_other_ua; uint8_t channel; };
struct permission { int state; uint8_t armed_mask; uint16_t ceiling_ua; uint16_t last_ua; };
_Bool gate_permits(const struct permission *permission, const struct pulse *pulse);
uint16_t over_current_ua(uint16_t applied_ua);
"""
IDLE, ARMED, CHECKING, RAMPING, RUNNING, RAMPING_DOWN, HELD, ENDED = 0, 4, 5, 6, 7, 8, 9, 10


@dataclass(frozen=True, slots=True)
class Case:
    """A pulse and whether it may leave."""

    name: str
    passes: bool
    state: int = RUNNING
    armed_mask: int = 0b1111
    ceiling_ua: int = 2_000
    last_ua: int = 2_000
    channel: int = 1
    first_ua: int = 1_000
    second_ua: int = 1_000
    width_us: int = 200
    gap_us: int = 0
    second_width_us: int = 200


_GOOD = Case("an ordinary pulse", True)


def _case(name: str, passes: bool, **changes: int) -> Case:
    return replace(_GOOD, name=name, passes=passes, **changes)


def _both(ua: int) -> dict[str, int]:
    return {"first_ua": ua, "second_ua": ua}


CASES = (
    _GOOD,
    *(_case(f"state {state}", state in (RAMPING, RUNNING, RAMPING_DOWN), state=state) for state in range(11)
      if state != CHECKING),
    _case("a check's pulse", True, state=CHECKING, last_ua=0, **_both(100)),
    _case("a check's pulse of 101 uA", False, state=CHECKING, last_ua=100, **_both(101)),
    *(_case(f"channel {channel}", 1 <= channel <= 4, channel=channel) for channel in (0, 1, 2, 3, 4, 5)),
    *(_case(f"channel {channel} is armed alone", True, channel=channel, armed_mask=1 << channel - 1)
      for channel in (1, 2, 3, 4)),
    *(_case(f"channel {channel} is not armed", False, channel=channel, armed_mask=0b1111 & ~(1 << channel - 1))
      for channel in (1, 2, 3, 4)),
    *(_case(f"channel {channel} that a wrong mask arms", False, channel=channel, armed_mask=0xFF)
      for channel in (0, 5)),
    _case("no amplitude", False, **_both(0)),
    _case("1 uA", True, last_ua=0, **_both(1)),
    _case("the ceiling", True, ceiling_ua=1_000),
    _case("over the ceiling", False, ceiling_ua=999),
    _case("2 000 uA", True, **_both(2_000)),
    _case("2 001 uA under a wrong ceiling", False, ceiling_ua=3_000, last_ua=2_001, **_both(2_001)),
    _case("a rise of 100 uA", True, last_ua=900),
    _case("a rise of 101 uA", False, last_ua=899),
    _case("a first of 100 uA", True, last_ua=0, **_both(100)),
    _case("a first of 101 uA", False, last_ua=0, **_both(101)),
    _case("100 us", True, width_us=100, second_width_us=100),
    _case("99 us", False, width_us=99, second_width_us=99),
    _case("600 us at 2 mA", True, width_us=600, second_width_us=600, **_both(2_000)),
    _case("601 us", False, width_us=601, second_width_us=601),
    _case("601 us at 2 mA", False, width_us=601, second_width_us=601, **_both(2_000)),
    _case("a gap of 100 us", True, gap_us=100),
    _case("a gap of 101 us", False, gap_us=101),
    _case("a second phase of 1 200 us", True, width_us=600, second_width_us=1_200, second_ua=500),
    _case("a second phase of 1 202 us", False, width_us=601, second_width_us=1_202, second_ua=500),
    _case("a second phase of 1 201 us", False, width_us=600, second_width_us=1_201, first_ua=1_201, second_ua=600),
    _case("a second phase that is shorter", False, width_us=300, second_width_us=200, first_ua=1_000, second_ua=1_500),
    _case("a second phase that is shorter, and not higher", False, width_us=201, second_width_us=200, first_ua=200,
          second_ua=201),
    _case("areas that differ by 1 us", False, second_width_us=201),
    _case("areas that differ by 1 uA", False, second_ua=999),
    _case("a second area that is larger", False, second_ua=1_001),
)  # fmt: skip
# Applied and cut at, in uA.
CUTS = ((0, 100), (1, 101), (999, 1_099), (1_000, 1_100), (1_009, 1_109), (1_010, 1_111), (1_500, 1_650),
        (1_999, 2_198),
        (2_000, 2_200), (2_001, 2_200), (2_200, 2_200))  # fmt: skip


class Gate:
    """The gate in a shared library."""

    def __init__(self, library: Path) -> None:
        from cffi import FFI

        self._ffi = FFI()
        self._ffi.cdef(CDEF)
        self._call: Any = self._ffi.dlopen(str(library))

    def permits(self, case: Case) -> bool:
        """What it says."""
        permission = self._ffi.new("struct permission *", {
            "state": case.state, "armed_mask": case.armed_mask, "ceiling_ua": case.ceiling_ua, "last_ua": case.last_ua,
        })  # fmt: skip
        names = ("channel", "first_ua", "second_ua", "width_us", "gap_us", "second_width_us")
        pulse = self._ffi.new("struct pulse *", {name: getattr(case, name) for name in names})
        return bool(self._call.gate_permits(permission, pulse))

    def cut_ua(self, applied_ua: int) -> int:
        """What its comparator cuts at."""
        return int(self._call.over_current_ua(applied_ua))


def killers(gate: Gate) -> list[str]:
    """The cases that this gate gets wrong."""
    wrong = [case.name for case in CASES if gate.permits(case) != case.passes]
    return wrong + [f"cut at {cut_ua} uA" for applied_ua, cut_ua in CUTS if gate.cut_ua(applied_ua) != cut_ua]
