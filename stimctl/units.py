"""Integer quantities, and how people write them.

Inside, every quantity is an int whose unit is in its name: `amplitude_ua`, `width_us`, `charge_pc`.
1 uA for 1 us is 1 pC exactly, so charge never needs a rounding rule. mA, ms, seconds and minutes exist
only where people read and write; the conversions below are exact or they refuse.
"""

import re
from decimal import Context, Decimal, DecimalException, Inexact, localcontext

from stimctl.errors import Misuse

_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
US_PER_MS = 1_000
US_PER_S = 1_000_000
US_PER_MIN = 60 * US_PER_S
UA_PER_MA = 1_000
PC_PER_UC = 1_000_000
PC_PER_MC = 1_000_000_000
# Far above every quantity here; a number with thousands of digits must not cost time or memory.
LARGEST = 2**63


def whole(value: float | int | str | Decimal, factor: int, *, name: str, unit: str) -> int:
    """Return `value` times `factor` as an int; raise `Misuse` when that is not a whole number.

    `whole(0.6, 1000, name="width", unit="us")` is 600: what a person wrote in a large unit, exactly,
    in the small one. Floats are read by their shortest decimal form, which is what was typed.
    """
    written = plain_number(value, name)
    try:
        with localcontext(Context(traps=[Inexact])):
            scaled = written * factor
    except DecimalException:
        raise Misuse(f"{name}: {value} is not a whole number of {unit}") from None
    if abs(scaled) >= LARGEST:
        raise Misuse(f"{name}: {value} is too large")
    if scaled != scaled.to_integral_value():
        raise Misuse(f"{name}: {value} is not a whole number of {unit}")
    return int(scaled)


def counted(number: int, noun: str) -> str:
    """A number of things: `1 entry`, `1,200 entries`."""
    plural = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


# As people write thousands, or a decimal comma and three places: nobody can know.
THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+")


def plain_number(value: float | int | str | Decimal, name: str) -> Decimal:
    """`value` exactly, a text only in plain decimal digits: not `2_5`, not other scripts' digits. Raises `Misuse`."""
    try:
        # Decimal would take 2_5 for 25, and the digits of every script.
        number = Decimal(str(value) if not isinstance(value, str) or _PLAIN.fullmatch(value.strip()) else "NaN")
    except DecimalException:
        number = Decimal("NaN")
    if not number.is_finite():
        raise Misuse(f"{name}: {value!r} is not a number")
    return number


def ua_from_ma(amplitude_ma: float | str | Decimal) -> int:
    """Milliamperes as written by a person, in uA. Raises `Misuse` below a resolution of 1 uA."""
    return whole(amplitude_ma, UA_PER_MA, name="amplitude", unit="uA")


def us_from_minutes(minutes: float | str | Decimal) -> int:
    """Minutes as written by a person, in us. Raises `Misuse` when not a whole number of us."""
    return whole(minutes, US_PER_MIN, name="minutes", unit="us")


def hz_text(period_us: int) -> str:
    """A period as people say it: `500000` is `2 Hz`."""
    return f"{US_PER_S / period_us:g} Hz"


def ma_text(amplitude_ua: int) -> str:
    """uA as people read it: `1500` is `1.50 mA`."""
    return f"{amplitude_ua / UA_PER_MA:.2f} mA"


def charge_text(charge_pc: int) -> str:
    """Charge in the unit that suits its size: `1200000` is `1.200 uC`."""
    if abs(charge_pc) >= PC_PER_MC:
        return f"{charge_pc / PC_PER_MC:.3f} mC"
    return f"{charge_pc / PC_PER_UC:.3f} uC"


def clock_text(duration_us: int) -> str:
    """A duration as minutes and seconds, rounded down: `1199999999` is `19:59`."""
    minutes, seconds = divmod(duration_us // US_PER_S, 60)
    return f"{minutes:d}:{seconds:02d}"
