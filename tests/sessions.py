"""What workflows run on, for tests that call them without the command line."""

from pathlib import Path

from earmark.session import Resources


def resources(home: Path) -> Resources:
    """One worker, a minute a file."""
    return Resources(home, n_workers=1, time_limit_s=60)
