"""The command line: one file a verb; prints, never computes.

Results go to stdout, progress and complaints to stderr. Exit codes: 0 all well, 1 failure,
2 usage, 3 some files were skipped, 130 interrupted.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; exits with the codes above."""
    try:
        # Here, so that a Ctrl-C while libraries are being loaded is no accident either.
        from earmark.cli.app import run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
