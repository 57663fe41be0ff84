"""The invariants: rules that hold in every session, judged by the record of the load and by the ledger."""
