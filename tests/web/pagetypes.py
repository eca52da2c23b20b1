"""What the page's sources say of the API's shapes."""

from __future__ import annotations

import re
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"
TYPES = (WEB / "src" / "types.ts").read_text(encoding="utf-8")


def interfaces() -> dict[str, set[str]]:
    """Fields of each interface of the page, its own and inherited ones."""
    found: dict[str, set[str]] = {}
    pattern = r"export interface (\w+)(?: extends (\w+))? \{(.*?)\}(?:\n\n|\n(?=export)|$)"
    for name, base, body in re.findall(pattern, TYPES, re.S):
        own = set(re.findall(r"(?:^|;|\n)\s*(\w+)\??:", body))
        found[name] = own | found.get(base, set())
    return found
