"""The dose log: durable at each entry, append-only, and tamper-evident by a chain of hashes."""

from stimctl.ledger.chain import Broken, Loss, Verdict, Why
from stimctl.ledger.store import Ledger, data_folder, ledger_path, new_session_id
from stimctl.ledger.summary import ChannelSummary, Entry, SessionHead, SessionSummary
from stimctl.ledger.writer import LedgerWriter

__all__ = [
    "Broken",
    "ChannelSummary",
    "Entry",
    "Ledger",
    "LedgerWriter",
    "Loss",
    "SessionHead",
    "SessionSummary",
    "Verdict",
    "Why",
    "data_folder",
    "ledger_path",
    "new_session_id",
]
