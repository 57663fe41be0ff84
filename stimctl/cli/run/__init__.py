"""`stimctl run`: questions, keys, live screen and summary of one session."""
