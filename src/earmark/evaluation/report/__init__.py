"""A report of an evaluation: the page, its figures, and the numbers for other programs."""
