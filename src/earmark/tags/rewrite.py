"""An edited copy of a music file, proven to differ in its genre alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from earmark.audio import packet_hash
from earmark.errors import AudioError, TagError
from earmark.tags import id3v2
from earmark.tags.fields import Family, rewound
from earmark.tags.files import copy, create, finish, open_regular, sha256
from earmark.tags.formats import FAMILIES, identify, tag_errors, tags_of
from earmark.types import Tags


@dataclass(frozen=True, slots=True)
class Edited:
    """What was written: its tags, and SHA-256 of the old and the new file."""

    tags: Tags
    old_sha: bytes
    new_sha: bytes


def family_of(f: BinaryIO, path: str) -> Family:
    """The family that can write the tags of the open file `path`.

    Whatever writing would refuse for being the file that it is, is refused here: planning asks,
    too, and a person should not hear of it after all has been listened to.

    Raises
    ------
    TagError
        There is none, or the file holds a place that cannot be written safely.
    """
    family = _family(f, path)
    with tag_errors(path):
        family.check(f)
    return family


def _family(f: BinaryIO, path: str) -> Family:
    container = identify(f, path)
    if container == "aac" and not id3v2.tag_size(rewound(f).read(id3v2.HEADER_SIZE)):
        # Some players, and mutagen, take it for a damaged MP3 once a tag stands before it.
        raise TagError(path, "raw AAC cannot hold tags", "put it into an M4A file")
    if container not in FAMILIES:
        raise TagError(path, "tags of this type of file can be read and not written")
    return FAMILIES[container]


def rewrite(
    path: str,
    temp: str,
    edit: Callable[[Family, BinaryIO], None],
    genres: tuple[str, ...],
    mtime_ns: int | None,
) -> Edited:
    """Create `temp`, an edited copy of `path`, and flush it to the disk.

    Parameters
    ----------
    path, temp : str
    edit : callable
        Is called with the file's family and the open copy.
    genres : tuple of str
        What the copy has to say when it is read back.
    mtime_ns : int or None
        Modification time of the copy; None leaves the present.

    Raises
    ------
    TagError
        The genre read back is another, another field changed, or the encoded audio did.
    OSError
    """
    with open_regular(path) as source, create(temp) as f:
        old_sha = copy(source, f)
        with tag_errors(path):
            family = _family(source, path)
            edit(family, f)
            tags = tags_of(f, path)
            others = (_rest(tags), family.others(f))
            if others != (_rest(tags_of(source, path)), family.others(source)):
                raise TagError(path, "writing the genre would have changed other tags")
        if tags.genres != genres:
            raise TagError(path, f"the genre reads back as {tags.genres} and not as {genres}")
        new_sha = sha256(f)
        finish(source, path, f, temp, mtime_ns)
    if _audio(path, path) != _audio(temp, path):
        raise TagError(path, "writing the genre would have changed the audio")
    return Edited(tags, old_sha, new_sha)


def _rest(tags: Tags) -> dict[str, Any]:
    fields = dataclasses.asdict(tags)
    # The duration may be an estimate from the file's size.
    return {k: v for k, v in fields.items() if k not in ("genres", "dialect", "duration_s")}


def _audio(file: str, path: str) -> str:
    try:
        return packet_hash(file)
    except AudioError as e:
        raise TagError(path, f"its audio cannot be compared: {e.reason}") from e
