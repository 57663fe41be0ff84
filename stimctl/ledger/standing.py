"""How each figure of a session's dose came to be known, from what the session wrote down.

Where a device keeps counts of its own, they are counted; where the host kept them, they are counted, estimated or a
most, as the host says. An older ledger wrote 0 where such a device measures nothing: here that is unknown again.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

# What no device that is given its output in leases measures, whatever an older ledger says of it.
_NEVER_BY_LEASE = ("energy_nj", "compliance_hits")


class FigureStanding(StrEnum):
    """How a figure of a dose came to be known. It stands beside the figure wherever that is shown or exported."""

    MEASURED = "measured"  # the device measured what flowed
    COUNTED = "counted"  # pulse by pulse, by the device or from its reports
    ESTIMATED = "estimated"  # some of it is bounded by time only
    AT_MOST = "at most"  # the device does not tell when its output is broken off
    COMMANDED = "commanded"  # what was ordered, and confirmed
    UNKNOWN = "unknown"  # nobody knows: the figure is empty, and never 0


def of_channel(number: str, delivered: object, measured: object, origins: Mapping[str, Any]) -> dict[str, str]:
    """The standing of one channel's delivered and measured figures."""
    basis = _basis(origins, number)
    counted = FigureStanding.COUNTED
    if origins.get("evidence") == FigureStanding.AT_MOST:
        counted = FigureStanding.AT_MOST
    elif origins and (not basis or _any(basis.get("estimated"))):
        counted = FigureStanding.ESTIMATED
    return {
        "delivered": str(counted if delivered else FigureStanding.UNKNOWN),
        "measured": str(FigureStanding.MEASURED if measured else FigureStanding.UNKNOWN),
    }


def _basis(origins: Mapping[str, Any], number: str) -> Mapping[str, Any]:
    channels = origins.get("channels")
    basis = channels.get(number) if isinstance(channels, dict) else None
    return basis if isinstance(basis, dict) else {}


def _any(figures: object) -> bool:
    return isinstance(figures, list) and any(figures)


def without_unmeasured(
    number: str, measured: dict[str, Any] | None, origins: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What was measured on a channel, without what only looks so; None where nothing was."""
    if not origins or measured is None:
        return measured
    basis = _basis(origins, number)
    if not _any(basis.get("measured")):
        return None
    return {name: value for name, value in measured.items() if name not in _NEVER_BY_LEASE}
