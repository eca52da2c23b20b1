"""Which files and folders no person means when they say "my music", by their names alone.

The rule
--------
- A leading dot does not hide music: "...And Justice for All", ".38 Special", ".O.rang" are names.
- Folders that systems and programs keep for themselves are passed over: recycle bins, snapshots,
  caches of thumbnails and the like. They are known by name.
- So is any other folder whose name is a dot and then one word that begins with a small letter
  (".cache", ".config", ".git"): programs name their hidden folders so, and people hardly their
  albums. Named on the command line, it is looked into like any other.
- Files are passed over that are no recordings whatever their extension says: what macOS keeps
  beside a file on foreign disks ("._song.mp3"), what Android has thrown away or has not finished
  ("….trashed-…"), and Earmark's own copies in the making.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Kind = Literal["bin", "snapshot", "service", "hidden", "shadow", "unfinished"]
"""Why something is passed over."""

_TOLD: dict[Kind, tuple[str, str]] = {
    "bin": ("recycle bin", "recycle bins"),
    "snapshot": ("folder of older copies", "folders of older copies"),
    "service": ("folder of the system", "folders of the system"),
    "hidden": ("hidden folder", "hidden folders"),
    "shadow": ("macOS side file", "macOS side files"),
    "unfinished": ("deleted or unfinished file", "deleted or unfinished files"),
}

# In any case of letters, as disks do not all keep it.
_FOLDERS: dict[str, Kind] = {
    **dict.fromkeys(
        (
            *("$recycle.bin", "#recycle", "@recycle", "@recycle.bin", ".recycle", ".recycle.bin"),
            *(".recyclebin", ".trash", ".trashes", ".trashbox", "network trash folder"),
        ),
        "bin",
    ),
    **dict.fromkeys(
        (
            *("#snapshot", "@recently-snapshot", "@snapshot", "@snapshots", "~snapshot"),
            *(".snapshot", ".snapshots", ".zfs", ".stversions", ".mobilebackups"),
            *(".backups.backupdb", "backups.backupdb"),
        ),
        "snapshot",
    ),
    **dict.fromkeys(
        (
            *("@eadir", "@__thumb", "@transcode", "@tmp", "@sharebin", "@upload_cache"),
            *(".@__thumb", ".@__qini", ".@upload_cache", ".@plugins", "@appstore", "@database"),
            *("system volume information", "$extend", "$winreagent", "config.msi", "__macosx"),
            *(".spotlight-v100", ".documentrevisions-v100", ".fseventsd", ".temporaryitems"),
            *("temporary items", "thevolumesettingsfolder", ".pkinstallsandboxmanager"),
            *(".appledouble", ".appledb", ".appledesktop", ".synologyworkingdirectory"),
        ),
        "service",
    ),
}
# Of these, other spellings are albums: "Recycler" by ZZ Top, "Recycled" by Nektar, "Lost+Found".
_EXACT_FOLDERS: dict[str, Kind] = {"RECYCLER": "bin", "RECYCLED": "bin", "lost+found": "service"}
_FOLDER_PATTERNS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"\.trash-\S+", re.IGNORECASE), "bin"),  # .Trash-1000: of one user of a disk
    (re.compile(r"S-1-5(?:-[0-9]+)+"), "bin"),  # a user of Windows, in any bin
    (re.compile(r"found\.[0-9]{3}", re.IGNORECASE), "service"),  # what chkdsk has picked up
    (re.compile(r"\.[a-z]\S*"), "hidden"),
)
_FILE_PATTERNS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"\._.*", re.DOTALL), "shadow"),
    (re.compile(r"\.(?:trashed|pending)-[0-9]+-.*", re.DOTALL), "unfinished"),
    (re.compile(r"\.earmark-[0-9a-f]{12}(?:\..*)?", re.DOTALL), "unfinished"),
)


def why_passed_over(name: str, *, is_dir: bool) -> Kind | None:
    """Why a file or folder of that name is passed over; None where it is not."""
    if not is_dir:
        return _first(_FILE_PATTERNS, name)
    kind = _EXACT_FOLDERS.get(name) or _FOLDERS.get(name.lower())
    return kind or _first(_FOLDER_PATTERNS, name)


def told(counts: Mapping[Kind, int]) -> str:
    """Counts of each kind as people read them: ``"2 recycle bins, 1 hidden folder"``."""
    return ", ".join(
        f"{counts[kind]} {_TOLD[kind][counts[kind] != 1]}" for kind in _TOLD if counts.get(kind)
    )


def _first(patterns: tuple[tuple[re.Pattern[str], Kind], ...], name: str) -> Kind | None:
    return next((kind for pattern, kind in patterns if pattern.fullmatch(name)), None)
