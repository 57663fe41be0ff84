"""The dose log: durable at each entry, append-only, and tamper-evident by a chain of hashes."""

from stimctl.ledger.chain import ChainBreak, ChainFault, Verification
from stimctl.ledger.store import Ledger, data_folder, ledger_path, new_session_id
from stimctl.ledger.summary import ChannelSummary, Entry, SessionHead, SessionSummary
from stimctl.ledger.writer import LedgerWriter

__all__ = [
    "ChainBreak",
    "ChainFault",
    "ChannelSummary",
    "Entry",
    "Ledger",
    "LedgerWriter",
    "SessionHead",
    "SessionSummary",
    "Verification",
    "data_folder",
    "ledger_path",
    "new_session_id",
]
