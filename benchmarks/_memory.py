"""Peak memory of a process, as far as the system tells it."""

from __future__ import annotations

import math
import sys


def peak_mb(*, of_children: bool = False) -> float:
    """Most memory that this process has held so far, or its largest child that has ended, in MB.

    NaN on Windows, which keeps no such record for Python to read.
    """
    if sys.platform == "win32":
        return math.nan
    import resource

    whose = resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF
    # macOS counts bytes, the others kB.
    return resource.getrusage(whose).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
