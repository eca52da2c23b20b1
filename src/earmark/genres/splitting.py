"""Several genres in one text: parted at separators, but not inside brackets."""

from __future__ import annotations

import re

_PAIRS = dict(zip("([{（［｛「『【〈《", ")]}）］｝」』】〉》", strict=True))
_OPENING = {closing: opening for opening, closing in _PAIRS.items()}


def split(separator: re.Pattern[str], text: str) -> list[str]:
    """`re.split`, but for separators inside a pair of brackets: "Techno (Raw / Deep)" is one."""
    inside = _inside(text)
    parts, start = [], 0
    for match in separator.finditer(text):
        if not inside[match.start()]:
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def split_at(separator: str, text: str) -> list[str]:
    """`str.split`, with the same exception."""
    return split(re.compile(re.escape(separator)), text)


def _inside(text: str) -> list[bool]:
    """Whether each character is inside a pair of brackets; single ones are none."""
    change = [0] * (len(text) + 1)
    open_at: dict[str, list[int]] = {opening: [] for opening in _PAIRS}
    for at, char in enumerate(text):
        if char in _PAIRS:
            open_at[char].append(at)
        elif (opening := _OPENING.get(char)) and open_at[opening]:
            change[open_at[opening].pop()] += 1
            change[at] -= 1
    inside, depth = [], 0
    for step in change[:-1]:
        depth += step
        inside.append(depth > 0)
    return inside
