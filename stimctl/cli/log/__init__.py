"""`stimctl log`: list, show, verify and export what the ledger holds."""
