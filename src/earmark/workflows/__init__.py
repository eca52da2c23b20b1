"""One file a verb: each a generator that yields events, never prints, and returns its result."""
