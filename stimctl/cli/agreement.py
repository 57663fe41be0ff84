"""Whether a session's doses agree, in words for a person."""

from collections.abc import Mapping
from typing import Any

from stimctl.label import printable


def agreement_text(agreement: Mapping[str, Any], name: str, *, unknown: str, yes: str = "yes", no: str = "NO") -> str:
    """One of `exact` and `measured`. `unknown` where it is neither true nor false, and has no reason to tell."""
    agrees, reason = agreement.get(name), agreement.get("reason") if name == "exact" else None
    if isinstance(agrees, bool):
        return yes if agrees else no
    return f"not known: {printable(reason)}" if reason else unknown
