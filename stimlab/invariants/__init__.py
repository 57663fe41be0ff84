"""What has to hold in every session, judged by the record of the load and by the ledger."""
