"""``python -m earmark``: the command line, where it is not on the path."""

from __future__ import annotations

from earmark.cli import main

if __name__ == "__main__":
    main()
