"""Any data set that mirdata knows (Bittner et al., "mirdata", ISMIR 2019), where it is installed.

mirdata says where each track's audio is and what is known of it; downloading is left to it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Any

from earmark import extras
from earmark.datasets.tracks import LabelledTrack, named_split
from earmark.errors import ConfigError, DataError

_ARTISTS = ("artist", "artists", "performer", "performance_artist", "artist_id", "drummer")
_ALBUMS = ("album", "release")


def read_mirdata(
    name: str, root: str | os.PathLike[str], field: str = "genre"
) -> list[LabelledTrack]:
    """Read a data set through mirdata.

    Parameters
    ----------
    name : str
        mirdata's, e.g. ``gtzan_genre``.
    root : path-like
        Where the data set was downloaded to (mirdata's ``data_home``).
    field : str
        Attribute of its tracks that is the label, e.g. ``genre``, ``instrument``.

    Returns
    -------
    list of LabelledTrack
        Tracks that have audio; with the data set's own split where it has one into train,
        validation and test.

    Raises
    ------
    MissingExtraError
        If mirdata is not installed.
    ConfigError
        If it knows no data set `name`, or its tracks no `field`.
    DataError
        If its index, or metadata that it needs, is not there.
    """
    extras.require("train", "mirdata")
    mirdata: Any = importlib.import_module("mirdata")
    if name not in mirdata.list_datasets():
        raise ConfigError(
            f"mirdata knows no data set {name!r}", f"it has: {', '.join(mirdata.list_datasets())}"
        )
    dataset = mirdata.initialize(name, data_home=os.fspath(root))
    try:
        return from_dataset(dataset, field)
    except FileNotFoundError as e:
        raise DataError(
            f"mirdata's {name} in {root} is not complete: {e}", "let mirdata download it first"
        ) from e


def from_dataset(dataset: Any, field: str) -> list[LabelledTrack]:
    """Labelled tracks of a ``mirdata.core.Dataset``; as `read_mirdata`.

    Raises
    ------
    ConfigError
        If its tracks have no `field`.
    FileNotFoundError
        From mirdata, if index or metadata are missing.
    """
    tracks = dataset.load_tracks()
    for track in tracks.values():
        if not hasattr(track, field):
            known = sorted(n for n in dir(track) if not n.startswith("_"))
            raise ConfigError(
                f"tracks of mirdata's {dataset.name} have no {field!r}",
                f"they have: {', '.join(known)}",
            )
        break
    parts = _prescribed(dataset)
    return [
        LabelledTrack(
            path=os.path.abspath(track.audio_path),  # noqa: PTH100 - resolve() follows links
            values=_texts(getattr(track, field), field),
            artist=_first(track, _ARTISTS),
            album=_first(track, _ALBUMS),
            title=_first(track, ("title",)),
            split=parts.get(track_id, ""),
        )
        for track_id, track in tracks.items()
        if getattr(track, "audio_path", None)
    ]


def _prescribed(dataset: Any) -> dict[str, str]:
    try:
        splits = dataset.get_track_splits()
    except (AttributeError, NotImplementedError):
        return {}
    parts = {str(name): named_split(str(name)) for name in splits}
    # Some data sets have folds, or several splits, instead.
    if not all(parts.values()):
        return {}
    return {track_id: parts[name] or "" for name, ids in splits.items() for track_id in ids}


def _first(track: Any, names: tuple[str, ...]) -> str:
    for name in names:
        if texts := _texts(getattr(track, name, None), name):
            return " and ".join(texts)
    return ""


def _texts(value: Any, name: str) -> tuple[str, ...]:
    """mirdata gives one value, several, or several under their plural name."""
    if isinstance(value, Mapping):
        value = value.get(f"{name}s", value.get(name))
    if value is None or value == "":
        return ()
    if isinstance(value, str | int | float):
        return (str(value),)
    return tuple(str(v) for v in value)
