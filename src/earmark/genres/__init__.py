"""Genre names: one spelling for each, out of whatever files say, and the tree they form.

``parse`` turns tag values into canonical names; ``parent``, ``ancestors`` and ``top`` walk the
tree. The names, their aliases and the ID3v1 numbers are data: the TOML files beside this one.
"""

from earmark.genres.names import canonical, fold, is_missing, one_spelling, parse, same
from earmark.genres.splitting import split_at
from earmark.genres.tree import ancestors, is_style, parent, top

__all__ = [
    "ancestors",
    "canonical",
    "fold",
    "is_missing",
    "is_style",
    "one_spelling",
    "parent",
    "parse",
    "same",
    "split_at",
    "top",
]
