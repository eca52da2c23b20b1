"""Learning genres from labelled tracks: a request in, a model bundle and its scores out."""
