"""What people look at or take away: pictures of a plan, and later of what was delivered."""
