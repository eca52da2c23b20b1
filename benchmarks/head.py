"""Learning a head on a frozen backbone: what a track costs once, and a library ever after.

    python -m benchmarks.head [--tracks 2000] [--backbone MODEL] [--json FILE]

CPU milliseconds of one thread from a four-minute MP3 to its stored embeddings; then the seconds
that a head takes to learn from known embeddings, alone and as the whole command (`earmark train
--recipe head`: scan, split, choice of regularisation, calibration, test, files written) on a
library that has been heard before. FILE gets the times of the whole command.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._memory import peak_mb

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
SECONDS = 240.0
REPEATS = 5
N_GENRES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=2000)
    parser.add_argument("--backbone", default="", help="a model's folder or name; the shipped one")
    parser.add_argument("--json", type=Path, help="file to write the command's times to as well")
    parser.add_argument("--child", choices=("embed", "fit"), help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child == "embed":
        _embed(chosen.arguments[0])
    elif chosen.child == "fit":
        _fit(int(chosen.arguments[0]), int(chosen.arguments[1]))
    else:
        _all(chosen.tracks, chosen.backbone, chosen.json)


def _all(n_tracks: int, backbone: str, to: Path | None) -> None:
    from tests.audiofiles import synth, write

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        song = write(folder / "song.mp3", synth("music", SECONDS), 44100, "mp3")
        _child("embed", str(song))
        for n_features in (512, 2048):
            _child("fit", str(n_tracks), str(n_features))
        times = _command(folder, n_tracks, backbone)
    if to:
        to.write_text(json.dumps(times, indent=1) + "\n", encoding="utf-8")


def _child(what: str, *arguments: str) -> None:
    # How many threads numpy may use is settled when it is imported.
    command = [sys.executable, "-m", "benchmarks.head", "--child", what, *arguments]
    subprocess.run(command, env=os.environ | ONE_THREAD, check=True)


def _embed(path: str) -> None:
    from earmark.features.listen import listen
    from earmark.models import bundle
    from earmark.models.catalog import shipped_model
    from earmark.models.embeddings import embed
    from earmark.models.runtime import Classifier

    backbone = Classifier(bundle.load(shipped_model()))
    config = backbone.bundle.meta.listen
    times: dict[str, list[float]] = {"listening": [], "embedding": []}
    for repeat in range(REPEATS + 1):
        start = time.process_time()
        slices = listen(path, config)
        heard = time.process_time()
        embed(slices, backbone)
        if repeat:  # the first one imports and compiles
            times["listening"].append(1e3 * (heard - start))
            times["embedding"].append(1e3 * (time.process_time() - heard))
    ms = {what: statistics.median(found) for what, found in times.items()}
    print(
        f"four-minute MP3, one thread: {ms['listening']:.1f} ms of CPU to listen,"
        f" {ms['embedding']:.1f} ms to embed {len(slices.X)} slices"
    )


def _fit(n_tracks: int, n_features: int) -> None:
    """Embeddings as rectified mixtures of fewer causes, some of which the genre decides on."""
    import numpy as np

    from earmark.models.classical.head import Tracks, choose_c, fit_head

    rng = np.random.default_rng(0)
    causes = rng.normal(size=(n_tracks, 100))
    genres = causes @ rng.normal(size=(100, N_GENRES)) + rng.normal(0, 4, (n_tracks, N_GENRES))
    mixed = np.repeat(causes @ rng.normal(size=(100, n_features)) / 10, 5, axis=0)
    slices = np.maximum(mixed + rng.normal(0, 0.5, mixed.shape), 0).astype(np.float32)
    start = time.perf_counter()
    data = Tracks(slices, [5] * n_tracks, genres.argmax(axis=1).tolist())
    held_out = choose_c(data, [str(i // 4) for i in range(n_tracks)], N_GENRES)
    assert held_out is not None
    fit_head(data, N_GENRES, held_out.c)
    seconds = time.perf_counter() - start
    rss_mb = peak_mb()
    print(
        f"head on known embeddings: {n_tracks} tracks × 5 slices × {n_features} numbers,"
        f" {N_GENRES} genres: {seconds:.2f} s, regularisation chosen by cross-validation included"
        f" (peak memory {rss_mb:.0f} MB)"
    )


def _command(folder: Path, n_tracks: int, backbone: str) -> dict[str, float]:
    """Seconds of the whole command, the second time of which everything has been heard."""
    from tests.audiofiles import synth, write

    from earmark import config
    from earmark.models import catalog
    from earmark.models.catalog import shipped_model

    library = folder / "library"
    library.mkdir()
    for i in range(n_tracks):
        genre, artist = i % N_GENRES, i // (4 * N_GENRES)
        tags = {"genre": GENRES[genre], "artist": f"artist {genre}-{artist}"}
        y = synth("music", 3.1, 22050, 1, seed=i)
        write(library / f"{i}.flac", y, 22050, "flac", tags)
    environment = os.environ | {"EARMARK_HOME": str(folder / "home")}
    out = folder / "model"
    command = [sys.executable, "-c", "from earmark.cli import main; main()", "train"]
    command += [str(library), "--recipe", "head", "--out", str(out), "--quiet"]
    model = catalog.find(backbone, config.data_dir()) if backbone else shipped_model()
    command += ["--backbone", str(model)]
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    learning_s = json.loads((out / "model.json").read_text())["training"]["seconds"]
    print(
        f"earmark train --recipe head, {n_tracks} short tracks: {seconds[0]:.1f} s when new,"
        f" {seconds[1]:.1f} s when known, of these {learning_s:.1f} s learning"
    )
    times = {"new_s": seconds[0], "known_s": seconds[1], "learning_s": learning_s}
    return {"n_tracks": n_tracks, **{name: round(value, 2) for name, value in times.items()}}


GENRES = (
    *("Blues", "Classical", "Country", "Disco", "Folk"),
    *("Jazz", "Metal", "Pop", "Reggae", "Rock"),
)


if __name__ == "__main__":
    main()
