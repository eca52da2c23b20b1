"""Labelled tracks from wherever a person keeps them, and honest ways to split them.

Every reader gives a list of `LabelledTrack`; nothing after it knows where the labels came from.
`read` finds the reader by the name of a source.
"""

from earmark.datasets.fma import read_fma
from earmark.datasets.folders import read_folders
from earmark.datasets.gtzan import read_gtzan
from earmark.datasets.library import from_library
from earmark.datasets.manifest import read_manifest
from earmark.datasets.mir import read_mirdata
from earmark.datasets.protocols import PROTOCOLS, SLICE_LEAK, Protocol, groups_for, leaks
from earmark.datasets.read import FROM_CATALOGUE, SOURCES, Collection, read
from earmark.datasets.splits import (
    PARTS,
    complete_split,
    grouped_folds,
    grouped_split,
    join_groups,
    random_split,
)
from earmark.datasets.tracks import GroupBy, LabelledTrack, is_artist, present

__all__ = [
    "FROM_CATALOGUE",
    "PARTS",
    "PROTOCOLS",
    "SLICE_LEAK",
    "SOURCES",
    "Collection",
    "GroupBy",
    "LabelledTrack",
    "Protocol",
    "complete_split",
    "from_library",
    "grouped_folds",
    "grouped_split",
    "groups_for",
    "is_artist",
    "join_groups",
    "leaks",
    "present",
    "random_split",
    "read",
    "read_fma",
    "read_folders",
    "read_gtzan",
    "read_manifest",
    "read_mirdata",
]
