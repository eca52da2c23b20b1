"""The loader, the trainer's wait for data, its memory, and an epoch against feeding it naively.

    python -m benchmarks.training [--clips 8000] [--steps 200] [--music FOLDER]

A store of 8,000 clips of 30 s (10 slices of 128 × 128 each, 1.3 GB; made by shifting the slices of
real clips where FOLDER holds any, of synthetic music otherwise) is read in random batches, warm and
with the system's cache of it dropped, and trained from for one epoch of 200 steps by the default
recipe. Then 100 clips are heard and trained on, by us and by `librosa.load` of whole clips with all
spectrograms as float32 in memory, the same network and the same slices in both, in one run.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._memory import peak_mb
from earmark.events import run
from earmark.features.store import FeatureStore
from earmark.inference.batch import fill
from earmark.pool import Workers
from earmark.training import recipes
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.types import ExcerptConfig, Slices

if TYPE_CHECKING:
    from earmark.training.torch.data import Part

BOUND_RSS_MB, BOUND_WAIT = 1500, 0.10
MUSIC = Path(__file__).parents[2] / "shared" / "data"
N_GENRES = 10
N_SEEDS, N_COMPARED = 40, 100
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=8000)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--music", type=Path, default=MUSIC)
    parser.add_argument("--child", choices=sorted(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        CHILDREN[chosen.child](chosen)
        return
    with tempfile.TemporaryDirectory() as folder:
        chosen.folder = Path(folder)
        # Children, so that each shows its own peak memory.
        for child in ("build", "loader", "train", "clips", "naive", "ours"):
            command = [sys.executable, "-m", "benchmarks.training", "--child", child]
            for option in ("clips", "steps", "music", "folder"):
                command += [f"--{option}", str(getattr(chosen, option))]
            subprocess.run(command, check=True)


def recipe() -> TrainingRecipe:
    """The default one, listening to whole clips of 30 s."""
    whole = ExcerptConfig(n_excerpts=1, excerpt_s=30.0, margin=0.0)
    return dataclasses.replace(recipes.load("cnn"), excerpts=whole)


def music(folder: Path, n: int) -> list[str]:
    """Clips of 30 s, evenly out of all that the folder has."""
    tracks = (path for part in ("gtzan", "emotify") for path in folder.glob(f"{part}/*/*.ogg"))
    found = sorted(path for path in tracks if path.stat().st_size > 90_000)
    return [str(path) for path in found[:: max(1, len(found) // n)][:n]]


def clips(folder: Path, n: int, chosen: argparse.Namespace) -> list[str]:
    """The person's clips, or synthetic ones written into `folder`."""
    from tests.audiofiles import synth, write

    real = music(chosen.music, n)
    if len(real) >= n:
        return real
    folder.mkdir(exist_ok=True)
    return [
        str(write(folder / f"{i}.ogg", synth("music", 30.0, 22050, 1, seed=i), 22050, "ogg"))
        for i in range(n)
    ]


def build(chosen: argparse.Namespace) -> None:
    """A store of `chosen.clips` clips: those of a few, shifted in time and pitch."""
    paths = clips(chosen.folder / "seeds", N_SEEDS, chosen)
    start = time.perf_counter()
    with FeatureStore(chosen.folder / "few", recipe().listen) as few:
        heard = run(fill(few, paths, Workers(os.cpu_count() or 1, time_limit_s=60)))
        spans = few.locate(list(heard.values()))
        seeds = [few.read(span[:10]) for span in spans if len(span) >= 10]
    rng = np.random.default_rng(0)
    with FeatureStore(chosen.folder / "store", recipe().listen) as store:
        for i in range(chosen.clips):
            X = np.roll(seeds[i % len(seeds)], rng.integers(128), axis=2)
            X = np.roll(X, rng.integers(-2, 3), axis=1)
            store.add(Slices(X, np.arange(10, dtype=np.float32), str(i)))
            if i % 100 == 99:
                store.flush()
    size = sum(path.stat().st_size for path in (chosen.folder / "store").rglob("*.u8"))
    print(
        f"store of {chosen.clips} clips, {size / 1e9:.2f} GB, made in"
        f" {time.perf_counter() - start:.0f} s out of {len(seeds)} heard"
    )


def whole(store: FeatureStore, n_clips: int) -> Part:
    from earmark.training.torch.data import Part

    spans = store.locate([str(i) for i in range(n_clips)])
    return Part.of(store, spans, [i % N_GENRES for i in range(n_clips)])


def loader(chosen: argparse.Namespace) -> None:
    with FeatureStore(chosen.folder / "store", recipe().listen) as store:
        part = whole(store, chosen.clips)
        for state in ("cold", "warm", "warm"):
            if state == "cold":
                _drop_cache(store.folder)
            order = np.random.default_rng(0).permutation(len(part))[: 300 * BATCH]
            start = time.perf_counter()
            n = sum(len(reference) for _, reference in part.batches(BATCH, order))
            seconds = time.perf_counter() - start
            print(f"loader, {state}: {n / seconds:.0f} slices/s in random batches of {BATCH}")


def _drop_cache(folder: Path) -> None:
    if sys.platform != "linux":
        print("the system's cache cannot be emptied file by file here; what follows is from it")
        return
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def subset(part: Part, n: int, seed: int) -> Part:
    """`n` slices from anywhere in the store."""
    at = np.sort(np.random.default_rng(seed).permutation(len(part))[:n])
    return dataclasses.replace(
        part, numbers=part.numbers[at], reference=part.reference[at], track=part.track[at]
    )


def train(chosen: argparse.Namespace) -> None:
    from earmark.events import Epoch
    from earmark.training.torch.fit import fit

    how = recipe().replaced({"schedule.epochs": 1}, "benchmark")
    with FeatureStore(chosen.folder / "store", how.listen) as store:
        part = whole(store, chosen.clips)
        learned = subset(part, chosen.steps * how.schedule.batch_size, 0)
        valid = subset(part, 2000, 1)
        _drop_cache(store.folder)
        times, epoch = [], None
        for event in fit(learned, valid, N_GENRES, how, chosen.folder / "run"):
            times.append(time.perf_counter())
            epoch = event if isinstance(event, Epoch) else epoch
    assert epoch is not None
    step_s = statistics.median(np.diff(times[:-1]))
    wait = epoch.wait_s / (len(times) - 1) / step_s
    print(
        f"training, {len(times) - 1} steps of {how.schedule.batch_size} out of {len(part)} slices:"
        f" {1e3 * step_s:.0f} ms a step, {how.schedule.batch_size / step_s:.0f} slices/s,"
        f" data wait {wait:.2%} of a step   bound: {BOUND_WAIT:.0%},"
        f" {'met' if wait < BOUND_WAIT else 'MISSED'}"
    )
    print(f"augmentation: {_augmentation_ms(how) / (1e3 * step_s):.1%} of a step")
    rss = peak_mb()
    print(
        f"peak memory: {rss:.0f} MB   bound: {BOUND_RSS_MB} MB,"
        f" {'met' if rss < BOUND_RSS_MB else 'MISSED'}"
    )


def _augmentation_ms(how: TrainingRecipe) -> float:
    import torch

    from earmark.training.torch.augment import Augmenter, mixup

    augment = Augmenter(how.augmentation, how.features, how.slices.n_frames)
    rng = np.random.default_rng(0)
    X = torch.randint(0, 255, (how.schedule.batch_size, 128, 128)).float()
    times = []
    for _ in range(50):
        start = time.perf_counter()
        mixup(augment(X, rng), how.augmentation.mixup, rng)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def make_clips(chosen: argparse.Namespace) -> None:
    paths = clips(chosen.folder / "compared", N_COMPARED, chosen)
    (chosen.folder / "compared.txt").write_text("\n".join(paths))


def compared(chosen: argparse.Namespace) -> list[str]:
    paths: str = (chosen.folder / "compared.txt").read_text()
    return paths.splitlines()


def plain() -> TrainingRecipe:
    """No augmentation, so that only the way of feeding differs."""
    values = {**recipe().to_dict(), "augmentation": {}}
    bare = TrainingRecipe.from_dict(values, "plain", "benchmark")
    return bare.replaced({"schedule.epochs": 2, "schedule.batch_size": BATCH}, "benchmark")


def ours(chosen: argparse.Namespace) -> None:
    from earmark.events import Epoch
    from earmark.training.torch.data import Part
    from earmark.training.torch.fit import fit

    how, start = plain(), time.perf_counter()
    with FeatureStore(chosen.folder / "ours", how.listen) as store:
        heard = run(fill(store, compared(chosen), Workers(os.cpu_count() or 1, time_limit_s=60)))
        prepared = time.perf_counter() - start
        spans = store.locate(list(heard.values()))
        part = Part.of(store, spans, [i % N_GENRES for i in range(len(spans))])
        events = list(fit(part, subset(part, 10, 0), N_GENRES, how, chosen.folder / "run-ours"))
    epochs = [event.seconds for event in events if isinstance(event, Epoch)]
    _report(chosen, "ours", prepared, epochs[-1], len(part))


def naive(chosen: argparse.Namespace) -> None:
    import librosa
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from earmark.features import quantise
    from earmark.models import registry
    from earmark.slices import cut

    how, start = plain(), time.perf_counter()
    features, slices = how.features, []
    for path in compared(chosen):
        y, _ = librosa.load(path, sr=features.sr)
        S = librosa.feature.melspectrogram(
            y=y, sr=features.sr, n_fft=features.n_fft, hop_length=features.hop_length, n_mels=128
        )
        S_db = librosa.power_to_db(S, top_db=None).astype(np.float32)
        slices.append(cut(quantise(S_db, features), how.slices)[0].astype(np.float32))
    prepared = time.perf_counter() - start
    X = torch.from_numpy(np.concatenate(slices))
    genres = torch.tensor([i % N_GENRES for i, part in enumerate(slices) for _ in part])
    network = registry.build("cnn", 128, 128, N_GENRES)
    optimiser = torch.optim.AdamW(network.parameters(), lr=how.optimiser.lr)

    def epoch() -> Iterator[None]:
        for batch, reference in DataLoader(TensorDataset(X, genres), BATCH, shuffle=True):
            loss: Any = torch.nn.functional.cross_entropy(network(batch), reference)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            yield

    start = time.perf_counter()
    n_steps = sum(1 for _ in epoch())
    assert n_steps
    _report(chosen, "naive", prepared, time.perf_counter() - start, len(X))


def _report(
    chosen: argparse.Namespace, name: str, prepared: float, epoch_s: float, n_slices: int
) -> None:
    print(
        f"{name}: {N_COMPARED} clips ready after {prepared:.1f} s, an epoch of {n_slices} slices"
        f" {epoch_s:.1f} s, peak memory {peak_mb():.0f} MB"
    )
    noted = chosen.folder / "naive.txt"
    if name == "naive":
        held = n_slices * 128 * 128 * 4 / N_COMPARED * chosen.clips / 1e9
        print(f"  of which {held:.1f} GB would be spectrograms with {chosen.clips} clips")
        noted.write_text(f"{prepared} {epoch_s} {peak_mb()}")
        return
    theirs = [float(value) for value in noted.read_text().split()]
    print(
        f"  first epoch done {(theirs[0] + theirs[1]) / (prepared + epoch_s):.1f} times as soon as"
        f" the naive way's, one epoch {theirs[1] / epoch_s:.2f} times as fast; the next run has"
        " nothing to listen to"
    )


CHILDREN = {
    "build": build,
    "loader": loader,
    "train": train,
    "clips": make_clips,
    "naive": naive,
    "ours": ours,
}

if __name__ == "__main__":
    main()
