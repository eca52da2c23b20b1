"""What was learned, measured honestly: scores with intervals, pictures, reports.

Every module of scores has one shape: conventions in its docstring, `validate`, the scores as plain
functions, and `evaluate`, which gives them with intervals. `results` puts them together,
`report` writes them down. Only `earmark.evaluation.plots.base` imports matplotlib.
"""
