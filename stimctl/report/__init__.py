"""Pictures and texts that people look at or take away: previews of a plan."""
