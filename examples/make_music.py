"""Make the demo library examples/music from unpacked Debian packages (for maintainers).

    mkdir debs && cd debs
    apt-get download PACKAGE && dpkg-deb -x PACKAGE_*.deb PACKAGE    # for each one in SOURCES.toml
    python examples/make_music.py debs

What is taken from where, and under which licence, stands in examples/music/SOURCES.toml; CREDITS.md
is written from the same table, so that no file can go without its credit. Decoding is PyAV's,
encoding the ffmpeg program's, since PyAV's own build has no good Vorbis encoder. The same packages,
ffmpeg and mutagen give the same bytes again.
"""

import argparse
import io
import subprocess
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import mutagen
import numpy as np
import numpy.typing as npt
from mutagen.id3 import ID3, TALB, TCON, TIT2, TPE1, Encoding, MakeID3v1

MUSIC = Path(__file__).parent / "music"
FADE_S = 0.05
CODECS = {  # suffix -> what ffmpeg is told
    ".mp3": ("MP3", ["-c:a", "libmp3lame", "-id3v2_version", "0"]),
    ".flac": ("FLAC", ["-c:a", "flac", "-sample_fmt", "s16", "-compression_level", "12"]),
    ".ogg": ("Ogg Vorbis", ["-c:a", "libvorbis"]),
    ".opus": ("Opus", ["-c:a", "libopus"]),
    ".m4a": ("AAC in MP4", ["-c:a", "aac", "-movflags", "+faststart"]),
    ".wav": ("16-bit PCM WAV", ["-c:a", "pcm_s16le"]),
}
MP4_NAMES = {"artist": "\xa9ART", "album": "\xa9alb", "title": "\xa9nam", "genre": "\xa9gen"}

HEADER = """\
# Credits of the demo music

**These files are not under Earmark's MIT licence.** Each is an excerpt of a track that its authors
published under the free licence named here; the excerpts, being adaptations, are under that same
licence. Earmark's authors are not connected with, nor endorsed by, any of them.

Made by `examples/make_music.py` from `SOURCES.toml` and packages of Debian 12 "bookworm"; change
those, not this page. Every excerpt was faded in and out over 0.05 s and lost all tags but artist,
album, title and, where the column says so, genre. *Genre* is what tags, titles and texts say the
music is, not a judgement by ear; *tag* is what the file here says, with the mess that real
libraries have, and a dash is one for the demo to fill. A licence is *stated in* that part of the
package's copyright file, or in that other file of the package.
"""
COLUMNS = ("file", "title", "artist", "genre", "tag", "source", "licence", "changes")


@dataclass(frozen=True, kw_only=True)
class Track:
    """One file of the demo library; the fields are explained at the head of SOURCES.toml."""

    file: str
    title: str
    artist: str
    album: str
    truth: str
    evidence: str
    package: str
    version: str
    paths: list[str]
    start: float
    seconds: float
    rate: int
    channels: int
    author: str
    licence: str
    stated: str
    genre: str | list[str] = ""
    tag: str = ""
    kbps: int = 0
    note: str = ""

    @property
    def suffix(self) -> str:
        return Path(self.file).suffix

    @property
    def genres(self) -> list[str]:
        return [self.genre] * bool(self.genre) if isinstance(self.genre, str) else self.genre

    @property
    def texts(self) -> dict[str, list[str]]:
        """The tags to write: field name to values."""
        tags = {"artist": [self.artist], "album": [self.album], "title": [self.title]}
        return tags | ({"genre": self.genres} if self.genres else {})


def open_source(packages: Path, track: Track, path: str) -> str | io.BytesIO:
    """Return what PyAV opens: a path, or the bytes of a member of a zip archive."""
    archive, _, member = path.partition("!")
    source = packages / track.package / archive
    if not member:
        return str(source)
    with zipfile.ZipFile(source) as opened:
        return io.BytesIO(opened.read(member))


def decode(source: str | io.BytesIO, track: Track) -> npt.NDArray[np.float32]:
    """Return the excerpt as float32 (channels, n_samples); decoded from the start, so exact."""
    first = round(track.start * track.rate)
    n_samples = round(track.seconds * track.rate)
    layout = "mono" if track.channels == 1 else "stereo"
    resampler = av.AudioResampler("fltp", layout, track.rate)
    blocks: list[npt.NDArray[np.float32]] = []
    n_decoded = 0
    with av.open(source, mode="r") as container:
        for frame in container.decode(audio=0):
            for out in resampler.resample(frame):
                blocks.append(out.to_ndarray().astype(np.float32))
                n_decoded += out.samples
            if n_decoded >= first + n_samples:
                return np.concatenate(blocks, axis=1)[:, first : first + n_samples]
    raise ValueError(f"{track.file}: the source ends before the excerpt does")


def excerpt(packages: Path, track: Track) -> npt.NDArray[np.float32]:
    """Return the sum of the track's sources, kept below full scale, with soft edges."""
    y = np.sum([decode(open_source(packages, track, p), track) for p in track.paths], axis=0)
    y *= min(1.0, 0.98 / float(np.abs(y).max()))
    n_fade = round(FADE_S * track.rate)
    ramp = np.linspace(0.0, 1.0, n_fade, dtype=np.float32)
    y[:, :n_fade] *= ramp
    y[:, -n_fade:] *= ramp[::-1]
    return np.asarray(y, dtype=np.float32)


def encode(y: npt.NDArray[np.float32], track: Track, target: Path) -> None:
    """Write `y` to `target`, without tags and without anything that changes from run to run."""
    shape = ["-f", "f32le", "-ar", str(track.rate), "-ac", str(track.channels), "-i", "pipe:0"]
    plain = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]
    bit_rate = ["-b:a", f"{track.kbps}k"] if track.kbps else []
    command = ["ffmpeg", "-v", "error", "-y", *shape, *plain, *CODECS[track.suffix][1], *bit_rate]
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([*command, str(target)], input=y.T.tobytes(), check=True)


def id3_frames(track: Track) -> ID3:
    """Return the track's tags as ID3 frames, in the encoding that ID3v2.3 knows too."""
    kinds: dict[str, Any] = {"artist": TPE1, "album": TALB, "title": TIT2, "genre": TCON}
    frames = ID3()
    for field, values in track.texts.items():
        frames.add(kinds[field](encoding=Encoding.UTF16, text=values))
    return frames


def write_tags(track: Track, target: Path) -> None:
    """Write artist, album, title and, if the track has one, genre: nothing else."""
    if track.suffix == ".mp3" and track.tag == "id3v1":
        with target.open("ab") as out:
            out.write(MakeID3v1(id3_frames(track)))
    elif track.suffix == ".mp3":
        id3_frames(track).save(target, v1=0, v2_version=3 if track.tag == "id3v2.3" else 4)
    elif track.suffix == ".wav":
        wave: Any = mutagen.File(target)
        wave.add_tags()
        for frame in id3_frames(track).values():
            wave.tags.add(frame)
        wave.save()
    else:
        audio: Any = mutagen.File(target)
        audio.delete()
        if audio.tags is None:
            audio.add_tags()
        for field, values in track.texts.items():
            audio[MP4_NAMES[field] if track.suffix == ".m4a" else field] = values
        audio.save()


def changes(track: Track) -> str:
    """Say what was done to the source."""
    codec = CODECS[track.suffix][0]
    sound = f"{track.rate / 1000:g} kHz {'mono' if track.channels == 1 else 'stereo'}"
    bit_rate = f" at {track.kbps} kbit/s" if track.kbps else ""
    mixed = "its two stems mixed; " if len(track.paths) > 1 else ""
    end = track.start + track.seconds
    return f"{mixed}{track.start:g} to {end:g} s, transcoded to {codec}{bit_rate}, {sound}"


def row(track: Track, licences: dict[str, str]) -> str:
    """Return the track's line of the table in CREDITS.md."""
    url = licences[track.licence]
    note = f"; {track.note}" if track.note else ""
    paths = ", ".join(f"`{path}`" for path in track.paths)
    written = "; ".join(f"`{genre}`" for genre in track.genres) or "–"
    cells = (
        f"`{track.file}`",
        track.title,
        f"{track.artist}. Credit: {track.author}",
        f"{track.truth} ({track.evidence})",
        f"{written}{f' ({track.tag})' if track.tag else ''}",
        f"{track.package} {track.version}, {paths}",
        f"[{track.licence}]({url}), stated in {track.stated}{note}",
        changes(track),
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def credits_page(table: dict[str, Any], tracks: list[Track]) -> str:
    """Return the whole of CREDITS.md."""
    lines = [HEADER, f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [row(track, table["licences"]) for track in sorted(tracks, key=lambda t: t.file)]
    lines += ["", "## Notices", ""]
    lines += [f"### {notice['title']}\n\n{notice['text']}" for notice in table["notices"]]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Write every file of SOURCES.toml, then CREDITS.md."""
    parser = argparse.ArgumentParser(description="Make examples/music from Debian packages.")
    parser.add_argument("packages", type=Path, help="folder of packages unpacked by dpkg-deb -x")
    packages = parser.parse_args().packages
    table = tomllib.loads((MUSIC / "SOURCES.toml").read_text(encoding="utf-8"))
    tracks = [Track(**entry) for entry in table["tracks"]]
    for track in tracks:
        target = MUSIC / track.file
        encode(excerpt(packages, track), track, target)
        write_tags(track, target)
    (MUSIC / "CREDITS.md").write_text(credits_page(table, tracks), encoding="utf-8")


if __name__ == "__main__":
    main()
