"""Lay out the music and the sounds that the shipped model is learned from; for maintainers.

    python examples/gather_ear_music.py DATA --packages DIR [--speech DIR] --out OUT

DATA is a folder with a manifest.csv (path, genre, artist); the others hold unpacked Debian
packages, a folder each (`apt-get download NAME && dpkg-deb -x NAME_*.deb DIR/NAME`). OUT gets links
only, but for speech in raw G.722, which becomes WAV:

- labelled: all of DATA, and what the packages have genre tags for, with labels.csv;
- unlabelled: the packages' other music (20 s and longer);
- not-music: the packages' short sounds, and speech; not-music-test: those of every fifth package,
  which the model is not to hear before it is judged.
"""

from __future__ import annotations

import argparse
import csv
import re
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import mutagen

AUDIO = {".flac", ".g722", ".mp3", ".oga", ".ogg", ".opus", ".wav"}
MUSIC_FROM_S = 20.0
# Short files by these names are music too: what is played in menus, at a victory or a defeat.
MUSICAL = re.compile(
    r"music|tune|jingle|theme|song|ingame|menu|win|lose|victory|defeat|fanfare|intro|title|credits"
    r"|ambient|loop|melod|demos",
    re.IGNORECASE,
)
MOST_SOUNDS = 60
MOST_SPEECH = 300


@dataclass(frozen=True)
class Audio:
    path: Path
    package: str
    duration_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    rows = _of_manifest(chosen.data, chosen.out / "labelled")
    # What the manifest took over from packages has its label there.
    taken = {Path(row["path"]).name for row in rows}
    for audio in _audio(chosen.packages):
        if audio.duration_s < MUSIC_FROM_S:
            continue
        genre, artist = _tags(audio.path)
        kind = "labelled" if genre and audio.path.name not in taken else "unlabelled"
        linked = _link(audio.path, chosen.out / kind / audio.package)
        if kind == "labelled":
            path = str(linked.relative_to(chosen.out / kind))
            rows.append({"path": path, "genre": genre, "artist": artist or audio.package})
    with (chosen.out / "labelled" / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ("path", "genre", "artist"))
        writer.writeheader()
        writer.writerows(rows)
    sounds = _short(_audio(chosen.packages), MOST_SOUNDS)
    if chosen.speech:
        sounds |= _short(_audio(chosen.speech), MOST_SPEECH)
    for number, package in enumerate(sorted(sounds)):
        folder = "not-music-test" if number % 5 == 4 else "not-music"
        for audio in sounds[package]:
            _link(audio.path, chosen.out / folder / package)
    for folder in ("labelled", "unlabelled", "not-music", "not-music-test"):
        files = [p for p in (chosen.out / folder).rglob("*") if p.suffix.lower() in AUDIO]
        packages = {p.relative_to(chosen.out / folder).parts[0] for p in files}
        print(f"{folder}: {len(files)} files in {len(packages)} folders: {sorted(packages)}")


def _of_manifest(data: Path, out: Path) -> list[dict[str, str]]:
    rows = []
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if (data / row["path"]).is_file():
                _link(data / row["path"], (out / row["path"]).parent)
                rows.append({name: row[name] for name in ("path", "genre", "artist")})
    return rows


def _audio(folder: Path) -> Iterator[Audio]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in AUDIO and path.is_file() and not path.is_symlink():
            length = _length(path)
            if length is not None:
                yield Audio(path, path.relative_to(folder).parts[0], length)


def _length(path: Path) -> float | None:
    if path.suffix == ".g722":
        return path.stat().st_size * 8 / 64_000
    try:
        with av.open(str(path), metadata_errors="replace") as opened:
            stream = opened.streams.audio[0]
            if opened.duration:
                return opened.duration / av.time_base
            if stream.duration and stream.time_base:
                return float(stream.duration * stream.time_base)
    except (av.FFmpegError, IndexError):
        pass
    return None


def _short(found: Iterator[Audio], most: int) -> dict[str, list[Audio]]:
    """Sounds by package, at most so many of each, spread over its folders."""
    sounds: dict[str, list[Audio]] = {}
    for audio in found:
        name = str(audio.path).partition(f"/{audio.package}/")[2]
        if audio.duration_s < MUSIC_FROM_S and not MUSICAL.search(name):
            sounds.setdefault(audio.package, []).append(audio)
    return {
        package: [held[i * len(held) // most] for i in range(most)] if len(held) > most else held
        for package, held in sounds.items()
    }


def _tags(path: Path) -> tuple[str, str]:
    try:
        tags = mutagen.File(path, easy=True)
    except mutagen.MutagenError:
        return "", ""
    found = [(tags or {}).get(name) or [""] for name in ("genre", "artist")]
    return found[0][0].strip(), found[1][0].strip()


def _link(path: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    raw = path.suffix == ".g722"
    name = f"{path.stem}.wav" if raw else path.name
    # Names repeat below a package's folders.
    for link in (folder / name, folder / f"{path.parent.parent.name}-{path.parent.name}-{name}"):
        if raw and not link.exists():
            _to_wav(path, link)
        elif not link.exists():
            link.symlink_to(path.resolve())
        elif not raw and link.resolve() != path.resolve():
            continue
        break
    return link


def _to_wav(path: Path, wav: Path) -> None:
    with av.open(str(path)) as opened, wave.open(str(wav), "wb") as file:
        stream = opened.streams.audio[0]
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(stream.rate)
        resampler = av.AudioResampler("s16", "mono", stream.rate)
        for frame in opened.decode(stream):
            for part in resampler.resample(frame):
                file.writeframes(part.to_ndarray().tobytes())


if __name__ == "__main__":
    main()
