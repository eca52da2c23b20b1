"""Which genre is a kind of which: `parent`, `ancestors`, `top`.

All take canonical names (see `earmark.genres.names`). A genre that the tree does not know belongs
under the known genre that its last words name: "Female Fronted Metal" is a kind of Metal. What
stands in brackets behind a genre narrows it down: "Techno (Raw / Deep)" is a kind of Techno.
"""

from __future__ import annotations

import functools
import re

from earmark.genres.names import canonical, fold, load

_BRACKETED = re.compile(r"(.*\w.*?)\s*[(\[{].+[)\]}]")
_FORM_NOT_STYLE = "Descriptive"


@functools.lru_cache(maxsize=65536)
def parent(name: str) -> str | None:
    """The genre that `name` is a kind of; None at the top of the tree and outside it."""
    parents = _parents()
    if name in parents:
        return parents[name]
    if bracketed := _BRACKETED.fullmatch(name):
        bare = canonical(bracketed[1])
        return bare if bare in parents else parent(bare)
    words = name.replace("-", " ").split()
    for first in range(1, len(words)):
        known = canonical(" ".join(words[first:]))
        if known in parents and fold(known) != fold(name):
            return known
    return None


def ancestors(name: str) -> tuple[str, ...]:
    """All that `name` is a kind of, nearest first."""
    above: list[str] = []
    nearest = parent(name)
    while nearest is not None:
        above.append(nearest)
        nearest = parent(nearest)
    return tuple(above)


def top(name: str) -> str:
    """The root that `name` is under; `name` itself where it is one, or unknown."""
    return (name, *ancestors(name))[-1]


def is_style(name: str) -> bool:
    """Whether a genre can be heard; "Instrumental", "Oldies" or "Christmas" say something else."""
    return top(name) != _FORM_NOT_STYLE


@functools.cache
def _parents() -> dict[str, str | None]:
    tree = load("tree")
    parents: dict[str, str | None] = dict.fromkeys(tree["top"])
    for name, children in tree["children"].items():
        parents |= dict.fromkeys(children, name)
    return parents
