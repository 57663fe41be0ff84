"""The dose log: durable at each entry, append-only, and tamper-evident by a chain of hashes and its anchor.

The names are loaded on first use, so that asking where the ledger is loads nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stimctl.ledger.chain import ChainBreak, ChainFault, Loss, Verification
    from stimctl.ledger.heads import SessionHead
    from stimctl.ledger.place import data_folder, ledger_is_there, ledger_path
    from stimctl.ledger.reading import Entry
    from stimctl.ledger.store import Ledger, new_session_id
    from stimctl.ledger.summary import ChannelSummary, SessionSummary
    from stimctl.ledger.writer import LedgerWriter

_HOME_OF = {
    "ChainBreak": "chain",
    "ChainFault": "chain",
    "ChannelSummary": "summary",
    "Entry": "reading",
    "Ledger": "store",
    "LedgerWriter": "writer",
    "Loss": "chain",
    "SessionHead": "heads",
    "SessionSummary": "summary",
    "Verification": "chain",
    "data_folder": "place",
    "ledger_is_there": "place",
    "ledger_path": "place",
    "new_session_id": "store",
}

__all__ = [
    "ChainBreak",
    "ChainFault",
    "ChannelSummary",
    "Entry",
    "Ledger",
    "LedgerWriter",
    "Loss",
    "SessionHead",
    "SessionSummary",
    "Verification",
    "data_folder",
    "ledger_is_there",
    "ledger_path",
    "new_session_id",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
