"""Words a limit in the unit that people write, for errors about amounts in files and answers."""

from decimal import Decimal

from stimctl.limits import Limit
from stimctl.units import US_PER_MIN, US_PER_S


def amount_text(low: int, high: int, factor: int) -> str:
    """`0.5 to 2.0` for 500 to 2000 uA in mA: both ends with as many places."""
    ends = [Decimal(end) / factor for end in (low, high)]
    places = max(max(0, -int(end.normalize().as_tuple().exponent)) for end in ends)
    return " to ".join(f"{end:.{places}f}" for end in ends) if low != high else f"{ends[0]:.{places}f}"


def limit_text(limit: Limit, factor: int, unit: str) -> str:
    """What a limit allows, in `unit`, of which one is `factor` of the limit's own."""
    if unit in ("min", "s") and limit.high >= US_PER_MIN and limit.low % US_PER_MIN:
        span = f"{limit.low / US_PER_S:g} s to {limit.high / US_PER_MIN:g} min"
    else:
        span = f"{amount_text(limit.low, limit.high, factor)} {unit}"
    return f"must be {span} ({limit.why})"
