"""`stimctl run`: the questions, keys, live screen and summary of one session."""
