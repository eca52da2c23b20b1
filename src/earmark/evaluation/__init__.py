"""Scores and pictures of them. Only `earmark.evaluation.plots` imports matplotlib."""
