"""The command line: one file a verb; prints, never computes.

Results go to stdout, progress and complaints to stderr. Exit codes: 0 all well, 1 failure,
2 usage, 3 some files were skipped, 130 interrupted.
"""

from earmark.cli.app import main

__all__ = ["main"]
