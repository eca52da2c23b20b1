"""From slice probabilities to a genre, or to "I don't know"."""
