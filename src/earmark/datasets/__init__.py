"""Labelled tracks from wherever a person keeps them, and honest ways to split them.

Every reader gives a list of `LabelledTrack`; nothing after it knows where the labels came from.
"""

from earmark.datasets.folders import read_folders
from earmark.datasets.library import from_library
from earmark.datasets.manifest import read_manifest
from earmark.datasets.splits import PARTS, grouped_split
from earmark.datasets.tracks import LabelledTrack

__all__ = [
    "PARTS",
    "LabelledTrack",
    "from_library",
    "grouped_split",
    "read_folders",
    "read_manifest",
]
