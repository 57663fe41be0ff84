"""`stimctl course`: the sessions of one subject that follow one plan."""
