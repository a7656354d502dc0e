"""Where a profile is tried out: what it says in words, and what a live device says through it."""
