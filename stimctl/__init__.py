"""Drive a constant-current electroacupuncture stimulator, inside hard limits, with a log of the dose.

Bench, research and simulation software; not a medical device (see SAFETY.md).

The names below are the public API. They are loaded on first use, so that importing one layer
(`stimctl.wire`, say) does not load the others.
"""

from importlib import import_module

from stimctl.version import __version__

TYPE_CHECKING = False  # that of `typing` costs as much as a bare Python
if TYPE_CHECKING:
    from typing import Any

    from stimctl.api import Session as Session
    from stimctl.api import run as run
    from stimctl.ledger import Ledger as Ledger
    from stimctl.prescription import Prescription as Prescription
    from stimctl.profile import Profile as Profile

_HOME_OF = {
    "Ledger": "stimctl.ledger",
    "Prescription": "stimctl.prescription",
    "Profile": "stimctl.profile",
    "Session": "stimctl.api",
    "run": "stimctl.api",
}

__all__ = ["Ledger", "Prescription", "Profile", "Session", "__version__", "run"]


def __getattr__(name: str) -> "Any":
    if name not in _HOME_OF:
        raise AttributeError(f"module 'stimctl' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
