"""GTZAN: 1,000 half-minute clips, ten genres, many faults (Tzanetakis & Cook, 2002).

Audio is looked for as ``<genre>/<genre>.00000.wav`` (or au, ogg, mp3, flac) in the folder given or
in its ``genres``, ``genres_original`` or ``Data/genres_original``. The lists that make it usable
are other people's, and are not part of Earmark; they are looked for in a folder that the
caller names, else beside the audio, or in ``gtzan_meta`` there:

``GTZANindex.txt``
    Artists and titles, by Sturm: http://www.eecs.qmul.ac.uk/~sturm/research/GTZANtable2/
``train_filtered.txt``, ``valid_filtered.txt``, ``test_filtered.txt``
    The fault-filtered split, 443/197/290 tracks (Kereliuk, Sturm & Larsen, "Deep learning and
    music adversaries", 2015): https://github.com/coreyker/dnn-mgr/tree/master/gtzan
``f1_train.txt``, ``f1_test.txt``, …, also in a folder ``sturm_3folds``
    Three artist-filtered folds (Foleis & Tavares, 2020):
    https://github.com/julianofoleiss/gtzan_sturm_filter_3folds_stratified
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

from earmark.datasets.tracks import LabelledTrack
from earmark.errors import ConfigError, DataError

GENRES = (
    "blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock",
)  # fmt: skip
VARIANTS = ("", "all", "fault-filtered", "fold1", "fold2", "fold3")

_AUDIO = (".", "genres", "genres_original", "Data/genres_original")
_TEXTS = (".", "gtzan_meta", "sturm_3folds", "gtzan_meta/sturm_3folds")
_SUFFIXES = (".wav", ".au", ".ogg", ".mp3", ".flac")
# As file names and lists have it: blues.00000.wav, blues/blues.00000.wav, ./blues_00000.wav.
_NAME = re.compile(rf"({'|'.join(GENRES)})[._](\d{{5}})(?!\d)")
_INDEX = "GTZANindex.txt"
_FILTERED = {part: f"{part}_filtered.txt" for part in ("train", "valid", "test")}


def read_gtzan(
    root: str | os.PathLike[str],
    variant: str = "",
    meta: str | os.PathLike[str] | None = None,
) -> list[LabelledTrack]:
    """Read GTZAN, or what is there of it.

    Parameters
    ----------
    root : path-like
        Folder with the audio.
    variant : str
        ``""``: every file but those of `known_faults`. ``all``: every file. ``fault-filtered``:
        the tracks of that split, with their parts. ``fold1`` to ``fold3``: train and test of one of
        the three folds. What a split lists and the folder lacks is given with the path it would
        have; see `present`.
    meta : path-like, optional
        Folder with the text files; by default they are looked for beside the audio.

    Returns
    -------
    list of LabelledTrack
        Artists and titles are empty without Sturm's index. A track whose artist is unknown is a
        group of its own.

    Raises
    ------
    ConfigError
        If there is no such variant.
    DataError
        If there is no audio, or a list that the variant needs cannot be found or read.
    """
    if variant not in VARIANTS:
        raise ConfigError(
            f"no variant {variant!r} of GTZAN", f"known are: {', '.join(v for v in VARIANTS if v)}"
        )
    files = _audio_files(Path(os.path.abspath(root)))  # noqa: PTH100 - resolve() would follow links
    texts = _TextFiles(Path(root), None if meta is None else Path(meta))
    if variant in ("", "all"):
        left_out = known_faults() if variant == "" else frozenset()
        parts = {name: "" for name in files if name not in left_out}
    elif variant == "fault-filtered":
        parts = texts.parts(_FILTERED)
    else:
        n = variant.removeprefix("fold")
        parts = texts.parts({part: f"f{n}_{part}.txt" for part in ("train", "test")})
    credits = texts.credits()
    return [
        LabelledTrack(
            path=str(files.get(name) or _expected(name, files)),
            values=(name.partition(".")[0],),
            artist=credits.get(name, ("", ""))[0],
            title=credits.get(name, ("", ""))[1],
            split=part,
        )
        for name, part in sorted(parts.items())
    ]


@cache
def known_faults() -> frozenset[str]:
    """Names of tracks to leave out: corrupt, distorted, all but the first of each repetition."""
    facts = tomllib.loads(resources.files("earmark.datasets").joinpath("gtzan.toml").read_text())
    doubles = {name for same in facts["identical"] + facts["repeated"] for name in same[1:]}
    return frozenset({*facts["corrupt"], *facts["distorted"], *doubles})


def note_gtzan(variant: str) -> str:
    """What a person should know of a variant; empty: nothing."""
    if variant:
        return ""
    return (
        f"of GTZAN, {len(known_faults())} tracks known as repeated, distorted or corrupt are left"
        " out where they are there; gtzan:all keeps them"
    )


def _audio_files(root: Path) -> dict[str, Path]:
    """Name -> file, of the first folder that has any."""
    for folder in _AUDIO:
        found = {}
        for genre in GENRES:
            for file in sorted((root / folder / genre).glob(f"{genre}.*")):
                match = _NAME.fullmatch(file.stem)
                if match and file.suffix.lower() in _SUFFIXES:
                    found[file.stem] = file
        if found:
            return found
    raise DataError(
        f"{root} does not hold GTZAN", "expected are files such as blues/blues.00000.wav"
    )


def _expected(name: str, files: Mapping[str, Path]) -> Path:
    """Where a file that is missing would be, going by those that are there."""
    home = next(iter(files.values())).parent.parent
    suffix = Counter(file.suffix for file in files.values()).most_common(1)[0][0]
    return home / name.partition(".")[0] / f"{name}{suffix}"


class _TextFiles:
    """The lists, wherever they are."""

    def __init__(self, root: Path, meta: Path | None) -> None:
        homes = [root, root.parent] if meta is None else [meta]
        self._folders = [home / folder for home in homes for folder in _TEXTS]

    def parts(self, files: Mapping[str, str]) -> dict[str, str]:
        """Name of each listed track -> its part of the split."""
        parts = {}
        for part, file_name in files.items():
            lines = self._lines(file_name)
            if lines is None:
                raise DataError(
                    f"{file_name} is not beside GTZAN's audio, nor in a folder that was given",
                    "the documentation says where to get it",
                )
            for line in lines:
                if match := _NAME.search(line):
                    parts[f"{match[1]}.{match[2]}"] = part
        return parts

    def credits(self) -> dict[str, tuple[str, str]]:
        """Name -> artist and title, as far as Sturm's index is there and knows them."""
        found = {}
        for line in self._lines(_INDEX) or ():
            match = _NAME.match(line)
            if match:
                _, artist, title = (*(cell.strip() for cell in line.split(":::")), "", "")[:3]
                found[f"{match[1]}.{match[2]}"] = artist, title
        return found

    def _lines(self, file_name: str) -> list[str] | None:
        for folder in self._folders:
            try:
                text = (folder / file_name).read_text("utf-8", errors="replace")
            except FileNotFoundError:
                continue
            except OSError as e:
                raise DataError(f"{folder / file_name} cannot be read: {e.strerror}") from e
            return text.splitlines()
        return None
