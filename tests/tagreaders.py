"""What other programs read as the genre of a file; those that the machine lacks are left out."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return done.stdout.decode("utf-8", "replace")


def _ffprobe(path: Path) -> list[str]:
    wanted = "format_tags:stream_tags"
    found = json.loads(
        _run("ffprobe", "-v", "error", "-show_entries", wanted, "-of", "json", str(path)) or "{}"
    )
    tags = [found.get("format", {}), *found.get("streams", ())]
    return [v for t in tags for k, v in t.get("tags", {}).items() if k.lower() == "genre"]


def _mediainfo(path: Path) -> list[str]:
    tracks = json.loads(_run("mediainfo", "--Output=JSON", str(path)))["media"]["track"]
    found: list[str] = []
    for track in tracks:
        more: Any = track.get("extra") or {}
        found += [v for k, v in {**track, **more}.items() if k.lower() == "genre"]
    return [v for value in found for v in value.split(" / ")]


def _exiftool(path: Path) -> list[str]:
    (found,) = json.loads(_run("exiftool", "-j", "-a", "-G1", str(path)))
    values = [v for k, v in found.items() if k.lower().endswith(":genre")]
    flat = [v for value in values for v in (value if isinstance(value, list) else [value])]
    return [str(v) for v in flat if v != "None"]  # what it calls number 255 of ID3v1


def _kid3(path: Path) -> list[str]:
    return _run("kid3-cli", "-c", "get genre", str(path)).split("\n")[:1]


def _metaflac(path: Path) -> list[str]:
    lines = _run("metaflac", "--show-tag=GENRE", str(path)).splitlines()
    return [line.partition("=")[2] for line in lines]


def _comments(*command: str) -> Callable[[Path], list[str]]:
    def read(path: Path) -> list[str]:
        return re.findall(r"(?im)^\s*genre=(.*)$", _run(*command, str(path)))

    return read


def _eyed3(path: Path) -> list[str]:
    return re.findall(r"genre: (.*?) \(id", _run("eyeD3", "--no-color", str(path)))


def _id3v2(path: Path) -> list[str]:
    found = re.findall(r"(?m)^TCON: (.*?)(?: \(\d+\))?$", _run("id3v2", "-R", str(path)))
    return [v.strip() for v in found]


def _atomicparsley(path: Path) -> list[str]:
    return re.findall(r'"(?:©gen|gnre)" contains: (.*)', _run("AtomicParsley", str(path), "-t"))


Reader = Callable[[Path], list[str]]

_ANY: dict[str, Reader] = {
    "ffprobe": _ffprobe,
    "mediainfo": _mediainfo,
    "exiftool": _exiftool,
    "kid3-cli": _kid3,
}
_MP3: dict[str, Reader] = {**_ANY, "eyeD3": _eyed3, "id3v2": _id3v2}
READERS: dict[str, dict[str, Reader]] = {
    "mp3": _MP3,
    "flac": {**_ANY, "metaflac": _metaflac},
    "ogg": {**_ANY, "vorbiscomment": _comments("vorbiscomment", "-l")},
    "opus": {**_ANY, "opusinfo": _comments("opusinfo")},
    "mp4": {**_ANY, "AtomicParsley": _atomicparsley},
}
PACKAGES = {
    "ffprobe": "ffmpeg",
    "mediainfo": "mediainfo",
    "exiftool": "libimage-exiftool-perl",
    "kid3-cli": "kid3-cli",
    "metaflac": "flac",
    "vorbiscomment": "vorbis-tools",
    "opusinfo": "opus-tools",
    "eyeD3": "eyed3",
    "id3v2": "id3v2",
    "AtomicParsley": "atomicparsley",
}
"""Programs and the Debian packages that they come in."""


def genres_by_others(path: Path, container: str, *without: str) -> dict[str, list[str]]:
    """Program to the genres that it reads, but for blank ones, of those that are installed."""
    readers = READERS.get(container, _ANY)
    return {
        name: [v for v in read(path) if v.strip()]
        for name, read in readers.items()
        if name not in without and shutil.which(name)
    }


def missing_readers() -> list[str]:
    return [name for name in PACKAGES if not shutil.which(name)]
