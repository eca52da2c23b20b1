"""Whether a track's level decides its genre, and what levelling costs: none, RMS, EBU R 128.

    python -m benchmarks.level --data DIR [--backbone MODEL] [--seeds 2] [--json FILE]

DIR holds ``manifest.csv`` (path, genre, artist) and labelled clips below ``gtzan`` and ``emotify``.
For each way of levelling, a new head is learned on the backbone's embeddings of the clips as they
are, all genres together, and asked about artists left out (5 folds), at other levels too; what
turning up takes over full scale is clipped. Then CPU milliseconds of levelling one track.

EBU R 128 measures loudness by ITU-R BS.1770-4: K-weighting, blocks of 400 ms every 100 ms, of
which those above -70 LUFS, and then those less than 10 LU below the mean of these, count.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from earmark.audio import level, read_excerpts
from earmark.features.listen import slices_of
from earmark.types import Excerpt, FloatArray, ListenConfig, Signal

if TYPE_CHECKING:
    from earmark.models.runtime import Classifier

SOURCES = ("gtzan", "emotify")
LEVELS_DB = (0.0, -6.0, -12.0, -20.0, 6.0)
N_FOLDS = 5
_SR = 22050  # of all clips, so that nothing is resampled before it is clipped


@dataclass(frozen=True, slots=True)
class Clip:
    path: Path
    genre: str
    artist: str


def none(_: Sequence[Signal]) -> float:
    """As it is."""
    return 1.0


def rms(signals: Sequence[Signal]) -> float:
    """As Earmark does."""
    return level.gain(signals)


def r128(signals: Sequence[Signal]) -> float:
    """To the same number of LUFS, with the same bound."""
    powers = np.concatenate([_k_weighted(signal) for signal in signals])
    loud = powers[powers > _power(-70.0)]
    if loud.size:
        loud = loud[loud > loud.mean() / 10]
    lufs = -0.691 + 10 * np.log10(max(loud.mean() if loud.size else 0.0, 1e-12))
    return float(10 ** (min(level.TARGET_DBFS - lufs, level.MAX_GAIN_DB) / 20))


WAYS: dict[str, Callable[[Sequence[Signal]], float]] = {"none": none, "rms": rms, "r128": r128}


def _power(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _k_weighted(signal: Signal) -> FloatArray:
    """Mean squares of blocks, weighted in the frequency domain by the filters' responses."""
    sr, y = signal.sr, signal.y
    hz = np.fft.rfftfreq(2 * y.size, 1 / sr)
    weighted = np.fft.irfft(np.fft.rfft(y, 2 * y.size) * _k_response(hz))[: y.size]
    size, hop = min(y.size, round(0.4 * sr)), round(0.1 * sr)
    rows = np.lib.stride_tricks.sliding_window_view(weighted, size)[::hop]
    powers: FloatArray = np.square(rows).mean(axis=1)
    return powers


def _k_response(hz: Any) -> Any:
    """Of both filters, by the standard's coefficients for 48 kHz, at these frequencies."""
    z = np.exp(-2j * np.pi * hz / 48_000)
    shelf = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    high_pass = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    return shelf * high_pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv")
    parser.add_argument("--backbone", type=Path, help="a model's folder; the shipped one")
    parser.add_argument("--seeds", type=int, default=2, help="other deals of artists to folds")
    parser.add_argument("--json", type=Path, help="file to write the numbers to as well")
    chosen = parser.parse_args()
    found = measure(_clips(chosen.data), _ear(chosen.backbone), range(chosen.seeds))
    _print(found)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", "utf-8")


def _ear(backbone: Path | None) -> Classifier:
    from earmark.models import bundle
    from earmark.models.catalog import shipped_model
    from earmark.models.runtime import Classifier

    return Classifier(bundle.load(backbone or shipped_model()))


def _clips(data: Path) -> list[Clip]:
    with (data / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return [
            Clip(data / row["path"], row["genre"], row["artist"] or row["path"])
            for row in csv.DictReader(file)
            if Path(row["path"]).parts[0] in SOURCES
        ]


def measure(clips: Sequence[Clip], ear: Classifier, seeds: range) -> dict[str, Any]:
    """Accuracy and changed answers of each way, by source and level."""
    listen = ear.bundle.meta.listen
    plain = ListenConfig(listen.excerpts, listen.features, listen.slices)
    heard = [read_excerpts(clip.path, plain.excerpts, _SR) for clip in clips]
    rms_dbfs = [level.TARGET_DBFS - 20 * np.log10(rms([e.signal for e in each])) for each in heard]
    found: dict[str, Any] = {
        "n_clips": len(clips),
        "rms_dbfs": {f"{p} %": float(np.percentile(rms_dbfs, p).round(1)) for p in (1, 5, 50, 95)},
        "ms": {},
        "ways": {},
    }
    for name, way in WAYS.items():
        embedded = {db: [_embed(each, db, way, plain, ear) for each in heard] for db in LEVELS_DB}
        found["ways"][name] = _judge(clips, embedded, seeds)
        found["ms"][name] = _cost(heard, way)
        print(f"{name} done", flush=True)
    return found


def _embed(
    excerpts: Sequence[Excerpt],
    db: float,
    way: Callable[[Sequence[Signal]], float],
    listen: ListenConfig,
    ear: Classifier,
) -> FloatArray:
    """Embeddings (n_slices, n_features) of a track turned up by `db`, clipped, then levelled."""
    turned = (np.clip(e.signal.y * np.float32(10 ** (db / 20)), -1, 1) for e in excerpts)
    sr = listen.features.sr
    signals = [Signal(soxr.resample(y, _SR, sr, quality="HQ"), sr) for y in turned]
    factor = np.float32(way(signals))
    levelled = [
        Excerpt(e.start_s, Signal(signal.y * factor, sr))
        for e, signal in zip(excerpts, signals, strict=True)
    ]
    return ear.embeddings(slices_of(levelled, listen, "").X)


def _judge(
    clips: Sequence[Clip], embedded: dict[float, list[FloatArray]], seeds: range
) -> dict[str, Any]:
    from earmark.datasets import grouped_folds

    genres = sorted({clip.genre for clip in clips})
    reference = np.array([genres.index(clip.genre) for clip in clips])
    answers = {db: np.empty((len(seeds), len(clips)), dtype=int) for db in LEVELS_DB}
    artists = [clip.artist for clip in clips]
    for row, seed in enumerate(seeds):
        fold = np.array(grouped_folds(artists, [clip.genre for clip in clips], N_FOLDS, seed))
        for k in range(N_FOLDS):
            head = _learn(embedded[0.0], reference, artists, fold != k, len(genres), seed)
            for db, tracks in embedded.items():
                for i in np.flatnonzero(fold == k):
                    answers[db][row, i] = head(tracks[i]).argmax()
    source = np.array([clip.path.parent.parent.name for clip in clips])
    return {
        name: {
            f"{db:+g}": {
                "right": float((answers[db] == reference)[:, source == name].mean()),
                "changed": float((answers[db] != answers[0.0])[:, source == name].mean()),
            }
            for db in LEVELS_DB
        }
        for name in SOURCES
    }


def _learn(
    tracks: Sequence[FloatArray],
    reference: Any,
    artists: Sequence[str],
    learned: Any,
    n_genres: int,
    seed: int,
) -> Callable[[FloatArray], FloatArray]:
    """A head as `earmark train --recipe head` learns it: what it says of a track's slices."""
    from earmark.decision.calibration import softmax
    from earmark.models.classical.head import DEFAULT_C, Tracks, choose_c, fit_head

    rows = np.flatnonzero(learned).tolist()
    slices = np.concatenate([tracks[i] for i in rows])
    data = Tracks(slices, [len(tracks[i]) for i in rows], reference[rows].tolist())
    held_out = choose_c(data, [artists[i] for i in rows], n_genres, seed=seed)
    c, distances = (held_out.c, held_out.distances) if held_out else (DEFAULT_C, None)
    head = fit_head(data, n_genres, c, distances)
    return lambda embeddings: softmax(head.logits(embeddings)).mean(axis=0)


def _cost(heard: Sequence[Sequence[Excerpt]], way: Callable[[Sequence[Signal]], float]) -> float:
    """Median CPU milliseconds of five excerpts of three seconds."""
    track = next(each for each in heard if len(each) > 1)
    signals, times = [e.signal for e in track], []
    for _ in range(25):
        start = time.process_time()
        way(signals)
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times)


def _print(found: dict[str, Any]) -> None:
    print(f"{found['n_clips']} clips, RMS in dBFS: {found['rms_dbfs']}")
    levels = [f"{db:+g}" for db in LEVELS_DB]
    print(
        f"{'':18}{'ms':>6}" + "".join(f"{f'{db} dB':>16}" for db in levels) + "   right / changed"
    )
    for way, of_way in found["ways"].items():
        for source, at in of_way.items():
            cells = (f"{at[db]['right']:.1%} / {at[db]['changed']:.1%}" for db in levels)
            row = "".join(f"{cell:>16}" for cell in cells)
            print(f"{way:6}{source:12}{found['ms'][way]:6.2f}{row}")


if __name__ == "__main__":
    main()
